import { assert } from '../base/assert.js';
import { type Entry, type Index, sizeOf, type Term } from '../raft/types.js';
import { CHAIN_START, decodeChunk, encodeChunk } from './chunk.js';
import { DamageError } from './damage.js';
import type { LogStart } from './level-records.js';

/** Entries kept in memory, in bytes; older chunks are read from the disk when somebody needs them. */
const CACHE_BYTES_MAX = 64 * 1024 * 1024;

/** Where a chunk lies: entries [firstIndex, lastIndex]. */
export interface ChunkRef {
  readonly firstIndex: Index;
  readonly lastIndex: Index;
  readonly hash: Uint8Array;
}

/** An append worked out and not yet on disk. */
export interface LogChange {
  readonly bytes: Uint8Array;
  readonly added: ChunkRef;
  /** Replaced by `added`; one of them may have its key. */
  readonly removed: readonly ChunkRef[];
  readonly entries: readonly Entry[];
  /** The log before the change is kept up to here, inclusive. */
  readonly keptTo: Index;
}

/** The front of the log, worked out and not yet gone from the disk. */
export interface Compaction {
  readonly removed: readonly ChunkRef[];
  readonly start: LogStart;
}

export const BEGINNING: LogStart = { firstIndex: 1, termBefore: 0, hashBefore: CHAIN_START };

/** The chunks of one log: which there are, and their entries as long as memory allows. Contiguous from its start. */
export class LevelLog {
  readonly #readChunk: (firstIndex: Index) => Uint8Array | undefined;
  #chunks: ChunkRef[] = [];
  /** By index; #cacheFrom is the lowest index in it. */
  readonly #cache = new Map<Index, Entry>();
  #cacheFrom: Index;
  #cacheBytes = 0;
  #start: LogStart;
  /** The last chunk read from the disk, so that a run of its entries costs one read. A replaced chunk is another object. */
  #lastRead: { readonly chunk: ChunkRef; readonly entries: readonly Entry[] } | undefined;

  constructor(readChunk: (firstIndex: Index) => Uint8Array | undefined, start: LogStart = BEGINNING) {
    this.#readChunk = readChunk;
    this.#start = start;
    this.#cacheFrom = start.firstIndex;
  }

  get firstIndex(): Index {
    return this.#start.firstIndex;
  }

  get lastIndex(): Index {
    return this.#chunks.at(-1)?.lastIndex ?? this.#start.firstIndex - 1;
  }

  get lastHash(): Uint8Array {
    return this.#chunks.at(-1)?.hash ?? this.#start.hashBefore;
  }

  /** Hash of the chunk that ends at `index`, or ended right before the start; undefined when none does. */
  hashAt(index: Index): Uint8Array | undefined {
    if (index === this.#start.firstIndex - 1) return this.#start.hashBefore;
    const chunk = this.#chunkOf(index);
    return chunk?.lastIndex === index ? chunk.hash : undefined;
  }

  /** Known from the entry before the first on. */
  termAt(index: Index): Term | undefined {
    return index === this.#start.firstIndex - 1 ? this.#start.termBefore : this.entryAt(index)?.term;
  }

  /** Every chunk that there is, in order. */
  get chunks(): readonly ChunkRef[] {
    return this.#chunks;
  }

  /** A chunk found on disk, in index order. Throws DamageError on a hole, a broken chain or a changed bit. */
  load(firstIndex: Index, bytes: Uint8Array): void {
    if (firstIndex !== this.lastIndex + 1) throw new DamageError(`the log has a hole: entry ${this.lastIndex} is followed by ${firstIndex}`);
    const chunk = decodeChunk(bytes, firstIndex);
    if (!Buffer.from(chunk.previousHash).equals(this.lastHash))
      throw new DamageError(`log chunk ${firstIndex} does not follow the one before it`);
    this.#add({ firstIndex, lastIndex: firstIndex + chunk.entries.length - 1, hash: chunk.hash }, chunk.entries);
  }

  /** Undefined when the log does not reach there. */
  entryAt(index: Index): Entry | undefined {
    if (index >= this.#cacheFrom) return this.#cache.get(index);
    const chunk = this.#chunkOf(index);
    return chunk === undefined ? undefined : this.#read(chunk)[index - chunk.firstIndex];
  }

  /** Works out how `entries` change the log: they replace everything from the index of the first one on. */
  prepare(entries: readonly Entry[]): LogChange {
    const first = entries[0];
    assert(first !== undefined && first.index >= this.firstIndex && first.index <= this.lastIndex + 1, 'appends are contiguous');
    // From the end: an append mostly replaces nothing, and there are as many chunks as there ever were appends.
    let keptCount = this.#chunks.length;
    while ((this.#chunks[keptCount - 1]?.lastIndex ?? 0) >= first.index) keptCount -= 1;
    const removed = this.#chunks.slice(keptCount);
    const cut = removed[0];
    // A conflict inside a chunk: what it keeps is written again, in one chunk with what is new.
    const kept = cut === undefined ? [] : this.#read(cut).slice(0, first.index - cut.firstIndex);
    const all = [...kept, ...entries];
    const before = this.#chunks[keptCount - 1];
    const { bytes, hash } = encodeChunk(all, before?.hash ?? this.#start.hashBefore);
    const firstIndex = first.index - kept.length;
    return { bytes, added: { firstIndex, lastIndex: firstIndex + all.length - 1, hash }, removed, entries: all, keptTo: first.index - 1 };
  }

  /** Works out which whole chunks lie at or below `index`; undefined when none does. The last chunk stays: it says where the log ends. */
  prepareCompaction(index: Index): Compaction | undefined {
    let count = 0;
    while (count < this.#chunks.length - 1 && (this.#chunks[count]?.lastIndex ?? Number.POSITIVE_INFINITY) <= index) count += 1;
    const last = this.#chunks[count - 1];
    if (last === undefined) return undefined;
    const termBefore = this.termAt(last.lastIndex);
    assert(termBefore !== undefined, 'the log has every entry up to its last');
    return { removed: this.#chunks.slice(0, count), start: { firstIndex: last.lastIndex + 1, termBefore, hashBefore: last.hash } };
  }

  /** The compaction is on disk. */
  commitCompaction({ removed, start }: Compaction): void {
    this.#chunks = this.#chunks.slice(removed.length);
    while (this.#cacheFrom < start.firstIndex) this.#forget(this.#cacheFrom++);
    this.#start = start;
  }

  /** A snapshot took the place of the log, on disk: it is empty and begins there. */
  restart(start: LogStart): void {
    this.#chunks = [];
    this.#cache.clear();
    this.#cacheBytes = 0;
    this.#cacheFrom = start.firstIndex;
    this.#lastRead = undefined;
    this.#start = start;
  }

  /** The change is on disk. */
  commit({ added, removed, entries }: LogChange): void {
    const previousLast = this.lastIndex;
    if (removed.length > 0) this.#chunks = this.#chunks.slice(0, this.#chunks.length - removed.length);
    for (let index = added.firstIndex; index <= previousLast; index += 1) this.#forget(index);
    this.#cacheFrom = Math.min(this.#cacheFrom, added.firstIndex);
    this.#add(added, entries);
  }

  #add(chunk: ChunkRef, entries: readonly Entry[]): void {
    this.#chunks.push(chunk);
    for (const entry of entries) {
      this.#cache.set(entry.index, entry);
      this.#cacheBytes += sizeOf(entry);
    }
    while (this.#cacheBytes > CACHE_BYTES_MAX && this.#cacheFrom < this.lastIndex) this.#forget(this.#cacheFrom++);
  }

  #forget(index: Index): void {
    const entry = this.#cache.get(index);
    if (entry === undefined) return;
    this.#cache.delete(index);
    this.#cacheBytes -= sizeOf(entry);
  }

  /** The entries of a chunk: from memory when all of them are there. */
  #read(chunk: ChunkRef): readonly Entry[] {
    if (chunk.firstIndex >= this.#cacheFrom) {
      const entries: Entry[] = [];
      for (let index = chunk.firstIndex; index <= chunk.lastIndex; index += 1) {
        const entry = this.#cache.get(index);
        assert(entry !== undefined, 'the cache has everything from its first index on');
        entries.push(entry);
      }
      return entries;
    }
    if (this.#lastRead?.chunk === chunk) return this.#lastRead.entries;
    const bytes = this.#readChunk(chunk.firstIndex);
    if (bytes === undefined) throw new DamageError(`log chunk ${chunk.firstIndex} is gone`);
    const { entries } = decodeChunk(bytes, chunk.firstIndex);
    this.#lastRead = { chunk, entries };
    return entries;
  }

  #chunkOf(index: Index): ChunkRef | undefined {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#chunks[middle]?.firstIndex ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    const chunk = this.#chunks[low];
    return chunk !== undefined && index >= chunk.firstIndex && index <= chunk.lastIndex ? chunk : undefined;
  }
}
