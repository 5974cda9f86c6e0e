import type { AllocId, Incarnation } from '../model/ids.js';
import { toSectionId } from '../model/ids.js';
import { deal, heldBy, Weights } from './share-out.js';
import { type Candidate, type ClusterView, type Holding, type Move, movingCountOf, type Situation } from './view.js';

/** Owners may differ by this share of an even share before a planned move is worth its pause. */
const IMBALANCE_MAX = 0.1;

/**
 * Who takes the sections that nobody can serve: whatever has no owner, or an owner whose lease is surely over. Spread
 * evenly over the living, in long runs. Sections with a living owner do not move.
 */
export function planAssignment(situation: Situation): readonly Move[] {
  const { view, expired } = situation;
  const orphans = view.holdings.filter(({ holder }) => holder === undefined || expired.has(holder));
  const candidates = takersOf(situation);
  if (candidates.length === 0 || orphans.length === 0) return [];
  const home = new Map(candidates.map((candidate) => [candidate.id, candidate]));
  // Whoever released them last has their counters: in its hands nobody jumps.
  const [returning, others] = split(orphans, ({ holder, heir }) => holder === undefined && heir !== undefined && home.has(heir));
  const back = returning.map(({ firstSection, sectionCount, heir }) => ({ firstSection, sectionCount, to: home.get(heir as AllocId) as Candidate }));
  const weights = weightsOf(situation);
  const held = heldBy(view.holdings, candidates, expired, weights);
  for (const { to, ...run } of back) held.set(to.incarnation, (held.get(to.incarnation) ?? 0) + weights.ofRun(run));
  const dealt = view.policy.placement === 'primary-standby' ? takeOver(others, candidates, situation) : deal(others, { candidates, held, weights });
  return inOrder([...back, ...dealt]);
}

/**
 * Planned moves that will come to nothing, because whom they go to is not heard of: their owners keep them. `isStuck`: none of
 * those under way gets on, so all are called off.
 */
export function planCancel({ view, living }: Situation, { isStuck = false } = {}): readonly Move[] {
  const owners = new Map(view.allocs.map((candidate) => [candidate.incarnation, candidate]));
  return view.holdings.flatMap(({ firstSection, sectionCount, holder, next }) => {
    const owner = holder === undefined ? undefined : owners.get(holder);
    if (next === undefined || owner === undefined || !living.has(owner.incarnation)) return [];
    return living.has(next) && !isStuck ? [] : [{ firstSection, sectionCount, to: owner }];
  });
}

/** What an AllocSvr that is about to stop still has, to the others: as many sections at a time as may be on their way. */
export function planDrain(situation: Situation): readonly Move[] {
  const { view } = situation;
  const leaving = new Set(view.draining.map(({ incarnation }) => incarnation));
  const candidates = takersOf(situation);
  if (candidates.length === 0 || leaving.size === 0) return [];
  const { living } = situation;
  const isWaiting = (next: Incarnation | undefined): boolean => next === undefined || !living.has(next);
  const runs = view.holdings.filter(({ holder, next }) => holder !== undefined && leaving.has(holder) && living.has(holder) && isWaiting(next));
  const weights = weightsOf(situation);
  return deal(limited(runs, roomOf(view)), { candidates, held: heldBy(view.holdings, candidates, situation.expired, weights), weights });
}

/**
 * Which sections should move between living owners, so that all bear about the same. Empty when it is not worth it, or
 * when something is missing or on its way. `isForced`: an operator wants it level, however little is out of it.
 */
export function planRebalance(situation: Situation, { isForced = false } = {}): readonly Move[] {
  const { view, living, expired } = situation;
  // Disaster 1.0: what a standby took over stays there until an operator says otherwise.
  if (view.policy.placement === 'primary-standby' && !isForced) return [];
  const candidates = takersOf(situation);
  const isQuiet = view.holdings.every(({ holder, next }) => holder !== undefined && living.has(holder) && next === undefined);
  if (candidates.length === 0 || !isQuiet) return [];
  const weights = weightsOf(situation);
  const owners = view.allocs;
  const held = heldBy(view.holdings, owners, expired, weights);
  const total = [...held.values()].reduce((sum, weight) => sum + weight, 0);
  const share = total / candidates.length;
  const takers = new Set(candidates.map(({ incarnation }) => incarnation));
  const most = Math.max(...candidates.map(({ incarnation }) => held.get(incarnation) ?? 0));
  const least = Math.min(...candidates.map(({ incarnation }) => held.get(incarnation) ?? 0));
  const isAway = owners.some(({ incarnation }) => !takers.has(incarnation) && (held.get(incarnation) ?? 0) > 0);
  if (!isAway && most - least <= (isForced ? 1 : Math.max(1, share * IMBALANCE_MAX))) return [];
  const kept = keptOf(owners, takers, held, total);
  const surplus = surplusOf(view.holdings, held, kept, { weights, room: roomOf(view) });
  return deal(surplus, { candidates, held: kept, weights });
}

/** Who may be given sections: the living, and of them under primary-standby the primaries as long as there is one. */
export function takersOf({ view, living }: Situation): readonly Candidate[] {
  const candidates = view.allocs.filter(({ incarnation }) => living.has(incarnation));
  if (view.policy.placement !== 'primary-standby') return candidates;
  const primaries = candidates.filter(({ id }) => !view.policy.standbys.includes(id));
  return primaries.length > 0 ? primaries : candidates;
}

/** Disaster 1.0: all that one owner had goes to one standby; what nobody ever had is dealt out to the primaries. */
function takeOver(orphans: readonly Holding[], primaries: readonly Candidate[], situation: Situation): readonly Move[] {
  const { view, living, expired } = situation;
  const standbys = view.allocs.filter(({ id, incarnation }) => living.has(incarnation) && view.policy.standbys.includes(id));
  const [lost, fresh] = split(orphans, ({ holder }) => holder !== undefined && standbys.length > 0);
  const weights = weightsOf(situation);
  const held = heldBy(view.holdings, standbys, expired, weights);
  const heirs = new Map<Incarnation, Candidate>();
  const taken = lost.map((run): Move => {
    const former = run.holder as Incarnation;
    const to = heirs.get(former) ?? leastOf(standbys, held);
    heirs.set(former, to);
    held.set(to.incarnation, (held.get(to.incarnation) ?? 0) + weights.ofRun(run));
    return { firstSection: run.firstSection, sectionCount: run.sectionCount, to };
  });
  return [...taken, ...deal(fresh, { candidates: primaries, held: heldBy(view.holdings, primaries, expired, weights), weights })];
}

function leastOf(candidates: readonly Candidate[], held: ReadonlyMap<Incarnation, number>): Candidate {
  return candidates.reduce((best, each) => ((held.get(each.incarnation) ?? 0) < (held.get(best.incarnation) ?? 0) ? each : best));
}

/** An even share of `total` for each taker, but no more than it has; what does not divide stays with those who have the most. */
function keptOf(
  owners: readonly Candidate[],
  takers: ReadonlySet<Incarnation>,
  held: ReadonlyMap<Incarnation, number>,
  total: number,
): Map<Incarnation, number> {
  const weight = ({ incarnation }: Candidate): number => held.get(incarnation) ?? 0;
  const holders = owners
    .filter(({ incarnation }) => takers.has(incarnation))
    .sort((one, other) => weight(other) - weight(one) || (one.id < other.id ? -1 : 1));
  const share = Math.floor(total / holders.length);
  const rest = Math.round(total - share * holders.length);
  const kept = new Map(owners.map(({ incarnation }) => [incarnation, 0]));
  for (const [place, holder] of holders.entries()) kept.set(holder.incarnation, Math.min(weight(holder), share + (place < rest ? 1 : 0)));
  return kept;
}

/** What each owner has above what it keeps, taken from its end, no more sections than `room`. */
function surplusOf(
  holdings: readonly Holding[],
  held: ReadonlyMap<Incarnation, number>,
  kept: ReadonlyMap<Incarnation, number>,
  { weights, room }: { readonly weights: Weights; readonly room: number },
): readonly Holding[] {
  const over = new Map([...held].map(([holder, weight]) => [holder, weight - (kept.get(holder) ?? 0)]));
  let left = room;
  const surplus: Holding[] = [];
  for (const holding of holdings.toReversed()) {
    const { holder, firstSection, sectionCount } = holding;
    let spare = holder === undefined ? 0 : (over.get(holder) ?? 0);
    let taken = 0;
    while (taken < Math.min(sectionCount, left)) {
      const weight = weights.of(firstSection + sectionCount - taken - 1);
      // One that is more than half within what it has too much.
      if (weight / 2 > spare) break;
      spare -= weight;
      taken += 1;
    }
    if (holder === undefined || taken === 0) continue;
    surplus.push({ ...holding, firstSection: toSectionId(firstSection + sectionCount - taken), sectionCount: taken });
    over.set(holder, spare);
    left -= taken;
  }
  return surplus.toReversed();
}

function roomOf(view: ClusterView): number {
  return Math.max(0, view.policy.movesInFlightMax - movingCountOf(view));
}

/** The first of them, at most `room` sections. */
function limited(runs: readonly Holding[], room: number): readonly Holding[] {
  let left = room;
  return runs.flatMap((run) => {
    const sectionCount = Math.min(run.sectionCount, left);
    left -= sectionCount;
    return sectionCount === 0 ? [] : [{ ...run, sectionCount }];
  });
}

function weightsOf({ view, loads }: Situation): Weights {
  return new Weights(
    loads,
    view.holdings.reduce((sum, { sectionCount }) => sum + sectionCount, 0),
  );
}

function split<Item>(items: readonly Item[], isFirst: (item: Item) => boolean): readonly [Item[], Item[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}

function inOrder(moves: readonly Move[]): readonly Move[] {
  return [...moves].sort((one, other) => one.firstSection - other.firstSection);
}
