import { assert } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import { SEQ_MAX, type Seq, type Slot, toSeq } from '../model/ids.js';
import { decodePage, encodePage, SLOTS_PER_PAGE, slotCountOf } from './counter-page.js';
import { type CounterPage, digestOf, hashPage } from './counter-digest.js';

export { SLOTS_PER_PAGE } from './counter-page.js';
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

interface Page {
  /** Undefined while nobody asked since the page was installed: only its bytes are there then. */
  values: BigUint64Array | undefined;
  /** What it travels as, instead of values. */
  bytes: Uint8Array | undefined;
  /** Undefined once it was written to. */
  hash: Uint8Array | undefined;
}

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
  #pages: (Page | undefined)[] = [];
  #pageCount = 0;
  #maxSeq: Seq;
  #trueMax: Seq;

  /**
   * `maxSeq` is committed; `uidCount` is how many slots there are, from 0. `installed`: what the former owner
   * handed over; each counter lies at or below `base`. Without it all begin at `base`.
   */
  constructor(options: { readonly uidCount: number; readonly base: Seq; readonly maxSeq: Seq; readonly installed?: CounterPages | undefined }) {
    const { installed } = options;
    assert(options.base <= options.maxSeq, 'base <= maxSeq');
    this.#uidCount = options.uidCount;
    this.#maxSeq = options.maxSeq;
    this.#trueMax = options.base;
    this.#defaultSeq = installed?.defaultSeq ?? options.base;
    assert(this.#defaultSeq <= options.base, 'what former epochs handed out lies at or below base');
    if (installed !== undefined) for (const page of installed.touchedPages()) this.#setPage(page, { values: undefined, ...installed.copyPage(page) });
  }

  /** Numbers up to it, inclusive, may be handed out. */
  get maxSeq(): Seq {
    return this.#maxSeq;
  }

  /** The highest number handed out for any uid up to now, by former epochs too; at least base. */
  get trueMax(): Seq {
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
    for (const [page, known] of this.#pages.entries()) if (known !== undefined) yield page;
  }

  /** A touched page as it is now. */
  copyPage(page: number): CounterPage {
    const known = this.#touched(page);
    const bytes = known.bytes ?? encodePage(this.#valuesOf(known).subarray(0, slotCountOf({ uidCount: this.#uidCount, page })), this.#defaultSeq);
    // The hash is kept until the next write, so that sealing after a copy hashes only what changed meanwhile.
    known.hash ??= hashPage(bytes);
    return { bytes, hash: known.hash };
  }

  /** The hash of a touched page: the very same object until the page is written to. */
  hashOf(page: number): Uint8Array {
    return this.#touched(page).hash ?? this.copyPage(page).hash;
  }

  /** SHA-256 of everything that a successor needs, 64 hex digits; undefined when no page was touched: trueMax says it all then. */
  digest(): string | undefined {
    if (this.#pageCount === 0) return undefined;
    const { defaultSeq, uidCount } = this;
    return digestOf({ defaultSeq, uidCount, hashes: this.#hashes() });
  }

  *#hashes(): Generator<readonly [number, Uint8Array]> {
    for (const page of this.touchedPages()) yield [page, this.hashOf(page)];
  }

  #touched(page: number): Page {
    const known = this.#pages[page];
    assert(known !== undefined, 'only a touched page is copied');
    return known;
  }

  #curSeqAt(slot: Slot): Seq {
    assert(slot >= 0 && slot < this.#uidCount, 'the slot lies within its section');
    const page = this.#pages[Math.floor(slot / SLOTS_PER_PAGE)];
    return page === undefined ? this.#defaultSeq : ((this.#valuesOf(page)[slot % SLOTS_PER_PAGE] ?? this.#defaultSeq) as Seq);
  }

  #write(slot: Slot, seq: Seq): void {
    const index = Math.floor(slot / SLOTS_PER_PAGE);
    const page =
      this.#pages[index] ??
      this.#setPage(index, { values: new BigUint64Array(SLOTS_PER_PAGE).fill(this.#defaultSeq), bytes: undefined, hash: undefined });
    this.#valuesOf(page)[slot % SLOTS_PER_PAGE] = seq;
    page.hash = undefined;
    if (seq > this.#trueMax) this.#trueMax = seq;
    assert(this.#trueMax <= this.#maxSeq, 'curSeq <= maxSeq in memory <= maxSeq committed by Raft');
  }

  /** An installed page is decoded by whoever asks first, so that installing takes no time for what nobody asks for. */
  #valuesOf(page: Page): BigUint64Array {
    if (page.values === undefined) {
      page.values = decodePage(page.bytes ?? NO_BYTES, this.#defaultSeq);
      page.bytes = undefined;
    }
    return page.values;
  }

  #setPage(index: number, page: Page): Page {
    // The table of pages comes with the first of them, so that opening a section takes no time.
    if (this.#pageCount === 0) this.#pages = Array.from({ length: Math.ceil(this.#uidCount / SLOTS_PER_PAGE) });
    this.#pages[index] = page;
    this.#pageCount += 1;
    return page;
  }
}

const NO_BYTES = new Uint8Array();
