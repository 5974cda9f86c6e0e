import { assert } from '../base/assert.js';
import type { Entry, Index, Term } from '../raft/types.js';
import { CHAIN_START, decodeChunk, encodeChunk } from './chunk.js';
import { DamageError } from './damage.js';
import { EntryCache } from './entry-cache.js';
import type { LogStart } from './level-records.js';

/** Entries kept in memory, in bytes; older chunks are read from the disk when somebody needs them. */
const CACHE_BYTES_MAX = 64 * 1024 * 1024;
/** Chunks that one compaction removes, so that no write takes long; what is left goes with the next ones. */
const COMPACT_CHUNKS_MAX = 10_000;
/** References to chunks that went are thrown away once they are this many and half of all. */
const TRIM_AT = 1_024;

/** Where the log of a new joiner begins. */
export const BEGINNING: LogStart = { firstIndex: 1, termBefore: 0, hashBefore: CHAIN_START };

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

/** A compaction worked out and not yet on disk. */
export interface Compaction {
  readonly removed: readonly ChunkRef[];
  readonly start: LogStart;
}

/** The chunks of one log: which there are, and their entries as long as memory allows. Contiguous from its start. */
export class LevelLog {
  readonly #readChunk: (firstIndex: Index) => Uint8Array | undefined;
  #start: LogStart;
  /** From #head on; what is before went with a compaction. */
  #chunks: ChunkRef[] = [];
  #head = 0;
  #cache: EntryCache;
  /** The last chunk read from the disk, so that a run of its entries costs one read. A replaced chunk is another object. */
  #lastRead: { readonly chunk: ChunkRef; readonly entries: readonly Entry[] } | undefined;

  constructor(readChunk: (firstIndex: Index) => Uint8Array | undefined, start: LogStart = BEGINNING) {
    this.#readChunk = readChunk;
    this.#start = start;
    this.#cache = new EntryCache({ firstIndex: start.firstIndex, maxBytes: CACHE_BYTES_MAX });
  }

  get firstIndex(): Index {
    return this.#start.firstIndex;
  }

  get lastIndex(): Index {
    return this.#last?.lastIndex ?? this.#start.firstIndex - 1;
  }

  /** Of the last chunk, or of what was before the log when nothing follows. */
  get lastHash(): Uint8Array {
    return this.#last?.hash ?? this.#start.hashBefore;
  }

  /** In order. */
  get chunks(): readonly ChunkRef[] {
    return this.#chunks.slice(this.#head);
  }

  /** Hash of the chunk that ends at `index`, also of the last one that was compacted away; undefined when none does. */
  hashAt(index: Index): Uint8Array | undefined {
    if (index === this.#start.firstIndex - 1) return this.#start.hashBefore;
    const chunk = this.#chunkOf(index);
    return chunk?.lastIndex === index ? chunk.hash : undefined;
  }

  /** Undefined when the log does not know; known from firstIndex - 1 on. */
  termAt(index: Index): Term | undefined {
    return index === this.#start.firstIndex - 1 ? this.#start.termBefore : this.entryAt(index)?.term;
  }

  /** Undefined when the log does not reach there. */
  entryAt(index: Index): Entry | undefined {
    if (index >= this.#cache.firstIndex) return this.#cache.get(index);
    const chunk = this.#chunkOf(index);
    return chunk === undefined ? undefined : this.#read(chunk)[index - chunk.firstIndex];
  }

  /** A chunk found on disk, in index order. Throws DamageError on a hole, a broken chain or a changed bit. */
  load(firstIndex: Index, bytes: Uint8Array): void {
    if (firstIndex < this.firstIndex) throw new DamageError(`the log begins at ${this.firstIndex}, but there is a chunk ${firstIndex}`);
    if (firstIndex !== this.lastIndex + 1) throw new DamageError(`the log has a hole: entry ${this.lastIndex} is followed by ${firstIndex}`);
    const chunk = decodeChunk(bytes, firstIndex);
    if (!Buffer.from(chunk.previousHash).equals(this.lastHash)) throw new DamageError(`log chunk ${firstIndex} does not follow the one before it`);
    this.#add({ firstIndex, lastIndex: firstIndex + chunk.entries.length - 1, hash: chunk.hash }, chunk.entries);
  }

  /** Works out how `entries` change the log: they replace everything from the index of the first one on. */
  prepare(entries: readonly Entry[]): LogChange {
    const first = entries[0];
    assert(first !== undefined && first.index >= this.firstIndex && first.index <= this.lastIndex + 1, 'appends are contiguous');
    // From the end: an append mostly replaces nothing.
    let keptCount = this.#chunks.length;
    while (keptCount > this.#head && (this.#chunks[keptCount - 1]?.lastIndex ?? 0) >= first.index) keptCount -= 1;
    const removed = this.#chunks.slice(keptCount);
    const cut = removed[0];
    // A conflict inside a chunk: what it keeps is written again, in one chunk with what is new.
    const kept = cut === undefined ? [] : this.#read(cut).slice(0, first.index - cut.firstIndex);
    const all = [...kept, ...entries];
    const before = keptCount > this.#head ? this.#chunks[keptCount - 1]?.hash : undefined;
    const { bytes, hash } = encodeChunk(all, before ?? this.#start.hashBefore);
    const firstIndex = first.index - kept.length;
    return { bytes, added: { firstIndex, lastIndex: firstIndex + all.length - 1, hash }, removed, entries: all, keptTo: first.index - 1 };
  }

  /** The change is on disk. */
  commit({ added, removed, entries }: LogChange): void {
    this.#chunks.length -= removed.length;
    this.#cache.cutFrom(added.firstIndex);
    this.#add(added, entries);
  }

  /** Works out which chunks lie entirely in [firstIndex, to]. Undefined: none does. */
  prepareCompaction(to: Index): Compaction | undefined {
    let end = this.#head;
    while (end - this.#head < COMPACT_CHUNKS_MAX && (this.#chunks[end]?.lastIndex ?? Infinity) <= to) end += 1;
    const last = end > this.#head ? this.#chunks[end - 1] : undefined;
    if (last === undefined) return undefined;
    const termBefore = this.termAt(last.lastIndex);
    assert(termBefore !== undefined, 'the last entry of a chunk has a term');
    return { removed: this.#chunks.slice(this.#head, end), start: { firstIndex: last.lastIndex + 1, termBefore, hashBefore: last.hash } };
  }

  /** It is on disk. */
  commitCompaction({ removed, start }: Compaction): void {
    this.#head += removed.length;
    this.#start = start;
    this.#cache.cutBefore(start.firstIndex);
    this.#lastRead = undefined;
    if (this.#head < TRIM_AT || this.#head < this.#chunks.length / 2) return;
    this.#chunks = this.#chunks.slice(this.#head);
    this.#head = 0;
  }

  /** The log is empty on disk, and begins there. */
  restart(start: LogStart): void {
    this.#start = start;
    this.#chunks = [];
    this.#head = 0;
    this.#cache = new EntryCache({ firstIndex: start.firstIndex, maxBytes: CACHE_BYTES_MAX });
    this.#lastRead = undefined;
  }

  get #last(): ChunkRef | undefined {
    return this.#chunks.length > this.#head ? this.#chunks.at(-1) : undefined;
  }

  #add(chunk: ChunkRef, entries: readonly Entry[]): void {
    this.#chunks.push(chunk);
    this.#cache.add(entries);
  }

  /** The entries of a chunk: from memory when all of them are there. */
  #read(chunk: ChunkRef): readonly Entry[] {
    if (chunk.firstIndex >= this.#cache.firstIndex) {
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
    const { entries, hash } = decodeChunk(bytes, chunk.firstIndex);
    if (!Buffer.from(hash).equals(chunk.hash)) throw new DamageError(`log chunk ${chunk.firstIndex} is not the one that was written`);
    this.#lastRead = { chunk, entries };
    return entries;
  }

  #chunkOf(index: Index): ChunkRef | undefined {
    let low = this.#head;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#chunks[middle]?.firstIndex ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    const chunk = low >= this.#head && low < this.#chunks.length ? this.#chunks[low] : undefined;
    return chunk !== undefined && index >= chunk.firstIndex && index <= chunk.lastIndex ? chunk : undefined;
  }
}
