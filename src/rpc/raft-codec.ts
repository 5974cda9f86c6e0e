import { unreachable } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import type { Append, Body, Message, Vote } from '../raft/message.js';
import type { Entry, EntryType, Index, Proposal, Term } from '../raft/types.js';
import { numberFromWire, placeFromWire } from './codec.js';
import * as wire from './gen/seqsvr/v1/raft.js';

/** A snapshot has a stream of its own (snapshot-codec.ts). */
export type FramedMessage = Exclude<Message, { type: 'snapshot' }>;
type FramedBody = Exclude<Body, { type: 'snapshot' }>;
type WireBody = NonNullable<wire.RaftMessage['body']>;

/** Raft messages <-> proto. What a peer sends is untrusted: a message that breaks a rule throws PROTOCOL and is dropped. */
export function raftToWire(message: FramedMessage): wire.RaftMessage {
  return { from: message.from, to: message.to, term: BigInt(message.term), body: bodyToWire(message) };
}

export function raftFromWire(message: wire.RaftMessage): FramedMessage {
  const { from, to, body } = message;
  if (from === 0 || to === 0) throw protocol('a Raft message without a sender or a receiver');
  // A message type of a newer version: this node cannot know what it asks for.
  if (body === undefined) throw protocol('a Raft message of a type that this version does not know');
  const term = placeFromWire(message.term, 'term');
  const isOfNoTerm = body.$case === 'propose' || body.$case === 'readIndex';
  // A node that never heard of an election may refuse a pre-vote; nobody else speaks in term 0.
  const mayBeZero = isOfNoTerm || (body.$case === 'preVoteReply' && !body.value.granted);
  if (term === 0 ? !mayBeZero : isOfNoTerm) throw protocol(`a message ${body.$case} with term ${term}`);
  return { from, to, term, ...bodyFromWire(body, term) };
}

function bodyToWire(body: FramedBody): WireBody {
  switch (body.type) {
    case 'preVote':
      return { $case: 'preVote', value: { lastIndex: BigInt(body.lastIndex), lastTerm: BigInt(body.lastTerm), isTransfer: false } };
    case 'vote':
      return { $case: 'vote', value: { lastIndex: BigInt(body.lastIndex), lastTerm: BigInt(body.lastTerm), isTransfer: body.isTransfer } };
    case 'preVoteReply':
    case 'voteReply':
      return { $case: body.type, value: { granted: body.granted } };
    case 'append': {
      const { previousIndex, previousTerm, commitIndex, entries } = body;
      const numbers = { previousIndex: BigInt(previousIndex), previousTerm: BigInt(previousTerm), commitIndex: BigInt(commitIndex) };
      return { $case: 'append', value: { ...numbers, runs: runsOf(entries) } };
    }
    case 'appendReply': {
      const { index, rejected, hintIndex, hintTerm } = body;
      return { $case: 'appendReply', value: { index: BigInt(index), rejected, hintIndex: BigInt(hintIndex), hintTerm: BigInt(hintTerm) } };
    }
    case 'heartbeat':
      return { $case: 'heartbeat', value: { commitIndex: BigInt(body.commitIndex), readRound: BigInt(body.readRound) } };
    case 'heartbeatReply':
      return { $case: 'heartbeatReply', value: { readRound: BigInt(body.readRound) } };
    case 'propose':
      return { $case: 'propose', value: { proposals: body.entries.map(({ type, data }) => ({ type: typeToWire(type), data: asBuffer(data) })) } };
    case 'readIndex':
      return { $case: 'readIndex', value: { context: BigInt(body.context) } };
    case 'readIndexReply':
      return { $case: 'readIndexReply', value: { context: BigInt(body.context), index: BigInt(body.index) } };
    case 'transferLeader':
      return { $case: 'transferLeader', value: { transferee: body.transferee } };
    case 'timeoutNow':
      return { $case: 'timeoutNow', value: {} };
    default:
      return unreachable(body);
  }
}

function bodyFromWire(body: WireBody, term: Term): FramedBody {
  switch (body.$case) {
    case 'preVote':
      // A transfer skips the pre-votes.
      if (body.value.isTransfer) throw protocol('a pre-vote for a transfer');
      return { type: 'preVote', ...lastFromWire(body.value, term) };
    case 'vote':
      return { type: 'vote', ...lastFromWire(body.value, term), isTransfer: body.value.isTransfer };
    case 'preVoteReply':
    case 'voteReply':
      return { type: body.$case, granted: body.value.granted };
    case 'append':
      return appendFromWire(body.value, term);
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
    case 'heartbeat': {
      const { commitIndex, readRound } = body.value;
      return { type: 'heartbeat', commitIndex: numberFromWire(commitIndex, 'commit index'), readRound: numberFromWire(readRound, 'read round') };
    }
    case 'heartbeatReply':
      return { type: 'heartbeatReply', readRound: numberFromWire(body.value.readRound, 'read round') };
    case 'propose':
      return { type: 'propose', entries: proposalsFromWire(body.value.proposals) };
    case 'readIndex':
      return { type: 'readIndex', context: numberFromWire(body.value.context, 'context') };
    case 'readIndexReply': {
      const { context, index } = body.value;
      return { type: 'readIndexReply', context: numberFromWire(context, 'context'), index: numberFromWire(index, 'read index') };
    }
    case 'transferLeader':
      if (body.value.transferee === 0) throw protocol('a transfer to node 0');
      return { type: 'transferLeader', transferee: body.value.transferee };
    case 'timeoutNow':
      return { type: 'timeoutNow' };
    default:
      return unreachable(body);
  }
}

function lastFromWire(value: wire.Vote, term: Term): Pick<Vote, 'lastIndex' | 'lastTerm'> {
  const lastIndex = numberFromWire(value.lastIndex, 'last index');
  const lastTerm = numberFromWire(value.lastTerm, 'last term');
  checkPlace('last', lastIndex, lastTerm, term);
  return { lastIndex, lastTerm };
}

function appendFromWire(value: wire.Append, term: Term): Append {
  const previousIndex = placeFromWire(value.previousIndex, 'previous index');
  const previousTerm = numberFromWire(value.previousTerm, 'previous term');
  const commitIndex = numberFromWire(value.commitIndex, 'commit index');
  checkPlace('previous', previousIndex, previousTerm, term);
  const entries: Entry[] = [];
  let index = previousIndex;
  let lastTerm = previousTerm;
  for (const run of value.runs) {
    const runTerm = numberFromWire(run.term, 'entry term');
    if (runTerm === 0 || runTerm < lastTerm || runTerm > term)
      throw protocol(`an entry of term ${runTerm} after one of term ${lastTerm}, from a leader of term ${term}`);
    if (run.data.length === 0) throw protocol('a run without entries');
    const type = typeFromWire(run.type);
    for (const data of run.data) entries.push({ index: ++index, term: runTerm, type, data });
    lastTerm = runTerm;
  }
  return { type: 'append', previousIndex, previousTerm, commitIndex, entries };
}

function checkPlace(what: string, index: Index, placeTerm: Term, term: Term): void {
  if (!isPlace(index, placeTerm, term)) throw protocol(`${what} index ${index} with ${what} term ${placeTerm} in a message of term ${term}`);
}

/** Only the place before the first entry has term 0, and nothing is of a term that has not begun. */
export function isPlace(index: Index, placeTerm: Term, term: Term): boolean {
  return (index === 0) === (placeTerm === 0) && placeTerm <= term;
}

function runsOf(entries: readonly Entry[]): wire.EntryRun[] {
  const runs: wire.EntryRun[] = [];
  let run: wire.EntryRun | undefined;
  let of: Entry | undefined;
  for (const entry of entries) {
    if (run === undefined || of?.term !== entry.term || of.type !== entry.type) {
      run = { term: BigInt(entry.term), type: typeToWire(entry.type), data: [] };
      runs.push(run);
      of = entry;
    }
    run.data.push(asBuffer(entry.data));
  }
  return runs;
}

function proposalsFromWire(proposals: readonly wire.Proposal[]): Proposal[] {
  if (proposals.length === 0) throw protocol('a propose without a proposal');
  return proposals.map(({ type, data }) => ({ type: typeFromWire(type), data }));
}

function typeToWire(type: EntryType): wire.EntryType {
  return type === 'normal' ? wire.EntryType.ENTRY_TYPE_NORMAL : wire.EntryType.ENTRY_TYPE_CONF_CHANGE;
}

function typeFromWire(type: wire.EntryType): EntryType {
  if (type === wire.EntryType.ENTRY_TYPE_NORMAL) return 'normal';
  if (type === wire.EntryType.ENTRY_TYPE_CONF_CHANGE) return 'confChange';
  throw protocol(`entry type ${type} is not known to this version`);
}

/** The same bytes; a view costs more than all else about a small entry, and mostly it is a Buffer already. */
function asBuffer(data: Uint8Array): Buffer {
  return Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function protocol(message: string): SeqError {
  return new SeqError('PROTOCOL', message);
}
