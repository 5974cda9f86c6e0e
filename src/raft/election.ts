import type { RaftCore } from './core.js';
import type { MessageOf } from './message.js';
import { voteResult } from './quorum.js';
import { broadcastAppend } from './replication.js';

/** Starts a round of votes, or of pre-votes: would you vote for me? (Raft 5.2, thesis 9.6) */
export function campaign(core: RaftCore, round: 'preVote' | 'vote'): void {
  if (round === 'preVote') core.becomePreCandidate();
  else core.becomeCandidate();
  const term = round === 'preVote' ? core.term + 1 : core.term;
  const { index: lastIndex, term: lastTerm } = core.log.last;
  for (const voter of core.voters) {
    // The own vote takes the way of all votes: it counts once it is on disk.
    if (voter === core.id) core.send(voter, { type: `${round}Reply`, granted: true }, term);
    else core.send(voter, { type: round, lastIndex, lastTerm }, term);
  }
}

/** One vote per term, first come, first served, to a log at least as complete as ours (Raft 5.2, 5.4.1). */
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
  core.send(message.from, { type: `${message.type}Reply`, granted }, granted ? message.term : core.term);
}

export function onVoteReply(core: RaftCore, message: MessageOf<'voteReply'> | MessageOf<'preVoteReply'>): void {
  if (message.type === 'preVoteReply' ? core.role !== 'preCandidate' : core.role !== 'candidate') return;
  // A grant of an earlier round of pre-votes says nothing about this one.
  if (message.type === 'preVoteReply' && message.granted && message.term !== core.term + 1) return;
  if (!core.voters.includes(message.from)) return;
  // By voter, and the first answer counts: a repeated message is not a second vote (raft.md hazard 4).
  if (!core.votes.has(message.from)) core.votes.set(message.from, message.granted);

  const result = voteResult(core.voters, (voter) => core.votes.get(voter));
  if (result === 'lost') return core.becomeFollower(core.term, undefined);
  if (result === 'pending') return;
  if (core.role === 'preCandidate') return campaign(core, 'vote');
  core.becomeLeader();
  broadcastAppend(core);
}
