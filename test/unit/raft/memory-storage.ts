import { assert } from '../../../src/base/assert.js';
import type { RaftStorage, StorageBatch } from '../../../src/raft/ports.js';
import { type Entry, type HardState, type Index, INITIAL_HARD_STATE, sizeOf, type Term } from '../../../src/raft/types.js';

/** A log to begin a test with: entry i has the term terms[i - 1]. */
export interface Saved {
  readonly terms?: readonly Term[];
  readonly hardState?: Partial<HardState>;
  readonly appliedIndex?: Index;
}

/**
 * A disk in memory. What `save` took is there for good; whoever wants to lose something must not have saved it yet.
 * A test can hold writes back, or make the disk fail.
 */
export class MemoryStorage implements RaftStorage {
  hardState: HardState = INITIAL_HARD_STATE;
  appliedIndex: Index = 0;
  readonly state = new Map<string, Uint8Array>();
  /** Everything that was written, in order. */
  readonly batches: StorageBatch[] = [];
  /** What the next writes reject with. */
  failure: Error | undefined;
  /** How many writes have begun, held ones and failed ones among them. */
  begun = 0;
  readonly firstIndex: Index = 1;
  #log: Entry[] = [];
  #gate: Promise<void> | undefined;
  #open: () => void = () => undefined;

  static holding({ terms = [], hardState = {}, appliedIndex = 0 }: Saved): MemoryStorage {
    const storage = new MemoryStorage();
    const term = Math.max(0, ...terms);
    storage.save({
      entries: entriesOf(terms),
      hardState: { ...INITIAL_HARD_STATE, term, ...hardState },
      applied: { index: appliedIndex, writes: [] },
    });
    storage.batches.length = 0;
    return storage;
  }

  get lastIndex(): Index {
    return this.#log.length;
  }

  termAt(index: Index): Term | undefined {
    return index === 0 ? 0 : this.#log[index - 1]?.term;
  }

  entries(from: Index, to: Index, maxBytes: number): readonly Entry[] {
    const found: Entry[] = [];
    let leftBytes = maxBytes;
    for (const entry of this.#log.slice(from - 1, to)) {
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
    const { entries, hardState, applied } = batch;
    const first = entries[0];
    if (first !== undefined) {
      assert(first.index >= 1 && first.index <= this.lastIndex + 1, 'appends are contiguous');
      assert(
        entries.every((entry, offset) => entry.index === first.index + offset),
        'entries are contiguous',
      );
      this.#log = [...this.#log.slice(0, first.index - 1), ...entries];
    }
    if (hardState !== undefined) this.hardState = hardState;
    for (const { key, value } of applied?.writes ?? []) {
      if (value === undefined) this.state.delete(key);
      else this.state.set(key, value);
    }
    if (applied !== undefined) this.appliedIndex = applied.index;
    assert(this.hardState.commitIndex <= this.lastIndex, 'what is committed is in the log');
    assert(this.appliedIndex <= this.lastIndex, 'what is applied is in the log');
    this.batches.push(batch);
  }

  async write(batch: StorageBatch): Promise<void> {
    this.begun += 1;
    await this.#gate;
    if (this.failure !== undefined) throw this.failure;
    this.save(batch);
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
}

/** Entries 1, 2, ... of these terms. Same place and term, same data: the Log Matching Property holds between logs. */
export function entriesOf(terms: readonly Term[], firstIndex: Index = 1): readonly Entry[] {
  return terms.map((term, offset) => ({ index: firstIndex + offset, term, data: bytesOf(`${firstIndex + offset}@${term}`) }));
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf({ data }: Pick<Entry, 'data'>): string {
  return new TextDecoder().decode(data);
}
