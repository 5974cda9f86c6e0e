import type { Call, Model } from '../../linearizability/model.js';
import type { Operation } from '../../../src/verify/operation.js';

/**
 * The sequence service of check-history.ts as a model: an unknown `next` ends anywhere, so a state is the set of all that the counter may
 * be, as text: `c,h c,h`, sorted. Only ends at a number that somebody was told make a difference.
 */
export function sequenceModel(operations: readonly Operation[]): Model<string, Operation, Operation['outcome']> {
  const ends = operations.flatMap(({ outcome }) => (outcome.type === 'value' ? [outcome.seq] : []));
  return {
    initial: '0,0',
    step(state, operation) {
      const after = state.split(' ').flatMap((one) => {
        const [c = 0n, h = 0n] = one.split(',').map(BigInt);
        return afterOne({ c, h }, operation, ends);
      });
      const set = [...new Set(after.map(({ c, h }) => `${c},${h}`))].sort();
      return set.length === 0 ? undefined : set.join(' ');
    },
  };
}

export function callsOf(operations: readonly Operation[]): Call<Operation, Operation['outcome']>[] {
  return operations
    .filter(({ outcome, call }) => outcome.type !== 'refused' && (call !== 'current' || outcome.type === 'value'))
    .map((operation) => {
      const { outcome, invokedNs, returnedNs } = operation;
      return { input: operation, output: outcome.type === 'unknown' ? undefined : outcome, invokedAt: invokedNs, returnedAt: returnedNs };
    });
}

interface Counter {
  readonly c: bigint;
  readonly h: bigint;
}

function afterOne({ c, h }: Counter, { call, count, to = 0n, outcome }: Operation, ends: readonly bigint[]): Counter[] {
  const size = BigInt(count);
  if (outcome.type === 'numbers')
    return outcome.first > c && outcome.last - outcome.first + 1n === size ? [{ c: outcome.last, h: outcome.last }] : [];
  if (outcome.type === 'value' && call === 'advance') {
    const { seq } = outcome;
    return seq >= to && seq >= c ? [{ c: seq, h: seq === to && to > c ? to : h }] : [];
  }
  if (outcome.type === 'value') {
    const isLegal = outcome.exact ? outcome.seq === c && outcome.seq === h : outcome.seq >= c;
    return isLegal ? [{ c: outcome.seq, h }] : [];
  }
  if (call === 'advance') return [to > c ? { c: to, h: to } : { c, h }];
  return ends.filter((end) => end - size >= c).map((end) => ({ c: end, h: end }));
}
