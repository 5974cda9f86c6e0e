import type { AllocId, Incarnation } from '../model/ids.js';
import type { Taker } from './deal.js';
import { type Piece, piecesOf, weightsOf } from './pieces.js';
import type { Candidate, ClusterView, Holding, LoadMap } from './view.js';

/** Everything that a plan follows from: the same situation always makes the same plan. */
export interface Situation {
  readonly view: ClusterView;
  /** Newest runs, draining ones too, that were heard within their lease. */
  readonly living: ReadonlySet<Incarnation>;
  /** Runs whose lease is surely over, or that were seen to end: what they hold may be given away. */
  readonly expired: ReadonlySet<Incarnation>;
  /** Newest runs that missed two renewals or more. */
  readonly silent: ReadonlySet<Incarnation>;
  /** Newest runs that were heard a short while ago: the brake counts them, though they hold nothing any more. */
  readonly remembered: ReadonlySet<Incarnation>;
  readonly loads: LoadMap;
  /** False while a fresh set waits for more AllocSvrs: what has no owner and no heir is not dealt out yet. */
  readonly isSettled: boolean;
  /** Sections whose counters somebody has who is not there wait for that one. */
  readonly awaitsHeirs: boolean;
}

/** Who could be given sections now: living, and not about to stop. */
export function takersIn({ view, living }: Situation): readonly Candidate[] {
  return view.allocs.filter(({ incarnation }) => living.has(incarnation));
}

/** Nobody serves it, and nobody can come back to it. */
export function isOrphan({ expired }: Situation, { holder }: Holding): boolean {
  return holder === undefined || expired.has(holder);
}

/** A planned move is under way, or was: quicker to say than how many. */
export function hasMoves({ holdings }: ClusterView): boolean {
  return holdings.some(({ next }) => next !== undefined);
}

/** The holdings in pieces, with what each run has or is about to get. */
export class Survey {
  readonly pieces: readonly Piece[];
  /** Sections on their way by planned moves that can come to their end. */
  readonly movingCount: number;
  readonly #mayMoveTo: ReadonlySet<Incarnation>;
  readonly #weightAt = new Map<Incarnation, number>();

  constructor(situation: Situation) {
    const { view, expired, loads } = situation;
    this.#mayMoveTo = new Set(view.allocs.map(({ incarnation }) => incarnation).filter((incarnation) => !expired.has(incarnation)));
    this.pieces = piecesOf(view.holdings, weightsOf(loads));
    let movingCount = 0;
    for (const { holding, sectionCount, weight } of this.pieces) {
      if (isOrphan(situation, holding)) continue;
      const at = this.isMoving(holding) ? holding.next : holding.holder;
      if (at === undefined) continue;
      this.#weightAt.set(at, (this.#weightAt.get(at) ?? 0) + sectionCount * weight);
      if (this.isMoving(holding)) movingCount += sectionCount;
    }
    this.movingCount = movingCount;
  }

  /** A planned move goes to a run that may have it, and that is not known to be lost: silence alone is not enough. */
  isMoving({ next }: Holding): boolean {
    return next !== undefined && this.#mayMoveTo.has(next);
  }

  takers(candidates: readonly Candidate[]): readonly Taker[] {
    return candidates.map((to) => ({ to, weight: this.#weightAt.get(to.incarnation) ?? 0 }));
  }
}

/** Every AllocSvr that the view knows, standbys aside, in order. */
export function primariesIn({ allocs, draining, holdings, policy }: ClusterView): readonly AllocId[] {
  const ids = new Set([...allocs, ...draining].map(({ id }) => id));
  for (const { holderId } of holdings) if (holderId !== undefined) ids.add(holderId);
  for (const id of policy.standbys) ids.delete(id);
  return [...ids].sort();
}
