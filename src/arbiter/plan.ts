import { assert } from '../base/assert.js';
import { type Incarnation, type SectionId, toSectionId } from '../model/ids.js';
import type { Candidate, ClusterView, Holding, Move } from './view.js';

/** Owners may differ by this share of an even share before a planned move is worth its pause. */
const IMBALANCE_MAX = 0.1;
/** Sections that are on their way by planned moves at the same time. */
const PLANNED_MOVES_MAX = 20_000;

export interface Situation {
  readonly view: ClusterView;
  /** Newest runs that were heard within their lease: they may be given sections. */
  readonly living: ReadonlySet<Incarnation>;
  /** Runs whose lease is surely over: their sections may be given away. */
  readonly expired: ReadonlySet<Incarnation>;
}

/**
 * Who takes the sections that nobody can serve: whatever has no owner, or an owner whose lease is surely over. Spread
 * evenly over the living, in long runs, so that the table stays short. Sections with a living owner do not move.
 */
export function planAssignment({ view, living, expired }: Situation): readonly Move[] {
  const candidates = view.allocs.filter(({ incarnation }) => living.has(incarnation));
  if (candidates.length === 0) return [];
  const orphans = view.holdings.filter(({ holder }) => holder === undefined || expired.has(holder));
  if (orphans.length === 0) return [];
  return deal(orphans, { candidates, counts: countsOf(view.holdings, candidates, expired) });
}

/** Which sections should move between living owners, so that all have about the same number. Empty when it is not worth it. */
export function planRebalance({ view, living, expired }: Situation): readonly Move[] {
  const candidates = view.allocs.filter(({ incarnation }) => living.has(incarnation));
  const isQuiet = view.holdings.every(({ holder, isMoving }) => holder !== undefined && living.has(holder) && !isMoving);
  if (candidates.length < 2 || !isQuiet) return [];
  const counts = countsOf(view.holdings, candidates, expired);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const share = total / candidates.length;
  const most = Math.max(...counts.values());
  const least = Math.min(...counts.values());
  if (most - least <= Math.max(1, share * IMBALANCE_MAX)) return [];
  return deal(surplusOf(view.holdings, counts, Math.ceil(share)), { candidates, counts: cappedAt(counts, Math.ceil(share)) });
}

/** Deals runs of sections out, each piece to the one with the fewest, up to an even share. */
function deal(
  runs: readonly Holding[],
  { candidates, counts }: { candidates: readonly Candidate[]; counts: ReadonlyMap<Incarnation, number> },
): readonly Move[] {
  const now = new Map(counts);
  const dealt = runs.reduce((sum, { sectionCount }) => sum + sectionCount, 0);
  const share = Math.ceil(([...now.values()].reduce((sum, count) => sum + count, 0) + dealt) / candidates.length);
  const moves: Move[] = [];
  for (const run of runs) {
    let next: number = run.firstSection;
    const end = run.firstSection + run.sectionCount;
    while (next < end) {
      const to = fewest(candidates, now);
      const count = now.get(to.incarnation) ?? 0;
      // At least one: rounding must not leave a section to nobody.
      const taken = Math.min(end - next, Math.max(1, share - count));
      moves.push({ firstSection: toSectionId(next), sectionCount: taken, to });
      now.set(to.incarnation, count + taken);
      next += taken;
    }
  }
  return moves;
}

/** What each owner has above `share`, taken from its end. */
function surplusOf(holdings: readonly Holding[], counts: ReadonlyMap<Incarnation, number>, share: number): readonly Holding[] {
  const left = new Map([...counts].map(([holder, count]) => [holder, Math.max(0, count - share)]));
  let budget = PLANNED_MOVES_MAX;
  const surplus: Holding[] = [];
  for (const holding of holdings.toReversed()) {
    const { holder, firstSection, sectionCount } = holding;
    const over = holder === undefined ? 0 : (left.get(holder) ?? 0);
    const taken = Math.min(over, sectionCount, budget);
    if (holder === undefined || taken === 0) continue;
    surplus.push({ ...holding, firstSection: toSectionId(firstSection + sectionCount - taken) satisfies SectionId, sectionCount: taken });
    left.set(holder, over - taken);
    budget -= taken;
  }
  return surplus.toReversed();
}

/** Sections that each candidate holds; those of the expired count for nobody. */
function countsOf(holdings: readonly Holding[], candidates: readonly Candidate[], expired: ReadonlySet<Incarnation>): Map<Incarnation, number> {
  const counts = new Map(candidates.map(({ incarnation }) => [incarnation, 0]));
  for (const { holder, sectionCount } of holdings) {
    if (holder === undefined || expired.has(holder)) continue;
    const count = counts.get(holder);
    if (count !== undefined) counts.set(holder, count + sectionCount);
  }
  return counts;
}

function cappedAt(counts: ReadonlyMap<Incarnation, number>, most: number): ReadonlyMap<Incarnation, number> {
  return new Map([...counts].map(([holder, count]) => [holder, Math.min(count, most)]));
}

/** Ties go to the first by id, so that the same view always makes the same plan. */
function fewest(candidates: readonly Candidate[], counts: ReadonlyMap<Incarnation, number>): Candidate {
  const count = ({ incarnation }: Candidate): number => counts.get(incarnation) ?? 0;
  const [first] = [...candidates].sort((one, other) => count(one) - count(other) || (one.id < other.id ? -1 : 1));
  assert(first !== undefined, 'sections are dealt to somebody');
  return first;
}
