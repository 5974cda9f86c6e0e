import { assert } from '../base/assert.js';
import type { Index } from './types.js';

/** Appends under way to one follower: the last index and the size of each, oldest first. */
interface Inflight {
  readonly lastIndex: Index;
  readonly bytes: number;
}

/**
 * What the leader believes of one follower's log.
 *
 * probe: its end is unknown; one append per heartbeat. replicate: appends are pipelined, `next` runs ahead.
 * Invariant: 0 <= match < next. [next, last] is unsent, (match, next) is under way, [1, match] is on its disk.
 */
export class Progress {
  match: Index = 0;
  next: Index;
  state: 'probe' | 'replicate' = 'probe';
  /** It answered since the last quorum check. */
  isActive = false;
  /** No further append until an answer or a heartbeat answer comes. */
  isPaused = false;
  /** The highest commit index that was sent to it. */
  sentCommit: Index = 0;
  #inflights: Inflight[] = [];
  #inflightBytes = 0;
  readonly #limits: { readonly messages: number; readonly bytes: number };

  constructor(next: Index, limits: { readonly messages: number; readonly bytes: number }) {
    this.next = next;
    this.#limits = limits;
  }

  becomeProbe(): void {
    this.#reset('probe');
    this.next = this.match + 1;
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.#reset('replicate');
    this.next = this.match + 1;
  }

  /** Both limits are soft: one message may cross the byte limit, so that a large entry is not stuck for ever. */
  get isFull(): boolean {
    return this.#inflights.length >= this.#limits.messages || this.#inflightBytes >= this.#limits.bytes;
  }

  get inflightCount(): number {
    return this.#inflights.length;
  }

  /** An append with `count` entries of `bytes` in all went out; the pipeline does not wait for its answer. */
  sent({ count, bytes }: { count: number; bytes: number }): void {
    if (this.state === 'probe') {
      if (count > 0) this.isPaused = true;
      return;
    }
    if (count > 0) {
      this.next += count;
      this.#inflights.push({ lastIndex: this.next - 1, bytes });
      this.#inflightBytes += bytes;
    }
    // When full, an empty append is a probe of its own: the next one waits for an answer.
    this.isPaused = this.isFull;
  }

  /** It holds everything up to `index`. False when that is old news. */
  acknowledged(index: Index): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.isPaused = false;
    assert(this.match < this.next, 'match stays below next');
    return true;
  }

  /** Frees what is under way up to `index`. */
  free(index: Index): void {
    let done = 0;
    for (const inflight of this.#inflights) {
      if (inflight.lastIndex > index) break;
      this.#inflightBytes -= inflight.bytes;
      done += 1;
    }
    if (done > 0) this.#inflights = this.#inflights.slice(done);
    this.isPaused = this.state === 'replicate' && this.isFull;
  }

  /** The append that followed `rejected` was refused. False when the refusal is stale and says nothing new. */
  refused(rejected: Index, hint: Index): boolean {
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
    } else {
      if (this.next - 1 !== rejected) return false;
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
      this.isPaused = false;
    }
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    return true;
  }

  /** Telling it this commit index would let it apply more than what it was told before. */
  canBumpCommit(commitIndex: Index): boolean {
    return commitIndex > this.sentCommit && this.sentCommit < this.next - 1;
  }

  #reset(state: 'probe' | 'replicate'): void {
    this.state = state;
    this.isPaused = false;
    this.#inflights = [];
    this.#inflightBytes = 0;
  }
}
