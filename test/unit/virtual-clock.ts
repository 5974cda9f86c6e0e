import { setImmediate as realImmediate } from 'node:timers/promises';
import type { Clock, Instant } from '../../src/base/clock.js';

type Timer = { readonly atMs: number; readonly fire: () => void };

/** More deferred calls than this in one flush is a loop that defers itself for ever. */
const FLUSH_MAX = 100_000;

/**
 * Time that moves only when a test says so. All three clocks of a machine run together unless a test pulls them apart;
 * timers run on the monotonic one. Timers due together fire in the order they were set.
 */
export class VirtualClock implements Clock {
  #monoMs = 1_000;
  #wallMs = 1_750_000_000_000;
  #uptimeMs = 50_000;
  #timers: Timer[] = [];
  #deferred: (() => void)[] = [];

  nowMs(): number {
    return this.#monoMs;
  }

  now(): Instant {
    return { monoMs: this.#monoMs, wallMs: this.#wallMs, uptimeMs: this.#uptimeMs };
  }

  wallMs(): number {
    return this.#wallMs;
  }

  after(delayMs: number, fire: () => void): () => void {
    const timer = { atMs: this.#monoMs + Math.max(0, delayMs), fire };
    this.#timers.push(timer);
    return () => this.#forget(timer);
  }

  defer(fire: () => void): void {
    this.#deferred.push(fire);
  }

  /** Someone sets the date: forward or, with a negative number, back. No timer fires. */
  jumpWall(byMs: number): void {
    this.#wallMs += byMs;
  }

  /** The machine sleeps and wakes: wall clock and uptime go on, the monotonic clock and its timers stood still. */
  suspend(forMs: number): void {
    this.#wallMs += forMs;
    this.#uptimeMs += forMs;
  }

  /** Time passes and no timer fires: a process that was paused and reads its sockets before it gets to its timers. */
  stall(forMs: number): void {
    this.#moveTo(this.#monoMs + forMs);
  }

  /** Runs what was deferred and every timer that comes due within `byMs`, each at its own moment. */
  advance(byMs: number): void {
    const untilMs = this.#monoMs + byMs;
    this.flushDeferred();
    for (let timer = this.#earliest(untilMs); timer !== undefined; timer = this.#earliest(untilMs)) {
      this.#fire(timer);
    }
    this.#moveTo(Math.max(untilMs, this.#monoMs));
  }

  /** As advance(), for code that awaits: promises settle before, between and after the timers. */
  async elapse(byMs: number): Promise<void> {
    const untilMs = this.#monoMs + byMs;
    await this.settle();
    for (let timer = this.#earliest(untilMs); timer !== undefined; timer = this.#earliest(untilMs)) {
      this.#fire(timer);
      await this.settle();
    }
    this.#moveTo(Math.max(untilMs, this.#monoMs));
  }

  /** Lets every promise and deferred call that can run now run. Time stands still. */
  async settle(): Promise<void> {
    do {
      this.flushDeferred();
      await realImmediate();
    } while (this.#deferred.length > 0);
  }

  /** Runs deferred calls in order, those that they defer included. */
  flushDeferred(): void {
    let count = 0;
    for (let fire = this.#deferred.shift(); fire !== undefined; fire = this.#deferred.shift()) {
      if (++count > FLUSH_MAX) throw new Error(`more than ${FLUSH_MAX} deferred calls in one flush`);
      fire();
    }
  }

  /** How many timers are set: 0 shows that a closed thing left none behind. */
  get timerCount(): number {
    return this.#timers.length;
  }

  #fire(timer: Timer): void {
    this.#forget(timer);
    this.#moveTo(Math.max(timer.atMs, this.#monoMs));
    timer.fire();
    this.flushDeferred();
  }

  #moveTo(monoMs: number): void {
    const byMs = monoMs - this.#monoMs;
    this.#monoMs += byMs;
    this.#wallMs += byMs;
    this.#uptimeMs += byMs;
  }

  #earliest(untilMs: number): Timer | undefined {
    let earliest: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.atMs <= untilMs && (earliest === undefined || timer.atMs < earliest.atMs)) earliest = timer;
    }
    return earliest;
  }

  #forget(timer: Timer): void {
    this.#timers = this.#timers.filter((other) => other !== timer);
  }
}
