import { assert } from '../base/assert.js';
import { type InflightLimits, Inflights } from './inflights.js';
import type { Index } from './types.js';

/**
 * What the leader believes of one follower's log.
 *
 * probe: its end is unknown; one append per heartbeat. replicate: appends are pipelined, `next` runs ahead.
 * snapshot: it needs what the log no longer has; nothing is appended until the snapshot is there.
 * Invariant: 0 <= match < next. [next, last] is unsent, (match, next) is under way, [1, match] is on its disk.
 */
export class Progress {
  match: Index = 0;
  next: Index;
  state: 'probe' | 'replicate' | 'snapshot' = 'probe';
  /** Gets the log and has no vote. */
  isLearner: boolean;
  /** It answered since the last quorum check. */
  isActive = false;
  /** It had answered by the last quorum check. */
  #wasActive = false;
  /** probe: an append is out. replicate: the pipeline is full. Until an answer or a heartbeat answer comes. */
  isFlowPaused = false;
  /** snapshot: index of the one that was sent. 0 otherwise. */
  pendingSnapshot: Index = 0;
  /** The highest commit index that was sent to it. */
  sentCommit: Index = 0;
  #inflights: Inflights;
  readonly #limits: InflightLimits;

  constructor(next: Index, limits: InflightLimits, { isLearner = false }: { readonly isLearner?: boolean } = {}) {
    this.next = next;
    this.isLearner = isLearner;
    this.#limits = limits;
    this.#inflights = new Inflights(limits);
  }

  /** A quorum check begins anew to count who answers. */
  startActivityRound(): void {
    this.#wasActive = this.isActive;
    this.isActive = false;
  }

  /** It answered within the last one or two election timeouts: unlike `isActive` true also right after a check. */
  get wasActiveLately(): boolean {
    return this.isActive || this.#wasActive;
  }

  becomeProbe(): void {
    // A snapshot that is on its way may already be there: the probe begins behind it.
    const pendingSnapshot = this.state === 'snapshot' ? this.pendingSnapshot : 0;
    this.#reset('probe');
    this.next = Math.max(this.match, pendingSnapshot) + 1;
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.#reset('replicate');
    this.next = this.match + 1;
  }

  becomeSnapshot(index: Index): void {
    this.#reset('snapshot');
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  /** Nothing more may be sent now. */
  get isPaused(): boolean {
    return this.state === 'snapshot' || this.isFlowPaused;
  }

  get isFull(): boolean {
    return this.#inflights.isFull;
  }

  get inflightCount(): number {
    return this.#inflights.count;
  }

  /** An append with `count` entries of `bytes` in all went out; the pipeline does not wait for its answer. */
  sent({ count, bytes }: { readonly count: number; readonly bytes: number }): void {
    assert(this.state !== 'snapshot', 'nothing is appended while a snapshot is under way');
    if (this.state === 'probe') {
      if (count > 0) this.isFlowPaused = true;
      return;
    }
    if (count > 0) {
      this.next += count;
      this.#inflights.add({ lastIndex: this.next - 1, bytes });
    }
    // When full, an empty append is a probe of its own: the next one waits for an answer.
    this.isFlowPaused = this.#inflights.isFull;
  }

  /** It holds everything up to `index`. False when that is old news. */
  acknowledged(index: Index): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.isFlowPaused = false;
    assert(this.match < this.next, 'match stays below next');
    return true;
  }

  /** Frees what is under way up to `index`. */
  free(index: Index): void {
    this.#inflights.free(index);
  }

  /** The append that followed `rejected` was refused. False when the refusal is stale and says nothing new. */
  refused(rejected: Index, hint: Index): boolean {
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
    } else {
      if (this.next - 1 !== rejected) return false;
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
      this.isFlowPaused = false;
    }
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    return true;
  }

  /** Telling it this commit index would let it apply more than what it was told before. */
  canBumpCommit(commitIndex: Index): boolean {
    return commitIndex > this.sentCommit && this.sentCommit < this.next - 1;
  }

  clone(): Progress {
    const copy = new Progress(this.next, this.#limits, this);
    copy.match = this.match;
    copy.state = this.state;
    copy.isActive = this.isActive;
    copy.#wasActive = this.#wasActive;
    copy.isFlowPaused = this.isFlowPaused;
    copy.pendingSnapshot = this.pendingSnapshot;
    copy.sentCommit = this.sentCommit;
    copy.#inflights = this.#inflights.clone();
    return copy;
  }

  #reset(state: Progress['state']): void {
    this.state = state;
    this.isFlowPaused = false;
    this.pendingSnapshot = 0;
    this.#inflights = new Inflights(this.#limits);
  }
}
