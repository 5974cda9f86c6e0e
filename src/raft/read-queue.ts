import { jointCommittedIndex, type JointVoters } from './quorum.js';
import type { Index, NodeId } from './types.js';

/** A confirmed read: whoever asked may read the state once `index` is applied. */
export interface ReadState {
  /** The caller's own name for the read. */
  readonly context: number;
  readonly index: Index;
}

/** A read and who asked for it: this node itself or a follower. */
export interface AskedRead extends ReadState {
  readonly from: NodeId;
}

/**
 * Reads that wait for proof of leadership (Raft 8, thesis 6.4). Each gets a position; heartbeats carry the last
 * position that waits, and an answer confirms every read up to it. Positions are the leader's own, so a late answer
 * can never confirm a read that came after its question (raft.md hazard 42).
 */
export class ReadQueue {
  #pending: AskedRead[] = [];
  /** Position of #pending[0] is #confirmed + 1. */
  #confirmed = 0;
  readonly #answered = new Map<NodeId, number>();

  get size(): number {
    return this.#pending.length;
  }

  /** Position of the last read that waits; 0 when none does. */
  get lastPosition(): number {
    return this.#pending.length === 0 ? 0 : this.#confirmed + this.#pending.length;
  }

  add(read: AskedRead): void {
    this.#pending.push(read);
  }

  /** `voter` answered a heartbeat that carried `position`. */
  acknowledge(voter: NodeId, position: number): void {
    // A position that was never asked about confirms nothing.
    const asked = Math.min(position, this.#confirmed + this.#pending.length);
    this.#answered.set(voter, Math.max(this.#answered.get(voter) ?? 0, asked));
  }

  /** The reads that the voters have confirmed since this was last called. */
  takeConfirmed(voters: JointVoters): readonly AskedRead[] {
    const confirmed = jointCommittedIndex(voters, (id) => this.#answered.get(id));
    if (confirmed <= this.#confirmed || !Number.isFinite(confirmed)) return [];
    const done = this.#pending.splice(0, confirmed - this.#confirmed);
    this.#confirmed = confirmed;
    return done;
  }
}
