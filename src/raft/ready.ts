import type { Message } from './message.js';
import type { ReadState } from './read-queue.js';
import type { Entry, EntryId, HardState, Index, NodeId, Role, Snapshot, Term } from './types.js';

/** What may be forgotten in a crash. */
export interface SoftState {
  readonly role: Role;
  readonly leaderId: NodeId | undefined;
}

/** Entries, hard state and snapshot for the disk, and what may be said only once they are there. */
export interface AppendWork {
  readonly entries: readonly Entry[];
  /** Undefined: as before. */
  readonly hardState: HardState | undefined;
  /** Takes the place of log and state; `entries` follow it. */
  readonly snapshot: Snapshot | undefined;
  /** False: only the commit index changed; it may ride on a later write. */
  readonly mustSync: boolean;
  /** Send AFTER the write is on disk; those to this node itself are stepped. */
  readonly replies: readonly Message[];
  /** Hand back through `appended` AFTER the write is on disk. */
  readonly ack: AppendAck | undefined;
}

/** Attests that the log up to `last` was written by the leader of `term`, and the snapshot whoever leads. */
export interface AppendAck {
  readonly term: Term;
  /** Undefined: no entries were on their way. */
  readonly last: EntryId | undefined;
  /** Was written, and the state machine now is what it says. */
  readonly snapshot: Snapshot | undefined;
}

/** What the driver must do. Persist BEFORE send: only `messages` may go out at once. */
export interface Ready {
  /** Undefined: as before. */
  readonly softState: SoftState | undefined;
  /** To other nodes, at once. A leader's appends go out while its own disk still works (thesis 10.2.1). */
  readonly messages: readonly Message[];
  readonly append: AppendWork | undefined;
  /** Committed and on this node's disk: apply in order, then call `applied`. */
  readonly apply: readonly Entry[];
  readonly reads: readonly ReadState[];
}

/** What a proposal became: where it will be, if it stays. */
export type Proposed =
  | { readonly type: 'accepted'; readonly firstIndex: Index; readonly term: Term }
  /** Passed on; nobody will tell this node what becomes of it. */
  | { readonly type: 'forwarded'; readonly to: NodeId }
  | { readonly type: 'refused'; readonly why: 'notLeader' | 'tooMuchUncommitted' | 'transferring' | 'notMember' };

/** unknownPeer: a reply of somebody who is no member. proposalDropped: what a follower passed on was refused. */
export type Stepped = 'stepped' | 'unknownPeer' | 'proposalDropped';
