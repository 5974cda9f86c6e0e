import { unreachable } from '../../src/base/assert.js';
import type { AppendAck, AppendWork } from '../../src/raft/core.js';
import type { Message } from '../../src/raft/message.js';
import type { Entry, NodeId, Proposal, Snapshot } from '../../src/raft/types.js';

/** A node, or one of the two threads of a node that stand for its disk and its state machine. */
export type Place = NodeId | 'AppendThread' | 'ApplyThread';

/** A message in the words of the language, whatever it is in ours. 0, empty and undefined are not printed, or as 0. */
export interface MessageView {
  readonly from: Place;
  readonly to: Place;
  readonly type: MessageTypeName;
  readonly term: number;
  readonly logTerm?: number;
  readonly index?: number;
  /** Undefined: not rejected. */
  readonly rejectHint?: number | undefined;
  readonly commit?: number;
  readonly vote?: number;
  /** What was only proposed has neither index nor term: 0/0. */
  readonly entries?: readonly (Entry | Proposal)[];
  readonly snapshot?: Snapshot | undefined;
  readonly responses?: readonly MessageView[];
}

/** All that the language names, also those that exist only inside etcd's core. */
export const MESSAGE_TYPES = [
  'MsgHup',
  'MsgBeat',
  'MsgProp',
  'MsgApp',
  'MsgAppResp',
  'MsgVote',
  'MsgVoteResp',
  'MsgSnap',
  'MsgHeartbeat',
  'MsgHeartbeatResp',
  'MsgUnreachable',
  'MsgSnapStatus',
  'MsgCheckQuorum',
  'MsgTransferLeader',
  'MsgTimeoutNow',
  'MsgReadIndex',
  'MsgReadIndexResp',
  'MsgPreVote',
  'MsgPreVoteResp',
  'MsgStorageAppend',
  'MsgStorageAppendResp',
  'MsgStorageApply',
  'MsgStorageApplyResp',
  'MsgForgetLeader',
] as const;
export type MessageTypeName = (typeof MESSAGE_TYPES)[number];

/** `contextOf` gives the bytes that a read was named with. */
export function viewOf(message: Message, contextOf: (context: number) => Uint8Array): MessageView {
  const { from, to, term } = message;
  const envelope = { from, to, term };
  switch (message.type) {
    case 'preVote':
      return { ...envelope, type: 'MsgPreVote', logTerm: message.lastTerm, index: message.lastIndex };
    case 'vote':
      return { ...envelope, type: 'MsgVote', logTerm: message.lastTerm, index: message.lastIndex };
    case 'preVoteReply':
      return { ...envelope, type: 'MsgPreVoteResp', rejectHint: message.granted ? undefined : 0 };
    case 'voteReply':
      return { ...envelope, type: 'MsgVoteResp', rejectHint: message.granted ? undefined : 0 };
    case 'append': {
      const { previousTerm, previousIndex, commitIndex, entries } = message;
      return { ...envelope, type: 'MsgApp', logTerm: previousTerm, index: previousIndex, commit: commitIndex, entries };
    }
    case 'appendReply': {
      const { index, rejected, hintIndex, hintTerm } = message;
      return { ...envelope, type: 'MsgAppResp', index, ...(rejected ? { logTerm: hintTerm, rejectHint: hintIndex } : {}) };
    }
    case 'snapshot':
      return { ...envelope, type: 'MsgSnap', snapshot: message.snapshot };
    case 'heartbeat':
      return { ...envelope, type: 'MsgHeartbeat', commit: message.commitIndex };
    case 'heartbeatReply':
      return { ...envelope, type: 'MsgHeartbeatResp' };
    case 'propose':
      return { ...envelope, type: 'MsgProp', entries: message.entries };
    case 'readIndex':
      return { ...envelope, type: 'MsgReadIndex', entries: [{ type: 'normal', data: contextOf(message.context) }] };
    case 'readIndexReply': {
      const entries: Proposal[] = [{ type: 'normal', data: contextOf(message.context) }];
      return { ...envelope, type: 'MsgReadIndexResp', index: message.index, entries };
    }
    case 'transferLeader':
      // The language names the one that should lead as the sender, whoever passes it on.
      return { ...envelope, from: message.transferee, type: 'MsgTransferLeader' };
    case 'timeoutNow':
      return { ...envelope, type: 'MsgTimeoutNow' };
    default:
      return unreachable(message);
  }
}

/** A write for the disk of `id`, and what it sends once that is done. Without a hard state: term, vote and commit are 0. */
export function storageAppendView(id: NodeId, { entries, hardState, snapshot }: AppendWork, responses: readonly MessageView[]): MessageView {
  return {
    from: id,
    to: 'AppendThread',
    type: 'MsgStorageAppend',
    term: hardState?.term ?? 0,
    commit: hardState?.commitIndex ?? 0,
    vote: hardState?.votedFor ?? 0,
    entries,
    snapshot,
    responses,
  };
}

export function storageAppendReplyView(id: NodeId, { term, last, snapshot }: AppendAck): MessageView {
  return { from: 'AppendThread', to: id, type: 'MsgStorageAppendResp', term, logTerm: last?.term ?? 0, index: last?.index ?? 0, snapshot };
}

export function storageApplyView(id: NodeId, entries: readonly Entry[]): MessageView {
  const responses = [storageApplyReplyView(id, entries)];
  return { from: id, to: 'ApplyThread', type: 'MsgStorageApply', term: 0, entries, responses };
}

export function storageApplyReplyView(id: NodeId, entries: readonly Entry[]): MessageView {
  return { from: 'ApplyThread', to: id, type: 'MsgStorageApplyResp', term: 0, entries };
}
