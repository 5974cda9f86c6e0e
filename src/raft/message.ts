import type { Entry, Index, NodeId, Proposal, Snapshot, Term } from './types.js';

/** Who speaks, to whom, and in which term (a pre-vote names the term it would start). 0: of no term, for a leader whoever it is. */
export interface Envelope {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
}

/** Would you vote for me in the next term? Changes nothing at the one asked (thesis 9.6). */
export type PreVote = { readonly type: 'preVote'; readonly lastIndex: Index; readonly lastTerm: Term };
export type PreVoteReply = { readonly type: 'preVoteReply'; readonly granted: boolean };
/** Candidates ask for votes (Raft 5.2); voters compare logs before they grant one (5.4.1). */
export type Vote = {
  readonly type: 'vote';
  readonly lastIndex: Index;
  readonly lastTerm: Term;
  /** The leader asked for this election itself (thesis 3.10): hearing it is no reason to refuse. */
  readonly isTransfer: boolean;
};
export type VoteReply = { readonly type: 'voteReply'; readonly granted: boolean };

/** Entries that follow (previousIndex, previousTerm) in the leader's log (Raft 5.3). */
export type Append = {
  readonly type: 'append';
  readonly previousIndex: Index;
  readonly previousTerm: Term;
  readonly commitIndex: Index;
  readonly entries: readonly Entry[];
};

export type AppendReply = {
  readonly type: 'appendReply';
  /** Accepted: the last index known to match, on the follower's disk. Rejected: the previousIndex that was refused. */
  readonly index: Index;
  readonly rejected: boolean;
  /** Rejected: the largest index that may match, and its term at the follower. 0 otherwise. */
  readonly hintIndex: Index;
  readonly hintTerm: Term;
};

/** The state in place of a log that the leader no longer has (Raft 7). */
export type InstallSnapshot = { readonly type: 'snapshot'; readonly snapshot: Snapshot };

export type Heartbeat = {
  readonly type: 'heartbeat';
  /** min(what this follower is known to hold, the leader's commit index): never past what was verified. */
  readonly commitIndex: Index;
  /** Position of the last read that this round can confirm; 0: none waits. */
  readonly readRound: number;
};
export type HeartbeatReply = { readonly type: 'heartbeatReply'; readonly readRound: number };

/** A follower passes on what was proposed to it. Of no term. */
export type Propose = { readonly type: 'propose'; readonly entries: readonly Proposal[] };
/** A follower asks for a read index (Raft 8); `context` is its own name for the read. Of no term. */
export type ReadIndex = { readonly type: 'readIndex'; readonly context: number };
export type ReadIndexReply = { readonly type: 'readIndexReply'; readonly context: number; readonly index: Index };
/** A follower passes on that `transferee` should lead (thesis 3.10). */
export type TransferLeader = { readonly type: 'transferLeader'; readonly transferee: NodeId };
/** The leader to its successor: campaign now (thesis 3.10). */
export type TimeoutNow = { readonly type: 'timeoutNow' };

export type Body =
  | PreVote
  | PreVoteReply
  | Vote
  | VoteReply
  | Append
  | AppendReply
  | InstallSnapshot
  | Heartbeat
  | HeartbeatReply
  | Propose
  | ReadIndex
  | ReadIndexReply
  | TransferLeader
  | TimeoutNow;
export type Message = Envelope & Body;

/** A message of one type, envelope included. */
export type MessageOf<Type extends Body['type']> = Envelope & Extract<Body, { type: Type }>;

/** What may be a promise about the disk, or a reply: only a member's counts. */
export function isReply({ type }: Pick<Message, 'type'>): boolean {
  return type === 'appendReply' || type === 'voteReply' || type === 'preVoteReply' || type === 'heartbeatReply' || type === 'readIndexReply';
}
