import { assert, unreachable } from '../base/assert.js';
import type { RaftCore } from './core.js';
import { onVote, onVoteReply } from './election.js';
import { onAppend, onHeartbeat, onSnapshot } from './follower.js';
import { isReply, type Message } from './message.js';
import { propose } from './proposals.js';
import { onReadIndexReply, readIndex } from './reads.js';
import type { Stepped } from './ready.js';
import { onAppendReply, onHeartbeatReply } from './replication.js';
import { onTimeoutNow, transferLeader } from './transfer.js';

/** Takes in one message: the term rules first (Raft 5.1), which may answer or drop it; then what its type asks for. */
export function step(core: RaftCore, message: Message): Stepped {
  assert(message.to === core.id, 'a message for this node');
  if (isReply(message) && !core.progress.has(message.from)) return 'unknownPeer';
  core.options.trace?.({ name: 'Receive', message }, core);
  // Of no term: for a leader, whoever it is.
  if (message.type === 'propose') return propose(core, message.entries, message.from).type === 'refused' ? 'proposalDropped' : 'stepped';
  if (message.type === 'readIndex') readIndex(core, message.context, message.from);
  else if (obeysTerm(core, message)) dispatch(core, message);
  return 'stepped';
}

type OfATerm = Exclude<Message, { type: 'propose' | 'readIndex' }>;

/** Adopts a later term, answers a former one. True: the message is of this node's term now, or of no term to it. */
function obeysTerm(core: RaftCore, message: OfATerm): boolean {
  if (message.term > core.term) return adoptsTerm(core, message);
  if (message.term === core.term) return true;
  answerOldTerm(core, message);
  return false;
}

/** For a message of a later term. False: it is dropped. */
function adoptsTerm(core: RaftCore, message: OfATerm): boolean {
  if (message.type === 'vote' || message.type === 'preVote') {
    const hearsLeader = core.options.checkQuorum && core.leaderId !== undefined && core.electionElapsed < core.options.electionTicks;
    // Whoever hears a leader does not help to depose it (thesis 4.2.3), unless the leader itself wants it: this keeps a
    // removed or cut-off node quiet.
    if (hearsLeader && !(message.type === 'vote' && message.isTransfer)) return false;
  }
  if (message.type === 'preVote') return true; // Asks about a term that nobody has entered yet.
  if (message.type === 'preVoteReply' && message.granted) return true; // Names the term we asked about.
  const isFromLeader = message.type === 'append' || message.type === 'heartbeat' || message.type === 'snapshot';
  core.becomeFollower(message.term, isFromLeader ? message.from : undefined);
  return true;
}

/** For a message of a former term. Whoever is not answered learns the term from somebody else. */
function answerOldTerm(core: RaftCore, message: OfATerm): void {
  const { checkQuorum, preVote } = core.options;
  // A deposed leader, or we are stuck in a term of our own: our term makes it step down, and then we can rejoin.
  if ((checkQuorum || preVote) && (message.type === 'append' || message.type === 'heartbeat'))
    return core.send(message.from, { type: 'appendReply', index: 0, rejected: false, hintIndex: 0, hintTerm: 0 });
  // Unanswered, it could ask for ever (raft.md hazard 8).
  if (message.type === 'preVote') core.send(message.from, { type: 'preVoteReply', granted: false });
}

function dispatch(core: RaftCore, message: OfATerm): void {
  switch (message.type) {
    case 'preVote':
    case 'vote':
      return onVote(core, message);
    case 'preVoteReply':
    case 'voteReply':
      return onVoteReply(core, message);
    case 'append':
      return onAppend(core, message);
    case 'heartbeat':
      return onHeartbeat(core, message);
    case 'snapshot':
      return onSnapshot(core, message);
    case 'appendReply':
      return onAppendReply(core, message);
    case 'heartbeatReply':
      return onHeartbeatReply(core, message);
    case 'readIndexReply':
      return onReadIndexReply(core, message);
    case 'transferLeader':
      return transferLeader(core, message.transferee);
    case 'timeoutNow':
      return onTimeoutNow(core);
    default:
      return unreachable(message);
  }
}
