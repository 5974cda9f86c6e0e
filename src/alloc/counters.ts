import { assert } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import { SEQ_MAX, type Seq, type Slot, toSeq } from '../model/ids.js';
import { decodePage, type Distances, encodePage, NARROW_MAX, SLOTS_PER_PAGE, slotCountOf, widened } from './counter-page.js';
import { type CounterPage, digestOf, hashPage } from './counter-digest.js';
import { CounterMemory } from './counter-memory.js';

export { SLOTS_PER_PAGE } from './counter-page.js';
/** SLOTS_PER_PAGE is 2 to the power of it. */
const PAGE_BITS = Math.log2(SLOTS_PER_PAGE);
/** How far one advance lifts a counter at most: as far as one raise can. */
export const ADVANCE_MAX = 2n ** 40n;

/** The last number handed out for one uid. */
export interface CurrentSeq {
  /** 0: none was ever handed out. */
  readonly seq: Seq;
  /** False: nothing was handed out since the last takeover; `seq` is an upper bound of what was before it. */
  readonly exact: boolean;
}

/** The counters of one section, whole and checked against their digest, as they go from one owner to the next. */
export interface CounterPages {
  /** curSeq of every uid that no page says otherwise. */
  readonly defaultSeq: Seq;
  /** The touched pages, in order. */
  touchedPages(): Iterable<number>;
  copyPage(page: number): CounterPage;
}

/** A page that is not one of 4-byte distances: it was installed and nobody asked for it yet, or a counter has outgrown 4 bytes. */
type OtherPage = { readonly type: 'installed'; readonly bytes: Uint8Array } | { readonly type: 'wide'; readonly distances: BigUint64Array };

/** What takeAtOnce() and its limit are told in: how far above the default. Negative: none. */
export type Distance = number;

/**
 * curSeq of each uid of one section within one epoch, and the maxSeq they share. Memory only, and pure.
 *
 * An untouched uid costs nothing: its curSeq is the default. That is `base`, for whatever former epochs handed out lies
 * at or below it; after a hand-off it is the default of the epoch that the counters come from.
 * Invariant: default <= curSeq of every uid <= trueMax <= maxSeq, and maxSeq was committed.
 */
export class SectionCounters {
  readonly #uidCount: number;
  readonly #defaultSeq: Seq;
  readonly #memory: CounterMemory;
  /** Distances from the default, 1,024 to a page; undefined where none was touched, or where #others has it. */
  #pages: (Uint32Array | undefined)[] = [];
  readonly #others = new Map<number, OtherPage>();
  /** Of pages that were not written to since. */
  readonly #hashes = new Map<number, Uint8Array>();
  #pageCount = 0;
  #maxSeq: Seq;
  #trueMax: Seq;
  /** trueMax as a distance; it is the newer of the two while #isTopAhead. Infinity where no number says it. */
  #top: Distance;
  #isTopAhead = false;

  /**
   * `maxSeq` is committed; `uidCount` is how many slots there are, from 0. `installed`: what the former owner
   * handed over; each counter lies at or below `base`. Without it all begin at `base`.
   */
  constructor(options: {
    readonly uidCount: number;
    readonly base: Seq;
    readonly maxSeq: Seq;
    readonly installed?: CounterPages | undefined;
  }) {
    const { installed } = options;
    assert(options.base <= options.maxSeq, 'base <= maxSeq');
    this.#uidCount = options.uidCount;
    this.#maxSeq = options.maxSeq;
    this.#trueMax = options.base;
    this.#defaultSeq = installed?.defaultSeq ?? options.base;
    assert(this.#defaultSeq <= options.base, 'what former epochs handed out lies at or below base');
    this.#memory = new CounterMemory(pageCountOf(options.uidCount));
    this.#top = this.#distanceOf(options.base);
    if (installed !== undefined) for (const page of installed.touchedPages()) this.#install(page, installed.copyPage(page));
  }

  /** Numbers up to it, inclusive, may be handed out. */
  get maxSeq(): Seq {
    return this.#maxSeq;
  }

  /** The highest number handed out for any uid up to now, by former epochs too; at least base. */
  get trueMax(): Seq {
    if (this.#isTopAhead) {
      this.#trueMax = (this.#defaultSeq + BigInt(this.#top)) as Seq;
      this.#isTopAhead = false;
    }
    return this.#trueMax;
  }

  /** curSeq of every uid that was not touched. */
  get defaultSeq(): Seq {
    return this.#defaultSeq;
  }

  get uidCount(): number {
    return this.#uidCount;
  }

  /** Uids that have memory, counted by page. */
  get residentUidCount(): number {
    return this.#pageCount * SLOTS_PER_PAGE;
  }

  /**
   * Takes `count` neighbouring numbers and returns the first. Undefined: nothing was taken, maxSeq must be raised to
   * `neededFor(slot, count)` first. Throws OUT_OF_RANGE when the counter would pass its end: it never wraps.
   */
  next(slot: Slot, count: number): Seq | undefined {
    const needed = this.neededFor(slot, count);
    if (needed > this.#maxSeq) return undefined;

    const cur = this.#curSeqAt(slot);
    this.#write(slot, needed);
    return toSeq(cur + 1n);
  }

  /**
   * As next(), for the common case: the page is touched and has 4-byte counters, and the last number is at most `limit`, which is at or below
   * maxSeq. Returns the distance of the last number from the default. Negative: nothing was taken, and next() says why; so it is, too, when
   * the counter stands below `floor`.
   */
  takeAtOnce(slot: Slot, count: number, floor: Distance, limit: Distance): Distance {
    const index = slot >>> PAGE_BITS;
    const page = this.#pages[index];
    if (page === undefined) return -1;
    const at = slot & (SLOTS_PER_PAGE - 1);
    const current = page[at];
    // A slot outside of the section has none, and next() asserts.
    if (current === undefined) return -1;
    const last = current + count;
    if (current < floor || last > limit) return -1;
    page[at] = last;
    if (last > this.#top) {
      this.#top = last;
      this.#isTopAhead = true;
    }
    if (this.#hashes.size > 0) this.#hashes.delete(index);
    return last;
  }

  /** As takeAtOnce(), for the last number that was handed out: negative, too, when none was. */
  currentAtOnce(slot: Slot, floor: Distance): Distance {
    const current = this.#pages[slot >>> PAGE_BITS]?.[slot & (SLOTS_PER_PAGE - 1)] ?? 0;
    return current === 0 || current < floor ? -1 : current;
  }

  /** The largest limit for takeAtOnce() that numbers up to `seq` may have; negative: none. */
  limitUpTo(seq: bigint): Distance {
    const distance = seq - this.#defaultSeq;
    return distance > NARROW_MAX ? NARROW_MAX : Number(distance);
  }

  /** The last number that next(slot, count) would hand out. Throws OUT_OF_RANGE when there is none. */
  neededFor(slot: Slot, count: number): Seq {
    const cur = this.#curSeqAt(slot);
    const needed = cur + BigInt(count);
    if (needed > SEQ_MAX) {
      throw new SeqError('OUT_OF_RANGE', `a counter ends at ${SEQ_MAX} (2^63-1): it stands at ${cur} and ${count} more were asked for`);
    }
    return needed as Seq;
  }

  current(slot: Slot): CurrentSeq {
    const seq = this.#curSeqAt(slot);
    // A number that was handed out lies above the default, so the default itself says "untouched".
    return { seq, exact: seq > this.#defaultSeq || this.#defaultSeq === 0n };
  }

  /**
   * Lifts a counter to `to`, forward only, and returns where it stands. Undefined: nothing changed, maxSeq must be raised to `to` first.
   * Throws OUT_OF_RANGE past the end of all counters, INVALID_ARGUMENT when `to` is more than ADVANCE_MAX above where it stands.
   */
  advance(slot: Slot, to: bigint): Seq | undefined {
    const target = this.neededForAdvance(slot, to);
    if (target === this.#curSeqAt(slot)) return target;
    if (target > this.#maxSeq) return undefined;
    this.#write(slot, target);
    return target;
  }

  /** Where advance(slot, to) leaves the counter. Throws as it does. */
  neededForAdvance(slot: Slot, to: bigint): Seq {
    const cur = this.#curSeqAt(slot);
    if (to > SEQ_MAX) throw new SeqError('OUT_OF_RANGE', `a counter ends at ${SEQ_MAX} (2^63-1), got ${to}`);
    if (to - cur > ADVANCE_MAX)
      throw new SeqError('INVALID_ARGUMENT', `a counter is lifted by at most ${ADVANCE_MAX} at a time: it stands at ${cur}, got ${to}`);
    return (to > cur ? to : cur) as Seq;
  }

  /** Call only with a maxSeq that was committed for this epoch. Replies may cross: the highest is kept. */
  raiseTo(maxSeq: Seq): void {
    if (maxSeq > this.#maxSeq) this.#maxSeq = maxSeq;
  }

  /** The touched pages, in order. */
  *touchedPages(): Generator<number> {
    for (let page = 0; page < this.#pages.length; page++) if (this.#pages[page] !== undefined || this.#others.has(page)) yield page;
  }

  /** A touched page as it is now. */
  copyPage(page: number): CounterPage {
    const bytes = this.#bytesOf(page);
    // The hash is kept until the next write, so that sealing after a copy hashes only what changed meanwhile.
    const hash = this.#hashes.get(page) ?? hashPage(bytes);
    this.#hashes.set(page, hash);
    return { bytes, hash };
  }

  /** The hash of a touched page: the very same object until the page is written to. */
  hashOf(page: number): Uint8Array {
    return this.#hashes.get(page) ?? this.copyPage(page).hash;
  }

  /** SHA-256 of everything that a successor needs, 64 hex digits; undefined when no page was touched: trueMax says it all then. */
  digest(): string | undefined {
    if (this.#pageCount === 0) return undefined;
    const { defaultSeq, uidCount } = this;
    return digestOf({ defaultSeq, uidCount, hashes: this.#hashesInOrder() });
  }

  *#hashesInOrder(): Generator<readonly [number, Uint8Array]> {
    for (const page of this.touchedPages()) yield [page, this.hashOf(page)];
  }

  #bytesOf(page: number): Uint8Array {
    const other = this.#others.get(page);
    if (other?.type === 'installed') return other.bytes;
    const distances = other?.distances ?? this.#pages[page];
    assert(distances !== undefined, 'only a touched page is copied');
    return encodePage(distances);
  }

  #curSeqAt(slot: Slot): Seq {
    assert(slot >= 0 && slot < this.#uidCount, 'the slot lies within its section');
    const distances = this.#distancesAt(slot >>> PAGE_BITS);
    return (this.#defaultSeq + BigInt(distances?.[slot & (SLOTS_PER_PAGE - 1)] ?? 0)) as Seq;
  }

  #write(slot: Slot, seq: Seq): void {
    const index = slot >>> PAGE_BITS;
    const at = slot & (SLOTS_PER_PAGE - 1);
    const distance = seq - this.#defaultSeq;
    const page = this.#distancesAt(index) ?? this.#touch(index);
    if (page instanceof BigUint64Array) page[at] = distance;
    else if (distance <= NARROW_MAX) page[at] = Number(distance);
    else this.#widen(index, page)[at] = distance;
    this.#hashes.delete(index);
    if (seq > this.trueMax) {
      this.#trueMax = seq;
      this.#top = this.#distanceOf(seq);
    }
    assert(this.#trueMax <= this.#maxSeq, 'curSeq <= maxSeq in memory <= maxSeq committed by Raft');
  }

  /** An installed page is decoded by whoever asks first, so that installing takes no time for what nobody asks for. */
  #distancesAt(index: number): Distances | undefined {
    const narrow = this.#pages[index];
    if (narrow !== undefined || this.#others.size === 0) return narrow;
    const other = this.#others.get(index);
    if (other?.type !== 'installed') return other?.distances;
    const distances = decodePage(other.bytes, this.#emptyPage(index));
    if (distances instanceof BigUint64Array) this.#others.set(index, { type: 'wide', distances });
    else {
      this.#others.delete(index);
      this.#pages[index] = distances;
    }
    return distances;
  }

  #touch(index: number): Uint32Array {
    this.#count();
    const page = this.#emptyPage(index);
    this.#pages[index] = page;
    return page;
  }

  #emptyPage(page: number): Uint32Array {
    return this.#memory.page(slotCountOf({ uidCount: this.#uidCount, page }));
  }

  #widen(index: number, page: Uint32Array): BigUint64Array {
    const distances = widened(page);
    this.#others.set(index, { type: 'wide', distances });
    this.#pages[index] = undefined;
    return distances;
  }

  #install(index: number, { bytes, hash }: CounterPage): void {
    this.#count();
    this.#others.set(index, { type: 'installed', bytes });
    this.#hashes.set(index, hash);
  }

  /** One more page. The table of pages comes with the first of them, so that opening a section takes no time. */
  #count(): void {
    if (this.#pageCount === 0) this.#pages = Array.from({ length: pageCountOf(this.#uidCount) });
    this.#pageCount += 1;
  }

  /** As a number; Infinity where that would not be exact. */
  #distanceOf(seq: Seq): Distance {
    const distance = seq - this.#defaultSeq;
    return distance <= Number.MAX_SAFE_INTEGER ? Number(distance) : Number.POSITIVE_INFINITY;
  }
}

function pageCountOf(uidCount: number): number {
  return Math.ceil(uidCount / SLOTS_PER_PAGE);
}
