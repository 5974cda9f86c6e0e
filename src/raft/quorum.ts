import type { Index, NodeId } from './types.js';

export type VoteResult = 'won' | 'lost' | 'pending';

/** How many of `voterCount` make a majority. */
export function majorityOf(voterCount: number): number {
  return Math.floor(voterCount / 2) + 1;
}

/** The largest index that a majority of the voters has acknowledged; whoever has not spoken counts as 0. */
export function committedIndex(voters: readonly NodeId[], acknowledged: (voter: NodeId) => Index): Index {
  const indexes = voters.map(acknowledged).sort((one, other) => other - one);
  return indexes[majorityOf(voters.length) - 1] ?? 0;
}

/** `vote` is undefined for a voter that has not answered. Votes are counted by voter, never by message. */
export function voteResult(voters: readonly NodeId[], vote: (voter: NodeId) => boolean | undefined): VoteResult {
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
