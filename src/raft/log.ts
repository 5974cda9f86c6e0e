import { assert } from '../base/assert.js';
import { type Entry, type EntryId, type Index, payloadSize, sizeOf, type Snapshot, type Term, totalSize } from './types.js';

/** The part of the log that is on disk, read synchronously. The driver's storage brings it. */
export interface LogReader {
  /** 1, or the first index after what was compacted away. */
  readonly firstIndex: Index;
  /** firstIndex - 1 when nothing follows what was compacted away. */
  readonly lastIndex: Index;
  /** Undefined when the log does not know: missing is not zero. Known from firstIndex - 1 on; index 0 has term 0. */
  termAt(index: Index): Term | undefined;
  /** Entries in [from, to], in order, as many as fit into `maxBytes` but at least one. `from` is at least firstIndex. */
  entries(from: Index, to: Index, maxBytes: number): readonly Entry[];
}

/** A leader knows entries that this node acknowledged and no longer has: its disk was lost, or is an old copy. */
export class LogLostError extends Error {
  override readonly name = 'LogLostError';
}

/**
 * The log as the core sees it: what is on disk, then what is on its way there.
 *
 * Invariants: entries are contiguous from firstIndex; committed entries never change; appliedIndex <= applyingIndex <=
 * commitIndex <= lastIndex; only entries that are on this node's disk are handed out to be applied (unless `appliesUnstable`).
 */
export class RaftLog {
  commitIndex: Index;
  /** Handed out to be applied. */
  applyingIndex: Index;
  /** Applied for certain. */
  appliedIndex: Index;
  readonly #stable: LogReader;
  readonly #maxApplyBytes: number;
  readonly #appliesUnstable: boolean;
  /** In memory, not known to be on disk yet; #unstable[0] has index #offset. */
  #unstable: Entry[] = [];
  #offset: Index;
  /** Entries below it have been handed to the storage. */
  #inProgress: Index;
  /** Takes the place of everything before #offset, and is not known to be on disk yet. */
  #snapshot: Snapshot | undefined;
  #isSnapshotInProgress = false;
  /** Handed out to be applied and not applied yet. */
  #applyingBytes = 0;
  #isApplyingPaused = false;

  constructor(stable: LogReader, { maxApplyBytes, appliesUnstable }: { readonly maxApplyBytes: number; readonly appliesUnstable: boolean }) {
    this.#stable = stable;
    this.#maxApplyBytes = maxApplyBytes;
    this.#appliesUnstable = appliesUnstable;
    this.#offset = stable.lastIndex + 1;
    this.#inProgress = this.#offset;
    // What was compacted away had been applied.
    this.commitIndex = stable.firstIndex - 1;
    this.applyingIndex = this.commitIndex;
    this.appliedIndex = this.commitIndex;
  }

  get firstIndex(): Index {
    return this.#snapshot === undefined ? this.#stable.firstIndex : this.#snapshot.index + 1;
  }

  get lastIndex(): Index {
    return this.#offset + this.#unstable.length - 1;
  }

  get last(): EntryId {
    const index = this.lastIndex;
    const term = this.termAt(index);
    assert(term !== undefined, 'the last entry of the log has a term');
    return { index, term };
  }

  /** Undefined when the log does not know: it does not reach there, or no longer does. */
  termAt(index: Index): Term | undefined {
    if (index >= this.#offset) return this.#unstable[index - this.#offset]?.term;
    if (this.#snapshot !== undefined) return index === this.#snapshot.index ? this.#snapshot.term : undefined;
    return this.#stable.termAt(index);
  }

  has({ index, term }: EntryId): boolean {
    return this.termAt(index) === term;
  }

  /** Is a log that ends with `other` at least as complete as ours? (Raft 5.4.1) */
  isUpToDate(other: EntryId): boolean {
    const last = this.last;
    return other.term > last.term || (other.term === last.term && other.index >= last.index);
  }

  /** Entries in [from, to], as many as fit into `maxBytes`, at least one; empty when from > to. `from` is at least firstIndex. */
  entries(from: Index, to: Index, maxBytes: number): readonly Entry[] {
    if (from > to) return [];
    const stable = from < this.#offset ? this.#stable.entries(from, Math.min(to, this.#offset - 1), maxBytes) : [];
    const next = from + stable.length;
    if (next > to || next < this.#offset) return stable;
    let leftBytes = stable.length === 0 ? maxBytes : maxBytes - totalSize(stable);
    const taken = stable.length === 0 ? [] : [...stable];
    for (let place = next - this.#offset; place <= to - this.#offset; place += 1) {
      const entry = this.#unstable[place];
      if (entry === undefined) break;
      leftBytes -= sizeOf(entry);
      if (leftBytes < 0 && taken.length > 0) break;
      taken.push(entry);
    }
    return taken;
  }

  /** A leader's own new entries, at the end. */
  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      assert(entry.index === this.lastIndex + 1, 'entries are contiguous');
      this.#unstable.push(entry);
    }
  }

  /**
   * A leader's entries after `previous`. Returns the last index that now certainly matches the leader's log, or
   * undefined when `previous` is not here. Deletes only from a true conflict on: an old append that was overtaken
   * must not cut off what was acknowledged since (raft.md hazard 15).
   */
  accept(previous: EntryId, entries: readonly Entry[], commitIndex: Index): Index | undefined {
    if (!this.has(previous)) return undefined;
    const lastNew = previous.index + entries.length;
    const conflict = entries.find((entry) => !this.has(entry));
    if (conflict !== undefined) {
      assert(conflict.index > this.commitIndex, 'committed entries never change');
      this.#truncate(conflict.index);
      this.append(entries.slice(conflict.index - previous.index - 1));
    }
    // Not past lastNew: what lies behind it was not verified against this leader.
    this.commitTo(Math.min(commitIndex, lastNew));
    return lastNew;
  }

  /** The largest index up to `index` whose term is at most `term`, and its term: where two logs may meet. */
  findConflictByTerm(index: Index, term: Term): EntryId {
    for (let at = index; at > 0; at -= 1) {
      const ours = this.termAt(at);
      // Compacted away: everything there was committed, so it matches.
      if (ours === undefined) return { index: at, term: 0 };
      if (ours <= term) return { index: at, term: ours };
    }
    return { index: 0, term: 0 };
  }

  /** Throws LogLostError when the log does not reach there. */
  commitTo(index: Index): void {
    if (index <= this.commitIndex) return;
    if (index > this.lastIndex) {
      throw new LogLostError(
        `the leader says that this node holds entry ${index}, but its log ends at ${this.lastIndex}: its disk was lost or is an old copy`,
      );
    }
    this.commitIndex = index;
  }

  /** Everything becomes the snapshot: the log ends with it. */
  restore(snapshot: Snapshot): void {
    this.commitIndex = snapshot.index;
    this.#offset = snapshot.index + 1;
    this.#inProgress = this.#offset;
    this.#unstable = [];
    this.#snapshot = snapshot;
    this.#isSnapshotInProgress = false;
  }

  /** Entries not yet handed to the storage. */
  unsaved(): readonly Entry[] {
    return this.#inProgress > this.lastIndex ? [] : this.#unstable.slice(this.#inProgress - this.#offset);
  }

  get hasUnsaved(): boolean {
    return this.#inProgress <= this.lastIndex;
  }

  /** Some entries are not known to be on disk. */
  get hasUnstable(): boolean {
    return this.#unstable.length > 0;
  }

  /** The snapshot that was not yet handed to the storage. */
  get unsavedSnapshot(): Snapshot | undefined {
    return this.#isSnapshotInProgress ? undefined : this.#snapshot;
  }

  /** A snapshot is not known to be on disk: nothing is applied, and this node does not campaign. */
  get hasUnstableSnapshot(): boolean {
    return this.#snapshot !== undefined;
  }

  /** `unsaved()` and `unsavedSnapshot` were handed to the storage. */
  saving(): void {
    this.#inProgress = this.lastIndex + 1;
    this.#isSnapshotInProgress = this.#snapshot !== undefined;
  }

  /** The storage has everything up to this entry on disk. A false friend of a former term is told by its term. */
  stableTo(id: EntryId): void {
    if (id.index < this.#offset || !this.has(id)) return;
    this.#unstable = this.#unstable.slice(id.index + 1 - this.#offset);
    this.#offset = id.index + 1;
    this.#inProgress = Math.max(this.#inProgress, this.#offset);
  }

  /** The snapshot at `index` is on disk, and the state machine is what it says. */
  snapshotStable(index: Index): void {
    if (this.#snapshot?.index === index) {
      this.#snapshot = undefined;
      this.#isSnapshotInProgress = false;
    }
    const appliedIndex = Math.max(index, this.appliedIndex);
    this.applyingIndex = Math.max(this.applyingIndex, appliedIndex);
    this.appliedIndex = appliedIndex;
  }

  /** Committed entries not yet handed out, as far as may be applied now: at least one, if any. */
  applicable(): readonly Entry[] {
    if (!this.hasApplicable) return [];
    return this.entries(this.applyingIndex + 1, this.#applicableTo, this.#maxApplyBytes - this.#applyingBytes);
  }

  get hasApplicable(): boolean {
    return !this.#isApplyingPaused && this.#snapshot === undefined && this.applyingIndex < this.#applicableTo;
  }

  /** `entries` were handed out. What is handed out and not applied stays below a limit. */
  applying(entries: readonly Entry[]): void {
    const index = entries.at(-1)?.index ?? this.applyingIndex;
    assert(index >= this.applyingIndex && index <= this.commitIndex, 'only committed entries are applied, in order');
    this.applyingIndex = index;
    this.#applyingBytes += totalSize(entries);
    this.#isApplyingPaused = this.#applyingBytes >= this.#maxApplyBytes || index < this.#applicableTo;
  }

  /** Returns the bytes of what they proposed. */
  applied(entries: readonly Entry[]): number {
    const index = entries.at(-1)?.index ?? this.appliedIndex;
    assert(index >= this.appliedIndex && index <= this.commitIndex, 'entries are applied in order');
    this.appliedIndex = index;
    this.applyingIndex = Math.max(this.applyingIndex, index);
    this.#applyingBytes = Math.max(0, this.#applyingBytes - totalSize(entries));
    this.#isApplyingPaused = this.#applyingBytes >= this.#maxApplyBytes;
    return payloadSize(entries);
  }

  /** At boot: what the state machine holds was committed, even if the commit index was not saved since (raft.md hazard 45). */
  begin({ commitIndex, appliedIndex }: { readonly commitIndex: Index; readonly appliedIndex: Index }): void {
    assert(appliedIndex >= this.appliedIndex, 'what was compacted away had been applied');
    this.commitTo(Math.max(commitIndex, appliedIndex));
    this.applyingIndex = appliedIndex;
    this.appliedIndex = appliedIndex;
  }

  get #applicableTo(): Index {
    return this.#appliesUnstable ? this.commitIndex : Math.min(this.commitIndex, this.#offset - 1);
  }

  #truncate(from: Index): void {
    if (from <= this.#offset) {
      this.#unstable = [];
      this.#offset = from;
    } else {
      this.#unstable = this.#unstable.slice(0, from - this.#offset);
    }
    this.#inProgress = Math.min(this.#inProgress, from);
  }
}
