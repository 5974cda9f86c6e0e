import { unreachable } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import type { Body, Message } from '../raft/message.js';
import type { Entry } from '../raft/types.js';
import { numberFromWire } from './codec.js';
import type * as wire from './gen/seqsvr/v1/raft.js';

/** Raft messages <-> proto. What a peer sends is untrusted: a message that breaks a rule throws PROTOCOL and is dropped. */
export function raftToWire(message: Message): wire.RaftMessage {
  return { from: message.from, to: message.to, term: BigInt(message.term), body: bodyToWire(message) };
}

export function raftFromWire({ from, to, term, body }: wire.RaftMessage): Message {
  if (from === 0 || to === 0) throw new SeqError('PROTOCOL', 'a Raft message without a sender or a receiver');
  // A message type of a newer version: this node cannot know what it asks for.
  if (body === undefined) throw new SeqError('PROTOCOL', 'a Raft message of a type that this version does not know');
  return { from, to, term: numberFromWire(term, 'term'), ...bodyFromWire(body) };
}

type WireBody = NonNullable<wire.RaftMessage['body']>;

function bodyToWire(body: Body): WireBody {
  switch (body.type) {
    case 'preVote':
    case 'vote':
      return { $case: body.type, value: { lastIndex: BigInt(body.lastIndex), lastTerm: BigInt(body.lastTerm) } };
    case 'preVoteReply':
    case 'voteReply':
      return { $case: body.type, value: { granted: body.granted } };
    case 'append': {
      const { previousIndex, previousTerm, commitIndex, entries } = body;
      const numbers = { previousIndex: BigInt(previousIndex), previousTerm: BigInt(previousTerm), commitIndex: BigInt(commitIndex) };
      return { $case: 'append', value: { ...numbers, entries: entries.map(entryToWire) } };
    }
    case 'appendReply': {
      const { index, rejected, hintIndex, hintTerm } = body;
      return { $case: 'appendReply', value: { index: BigInt(index), rejected, hintIndex: BigInt(hintIndex), hintTerm: BigInt(hintTerm) } };
    }
    case 'heartbeat':
      return { $case: 'heartbeat', value: { commitIndex: BigInt(body.commitIndex), readRound: BigInt(body.readRound) } };
    case 'heartbeatReply':
      return { $case: 'heartbeatReply', value: { readRound: BigInt(body.readRound) } };
    default:
      return unreachable(body);
  }
}

function bodyFromWire(body: WireBody): Body {
  switch (body.$case) {
    case 'preVote':
    case 'vote':
      return {
        type: body.$case,
        lastIndex: numberFromWire(body.value.lastIndex, 'last index'),
        lastTerm: numberFromWire(body.value.lastTerm, 'last term'),
      };
    case 'preVoteReply':
    case 'voteReply':
      return { type: body.$case, granted: body.value.granted };
    case 'append': {
      const { previousIndex, previousTerm, commitIndex, entries } = body.value;
      return {
        type: 'append',
        previousIndex: numberFromWire(previousIndex, 'previous index'),
        previousTerm: numberFromWire(previousTerm, 'previous term'),
        commitIndex: numberFromWire(commitIndex, 'commit index'),
        entries: entries.map(entryFromWire),
      };
    }
    case 'appendReply': {
      const { index, rejected, hintIndex, hintTerm } = body.value;
      return {
        type: 'appendReply',
        index: numberFromWire(index, 'index'),
        rejected,
        hintIndex: numberFromWire(hintIndex, 'hint index'),
        hintTerm: numberFromWire(hintTerm, 'hint term'),
      };
    }
    case 'heartbeat':
      return {
        type: 'heartbeat',
        commitIndex: numberFromWire(body.value.commitIndex, 'commit index'),
        readRound: numberFromWire(body.value.readRound, 'read round'),
      };
    case 'heartbeatReply':
      return { type: 'heartbeatReply', readRound: numberFromWire(body.value.readRound, 'read round') };
    default:
      return unreachable(body);
  }
}

function entryToWire({ index, term, data }: Entry): wire.Entry {
  return { index: BigInt(index), term: BigInt(term), data: Buffer.from(data.buffer, data.byteOffset, data.byteLength) };
}

function entryFromWire({ index, term, data }: wire.Entry): Entry {
  return { index: numberFromWire(index, 'entry index'), term: numberFromWire(term, 'entry term'), data };
}
