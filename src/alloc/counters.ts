import { assert } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import { SEQ_MAX, type Seq, type Slot, toSeq } from '../model/ids.js';

/** Neighbouring uids whose counters are allocated together, on the first call for any of them. */
export const SLOTS_PER_PAGE = 1024;
/** How far one advance lifts a counter at most: as far as one raise can. */
export const ADVANCE_MAX = 2n ** 40n;

/** The last number handed out for one uid. */
export interface CurrentSeq {
  /** 0: none was ever handed out. */
  readonly seq: Seq;
  /** False: nothing was handed out in this epoch; `seq` is an upper bound of what former epochs handed out. */
  readonly exact: boolean;
}

/** The counters of one section, as they go from one owner to the next. Uids that no page names stand at `defaultSeq`. */
export interface CounterPages {
  readonly defaultSeq: Seq;
  /** By page index; each has SLOTS_PER_PAGE values. */
  readonly pages: ReadonlyMap<number, BigUint64Array>;
}

/** One page as it is now. */
export interface CounterPage {
  readonly index: number;
  /** Grows with each change. */
  readonly version: number;
  /** Do not write to it. */
  readonly values: BigUint64Array;
}

/**
 * curSeq of each uid of one section within one epoch, and the maxSeq they share. Memory only, and pure.
 *
 * An untouched uid costs nothing: its curSeq is the default. That is `base`, for whatever former epochs handed out lies at or
 * below it; after a hand-off it is the former owner's, and may be lower.
 * Invariant: default <= curSeq of every uid <= trueMax <= maxSeq, base <= trueMax, and maxSeq was committed.
 */
export class SectionCounters {
  readonly base: Seq;
  readonly #uidCount: number;
  readonly #default: Seq;
  readonly #versions: number[] = [];
  #pages: (BigUint64Array | undefined)[] = [];
  #pageCount = 0;
  #maxSeq: Seq;
  #trueMax: Seq;

  /** `maxSeq` is committed; `uidCount` is how many slots there are, from 0; `installed`: what the former owner handed over, all at or below base. */
  constructor(options: { readonly uidCount: number; readonly base: Seq; readonly maxSeq: Seq; readonly installed?: CounterPages | undefined }) {
    assert(options.base <= options.maxSeq, 'base <= maxSeq');
    this.base = options.base;
    this.#default = options.installed?.defaultSeq ?? options.base;
    this.#uidCount = options.uidCount;
    this.#maxSeq = options.maxSeq;
    this.#trueMax = options.base;
    for (const [index, values] of options.installed?.pages ?? []) this.#pages[index] = values;
    this.#pageCount = options.installed?.pages.size ?? 0;
  }

  /** curSeq of every uid that no page says otherwise. */
  get defaultSeq(): Seq {
    return this.#default;
  }

  /** How many slots there are. */
  get uidCount(): number {
    return this.#uidCount;
  }

  /** The pages that were ever touched, in order. */
  touchedPages(): CounterPage[] {
    const touched: CounterPage[] = [];
    for (const [index, values] of this.#pages.entries())
      if (values !== undefined) touched.push({ index, version: this.#versions[index] ?? 0, values });
    return touched;
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
    this.#set(slot, needed);
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
    return { seq, exact: seq > this.#default || this.#default === 0n };
  }

  /**
   * Lifts a counter to `to`, forward only, and returns where it stands. Undefined: nothing changed, maxSeq must be raised to `to` first.
   * Throws OUT_OF_RANGE past the end of all counters, INVALID_ARGUMENT when `to` is more than ADVANCE_MAX above where it stands.
   */
  advance(slot: Slot, to: bigint): Seq | undefined {
    const target = this.neededForAdvance(slot, to);
    if (target === this.#curSeqAt(slot)) return target;
    if (target > this.#maxSeq) return undefined;
    this.#set(slot, target);
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

  #set(slot: Slot, seq: Seq): void {
    const page = Math.floor(slot / SLOTS_PER_PAGE);
    this.#pageOf(slot)[slot % SLOTS_PER_PAGE] = seq;
    this.#versions[page] = (this.#versions[page] ?? 0) + 1;
    if (seq > this.#trueMax) this.#trueMax = seq;
    assert(this.#trueMax <= this.#maxSeq, 'curSeq <= maxSeq in memory <= maxSeq committed by Raft');
  }

  #curSeqAt(slot: Slot): Seq {
    assert(slot >= 0 && slot < this.#uidCount, 'the slot lies within its section');
    const page = this.#pages[Math.floor(slot / SLOTS_PER_PAGE)];
    return page === undefined ? this.#default : ((page[slot % SLOTS_PER_PAGE] ?? this.#default) as Seq);
  }

  #pageOf(slot: Slot): BigUint64Array {
    const index = Math.floor(slot / SLOTS_PER_PAGE);
    let page = this.#pages[index];
    if (page === undefined) {
      // The table of pages comes with the first of them, so that opening a section takes no time.
      if (this.#pageCount === 0) this.#pages = Array.from({ length: Math.ceil(this.#uidCount / SLOTS_PER_PAGE) });
      page = new BigUint64Array(SLOTS_PER_PAGE).fill(this.#default);
      this.#pages[index] = page;
      this.#pageCount += 1;
    }
    return page;
  }
}
