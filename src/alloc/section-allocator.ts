import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { type Epoch, type SectionId, type Seq, type Slot, toSeq } from '../model/ids.js';
import { type CounterPages, type CurrentSeq, SectionCounters } from './counters.js';
import { CallRate } from './load.js';
import { DEFAULT_RAISE_AHEAD_MS, Preallocator } from './preallocator.js';
import { type CountersView, type SealedCounters, sealedFrom } from './sealed-counters.js';

/** How many calls may wait for the window of one section; more are told to come back. */
export const WAITERS_PER_SECTION_MAX = 2_000;
/** What the turned-away are told to wait, in ms: a few commits. */
const QUEUE_FULL_RETRY_AFTER_MS = 50;

interface Waiter {
  readonly needed: Seq;
  wake(): void;
  fail(error: SeqError): void;
}

export interface AllocatorOptions {
  readonly section: SectionId;
  readonly epoch: Epoch;
  readonly uidCount: number;
  readonly base: Seq;
  readonly maxSeq: Seq;
  readonly raiseBy: bigint;
  /** How long one raise is to last at the recent rate, in ms. Absent: DEFAULT_RAISE_AHEAD_MS. */
  readonly raiseAheadMs?: number | undefined;
  /** What the former owner handed over; absent: every counter begins at base. */
  readonly installed?: CounterPages | undefined;
  readonly clock: Clock;
  readonly raiser: RaiseDesk;
}

/** Who carries out the raises of an allocator. */
export interface RaiseDesk {
  /** A raise is due: call takeRaise() in your own time. */
  due(allocator: SectionAllocator): void;
  /** It is called again: call sample() about once a second, until it returns false. */
  active(allocator: SectionAllocator): void;
}

/**
 * The numbers of one section for one epoch: one object, once, for as long as this incarnation has the epoch. A lapsed
 * lease does not touch it. `sealed` and `lost` are for ever: nothing is taken or raised after that.
 */
export class SectionAllocator {
  readonly section: SectionId;
  readonly epoch: Epoch;
  readonly #defaultLow: number;
  readonly #defaultHigh: number;
  readonly #counters: SectionCounters;
  readonly #prealloc: Preallocator;
  readonly #clock: Clock;
  readonly #raiser: RaiseDesk;
  #state: 'open' | 'sealed' | 'lost' = 'open';
  #sealed: SealedCounters | undefined;
  #isHandedOver = false;
  /** Calls since it was opened, since the last sample, and a second. */
  #callCount = 0;
  #sampledCallCount = 0;
  readonly #callRate: CallRate;
  #waiters: Waiter[] = [];
  /** What the raise in flight asks for; kept when its outcome is unknown, for the retry must be identical. */
  #raisingTo: Seq | undefined;
  #isInFlight = false;
  /** No raise starts until resumeRaising(): the last one failed. */
  #isHeld = false;
  #isActive = false;
  /** The next raise is due when trueMax gets here. */
  #dueAt: bigint;
  /** The last number that takeAtOnce() may hand out, as a distance; -1 whenever anything else is to be done or said. */
  #fastLimit = -1;

  constructor(options: AllocatorOptions) {
    const { uidCount, base, maxSeq, raiseBy, raiseAheadMs = DEFAULT_RAISE_AHEAD_MS, installed, clock } = options;
    this.section = options.section;
    this.epoch = options.epoch;
    this.#counters = new SectionCounters({ uidCount, base, maxSeq, installed });
    this.#defaultLow = Number(this.#counters.defaultSeq & 0xffff_ffffn);
    this.#defaultHigh = Number(this.#counters.defaultSeq >> 32n);
    this.#prealloc = new Preallocator({ raiseBy, aheadMs: raiseAheadMs, trueMax: base, nowMs: clock.nowMs() });
    this.#callRate = new CallRate(clock.nowMs());
    this.#clock = clock;
    this.#raiser = options.raiser;
    this.#dueAt = maxSeq - this.#prealloc.lowWater;
  }

  /** curSeq of a uid that nobody asked for, in halves of 32 bits: what the distances of takeAtOnce() are counted from. */
  get defaultLow(): number {
    return this.#defaultLow;
  }

  get defaultHigh(): number {
    return this.#defaultHigh;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** The table gave the epoch's section to somebody else, or to nobody. */
  get isLost(): boolean {
    return this.#state === 'lost';
  }

  get maxSeq(): Seq {
    return this.#counters.maxSeq;
  }

  get trueMax(): Seq {
    return this.#counters.trueMax;
  }

  /** Calls that took numbers, since it was opened. */
  get callCount(): number {
    return this.#callCount;
  }

  /** Calls a second over the last seconds, as of the last sample. */
  get callsPerSecond(): number {
    return this.#callRate.perSecond;
  }

  /** What is left of the window, in units of what is left when a raise is due: below 1 one is due, 0 means that calls wait. */
  get headroomRatio(): number {
    return Number(this.#counters.maxSeq - this.#counters.trueMax) / Number(this.#prealloc.lowWater || 1n);
  }

  get residentUidCount(): number {
    return this.#counters.residentUidCount;
  }

  current(slot: Slot): CurrentSeq {
    return this.#counters.current(slot);
  }

  /** The first of `count` numbers, or undefined when the window is too small: wait then. Throws OUT_OF_RANGE. */
  take(slot: Slot, count: number): Seq | undefined {
    assert(this.#state === 'open', 'a sealed or lost epoch never serves again');
    const last = this.takeAtOnce(slot, count, -1);
    if (last >= 0) return toSeq(this.#counters.defaultSeq + BigInt(last - count + 1));
    if (!this.#isActive) this.#activate();
    this.#callCount += 1;
    const first = this.#counters.next(slot, count);
    if (this.#counters.trueMax >= this.#dueAt) this.#nudge();
    return first;
  }

  /**
   * Takes `count` numbers, at least 1, when nothing stands in the way, and returns the distance of the last of them from the default. Negative:
   * nothing was taken, and take() or a wait is the way. `floor`: what the caller has seen, as a distance; negative: nothing.
   */
  takeAtOnce(slot: Slot, count: number, floor: number): number {
    const last = this.#counters.takeAtOnce(slot, count, floor, this.#fastLimit);
    if (last >= 0) this.#callCount += 1;
    return last;
  }

  /** As takeAtOnce(), for the last number that was handed out. */
  currentAtOnce(slot: Slot, floor: number): number {
    return this.#fastLimit < 0 ? -1 : this.#counters.currentAtOnce(slot, floor);
  }

  /**
   * Resolves when the window may be large enough for `count` numbers, or when this object was sealed or lost: whoever
   * waited must check everything again. Rejects with TIMEOUT at `deadlineMs` of the clock, with RESOURCE_EXHAUSTED at
   * once when WAITERS_PER_SECTION_MAX wait already; both are definite. Throws OUT_OF_RANGE.
   */
  waitForWindow({ slot, count, deadlineMs }: { readonly slot: Slot; readonly count: number; readonly deadlineMs: number }): Promise<void> {
    return this.#waitFor(this.#counters.neededFor(slot, count), deadlineMs);
  }

  /** As waitForWindow(), for advance(slot, to). */
  waitForAdvance({ slot, to, deadlineMs }: { readonly slot: Slot; readonly to: bigint; readonly deadlineMs: number }): Promise<void> {
    return this.#waitFor(this.#counters.neededForAdvance(slot, to), deadlineMs);
  }

  #waitFor(needed: Seq, deadlineMs: number): Promise<void> {
    assert(this.#state === 'open', 'a sealed or lost epoch never raises again');
    if (this.#waiters.length >= WAITERS_PER_SECTION_MAX) {
      const message = `${WAITERS_PER_SECTION_MAX} calls wait for section ${this.section} already`;
      return Promise.reject(new SeqError('RESOURCE_EXHAUSTED', message, { retryAfterMs: QUEUE_FULL_RETRY_AFTER_MS }));
    }
    return new Promise((resolve, reject) => {
      const leftMs = deadlineMs - this.#clock.nowMs();
      const cancel = this.#clock.after(Math.max(0, leftMs), () => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(new SeqError('TIMEOUT', `max_seq of section ${this.section} was not raised to ${needed} in time`, { definite: true }));
      });
      const waiter: Waiter = {
        needed,
        wake: () => {
          cancel();
          resolve();
        },
        fail: (error) => {
          cancel();
          reject(error);
        },
      };
      this.#waiters.push(waiter);
      this.#nudge();
    });
  }

  /**
   * What to ask of the store now, or undefined when no raise is due. One is in flight from here until raised(),
   * raiseFailed() or raiseRefused(); a retry after an unknown outcome asks for the very same.
   */
  takeRaise(): Seq | undefined {
    if (this.#state !== 'open' || this.#isHeld || this.#isInFlight) return undefined;
    if (this.#raisingTo === undefined) {
      this.#measure();
      const { trueMax, maxSeq } = this.#counters;
      const needed = this.#waiters.reduce((most, waiter) => (waiter.needed > most ? waiter.needed : most), trueMax);
      this.#raisingTo = this.#prealloc.target({ trueMax, maxSeq, needed });
    }
    this.#isInFlight = this.#raisingTo !== undefined;
    return this.#raisingTo;
  }

  /** Measures the rates, about once a second. False: nobody called since the last time, so call no more. */
  sample(): boolean {
    this.#measure();
    const calls = this.#callCount - this.#sampledCallCount;
    this.#sampledCallCount = this.#callCount;
    this.#callRate.sample({ calls, nowMs: this.#clock.nowMs() });
    this.#isActive = this.#state === 'open' && calls > 0;
    this.#setFastLimit();
    if (this.#isActive && this.#counters.trueMax >= this.#dueAt) this.#nudge();
    return this.#isActive;
  }

  /** The raise was committed: only now may numbers above the old ceiling leave. Wakes who waited, in order. */
  raised(maxSeq: Seq): void {
    this.#raisingTo = undefined;
    this.#isInFlight = false;
    this.learnMaxSeq(maxSeq);
  }

  /** A table or a raise told what is committed for this epoch. Too late for one that was sealed or lost meanwhile. */
  learnMaxSeq(maxSeq: Seq): void {
    if (this.#state !== 'open') return;
    this.#counters.raiseTo(maxSeq);
    this.#dueAt = this.#counters.maxSeq - this.#prealloc.lowWater;
    this.#setFastLimit();
    const woken = this.#waiters.filter(({ needed }) => needed <= this.#counters.maxSeq);
    this.#waiters = this.#waiters.filter(({ needed }) => needed > this.#counters.maxSeq);
    for (const waiter of woken) waiter.wake();
    if (this.#waiters.length > 0) this.#nudge();
  }

  /** The outcome is unknown: nothing is assumed, and nothing is asked until resumeRaising(). */
  raiseFailed(): void {
    this.#isInFlight = false;
    this.#isHeld = true;
  }

  /** The store refused: the calls that wait for more than there is get `error`, which is definite, when one is given. */
  raiseRefused(error: SeqError | undefined): void {
    this.#raisingTo = undefined;
    this.#isInFlight = false;
    this.#isHeld = true;
    if (error === undefined) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.fail(error);
  }

  /** Tries again what failed, if it is still wanted. */
  resumeRaising(): void {
    this.#isHeld = false;
    const isWanted = this.#raisingTo !== undefined || this.#waiters.length > 0 || this.#counters.trueMax >= this.#dueAt;
    if (this.#state === 'open' && isWanted) this.#raiser.due(this);
  }

  /**
   * Ends serving and raising for good and returns the highest number handed out. `handsOver`: the counters will be there for
   * the next owner, so the release says their digest. A repeat changes nothing: every release says the same.
   */
  seal({ handsOver = false } = {}): Seq {
    if (this.#state === 'open') {
      this.#end('sealed');
      this.#isHandedOver = handsOver;
    }
    return this.#counters.trueMax;
  }

  /** What the release says of the counters; undefined: nothing is handed over, or nothing was touched. */
  get digest(): string | undefined {
    return this.#isHandedOver ? this.sealedCounters().digest : undefined;
  }

  /** Nobody will have the counters after all, so the release says none. Call it before the release, or never. */
  withholdCounters(): void {
    assert(this.#state !== 'open', 'what is sealed does not change');
    this.#isHandedOver = false;
  }

  /** Call only when it is sealed or lost: it does not change any more. */
  sealedCounters(): SealedCounters {
    assert(this.#state !== 'open', 'what is sealed does not change');
    this.#sealed ??= sealedFrom(this.section, this.epoch, this.#counters);
    return this.#sealed;
  }

  /** For whoever copies them to a successor. */
  get counters(): CountersView {
    return this.#counters;
  }

  /** Lifts a counter, forward only; undefined: the window must reach `to` first. Throws as SectionCounters.advance. */
  advance(slot: Slot, to: bigint): Seq | undefined {
    assert(this.#state === 'open', 'a sealed or lost epoch never serves again');
    if (!this.#isActive) this.#activate();
    this.#callCount += 1;
    const before = this.#counters.trueMax;
    const seq = this.#counters.advance(slot, to);
    this.#prealloc.lifted(this.#counters.trueMax - before);
    if (this.#counters.trueMax >= this.#dueAt) this.#nudge();
    return seq;
  }

  /** The epoch is over: this memory must never serve again, also when the same owner gets the section back. */
  lose(): void {
    this.#end('lost');
  }

  /** A quiet section is not sampled; from here on it is. The quiet time must not count into the new rate. */
  #activate(): void {
    this.#isActive = true;
    this.#measure();
    this.#callRate.begin(this.#clock.nowMs());
    this.#raiser.active(this);
  }

  #measure(): void {
    this.#prealloc.sample({ trueMax: this.#counters.trueMax, nowMs: this.#clock.nowMs() });
    this.#dueAt = this.#counters.maxSeq - this.#prealloc.lowWater;
    this.#setFastLimit();
  }

  /** To be called when the state, the window or what is due has changed. A number that makes a raise due goes the slow way, which asks for it. */
  #setFastLimit(): void {
    this.#fastLimit = this.#state === 'open' && this.#isActive ? this.#counters.limitUpTo(this.#dueAt - 1n) : -1;
  }

  #nudge(): void {
    if (this.#raisingTo === undefined && !this.#isHeld) this.#raiser.due(this);
  }

  #end(state: 'sealed' | 'lost'): void {
    this.#state = state;
    this.#setFastLimit();
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.wake();
  }
}
