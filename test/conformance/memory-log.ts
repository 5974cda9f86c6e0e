import { assert } from '../../src/base/assert.js';
import type { LogReader } from '../../src/raft/log.js';
import { type Entry, type EntryId, type HardState, type Index, INITIAL_HARD_STATE, sizeOf, type Snapshot, type Term } from '../../src/raft/types.js';
import { Refusal } from './refusal.js';

/** The disk of one node in a data file: written at once, read synchronously. */
export class MemoryLog implements LogReader {
  hardState: HardState = INITIAL_HARD_STATE;
  /** The last entry that is no longer here; index 0, term 0 when all are. */
  #before: EntryId = { index: 0, term: 0 };
  #entries: readonly Entry[] = [];
  #snapshotIndex: Index = 0;

  get firstIndex(): Index {
    return this.#before.index + 1;
  }

  get lastIndex(): Index {
    return this.#before.index + this.#entries.length;
  }

  termAt(index: Index): Term | undefined {
    return index === this.#before.index ? this.#before.term : this.#entries[index - this.firstIndex]?.term;
  }

  entries(from: Index, to: Index, maxBytes: number): readonly Entry[] {
    assert(from >= this.firstIndex, 'what was compacted is not read');
    const wanted = this.#entries.slice(from - this.firstIndex, to - this.firstIndex + 1);
    let leftBytes = maxBytes;
    const end = wanted.findIndex((entry, place) => {
      leftBytes -= sizeOf(entry);
      return leftBytes < 0 && place > 0;
    });
    return end === -1 ? wanted : wanted.slice(0, end);
  }

  /** Replaces everything from the first of them on; those that were compacted meanwhile are passed over. */
  append(entries: readonly Entry[]): void {
    const [first] = entries.filter(({ index }) => index >= this.firstIndex);
    if (first === undefined) return;
    assert(first.index <= this.lastIndex + 1, 'entries are contiguous');
    const kept = this.#entries.slice(0, first.index - this.firstIndex);
    this.#entries = [...kept, ...entries.filter(({ index }) => index >= first.index)];
  }

  /** The snapshot takes the place of the whole log. */
  install({ index, term }: Snapshot): void {
    if (this.#snapshotIndex !== 0 && this.#snapshotIndex >= index) throw new Refusal('requested index is older than the existing snapshot');
    this.#snapshotIndex = index;
    this.#before = { index, term };
    this.#entries = [];
  }

  /** Entries up to and with `index` go. */
  compactTo(index: Index): void {
    if (index < this.firstIndex) throw new Refusal('requested index is unavailable due to compaction');
    const term = this.termAt(index);
    assert(term !== undefined, 'what is not there yet is not compacted');
    this.#entries = this.#entries.slice(index - this.#before.index);
    this.#before = { index, term };
  }
}
