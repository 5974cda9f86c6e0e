import type { StopSignal } from './stop.js';
import { uptimeMs } from './uptime.js';

/**
 * One moment as the three clocks of a machine show it, all in milliseconds. A lease needs all three: the monotonic
 * clock stops while a machine is suspended, the wall clock can be set, uptime goes on through a suspend.
 */
export interface Instant {
  readonly monoMs: number;
  readonly wallMs: number;
  readonly uptimeMs: number;
}

/** Time and turns. The simulator and the unit tests bring a twin that moves only when told. */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary origin. Only differences mean anything. */
  nowMs(): number;
  /** All three clocks. Costs about 2 us, so read it once per frame, not once per number. */
  now(): Instant;
  /** The wall clock alone, ms since 1970: for what gRPC wants as a date. Someone may set it, so no lease rests on it alone. */
  wallMs(): number;
  /** Calls `fire` once, no sooner than `delayMs` from now. The returned function cancels it. */
  after(delayMs: number, fire: () => void): () => void;
  /** Calls `fire` after the input that is already waiting has been read (the event loop's check phase). */
  defer(fire: () => void): void;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  now: () => ({ monoMs: performance.now(), wallMs: Date.now(), uptimeMs: uptimeMs() }),
  wallMs: () => Date.now(),
  after(delayMs, fire) {
    const timer = setTimeout(fire, delayMs);
    return () => clearTimeout(timer);
  },
  defer(fire) {
    setImmediate(fire);
  },
};

/** Resolves after `delayMs`, or at once when `signal` is aborted; never rejects. */
export function sleep(clock: Clock, delayMs: number, signal?: StopSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const finish = (): void => {
      cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const cancel = clock.after(delayMs, finish);
    signal?.addEventListener('abort', finish, { once: true });
  });
}

/** Calls `fire` again and again, `everyMs` after the last call returned. The returned function ends it. */
export function every(clock: Clock, everyMs: number, fire: () => void): () => void {
  let cancel = clock.after(everyMs, again);
  function again(): void {
    cancel = clock.after(everyMs, again);
    fire();
  }
  return () => cancel();
}

/** A moment of a wall clock for people and programs: '2026-01-31T12:00:00.000Z'. `wallMs` counts from 1970. */
export function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

/** The moment that a text such as 'Jan 31 12:00:00 2026 GMT' names, in ms since 1970; NaN when it names none. */
export function wallMsOf(text: string): number {
  return Date.parse(text);
}
