import { assert } from '../base/assert.js';
import { type Incarnation, toSectionId } from '../model/ids.js';
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
  const most = Math.max(...counts.values());
  const least = Math.min(...counts.values());
  if (most - least <= Math.max(1, (total / candidates.length) * IMBALANCE_MAX)) return [];
  const shares = sharesOf(candidates, counts, total);
  const kept = new Map([...counts].map(([holder, count]) => [holder, Math.min(count, shares.get(holder) ?? 0)]));
  return deal(surplusOf(view.holdings, counts, kept), { candidates, counts: kept });
}

/** Deals runs of sections out, so that all are as level as they can be: who has the fewest comes first. */
function deal(
  runs: readonly Holding[],
  { candidates, counts }: { candidates: readonly Candidate[]; counts: ReadonlyMap<Incarnation, number> },
): readonly Move[] {
  const quotas = quotasOf(
    candidates,
    counts,
    runs.reduce((sum, { sectionCount }) => sum + sectionCount, 0),
  );
  const moves: Move[] = [];
  let turn = 0;
  for (const run of runs) {
    let next: number = run.firstSection;
    const end = run.firstSection + run.sectionCount;
    while (next < end) {
      const quota = quotas[turn];
      assert(quota !== undefined, 'the quotas add up to what is dealt');
      const taken = Math.min(end - next, quota.left);
      if (taken > 0) moves.push({ firstSection: toSectionId(next), sectionCount: taken, to: quota.to });
      next += taken;
      quota.left -= taken;
      if (quota.left === 0) turn += 1;
    }
  }
  return moves;
}

/** How many of `dealt` sections each one gets. Ties go to the first by id, so that the same view always makes the same plan. */
function quotasOf(
  candidates: readonly Candidate[],
  counts: ReadonlyMap<Incarnation, number>,
  dealt: number,
): readonly { readonly to: Candidate; left: number }[] {
  const takers = candidates
    .map((to) => ({ to, count: counts.get(to.incarnation) ?? 0 }))
    .sort((one, other) => one.count - other.count || (one.to.id < other.to.id ? -1 : 1));
  let sum = takers.reduce((total, { count }) => total + count, dealt);
  // Who has more than an even share keeps it and gets nothing; the others share what is left.
  while ((takers.at(-1)?.count ?? 0) > Math.floor(sum / takers.length)) sum -= takers.pop()?.count ?? 0;
  const level = Math.floor(sum / takers.length);
  return takers.map(({ to, count }, place) => ({ to, left: level + (place < sum % takers.length ? 1 : 0) - count }));
}

/** An even share of `total` for each; what does not divide stays with those who have the most. */
function sharesOf(candidates: readonly Candidate[], counts: ReadonlyMap<Incarnation, number>, total: number): ReadonlyMap<Incarnation, number> {
  const count = ({ incarnation }: Candidate): number => counts.get(incarnation) ?? 0;
  const holders = [...candidates].sort((one, other) => count(other) - count(one) || (one.id < other.id ? -1 : 1));
  const share = Math.floor(total / holders.length);
  return new Map(holders.map(({ incarnation }, place) => [incarnation, share + (place < total % holders.length ? 1 : 0)]));
}

/** What each owner has above what it keeps, taken from its end. */
function surplusOf(
  holdings: readonly Holding[],
  counts: ReadonlyMap<Incarnation, number>,
  kept: ReadonlyMap<Incarnation, number>,
): readonly Holding[] {
  const left = new Map([...counts].map(([holder, count]) => [holder, count - (kept.get(holder) ?? 0)]));
  let budget = PLANNED_MOVES_MAX;
  const surplus: Holding[] = [];
  for (const holding of holdings.toReversed()) {
    const { holder, firstSection, sectionCount } = holding;
    const over = holder === undefined ? 0 : (left.get(holder) ?? 0);
    const taken = Math.min(over, sectionCount, budget);
    if (holder === undefined || taken === 0) continue;
    surplus.push({ ...holding, firstSection: toSectionId(firstSection + sectionCount - taken), sectionCount: taken });
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
