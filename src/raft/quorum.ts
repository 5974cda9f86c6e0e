import type { Index, NodeId } from './types.js';

export type VoteResult = 'won' | 'lost' | 'pending';

/** Incoming and outgoing voters. The second is empty unless a change is under way (Raft 6): then both must agree. */
export type JointVoters = readonly [incoming: readonly NodeId[], outgoing: readonly NodeId[]];

/** How many of `voterCount` make a majority. */
export function majorityOf(voterCount: number): number {
  return Math.floor(voterCount / 2) + 1;
}

/** The largest index that a majority of the voters has acknowledged; whoever has not spoken counts as 0. Infinity when there are none. */
export function committedIndex(voters: readonly NodeId[], acknowledged: (voter: NodeId) => Index | undefined): Index {
  if (voters.length === 0) return Number.POSITIVE_INFINITY;
  const indexes = voters.map((voter) => acknowledged(voter) ?? 0).sort((one, other) => other - one);
  return indexes[majorityOf(voters.length) - 1] ?? 0;
}

export function jointCommittedIndex([incoming, outgoing]: JointVoters, acknowledged: (voter: NodeId) => Index | undefined): Index {
  return Math.min(committedIndex(incoming, acknowledged), committedIndex(outgoing, acknowledged));
}

/** `vote` is undefined for a voter that has not answered. Votes are counted by voter, never by message. No voters: won. */
export function voteResult(voters: readonly NodeId[], vote: (voter: NodeId) => boolean | undefined): VoteResult {
  if (voters.length === 0) return 'won';
  let granted = 0;
  let missing = 0;
  for (const voter of voters) {
    const answer = vote(voter);
    if (answer === undefined) missing += 1;
    else if (answer) granted += 1;
  }
  const needed = majorityOf(voters.length);
  if (granted >= needed) return 'won';
  return granted + missing >= needed ? 'pending' : 'lost';
}

export function jointVoteResult([incoming, outgoing]: JointVoters, vote: (voter: NodeId) => boolean | undefined): VoteResult {
  const one = voteResult(incoming, vote);
  const other = voteResult(outgoing, vote);
  if (one === other) return one;
  return one === 'lost' || other === 'lost' ? 'lost' : 'pending';
}

/** Everybody who votes in either half, ascending, each once. */
export function jointIds([incoming, outgoing]: JointVoters): readonly NodeId[] {
  return outgoing.length === 0 ? incoming : [...new Set([...incoming, ...outgoing])].sort((one, other) => one - other);
}
