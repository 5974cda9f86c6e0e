import { assert } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import { SEQ_MAX, type Seq, type Slot, toSeq } from '../model/ids.js';

/** Neighbouring uids whose counters are allocated together, on the first call for any of them. */
export const SLOTS_PER_PAGE = 1024;

/** The last number handed out for one uid. */
export interface CurrentSeq {
  /** 0: none was ever handed out. */
  readonly seq: Seq;
  /** False: nothing was handed out in this epoch; `seq` is an upper bound of what former epochs handed out. */
  readonly exact: boolean;
}

/**
 * curSeq of each uid of one section within one epoch, and the maxSeq they share. Memory only, and pure.
 *
 * An untouched uid costs nothing: its curSeq is `base`, for whatever former epochs handed out lies at or below it.
 * Invariant: base <= curSeq of every uid <= trueMax <= maxSeq, and maxSeq was committed.
 */
export class SectionCounters {
  readonly base: Seq;
  readonly #uidCount: number;
  #pages: (BigUint64Array | undefined)[] = [];
  #pageCount = 0;
  #maxSeq: Seq;
  #trueMax: Seq;

  /** `maxSeq` is committed; `uidCount` is how many slots there are, from 0. */
  constructor(options: { readonly uidCount: number; readonly base: Seq; readonly maxSeq: Seq }) {
    assert(options.base <= options.maxSeq, 'base <= maxSeq');
    this.base = options.base;
    this.#uidCount = options.uidCount;
    this.#maxSeq = options.maxSeq;
    this.#trueMax = options.base;
  }

  /** Numbers up to it, inclusive, may be handed out. */
  get maxSeq(): Seq {
    return this.#maxSeq;
  }

  /** The highest number handed out for any uid in this epoch; base when none was. */
  get trueMax(): Seq {
    return this.#trueMax;
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
    this.#pageOf(slot)[slot % SLOTS_PER_PAGE] = needed;
    if (needed > this.#trueMax) this.#trueMax = needed;
    assert(this.#trueMax <= this.#maxSeq, 'curSeq <= maxSeq in memory <= maxSeq committed by Raft');
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
    // A number of this epoch lies above base, so base itself says "untouched".
    return { seq, exact: seq > this.base || this.base === 0n };
  }

  /** Call only with a maxSeq that was committed for this epoch. Replies may cross: the highest is kept. */
  raiseTo(maxSeq: Seq): void {
    if (maxSeq > this.#maxSeq) this.#maxSeq = maxSeq;
  }

  #curSeqAt(slot: Slot): Seq {
    assert(slot >= 0 && slot < this.#uidCount, 'the slot lies within its section');
    const page = this.#pages[Math.floor(slot / SLOTS_PER_PAGE)];
    return page === undefined ? this.base : ((page[slot % SLOTS_PER_PAGE] ?? this.base) as Seq);
  }

  #pageOf(slot: Slot): BigUint64Array {
    const index = Math.floor(slot / SLOTS_PER_PAGE);
    let page = this.#pages[index];
    if (page === undefined) {
      // The table of pages comes with the first of them, so that opening a section takes no time.
      if (this.#pageCount === 0) this.#pages = Array.from({ length: Math.ceil(this.#uidCount / SLOTS_PER_PAGE) });
      page = new BigUint64Array(SLOTS_PER_PAGE).fill(this.base);
      this.#pages[index] = page;
      this.#pageCount += 1;
    }
    return page;
  }
}
