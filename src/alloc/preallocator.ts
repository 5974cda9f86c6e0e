import { SEQ_MAX, type Seq } from '../model/ids.js';
import { RAISE_AHEAD_MAX, RAISE_LIFT_MAX } from '../model/window.js';

/** What is left of a window must last this long at the peak rate, in ms: longer than two election rounds. */
const LOW_WATER_MS = 2_500;
/** How long one raise is to last at the recent rate, in ms. Less means more log entries, more a longer jump after a crash. */
export const DEFAULT_RAISE_AHEAD_MS = 60_000;
/** Twice the low water: a raise must not be due again as soon as it is done. */
export const RAISE_AHEAD_MIN_MS = 2 * LOW_WATER_MS;
export const RAISE_AHEAD_MAX_MS = 600_000;
/** At low rates a raise starts when this part of raiseBy is left: one in so many. */
const LOW_WATER_PART = 4n;
/** A rate measured over less than this says nothing, in ms. */
const SAMPLE_MIN_MS = 10;
/** How fast the recent rate forgets, in ms. */
const RECENT_MS = 10_000;
/** The peak halves in this time, in ms. */
const PEAK_HALF_LIFE_MS = 30_000;

/**
 * When to raise the maxSeq of one section, and to what. Pure: the time is an argument, in ms of one monotonic clock.
 *
 * All uids of a section share maxSeq but each counts for itself, so the rate that eats the window is that of the
 * hottest counter, trueMax.
 */
export class Preallocator {
  readonly #raiseBy: bigint;
  readonly #aheadMs: number;
  #sampledSeq: Seq;
  #sampledAtMs: number;
  /** Numbers per ms. */
  #recentRate = 0;
  #peakRate = 0;

  /** `aheadMs`: what one raise is to last at the recent rate. */
  constructor(options: { readonly raiseBy: bigint; readonly aheadMs: number; readonly trueMax: Seq; readonly nowMs: number }) {
    this.#aheadMs = options.aheadMs;
    this.#raiseBy = options.raiseBy < RAISE_AHEAD_MAX ? options.raiseBy : RAISE_AHEAD_MAX;
    this.#sampledSeq = options.trueMax;
    this.#sampledAtMs = options.nowMs;
  }

  /** Tells how far the hottest counter has come. */
  sample({ trueMax, nowMs }: { readonly trueMax: Seq; readonly nowMs: number }): void {
    const passedMs = nowMs - this.#sampledAtMs;
    if (passedMs < SAMPLE_MIN_MS) return;
    const rate = Number(trueMax - this.#sampledSeq) / passedMs;
    const weight = 1 - Math.exp(-passedMs / RECENT_MS);
    this.#recentRate += (rate - this.#recentRate) * weight;
    this.#peakRate = Math.max(rate, this.#peakRate * 0.5 ** (passedMs / PEAK_HALF_LIFE_MS));
    this.#sampledSeq = trueMax;
    this.#sampledAtMs = nowMs;
  }

  /** The hottest counter was lifted by `by`, and no number was handed out for it: that is no rate. */
  lifted(by: bigint): void {
    this.#sampledSeq = (this.#sampledSeq + by) as Seq;
  }

  /** When no more than this is left of the window, a raise is due. At most half of what a raise can add. */
  get lowWater(): bigint {
    const least = this.#raiseBy / LOW_WATER_PART;
    const wanted = toCount(this.#peakRate * LOW_WATER_MS);
    return min(RAISE_AHEAD_MAX / 2n, wanted > least ? wanted : least);
  }

  /**
   * The maxSeq to ask for, or undefined when the window is ample (or at its end). `needed`: what a waiting call needs
   * at least; it may lie beyond any window.
   */
  target({ trueMax, maxSeq, needed }: { readonly trueMax: Seq; readonly maxSeq: Seq; readonly needed: Seq }): Seq | undefined {
    if (needed <= maxSeq && maxSeq - trueMax > this.lowWater) return undefined;
    const from = needed > trueMax ? needed : trueMax;
    // No raise lifts by more than the store lets it; what is needed itself never does (ADVANCE_MAX, RANGE_COUNT_MAX).
    const to = min(SEQ_MAX, min(from + this.#ahead, maxSeq + RAISE_LIFT_MAX));
    return to > maxSeq ? (to as Seq) : undefined;
  }

  /** Between raiseBy and RAISE_AHEAD_MAX, and twice the low water, so that one raise is not due when the last one ends. */
  get #ahead(): bigint {
    const byRate = toCount(this.#recentRate * this.#aheadMs);
    const least = max(this.#raiseBy, this.lowWater * 2n);
    return min(RAISE_AHEAD_MAX, max(byRate, least));
  }
}

function toCount(amount: number): bigint {
  return BigInt(Math.ceil(Math.min(amount, Number(RAISE_AHEAD_MAX))));
}

function min(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}

function max(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}
