import { assert } from '../base/assert.js';
import { type Incarnation, toSectionId } from '../model/ids.js';
import type { Candidate, Holding, LoadMap, Move } from './view.js';

/**
 * What a section weighs: 1, and where loads are known as much again, shared out by load. So owners end up level in
 * sections and in calls alike, and an idle set is spread by count.
 */
export class Weights {
  readonly #loads: LoadMap;
  readonly #perCall: number;

  constructor(loads: LoadMap, sectionCount: number) {
    const total = [...loads.values()].reduce((sum, load) => sum + load, 0);
    this.#loads = loads;
    this.#perCall = total === 0 ? 0 : sectionCount / total;
  }

  /** Every section weighs 1. */
  get isFlat(): boolean {
    return this.#perCall === 0;
  }

  of(section: number): number {
    return 1 + (this.#loads.get(section) ?? 0) * this.#perCall;
  }

  ofRun({ firstSection, sectionCount }: Pick<Holding, 'firstSection' | 'sectionCount'>): number {
    if (this.isFlat) return sectionCount;
    let sum = 0;
    for (let section: number = firstSection; section < firstSection + sectionCount; section += 1) sum += this.of(section);
    return sum;
  }
}

/** Weight that each candidate holds; what the expired hold counts for nobody. */
export function heldBy(
  holdings: readonly Holding[],
  candidates: readonly Candidate[],
  expired: ReadonlySet<Incarnation>,
  weights: Weights,
): Map<Incarnation, number> {
  const held = new Map(candidates.map(({ incarnation }) => [incarnation, 0]));
  for (const run of holdings) {
    // What is on its way counts for whom it goes to.
    const owner = run.next ?? run.holder;
    if (owner === undefined || expired.has(owner)) continue;
    const weight = held.get(owner);
    if (weight !== undefined) held.set(owner, weight + weights.ofRun(run));
  }
  return held;
}

/** Deals runs of sections out, so that all are as level as they can be: who has the least comes first. In long runs, so that tables stay short. */
export function deal(
  runs: readonly Holding[],
  {
    candidates,
    held,
    weights,
  }: { readonly candidates: readonly Candidate[]; readonly held: ReadonlyMap<Incarnation, number>; readonly weights: Weights },
): readonly Move[] {
  const quotas = quotasOf(
    candidates,
    held,
    runs.reduce((sum, run) => sum + weights.ofRun(run), 0),
  );
  const moves: Move[] = [];
  let turn = 0;
  for (const run of runs) {
    let next: number = run.firstSection;
    const end = run.firstSection + run.sectionCount;
    while (next < end) {
      const quota = quotas[turn];
      assert(quota !== undefined, 'the quotas add up to what is dealt');
      const isLast = turn === quotas.length - 1;
      const taken = isLast ? end - next : takenOf(next, end, quota.left, weights);
      if (taken > 0) moves.push({ firstSection: toSectionId(next), sectionCount: taken, to: quota.to });
      quota.left -= weights.ofRun({ firstSection: toSectionId(next), sectionCount: taken });
      next += taken;
      if (!isLast && (taken === 0 || quota.left <= 0)) turn += 1;
    }
  }
  return moves;
}

/** How many sections from `next` on fit into `room`: one that fits by more than half is taken. */
function takenOf(next: number, end: number, room: number, weights: Weights): number {
  if (weights.isFlat) return Math.min(end - next, Math.max(0, Math.round(room)));
  let left = room;
  let section = next;
  while (section < end && weights.of(section) / 2 <= left) left -= weights.of(section++);
  return section - next;
}

/** How much of `dealt` each one gets. Ties go to the first by id, so that the same view always makes the same plan. */
function quotasOf(
  candidates: readonly Candidate[],
  held: ReadonlyMap<Incarnation, number>,
  dealt: number,
): readonly { readonly to: Candidate; left: number }[] {
  const takers = candidates
    .map((to) => ({ to, weight: held.get(to.incarnation) ?? 0 }))
    .sort((one, other) => one.weight - other.weight || (one.to.id < other.to.id ? -1 : 1));
  let sum = takers.reduce((total, { weight }) => total + weight, dealt);
  // Who has more than an even share keeps it and gets nothing; the others share what is left.
  while (takers.length > 1 && (takers.at(-1)?.weight ?? 0) > Math.floor(sum / takers.length)) sum -= takers.pop()?.weight ?? 0;
  const level = Math.floor(sum / takers.length);
  // What does not divide is less than one a taker: the first of them get it.
  const rest = sum - level * takers.length;
  return byZone(takers.map(({ to, weight }, place) => ({ to, left: level + Math.min(1, Math.max(0, rest - place)) - weight })));
}

/** In turns from each zone, so that neighbours do not go to one zone all. Without zones, as they come. */
function byZone<Taker extends { readonly to: Candidate }>(takers: readonly Taker[]): readonly Taker[] {
  const seen = new Map<string, number>();
  const ranked = takers.map((taker, place) => {
    const turn = seen.get(taker.to.zone) ?? 0;
    seen.set(taker.to.zone, turn + 1);
    return { taker, turn, place };
  });
  if (seen.size < 2) return takers;
  return ranked.sort((one, other) => one.turn - other.turn || one.place - other.place).map(({ taker }) => taker);
}
