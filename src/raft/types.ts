/**
 * Raft's own words, from the paper. All are plain numbers; a codec or a storage checked them where they entered.
 * The core takes whatever is well-formed and from a member; what it cannot believe it ignores or refuses.
 */

/** A member's id, at least 1. Never reused for another data directory. */
export type NodeId = number;
/** Logical time; starts at 0 (no election yet), grows by elections. */
export type Term = number;
/** Place in the log; the first entry has 1. 0: before the first. */
export type Index = number;

/** normal: a command of the state machine. confChange: a change of the members (conf-change.ts), for Raft itself too. */
export type EntryType = 'normal' | 'confChange';

/** What a leader is asked to append; it gives it its place and its term. */
export interface Proposal {
  readonly type: EntryType;
  readonly data: Uint8Array;
}

export interface Entry {
  readonly index: Index;
  readonly term: Term;
  readonly type: EntryType;
  /** normal: a command; empty is the no-op that begins a term. confChange: see conf-change.ts; empty leaves a joint configuration. */
  readonly data: Uint8Array;
}

/** Names an entry, and by the Log Matching Property the whole log before it (Raft 5.3). */
export interface EntryId {
  readonly index: Index;
  readonly term: Term;
}

/** What must survive a restart besides the log (Raft, figure 2). `commitIndex` may lag: a quorum can rebuild it. */
export interface HardState {
  readonly term: Term;
  readonly votedFor: NodeId | undefined;
  readonly commitIndex: Index;
}

export const INITIAL_HARD_STATE: HardState = { term: 0, votedFor: undefined, commitIndex: 0 };

/**
 * Who the members are at one place in the log. Each list is ascending, without repeats. Joint while `votersOutgoing` is
 * not empty: then every decision needs a majority of both `voters` and `votersOutgoing` (Raft 6).
 */
export interface ConfState {
  readonly voters: readonly NodeId[];
  readonly votersOutgoing: readonly NodeId[];
  /** Get the log and have no vote. */
  readonly learners: readonly NodeId[];
  /** Outgoing voters that become learners when the joint configuration is left. */
  readonly learnersNext: readonly NodeId[];
  /** Joint: the leader leaves it by itself as soon as it is applied. */
  readonly autoLeave: boolean;
}

export const EMPTY_CONF_STATE: ConfState = { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };

/** The state machine after entry `index`, in place of the log up to there. */
export interface Snapshot extends EntryId {
  readonly confState: ConfState;
  /** Opaque to Raft. */
  readonly data: Uint8Array;
}

export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader';

/** Bytes of an entry in a message, as protobuf encodes it: what limits on messages and queues count. */
export function sizeOf({ index, term, type, data }: Entry): number {
  const dataBytes = data.length === 0 ? 0 : 1 + varintBytes(data.length) + data.length;
  return 2 + varintBytes(index) + varintBytes(term) + (type === 'normal' ? 0 : 2) + dataBytes;
}

export function totalSize(entries: readonly Entry[]): number {
  return entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
}

/** Bytes of what was proposed alone: what limits on the uncommitted and on what is under way count. A no-op has none. */
export function payloadSize(entries: readonly { readonly data: Uint8Array }[]): number {
  return entries.reduce((sum, { data }) => sum + data.length, 0);
}

/** Bytes of a protobuf varint: seven bits each. */
function varintBytes(value: number): number {
  let bytes = 1;
  for (let left = value; left >= 128; left = Math.floor(left / 128)) bytes += 1;
  return bytes;
}
