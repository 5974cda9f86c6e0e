import type { RaftCore } from './core.js';
import type { MessageOf } from './message.js';
import { jointIds, jointVoteResult } from './quorum.js';
import { appendOwn, broadcastAppend } from './replication.js';

/** preVote: would you vote for me? transfer: the leader asked for this election itself, and it cannot wait. */
type Round = 'preVote' | 'vote' | 'transfer';

/** Asks for votes, unless this node leads or may not lead. */
export function campaign(core: RaftCore, wanted?: 'transfer'): void {
  if (core.role === 'leader' || !core.isPromotable) return;
  // It does not know yet whose votes count (raft.md hazard 26).
  if (hasUnappliedConfChange(core)) return;
  // A transfer is no sign of a partition: no need to ask twice (thesis 3.10).
  startRound(core, wanted ?? (core.options.preVote ? 'preVote' : 'vote'));
}

/** Starts a round of votes, or of pre-votes (Raft 5.2, thesis 9.6). */
function startRound(core: RaftCore, round: Round): void {
  const type = round === 'preVote' ? 'preVote' : 'vote';
  if (type === 'preVote') core.becomePreCandidate();
  else core.becomeCandidate();
  const term = type === 'preVote' ? core.term + 1 : core.term;
  const { index: lastIndex, term: lastTerm } = core.log.last;
  for (const voter of jointIds(core.voters)) {
    // The own vote takes the way of all votes: it counts once it is on disk.
    if (voter === core.id) core.send(voter, { type: `${type}Reply`, granted: true }, { term });
    else if (type === 'preVote') core.send(voter, { type, lastIndex, lastTerm }, { term });
    else core.send(voter, { type, lastIndex, lastTerm, isTransfer: round === 'transfer' }, { term });
  }
}

/**
 * One vote per term, first come, first served, to a log at least as complete as ours (Raft 5.2, 5.4.1). A learner votes
 * too: it may have been made a voter and not know it yet, and its vote may be needed to tell it (raft.md hazard 27).
 */
export function onVote(core: RaftCore, message: MessageOf<'vote'> | MessageOf<'preVote'>): void {
  const isFree =
    core.votedFor === message.from ||
    (core.votedFor === undefined && core.leaderId === undefined) ||
    (message.type === 'preVote' && message.term > core.term);
  const granted = isFree && core.log.isUpToDate({ index: message.lastIndex, term: message.lastTerm });
  if (granted && message.type === 'vote') {
    core.votedFor = message.from;
    core.electionElapsed = 0;
  }
  // A grant names the term it is for; a refusal tells ours, so that a candidate of the past learns it.
  core.send(message.from, { type: `${message.type}Reply`, granted }, { term: granted ? message.term : core.term });
}

export function onVoteReply(core: RaftCore, message: MessageOf<'voteReply'> | MessageOf<'preVoteReply'>): void {
  if (message.type === 'preVoteReply' ? core.role !== 'preCandidate' : core.role !== 'candidate') return;
  // A grant of an earlier round of pre-votes says nothing about this one.
  if (message.type === 'preVoteReply' && message.granted && message.term !== core.term + 1) return;
  // By voter, and the first answer counts: a repeated message is not a second vote (raft.md hazard 4).
  if (!core.votes.has(message.from)) core.votes.set(message.from, message.granted);

  const result = jointVoteResult(core.voters, (voter) => core.votes.get(voter));
  if (result === 'lost') return core.becomeFollower(core.term, undefined);
  if (result === 'pending') return;
  if (core.role === 'preCandidate') return startRound(core, 'vote');
  core.becomeLeader();
  // The no-op: only an entry of the own term can be committed by counting (Raft 5.4.2).
  appendOwn(core, [{ type: 'normal', data: new Uint8Array() }]);
  broadcastAppend(core);
}

function hasUnappliedConfChange({ log, options }: RaftCore): boolean {
  // In pages: how much was committed and not applied has no bound.
  for (let from = log.appliedIndex + 1; from <= log.commitIndex; ) {
    const entries = log.entries(from, log.commitIndex, options.maxApplyBytes);
    if (entries.some(({ type }) => type === 'confChange')) return true;
    from += entries.length;
  }
  return false;
}
