import { SeqError } from '../base/errors.js';
import { type Incarnation, SEQ_MAX, toEpoch, toSeq } from '../model/ids.js';
import type { Member } from './command.js';
import type { StoreState } from './state.js';

/** Nobody's run: it stands in for the run of an AllocSvr that was retired. */
const NO_INCARNATION = '0'.repeat(32) as Incarnation;

export interface Recovery {
  /** Higher than the one before: clients of the old cluster accept the new one, and never the reverse. */
  readonly generation: number;
  /** Added to every maxSeq that was ever in use: more than the lost majority can have granted since. */
  readonly bump: bigint;
  /** The only member from now on. */
  readonly member: Member;
}

/**
 * The state of a cluster that begins anew from what one member had (DESIGN 3.1): every owner and every run is retired, every
 * section that ever had an owner is lifted, and nobody but `member` is a member. Returns how many sections were lifted.
 * Throws INVALID_ARGUMENT when there is nothing to recover or the generation does not grow, OUT_OF_RANGE when a section would pass 2^63-1.
 */
export function recoverState(state: StoreState, { generation, bump, member }: Recovery): number {
  const { cluster } = state;
  if (cluster === undefined) throw new SeqError('INVALID_ARGUMENT', 'this cluster was never founded: there is nothing to recover');
  if (generation <= cluster.version.generation)
    throw new SeqError('INVALID_ARGUMENT', `the generation must be above ${cluster.version.generation}, got ${generation}`);
  let liftedCount = 0;
  for (const [number, { epoch, maxSeq }] of state.sections.entries()) {
    if (epoch === 0) continue;
    const lifted = maxSeq + bump;
    if (lifted > SEQ_MAX) throw new SeqError('OUT_OF_RANGE', `section ${number} is at ${maxSeq}: with ${bump} more it would pass ${SEQ_MAX}`);
    // What any former epoch handed out lies at or below it.
    const base = toSeq(lifted);
    state.setSection(number, { owner: undefined, epoch: toEpoch(epoch + 1), base, maxSeq: base, next: undefined, handoff: undefined });
    liftedCount += 1;
  }
  for (const alloc of state.allocs) {
    // Its runs are former ones now: none of them can come back, and a new one registers as ever.
    state.setAlloc({ ...alloc, incarnation: NO_INCARNATION, former: [alloc.incarnation, ...alloc.former], state: 'gone' });
  }
  for (const { id } of state.members) state.removeMember(id);
  state.setMember({ ...member, wantsVote: false, replacesId: undefined, isLeaving: false });
  state.setCluster({ ...cluster, version: { generation, value: 1 } });
  return liftedCount;
}
