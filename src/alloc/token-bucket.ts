/** What may be taken of something, and how fast that grows. */
export interface Rate {
  readonly perSecond: number;
  /** What may be taken at once after a rest. */
  readonly burst: number;
}

/**
 * Tokens that grow with time. What is taken is taken whole, into debt if need be: a frame is never served in part, and what an answer will hold may be
 * known only after it was made. So on average no more than the rate is taken, however large the pieces are.
 */
export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  /** When that was right. */
  #asOfMs: number;

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#asOfMs = nowMs;
  }

  /** How long there is nothing to take, in ms; 0: there is something now. */
  waitMs(nowMs: number): number {
    const { perSecond, burst } = this.#rate;
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#asOfMs) / 1_000) * perSecond);
    this.#asOfMs = nowMs;
    return this.#tokens > 0 ? 0 : Math.max(1, Math.ceil((-this.#tokens / perSecond) * 1_000));
  }

  take(count: number): void {
    this.#tokens -= count;
  }
}
