import type { ConfChange } from './conf-change.js';
import type { LogReader } from './log.js';
import type { Message } from './message.js';
import type { ConfState, Entry, HardState, Index, NodeId, Role, Term } from './types.js';

/** One key of the state machine's durable form; undefined deletes it. */
export interface StateWrite {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/** The state machine as of `index`, riding along (DESIGN 3.6). */
export interface AppliedWrites {
  readonly index: Index;
  /** The members as of `index`. */
  readonly confState: ConfState;
  readonly writes: readonly StateWrite[];
}

/** Everything of one write: on disk together or not at all. */
export interface StorageBatch {
  /** In order, contiguous; the first may lie inside the log and then replaces everything from there on. */
  readonly entries: readonly Entry[];
  readonly hardState: HardState | undefined;
  readonly applied: AppliedWrites | undefined;
  /** The log up to here, inclusive, is no longer needed; at most what was applied on disk BEFORE this batch. What goes may be less. */
  readonly compactTo: Index | undefined;
}

/** A snapshot that takes the place of everything: log, state and members become exactly this, in one atomic write. */
export interface InstallBatch {
  readonly index: Index;
  readonly term: Term;
  readonly confState: ConfState;
  /** Its commitIndex is at least `index`. */
  readonly hardState: HardState;
  /** The whole state. */
  readonly state: ReadonlyMap<string, Uint8Array>;
}

/**
 * The disk. One write at a time, in order. Both resolve when everything is on disk for good (synced) and the
 * reader shows it. Any rejection ends the process: after a failed write nobody knows what a disk holds.
 */
export interface RaftStorage extends LogReader {
  write(batch: StorageBatch): Promise<void>;
  install(batch: InstallBatch): Promise<void>;
}

/** The network: best effort, never waits, drops what it cannot carry and says so through `RaftDriver.reportUnreachable`. */
export interface Transport {
  /** A message of type `snapshot` goes a way of its own and ends in `RaftDriver.reportSnapshot`. */
  send(message: Message): void;
}

/** What the log is for. Must be deterministic: every replica applies the same entries and must agree. */
export interface StateMachine<Result> {
  /** Applies one committed command, in log order, at once. */
  apply(entry: Entry): Result;
  /** Applies what a membership change says to the state machine. False: it refuses, and Raft's members stay as they are. */
  applyConfChange(entry: Entry, change: ConfChange): { readonly result: Result; readonly isAccepted: boolean };
  /** The writes of everything applied since it was last asked. */
  takeWrites(): readonly StateWrite[];
  /** The whole state as of what was last applied. */
  snapshot(): Uint8Array;
  /** Undefined when these bytes are not a snapshot. Changes nothing. */
  parseSnapshot(data: Uint8Array): ReadonlyMap<string, Uint8Array> | undefined;
  /** The state becomes exactly this; writes not yet taken are forgotten. */
  restore(state: ReadonlyMap<string, Uint8Array>): void;
}

export type RaftEvent =
  | { readonly type: 'roleChanged'; readonly role: Role; readonly term: Term; readonly leaderId: NodeId | undefined }
  /** The leader has applied an entry of its own term: it may answer reads and plan. */
  | { readonly type: 'leaderReady'; readonly term: Term }
  | { readonly type: 'confChanged'; readonly index: Index; readonly confState: ConfState }
  /** A snapshot took the place of this node's log and state. */
  | { readonly type: 'snapshotInstalled'; readonly index: Index; readonly term: Term }
  /** What a peer sent as a snapshot cannot be read: not taken. */
  | { readonly type: 'snapshotUnreadable'; readonly from: NodeId; readonly index: Index }
  | { readonly type: 'written'; readonly entryCount: number; readonly tookMs: number }
  /** The oldest write under way is older than an election timeout; a leader hands over. */
  | { readonly type: 'diskStalled'; readonly forMs: number; readonly isLeader: boolean }
  | { readonly type: 'lateTick'; readonly lateMs: number };
