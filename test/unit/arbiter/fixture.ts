import type { ClusterView, Candidate, Holding, Move } from '../../../src/arbiter/view.js';
import { type AllocId, type Incarnation, parseAllocId, parseIncarnation, toSectionId } from '../../../src/model/ids.js';
import { DEFAULT_LEASE_TERMS, waitMsOf } from '../../../src/model/lease.js';
import { DEFAULT_POLICY } from '../../../src/model/policy.js';

/** 'a1' and its run 1, or another run of it. */
export function candidate(id: string, run = 1): Candidate {
  return { id: parseAllocId(id), incarnation: incarnation(id, run), zone: '' };
}

export function incarnation(id: string, run = 1): Incarnation {
  return parseIncarnation(`${Buffer.from(id).toString('hex')}${'0'.repeat(30)}`.slice(0, 30) + String(run).padStart(2, '0'));
}

/** Side by side from section 0: `[[4, a1], [2, undefined]]` is four sections of a1 and two of nobody. */
export function holdings(...runs: readonly (readonly [number, Incarnation | undefined, 'moving'?])[]): readonly Holding[] {
  let end = 0;
  return runs.map(([sectionCount, holder, moving]) => {
    const firstSection = toSectionId(end);
    end += sectionCount;
    const next = moving === undefined ? undefined : incarnation('zz');
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
