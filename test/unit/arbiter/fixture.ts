import type { Situation } from '../../../src/arbiter/situation.js';
import type { ClusterView, Candidate, Holding, LoadMap, Move } from '../../../src/arbiter/view.js';
import { type AllocId, type Incarnation, parseAllocId, parseIncarnation, toSectionId } from '../../../src/model/ids.js';
import { DEFAULT_LEASE_TERMS, waitMsOf } from '../../../src/model/lease.js';
import { DEFAULT_POLICY } from '../../../src/model/policy.js';

/** 'a1' and its run 1, or another run of it. */
export function candidate(id: string, run = 1, zone = ''): Candidate {
  return { id: parseAllocId(id), incarnation: incarnation(id, run), zone };
}

export function incarnation(id: string, run = 1): Incarnation {
  return parseIncarnation(`${Buffer.from(id).toString('hex')}${'0'.repeat(30)}`.slice(0, 30) + String(run).padStart(2, '0'));
}

/** Side by side from section 0: `[4, a1], [2, undefined], [1, a1, a2]` is four sections of a1, two of nobody, and one that moves from a1 to a2. */
export function holdings(...runs: readonly (readonly [number, Incarnation | undefined, Incarnation?])[]): readonly Holding[] {
  let end = 0;
  return runs.map(([sectionCount, holder, next]) => {
    const firstSection = toSectionId(end);
    end += sectionCount;
    return { firstSection, sectionCount, holder, holderId: holder && idOf(holder), next, heir: undefined };
  });
}

/** The id in a run of `incarnation`. */
function idOf(run: Incarnation): AllocId {
  return parseAllocId(Buffer.from(run.slice(0, 30).replace(/(00)+$/, ''), 'hex').toString());
}

export function viewOf(allocs: readonly Candidate[], held: readonly Holding[], more: Partial<ClusterView> = {}): ClusterView {
  return {
    term: 3,
    version: { generation: 1, value: 7 },
    lease: DEFAULT_LEASE_TERMS,
    leaseNumber: 0,
    waitMs: waitMsOf(DEFAULT_LEASE_TERMS),
    // The brake has tests of its own.
    policy: { ...DEFAULT_POLICY, silentShareMaxPercent: 100, movesInFlightMax: 20_000 },
    allocs,
    draining: [],
    dead: new Set(),
    holdings: held,
    ...more,
  };
}

/** Who has how many once the moves are done, by id; what nobody has counts for ''. */
export function countsAfter(
  { allocs, holdings: held }: Pick<ClusterView, 'allocs' | 'holdings'>,
  moves: readonly Move[],
): Readonly<Record<string, number>> {
  const counts: Record<string, number> = Object.fromEntries(allocs.map(({ id }) => [id, 0]));
  for (const id of ownersAfter({ allocs, holdings: held }, moves)) counts[id] = (counts[id] ?? 0) + 1;
  return counts;
}

/** The owner of each section once the moves are done: an id, '' for nobody, '?' for a run that is not the newest. */
export function ownersAfter({ allocs, holdings: held }: Pick<ClusterView, 'allocs' | 'holdings'>, moves: readonly Move[]): readonly string[] {
  const newestIds = new Map<Incarnation, string>(allocs.map(({ id, incarnation: newest }) => [newest, id]));
  const owners = held.flatMap(({ holder, sectionCount }) =>
    Array<string>(sectionCount).fill(holder === undefined ? '' : (newestIds.get(holder) ?? '?')),
  );
  for (const { firstSection, sectionCount, to } of moves) owners.fill(to.id, firstSection, firstSection + sectionCount);
  return owners;
}

export interface Given extends Partial<Omit<ClusterView, 'holdings'>> {
  readonly held: readonly Holding[];
  /** All newest runs, when left out. */
  readonly living?: readonly Incarnation[];
  readonly expired?: readonly Incarnation[];
  /** Those that do not live, when left out. */
  readonly silent?: readonly Incarnation[];
  /** All newest runs, when left out. */
  readonly remembered?: readonly Incarnation[];
  readonly loads?: readonly (readonly [number, number])[];
  readonly isSettled?: boolean;
  readonly awaitsHeirs?: boolean;
}

/** A settled situation in which everybody is well, but for what is said otherwise. */
export function situationOf({
  held,
  living,
  expired = [],
  silent,
  remembered,
  loads = [],
  isSettled = true,
  awaitsHeirs = false,
  ...more
}: Given): Situation {
  const view = viewOf(more.allocs ?? [], held, more);
  const newest = [...view.allocs, ...view.draining].map((each) => each.incarnation);
  const alive = new Set(living ?? newest.filter((run) => !expired.includes(run)));
  const map: LoadMap = new Map(loads.map(([section, callsPerSecond]) => [toSectionId(section), callsPerSecond]));
  return {
    view,
    living: alive,
    expired: new Set(expired),
    silent: new Set(silent ?? newest.filter((run) => !alive.has(run))),
    remembered: new Set(remembered ?? newest),
    loads: map,
    isSettled,
    awaitsHeirs,
  };
}

/** The same, once these moves are done: new owners have what they got, and nothing is on its way. */
export function afterMoves(situation: Situation, moves: readonly Move[]): Situation {
  const { view } = situation;
  const holders = view.holdings.flatMap(({ holder, sectionCount }) => Array<Incarnation | undefined>(sectionCount).fill(holder));
  for (const { firstSection, sectionCount, to } of moves) holders.fill(to.incarnation, firstSection, firstSection + sectionCount);
  return { ...situation, view: { ...view, holdings: holdings(...runsOf(holders)) } };
}

function runsOf(holders: readonly (Incarnation | undefined)[]): (readonly [number, Incarnation | undefined])[] {
  const runs: [number, Incarnation | undefined][] = [];
  for (const holder of holders) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === holder) last[0] += 1;
    else runs.push([1, holder]);
  }
  return runs;
}

/** `0+4 a1 4+2 a2`. */
export function told(moves: readonly Move[]): string {
  return moves.map(({ firstSection, sectionCount, to }) => `${firstSection}+${sectionCount} ${to.id}`).join(' ');
}

/** Every section that is moved, as often as it is. */
export function movedBy(moves: readonly Move[]): readonly number[] {
  return moves.flatMap(({ firstSection, sectionCount }) => range(firstSection, firstSection + sectionCount));
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, offset) => from + offset);
}
