import { assert } from '../../../src/base/assert.js';
import type { InstallBatch, RaftStorage, StorageBatch } from '../../../src/raft/ports.js';
import {
  type ConfState,
  EMPTY_CONF_STATE,
  type Entry,
  type EntryId,
  type HardState,
  type Index,
  INITIAL_HARD_STATE,
  sizeOf,
  type Term,
} from '../../../src/raft/types.js';

/** A disk to begin a test with. */
export interface Saved {
  /** The log: entry start.index + i has the term terms[i - 1]. */
  readonly terms?: readonly Term[];
  /** What the log begins after, as if it had been compacted away. Default: (0, 0). */
  readonly start?: EntryId;
  readonly hardState?: Partial<HardState>;
  /** Default: start.index. */
  readonly appliedIndex?: Index;
  readonly confState?: ConfState;
}

/**
 * A disk in memory. What `save` took is there for good; whoever wants to lose something must not have saved it yet.
 * A test can hold writes back, or make the disk fail.
 */
export class MemoryStorage implements RaftStorage {
  hardState: HardState = INITIAL_HARD_STATE;
  appliedIndex: Index = 0;
  confState: ConfState = EMPTY_CONF_STATE;
  readonly state = new Map<string, Uint8Array>();
  /** Everything that was written, in order. */
  readonly batches: StorageBatch[] = [];
  /** Every snapshot that was installed, in order. */
  readonly installs: InstallBatch[] = [];
  /** What the next writes reject with. */
  failure: Error | undefined;
  /** How many writes have begun, held ones and failed ones among them. */
  begun = 0;
  /** The last entry that was compacted away. */
  #start: EntryId = { index: 0, term: 0 };
  #log: Entry[] = [];
  #gate: Promise<void> | undefined;
  #open: () => void = () => undefined;

  static holding({ terms = [], start = { index: 0, term: 0 }, hardState = {}, appliedIndex, confState }: Saved): MemoryStorage {
    const storage = new MemoryStorage();
    const term = Math.max(start.term, ...terms);
    storage.#start = start;
    storage.appliedIndex = start.index;
    storage.save({
      entries: entriesOf(terms, start.index + 1),
      hardState: { ...INITIAL_HARD_STATE, term, commitIndex: start.index, ...hardState },
      applied: { index: appliedIndex ?? start.index, confState: confState ?? EMPTY_CONF_STATE, writes: [] },
      compactTo: undefined,
    });
    storage.batches.length = 0;
    return storage;
  }

  get firstIndex(): Index {
    return this.#start.index + 1;
  }

  get lastIndex(): Index {
    return this.#start.index + this.#log.length;
  }

  termAt(index: Index): Term | undefined {
    return index === this.#start.index ? this.#start.term : this.#log[index - this.firstIndex]?.term;
  }

  entries(from: Index, to: Index, maxBytes: number): readonly Entry[] {
    assert(from >= this.firstIndex, 'what was compacted away is not read');
    const found: Entry[] = [];
    let leftBytes = maxBytes;
    for (const entry of this.#log.slice(from - this.firstIndex, to - this.firstIndex + 1)) {
      leftBytes -= sizeOf(entry);
      if (leftBytes < 0 && found.length > 0) break;
      found.push(entry);
    }
    return found;
  }

  /** All entries, for a test to look at. */
  get log(): readonly Entry[] {
    return this.#log;
  }

  save(batch: StorageBatch): void {
    const { entries, hardState, applied, compactTo } = batch;
    // What was applied BEFORE this batch.
    if (compactTo !== undefined) assert(compactTo <= this.appliedIndex, 'only what is applied on disk is compacted away');
    this.#append(entries);
    if (hardState !== undefined) this.hardState = hardState;
    for (const { key, value } of applied?.writes ?? []) {
      if (value === undefined) this.state.delete(key);
      else this.state.set(key, value);
    }
    if (applied !== undefined) {
      this.appliedIndex = applied.index;
      this.confState = applied.confState;
    }
    if (compactTo !== undefined) this.#compact(compactTo);
    assert(this.hardState.commitIndex <= this.lastIndex, 'what is committed is in the log');
    assert(this.appliedIndex <= this.lastIndex, 'what is applied is in the log');
    this.batches.push(batch);
  }

  /** Everything becomes what the snapshot says. */
  replace(batch: InstallBatch): void {
    const { index, term, confState, hardState, state } = batch;
    assert(hardState.commitIndex >= index, 'what a snapshot holds is committed');
    this.#start = { index, term };
    this.#log = [];
    this.appliedIndex = index;
    this.confState = confState;
    this.hardState = hardState;
    this.state.clear();
    for (const [key, value] of state) this.state.set(key, value);
    assert(this.hardState.commitIndex <= this.lastIndex, 'what is committed is in the log');
    this.installs.push(batch);
  }

  async write(batch: StorageBatch): Promise<void> {
    await this.#begin();
    this.save(batch);
  }

  async install(batch: InstallBatch): Promise<void> {
    await this.#begin();
    this.replace(batch);
  }

  /** The disk hangs: a write that begins now ends after `release`. */
  hold(): void {
    this.#gate = new Promise((resolve) => (this.#open = resolve));
  }

  release(): void {
    this.#gate = undefined;
    this.#open();
  }

  async close(): Promise<void> {
    // Nothing to give back.
  }

  async #begin(): Promise<void> {
    this.begun += 1;
    await this.#gate;
    if (this.failure !== undefined) throw this.failure;
  }

  #append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    assert(first.index >= this.firstIndex && first.index <= this.lastIndex + 1, 'appends are contiguous');
    assert(
      entries.every((entry, offset) => entry.index === first.index + offset),
      'entries are contiguous',
    );
    this.#log = [...this.#log.slice(0, first.index - this.firstIndex), ...entries];
  }

  #compact(to: Index): void {
    if (to < this.firstIndex) return;
    const term = this.termAt(to);
    assert(term !== undefined, 'what is compacted away is in the log');
    this.#log = this.#log.slice(to + 1 - this.firstIndex);
    this.#start = { index: to, term };
  }
}

/** Entries 1, 2, ... of these terms. Same place and term, same data: the Log Matching Property holds between logs. */
export function entriesOf(terms: readonly Term[], firstIndex: Index = 1): readonly Entry[] {
  return terms.map((term, offset) => ({ index: firstIndex + offset, term, type: 'normal', data: bytesOf(`${firstIndex + offset}@${term}`) }));
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf({ data }: Pick<Entry, 'data'>): string {
  return new TextDecoder().decode(data);
}
