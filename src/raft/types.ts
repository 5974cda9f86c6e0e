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

export interface Entry {
  readonly index: Index;
  readonly term: Term;
  /** A command of the state machine. Empty: the no-op that begins a term. */
  readonly data: Uint8Array;
}

/** What must survive a restart besides the log (Raft, figure 2). `commitIndex` may lag: a quorum can rebuild it. */
export interface HardState {
  readonly term: Term;
  readonly votedFor: NodeId | undefined;
  readonly commitIndex: Index;
}

export const INITIAL_HARD_STATE: HardState = { term: 0, votedFor: undefined, commitIndex: 0 };

export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader';

/** What an entry adds to the size of a message or a queue, in bytes. */
export function sizeOf(entry: Entry): number {
  return entry.data.length + 24;
}

export function totalSize(entries: readonly Entry[]): number {
  return entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
}
