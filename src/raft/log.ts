import { assert } from '../base/assert.js';
import { type Entry, type Index, type Term, sizeOf } from './types.js';

/** The part of the log that is on disk, read synchronously. The driver's storage brings it. */
export interface LogReader {
  /** 1, or the first index after what was compacted away. */
  readonly firstIndex: Index;
  /** 0 when empty. */
  readonly lastIndex: Index;
  /** Undefined when the entry is not there: missing is not zero. Index 0 has term 0. */
  termAt(index: Index): Term | undefined;
  /** Entries in [from, to], in order, as many as fit into `maxBytes` but at least one. */
  entries(from: Index, to: Index, maxBytes: number): readonly Entry[];
}

/** Names an entry, and by the Log Matching Property the whole log before it (Raft 5.3). */
export interface EntryId {
  readonly index: Index;
  readonly term: Term;
}

/**
 * The log as the core sees it: what is on disk, then what is on its way there.
 *
 * Invariants: entries are contiguous from 1; committed entries never change; appliedIndex <= applyingIndex <= commitIndex <= lastIndex;
 * only entries that are on this node's disk are handed out to be applied.
 */
export class RaftLog {
  commitIndex: Index = 0;
  /** Handed out to be applied. */
  applyingIndex: Index = 0;
  /** Applied for certain. */
  appliedIndex: Index = 0;
  readonly #stable: LogReader;
  /** In memory, not known to be on disk yet; #unstable[0] has index #offset. */
  #unstable: Entry[] = [];
  #offset: Index;
  /** Entries below it have been handed to the storage. */
  #inProgress: Index;

  constructor(stable: LogReader) {
    this.#stable = stable;
    this.#offset = stable.lastIndex + 1;
    this.#inProgress = this.#offset;
  }

  get firstIndex(): Index {
    return this.#stable.firstIndex;
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

  /** Undefined when the log does not have that entry. */
  termAt(index: Index): Term | undefined {
    if (index >= this.#offset) return this.#unstable[index - this.#offset]?.term;
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

  /** Entries in [from, to] as many as fit into `maxBytes`, at least one; empty when from > to. */
  entries(from: Index, to: Index, maxBytes: number): readonly Entry[] {
    if (from > to) return [];
    const stable = from < this.#offset ? this.#stable.entries(from, Math.min(to, this.#offset - 1), maxBytes) : [];
    const next = from + stable.length;
    if (next > to || next < this.#offset) return stable;
    let left = maxBytes - stable.reduce((sum, entry) => sum + sizeOf(entry), 0);
    const taken = [...stable];
    for (const entry of this.#unstable.slice(next - this.#offset, to - this.#offset + 1)) {
      left -= sizeOf(entry);
      if (left < 0 && taken.length > 0) break;
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

  commitTo(index: Index): void {
    if (index <= this.commitIndex) return;
    assert(index <= this.lastIndex, 'a leader knows entries that this node acknowledged and no longer has: its log was lost');
    this.commitIndex = index;
  }

  /** Entries not yet handed to the storage. */
  unsaved(): readonly Entry[] {
    return this.#unstable.slice(this.#inProgress - this.#offset);
  }

  get hasUnsaved(): boolean {
    return this.#inProgress <= this.lastIndex;
  }

  /** Some entries are not known to be on disk. */
  get hasUnstable(): boolean {
    return this.#unstable.length > 0;
  }

  /** `unsaved()` was handed to the storage. */
  saving(): void {
    this.#inProgress = this.lastIndex + 1;
  }

  /** The storage has everything up to this entry on disk. A false friend of a former term is told by its term. */
  stableTo(id: EntryId): void {
    if (id.index < this.#offset || !this.has(id)) return;
    this.#unstable = this.#unstable.slice(id.index + 1 - this.#offset);
    this.#offset = id.index + 1;
    this.#inProgress = Math.max(this.#inProgress, this.#offset);
  }

  /** Committed entries that are on this node's disk and not yet handed out, up to `maxBytes`, at least one. */
  applicable(maxBytes: number): readonly Entry[] {
    return this.entries(this.applyingIndex + 1, this.#applicableTo, maxBytes);
  }

  get hasApplicable(): boolean {
    return this.applyingIndex < this.#applicableTo;
  }

  applying(index: Index): void {
    assert(index >= this.applyingIndex && index <= this.commitIndex, 'only committed entries are applied, in order');
    this.applyingIndex = index;
  }

  applied(index: Index): void {
    assert(index >= this.appliedIndex && index <= this.applyingIndex, 'entries are applied in order');
    this.appliedIndex = index;
  }

  get #applicableTo(): Index {
    return Math.min(this.commitIndex, this.#offset - 1);
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
