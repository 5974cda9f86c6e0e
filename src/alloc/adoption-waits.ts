import type { Clock } from '../base/clock.js';
import { sleep } from '../base/clock.js';
import type { StopSignal } from '../base/stop.js';

/** Whoever waits for the next table. As many at most as calls may wait. */
export class AdoptionWaits {
  readonly #clock: Clock;
  readonly #stopped: StopSignal;
  readonly #waiting = new Set<() => void>();

  constructor(options: { readonly clock: Clock; readonly stopped: StopSignal }) {
    this.#clock = options.clock;
    this.#stopped = options.stopped;
  }

  /** A table was adopted, or nothing ever will be. */
  wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  /** Resolves with the next table, or after `limitMs`. */
  async next(limitMs: number): Promise<void> {
    const isOver = new AbortController();
    const wake = (): void => isOver.abort();
    this.#waiting.add(wake);
    await sleep(this.#clock, limitMs, isOver.signal);
    this.#waiting.delete(wake);
  }

  /** Resolves once `isSeen`, which is asked after each table, or after `limitMs`; undefined when it is so already. */
  until(isSeen: () => boolean, limitMs: number): Promise<void> | undefined {
    if (isSeen() || this.#stopped.aborted) return undefined;
    return this.#until(isSeen, this.#clock.nowMs() + limitMs);
  }

  async #until(isSeen: () => boolean, deadlineMs: number): Promise<void> {
    while (!isSeen() && this.#clock.nowMs() < deadlineMs && !this.#stopped.aborted) await this.next(deadlineMs - this.#clock.nowMs());
  }
}
