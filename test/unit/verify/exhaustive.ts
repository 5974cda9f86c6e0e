import type { Operation } from '../../../src/verify/operation.js';

/**
 * The definition, tried out: is there any order of these operations of one uid that real time allows and that the sequence service of
 * check-history.ts can give? Exponential; for histories of a handful.
 */
export function isExplainable(operations: readonly Operation[]): boolean {
  const taking = operations.filter(({ call, outcome }) => outcome.type !== 'refused' && (call !== 'current' || outcome.type === 'value'));
  const answered = taking.filter(({ outcome }) => outcome.type !== 'unknown').length;
  const ends = taking.flatMap(({ outcome }) => (outcome.type === 'value' ? [outcome.seq] : []));
  return search({ left: taking, answered, ends, current: 0n, handedOut: 0n });
}

interface State {
  readonly left: readonly Operation[];
  /** How many of `left` have an answer: the others may never have happened. */
  readonly answered: number;
  /** Where an unknown range can end and be noticed. */
  readonly ends: readonly bigint[];
  readonly current: bigint;
  readonly handedOut: bigint;
}

function search(state: State): boolean {
  if (state.answered === 0) return true;
  return state.left.some((operation) => {
    // It may come next unless another one that is left had returned before it began.
    const isNext = state.left.every(({ outcome, returnedNs }) => outcome.type === 'unknown' || returnedNs >= operation.invokedNs);
    return isNext && statesAfter(state, operation).some(search);
  });
}

function statesAfter(state: State, operation: Operation): State[] {
  const left = state.left.filter((other) => other !== operation);
  const { outcome } = operation;
  if (outcome.type === 'numbers') {
    const isLegal = outcome.first > state.current && outcome.last - outcome.first + 1n === BigInt(operation.count);
    return isLegal ? [{ ...state, left, answered: state.answered - 1, current: outcome.last, handedOut: outcome.last }] : [];
  }
  if (operation.call === 'advance') return statesAfterAdvance(state, operation, left);
  if (outcome.type === 'value') {
    const isLegal = outcome.exact ? outcome.seq === state.current && outcome.seq === state.handedOut : outcome.seq >= state.current;
    return isLegal ? [{ ...state, left, answered: state.answered - 1, current: outcome.seq }] : [];
  }
  return state.ends.filter((end) => end - BigInt(operation.count) >= state.current).map((end) => ({ ...state, left, current: end, handedOut: end }));
}

function statesAfterAdvance(state: State, { to = 0n, outcome }: Operation, left: readonly Operation[]): State[] {
  const isLifted = to > state.current;
  if (outcome.type !== 'value') return isLifted ? [{ ...state, left, current: to, handedOut: to }] : [];
  if (outcome.seq < to || outcome.seq < state.current) return [];
  const handedOut = isLifted && outcome.seq === to ? to : state.handedOut;
  return [{ ...state, left, answered: state.answered - 1, current: outcome.seq, handedOut }];
}
