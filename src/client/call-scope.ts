import { setMaxListeners } from 'node:events';
import { type Clock, sleep } from '../base/clock.js';
import { optional, SeqError } from '../base/errors.js';
import { type StopSignal, Stopper } from '../base/stop.js';

/** No single attempt gets more than this, in ms: a peer that hangs must leave time to ask another one. */
export const ATTEMPT_MAX_MS = 1_000;

/**
 * The frame of one call: its budget, the caller's AbortSignal and the client's close in one signal. Everything that
 * the call waits for heeds `signal`, so nothing outlives the call. End it with end().
 */
export class CallScope {
  readonly timeoutMs: number;
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #stopper = new Stopper();
  readonly #cleanUp: () => void;
  #stopError: SeqError | undefined;
  #stopped: Promise<undefined> | undefined;

  /** `spentMs`: what the call has taken of its budget before. */
  constructor(options: { readonly clock: Clock; readonly timeoutMs: number; readonly signal: AbortSignal | undefined; readonly spentMs?: number }) {
    const { clock, timeoutMs, signal, spentMs = 0 } = options;
    this.timeoutMs = timeoutMs;
    this.#clock = clock;
    const leftMs = Math.max(0, timeoutMs - spentMs);
    this.#deadlineMs = clock.nowMs() + leftMs;
    const cancelTimer = clock.after(leftMs, () => this.#timeOut());
    const onAbort = (): void =>
      this.stop(new SeqError('ABORTED', 'the call was aborted by its signal', optional('cause', signal?.reason as unknown)));
    // Many calls may share the caller's signal: no leak that Node should warn of.
    if (signal !== undefined) setMaxListeners(0, signal);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#cleanUp = () => {
      cancelTimer();
      signal?.removeEventListener('abort', onAbort);
    };
    if (signal?.aborted) onAbort();
  }

  /** Why the call has to end: TIMEOUT, ABORTED or CLOSED. Undefined while it may go on. */
  get stopError(): SeqError | undefined {
    // A busy process may be late with its timers; the budget is over when the clock says so.
    if (this.#stopError === undefined && this.leftMs() === 0) this.#timeOut();
    return this.#stopError;
  }

  /** The first reason counts. */
  stop(error: SeqError): void {
    if (this.#stopError !== undefined) return;
    this.#stopError = error;
    this.#stopper.abort(error);
  }

  leftMs(): number {
    return Math.max(0, this.#deadlineMs - this.#clock.nowMs());
  }

  /** Aborted once the call has to end. */
  get signal(): StopSignal {
    return this.#stopper;
  }

  /** What one attempt on the wire gets when it is sent now. */
  attempt(): { readonly timeoutMs: number; readonly signal: StopSignal } {
    return { timeoutMs: Math.min(ATTEMPT_MAX_MS, this.leftMs()), signal: this.#stopper };
  }

  /** Resolves after `waitMs`, or as soon as the call is stopped. */
  sleep(waitMs: number): Promise<void> {
    return sleep(this.#clock, waitMs, this.#stopper);
  }

  /** Waits for work that several calls share, until it is done or this call is stopped. Does not stop the work. */
  wait<Value>(shared: Promise<Value>): Promise<Value | undefined> {
    // One listener for the whole call, however often it waits.
    this.#stopped ??= new Promise((resolve) => {
      if (this.#stopper.aborted) resolve(undefined);
      else this.#stopper.addEventListener('abort', () => resolve(undefined));
    });
    return Promise.race([shared, this.#stopped]);
  }

  /** Frees the timer and the caller's signal. */
  end(): void {
    this.#cleanUp();
  }

  #timeOut(): void {
    this.stop(new SeqError('TIMEOUT', `the call was not done within its budget of ${this.timeoutMs} ms`));
  }
}
