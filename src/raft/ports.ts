import type { LogReader } from './log.js';
import type { Message } from './message.js';
import type { Entry, HardState, Index, NodeId, Role, Term } from './types.js';

/** One key of the state machine's durable form; undefined deletes it. */
export interface StateWrite {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/** Everything of one write: on disk together or not at all. */
export interface StorageBatch {
  /** In order, contiguous; the first may lie inside the log and then replaces everything from there on. */
  readonly entries: readonly Entry[];
  readonly hardState: HardState | undefined;
  /** The state machine's writes up to `appliedIndex`, riding along (DESIGN 3.6). */
  readonly applied: { readonly index: Index; readonly writes: readonly StateWrite[] } | undefined;
}

/**
 * The disk. One write at a time, in order. `write` resolves when everything is on disk for good (synced) and the
 * reader shows it. Any rejection ends the process: after a failed write nobody knows what a disk holds.
 */
export interface RaftStorage extends LogReader {
  write(batch: StorageBatch): Promise<void>;
}

/** The network: best effort, never waits, drops what it cannot carry. */
export interface Transport {
  send(message: Message): void;
}

/** What the log is for. Must be deterministic: every replica applies the same entries and must agree. */
export interface StateMachine<Result> {
  /** Applies one committed entry with data, in log order, at once. */
  apply(entry: Entry): Result;
  /** The writes of everything applied since it was last asked. */
  takeWrites(): readonly StateWrite[];
}

export type RaftEvent =
  | { readonly type: 'roleChanged'; readonly role: Role; readonly term: Term; readonly leaderId: NodeId | undefined }
  /** The leader has applied an entry of its own term: it may answer reads and plan. */
  | { readonly type: 'leaderReady'; readonly term: Term }
  | { readonly type: 'written'; readonly entryCount: number; readonly tookMs: number }
  | { readonly type: 'lateTick'; readonly lateMs: number };
