import { assert, unreachable } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import type { ConfChange, ConfChangeStep } from '../raft/conf-change.js';
import { MembershipChange as ChangeMessage } from '../rpc/gen/seqsvr/v1/log.js';
import type { Member } from './command.js';
import { decodedFromLog, memberFromWire } from './command-codec.js';
import type { StoreState } from './state.js';
import { bumpVersion, refuse, type Refusal, type Result } from './result.js';

/** What a change of the Raft members means for the member table. */
export type MembershipChange =
  /** A learner comes; with `replacesId` it is to take that member's place once it has caught up. */
  | { readonly type: 'add'; readonly member: Member; readonly wantsVote: boolean; readonly replacesId: number | undefined }
  | { readonly type: 'promote'; readonly id: number }
  | { readonly type: 'remove'; readonly id: number }
  /** Joint: `id` votes, and `oldId` leaves. */
  | { readonly type: 'replace'; readonly id: number; readonly oldId: number }
  /** The joint configuration is left. */
  | { readonly type: 'leave' };

type ChangeOf<Type extends MembershipChange['type']> = Extract<MembershipChange, { type: Type }>;

/** The change as Raft takes it: its members and, for the table, the rest, in one entry. */
export function confChangeOf(change: Exclude<MembershipChange, { type: 'leave' }>): ConfChange {
  return { transition: 'auto', steps: stepsOf(change), context: ChangeMessage.encode({ change: toWire(change) }).finish() };
}

/** Throws PROTOCOL for a change that this program cannot read or does not know: the node must halt, for skipping would fork the state. */
export function membershipChangeFrom({ context, steps }: ConfChange): MembershipChange {
  if (context.length === 0 && steps.length === 0) return { type: 'leave' };
  const { change } = decodedFromLog(ChangeMessage, context);
  if (change === undefined) throw new SeqError('PROTOCOL', 'the log has a membership change that this version does not know; upgrade this node');
  return fromWire(change);
}

/** As state-machine.ts:apply, for the member table. What it refuses changes neither the table nor Raft's members. */
export function applyMembershipChange(state: StoreState, change: MembershipChange): Result {
  const refusal = refuseMembershipChange(state, change);
  if (refusal !== undefined) return refusal;
  switch (change.type) {
    case 'add': {
      const { member, wantsVote, replacesId } = change;
      state.setMember({ ...member, wantsVote, replacesId, isLeaving: false });
      break;
    }
    case 'promote':
      state.setMember({ ...memberOf(state, change.id), wantsVote: false, replacesId: undefined });
      break;
    case 'remove':
      state.removeMember(change.id);
      break;
    case 'replace':
      state.setMember({ ...memberOf(state, change.id), wantsVote: false, replacesId: undefined });
      state.setMember({ ...memberOf(state, change.oldId), isLeaving: true });
      break;
    case 'leave':
      for (const { id, isLeaving } of state.members) if (isLeaving) state.removeMember(id);
      break;
    default:
      return unreachable(change);
  }
  // The table that clients get lists the stores.
  bumpVersion(state);
  return { type: 'done' };
}

/** Why a change cannot be made to this table; undefined: it can. For the state machine, and for whoever is about to propose it. */
export function refuseMembershipChange(state: StoreState, change: MembershipChange): Refusal | undefined {
  if (state.cluster === undefined) return refuse('UNAVAILABLE', 'the cluster is not initialised');
  if (change.type === 'leave') return undefined;
  if (change.type === 'add') return refuseAdd(state, change);
  const ids = change.type === 'replace' ? [change.id, change.oldId] : [change.id];
  for (const id of ids) if (state.member(id) === undefined) return refuse('INVALID_ARGUMENT', `there is no member ${id}`);
  return undefined;
}

function refuseAdd(state: StoreState, { member, replacesId }: ChangeOf<'add'>): Refusal | undefined {
  const { id, name, nodeUuid, peerAddress, address } = member;
  if (state.wasMember({ id, nodeUuid }))
    return refuse('INVALID_ARGUMENT', `node ${id} (${nodeUuid}) was a member and never is one again: it needs a new data directory`);
  const replaced = replacesId === undefined ? undefined : state.member(replacesId);
  if (replacesId !== undefined && replaced === undefined) return refuse('INVALID_ARGUMENT', `there is no member ${replacesId} to replace`);
  for (const other of state.members) {
    if (other.id === id) return refuse('INVALID_ARGUMENT', `node id ${id} is that of member ${other.name}`);
    if (other.nodeUuid === nodeUuid) return refuse('INVALID_ARGUMENT', `data directory ${nodeUuid} is that of member ${other.name}`);
    if (replacesId !== undefined && other.replacesId === replacesId)
      return refuse('INVALID_ARGUMENT', `${other.name} (node ${other.id}) is replacing node ${replacesId} already; remove it first`);
    // Who takes a place may have its name and its addresses: then it is the same machine with a new directory.
    if (other === replaced) continue;
    if (other.name === name) return refuse('INVALID_ARGUMENT', `a member is called ${name} already`);
    if (other.peerAddress === peerAddress || other.address === address)
      return refuse('INVALID_ARGUMENT', `member ${other.name} is reached at ${other.peerAddress} and ${other.address} already`);
  }
  return undefined;
}

function memberOf(state: StoreState, id: number) {
  const member = state.member(id);
  assert(member !== undefined, 'a change of a member that is not there was refused');
  return member;
}

function stepsOf(change: Exclude<MembershipChange, { type: 'leave' }>): readonly ConfChangeStep[] {
  switch (change.type) {
    case 'add':
      return [{ type: 'addLearner', nodeId: change.member.id }];
    case 'promote':
      return [{ type: 'addVoter', nodeId: change.id }];
    case 'remove':
      return [{ type: 'remove', nodeId: change.id }];
    case 'replace':
      return [
        { type: 'addVoter', nodeId: change.id },
        { type: 'remove', nodeId: change.oldId },
      ];
    default:
      return unreachable(change);
  }
}

type Wire = NonNullable<ChangeMessage['change']>;

function toWire(change: Exclude<MembershipChange, { type: 'leave' }>): Wire {
  switch (change.type) {
    case 'add': {
      const { member, wantsVote, replacesId } = change;
      return { $case: 'add', value: { member: { ...member }, wantsVote, replacesId: replacesId ?? 0 } };
    }
    case 'promote':
      return { $case: 'promote', value: { id: change.id } };
    case 'remove':
      return { $case: 'remove', value: { id: change.id } };
    case 'replace':
      return { $case: 'replace', value: { id: change.id, oldId: change.oldId } };
    default:
      return unreachable(change);
  }
}

function fromWire(wire: Wire): MembershipChange {
  switch (wire.$case) {
    case 'add': {
      const { member, wantsVote, replacesId } = wire.value;
      if (member === undefined) throw new SeqError('PROTOCOL', 'the log adds a member and does not say which');
      return { type: 'add', member: memberFromWire(member), wantsVote, replacesId: replacesId === 0 ? undefined : replacesId };
    }
    case 'promote':
      return { type: 'promote', id: wire.value.id };
    case 'remove':
      return { type: 'remove', id: wire.value.id };
    case 'replace':
      return { type: 'replace', id: wire.value.id, oldId: wire.value.oldId };
    default:
      return unreachable(wire);
  }
}
