import { SeqError } from '../base/errors.js';
import type { AllocId } from '../model/ids.js';
import { toSectionId } from '../model/ids.js';
import { planRebalance } from './plan.js';
import { type Move, movingCountOf, type Situation } from './view.js';

/** A run of sections, as an operator names it. */
export interface SectionRun {
  readonly firstSection: number;
  readonly sectionCount: number;
}

/**
 * The moves that bring these sections to one AllocSvr; those that are there already stay out of it. Throws INVALID_ARGUMENT,
 * with the value and the rule, when it is not to be had.
 */
export function planOperatorMove(situation: Situation, { firstSection, sectionCount }: SectionRun, toId: AllocId): readonly Move[] {
  const { view, living } = situation;
  const last = view.holdings.at(-1);
  const count = last === undefined ? 0 : last.firstSection + last.sectionCount;
  if (sectionCount < 1 || firstSection + sectionCount > count)
    throw invalid(`sections ${firstSection}..${firstSection + sectionCount - 1} are not all of this set, which has 0..${count - 1}`);
  const to = view.allocs.find(({ id }) => id === toId);
  if (to === undefined) {
    const isDraining = view.draining.some(({ id }) => id === toId);
    throw invalid(
      isDraining ? `AllocSvr ${toId} is draining: it gets no sections` : `no AllocSvr ${toId} may have sections; there are ${namesOf(view.allocs)}`,
    );
  }
  if (!living.has(to.incarnation)) throw invalid(`AllocSvr ${toId} was not heard of within its lease: it could not serve them`);
  const end = firstSection + sectionCount;
  const moves = view.holdings.flatMap((run): readonly Move[] => {
    const from = Math.max(firstSection, run.firstSection);
    const till = Math.min(end, run.firstSection + run.sectionCount);
    if (from >= till || (run.holder === to.incarnation && run.next === undefined)) return [];
    if (run.holder === undefined || !living.has(run.holder))
      throw invalid(`section ${from} has no living owner that could hand it over: the arbiter gives it away by itself`);
    return [{ firstSection: toSectionId(from), sectionCount: till - from, to }];
  });
  const sum = moves.reduce((total, move) => total + move.sectionCount, 0);
  if (sum > view.policy.movesInFlightMax)
    throw invalid(
      `${sum} sections are more than may ever be on their way at once, ${view.policy.movesInFlightMax}: move fewer, or raise it (seqctl policy set --moves)`,
    );
  const room = view.policy.movesInFlightMax - movingCountOf(view);
  if (sum > room)
    throw new SeqError(
      'RESOURCE_EXHAUSTED',
      `${sum} sections are more than may be on their way: ${room} of ${view.policy.movesInFlightMax} are free`,
      {
        retryAfterMs: 1_000,
      },
    );
  return moves;
}

/** What spreads sections evenly now, however little is out of it; as many as may be on their way. */
export function planOperatorRebalance(situation: Situation): readonly Move[] {
  return planRebalance(situation, { isForced: true });
}

function namesOf(allocs: readonly { readonly id: string }[]): string {
  return allocs.length === 0 ? 'none' : allocs.map(({ id }) => id).join(', ');
}

function invalid(message: string): SeqError {
  return new SeqError('INVALID_ARGUMENT', message);
}
