import type { Clock } from '../base/clock.js';

/** While a series lasts, one notice in this time, in ms: a store that is down must not fill the log. */
export const NOTICE_EVERY_MS = 5_000;

/**
 * Thins out one kind of event that can repeat several times a second: the first of a series is told at once, then at
 * most one in NOTICE_EVERY_MS. None is lost from the count: each notice says how many were left out before it.
 */
export class Notices {
  readonly #clock: Clock;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #leftOutCount = 0;

  constructor(options: { readonly clock: Clock }) {
    this.#clock = options.clock;
  }

  /** It happened: calls `notice` at once, with the count of what was left out since the last one, or leaves it out. */
  tell(notice: (leftOutCount: number) => void): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#toldAtMs < NOTICE_EVERY_MS) {
      this.#leftOutCount += 1;
      return;
    }
    const leftOutCount = this.#leftOutCount;
    this.#toldAtMs = nowMs;
    this.#leftOutCount = 0;
    notice(leftOutCount);
  }

  /** It went well: what happens next begins another series. */
  seriesEnded(): void {
    this.#toldAtMs = Number.NEGATIVE_INFINITY;
  }
}
