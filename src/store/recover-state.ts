import { SeqError } from '../base/errors.js';
import { type Incarnation, SEQ_MAX, toEpoch, toSeq } from '../model/ids.js';
import type { Member } from './command.js';
import type { Cluster, Section, StoreState } from './state.js';

/** Nobody's run: it stands in for the run of an AllocSvr that was retired. */
const NO_INCARNATION = '0'.repeat(32) as Incarnation;

/** What a forced recovery and a restore do alike. */
interface Beginning {
  /** Higher than the one before: clients of the old cluster accept the new one, and never the reverse. */
  readonly generation: number;
  /** Added to every maxSeq: more than what this state does not know of can have granted. */
  readonly bump: bigint;
}

export interface Recovery extends Beginning {
  /** The only member from now on. */
  readonly member: Member;
}

export interface Restoration extends Beginning {
  /** Of the new cluster. */
  readonly clusterId: string;
  /** Its founding voters. */
  readonly members: readonly Member[];
}

/**
 * The state of a cluster that begins anew from what one member had (DESIGN 3.1): every owner and every run is retired, every
 * section is lifted, and nobody but `member` is a member. Returns how many sections were lifted. Throws INVALID_ARGUMENT
 * when there is nothing to recover or the generation does not grow, OUT_OF_RANGE when a section would pass 2^63-1.
 */
export function recoverState(state: StoreState, { member, ...beginning }: Recovery): number {
  const cluster = foundedIn(state, beginning);
  const liftedCount = retire(state, beginning);
  for (const { id } of state.members) state.removeMember(id);
  setFounders(state, [member]);
  state.setCluster({ ...cluster, version: { generation: beginning.generation, value: 1 } });
  return liftedCount;
}

/** The same for another cluster, which begins from a snapshot of this one. Its members may have the ids of the old ones. Throws as `recoverState`. */
export function restoreState(state: StoreState, { clusterId, members, ...beginning }: Restoration): number {
  const cluster = foundedIn(state, beginning);
  const liftedCount = retire(state, beginning);
  for (const { id } of state.members) state.removeMember(id);
  // Former members are former only where they were members: ids and directories of another cluster say nothing here.
  state.setRemoved([]);
  setFounders(state, members);
  const sets = cluster.sets.sets.map((set) => (set.clusterId === cluster.clusterId ? { ...set, clusterId } : set));
  state.setCluster({ ...cluster, clusterId, sets: { ...cluster.sets, sets }, version: { generation: beginning.generation, value: 1 } });
  return liftedCount;
}

function foundedIn({ cluster }: StoreState, { generation }: Beginning): Cluster {
  if (cluster === undefined) throw new SeqError('INVALID_ARGUMENT', 'this cluster was never founded: there is nothing to recover');
  if (generation <= cluster.version.generation)
    throw new SeqError('INVALID_ARGUMENT', `the generation must be above ${cluster.version.generation}, got ${generation}`);
  return cluster;
}

/** One that never had an owner by this state may have had one since: it is lifted too. */
function retire(state: StoreState, { bump }: Beginning): number {
  // Neighbours that share a value share the lifted one.
  const known = new Map<Section, Section>();
  for (const [number, section] of state.sections.entries()) {
    const lifted = known.get(section) ?? liftedFrom(section, { bump, number });
    known.set(section, lifted);
    state.setSection(number, lifted);
  }
  for (const alloc of state.allocs) {
    // Its runs are former ones now: none of them can come back, and a new one registers as ever.
    state.setAlloc({ ...alloc, incarnation: NO_INCARNATION, former: [alloc.incarnation, ...alloc.former], state: 'gone' });
  }
  return state.sections.length;
}

function liftedFrom(section: Section, { bump, number }: { readonly bump: bigint; readonly number: number }): Section {
  const { epoch, maxSeq } = section;
  const lifted = maxSeq + bump;
  if (lifted > SEQ_MAX) throw new SeqError('OUT_OF_RANGE', `section ${number} is at ${maxSeq}: with ${bump} more it would pass ${SEQ_MAX}`);
  // What any former epoch handed out lies at or below it.
  const base = toSeq(lifted);
  return { owner: undefined, epoch: toEpoch(epoch + 1), base, maxSeq: base, next: undefined, handoff: undefined };
}

function setFounders(state: StoreState, members: readonly Member[]): void {
  for (const member of members) state.setMember({ ...member, wantsVote: false, replacesId: undefined, isLeaving: false });
}
