import type { Entry, Index, NodeId, Term } from './types.js';

/** Who speaks, to whom, and in which term (a pre-vote names the term it would start). */
export interface Envelope {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
}

/** Would you vote for me in the next term? Changes nothing at the one asked (thesis 9.6). */
export type PreVote = { readonly type: 'preVote'; readonly lastIndex: Index; readonly lastTerm: Term };
export type PreVoteReply = { readonly type: 'preVoteReply'; readonly granted: boolean };
/** Candidates ask for votes (Raft 5.2); voters compare logs before they grant one (5.4.1). */
export type Vote = { readonly type: 'vote'; readonly lastIndex: Index; readonly lastTerm: Term };
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

export type Heartbeat = {
  readonly type: 'heartbeat';
  /** min(what this follower is known to hold, the leader's commit index): never past what was verified. */
  readonly commitIndex: Index;
  /** Position of the last read that this round can confirm; 0: none waits. */
  readonly readRound: number;
};
export type HeartbeatReply = { readonly type: 'heartbeatReply'; readonly readRound: number };

export type Body = PreVote | PreVoteReply | Vote | VoteReply | Append | AppendReply | Heartbeat | HeartbeatReply;
export type Message = Envelope & Body;

/** A message of one type, envelope included. */
export type MessageOf<Type extends Body['type']> = Envelope & Extract<Body, { type: Type }>;
