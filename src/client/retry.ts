import { optional, SeqError } from '../base/errors.js';
import { backoffMs, type Random } from '../base/random.js';
import type { RetryOptions } from './options.js';

/** How many redirects in a row one try follows: two nodes that point at each other must not keep a call busy. */
export const HOPS_MAX = 3;

/** What to do after a failed try. */
export type Step =
  /** Ask `address` at once: a server that knows better named it. */
  | { readonly type: 'follow'; readonly address: string }
  /** Wait, and learn the newest route before the next try when `refresh` is set. */
  | { readonly type: 'wait'; readonly waitMs: number; readonly refresh: boolean }
  | { readonly type: 'giveUp' };

/** The decisions of one call, in order: pure but for the dice of the backoff. */
export class Course {
  readonly #retry: Required<RetryOptions>;
  readonly #random: Random;
  #tries = 1;
  #hops = 0;

  constructor(options: { readonly retry: Required<RetryOptions>; readonly random: Random }) {
    this.#retry = options.retry;
    this.#random = options.random;
  }

  /** `leftMs`: what is left of the whole call's budget. */
  after(error: SeqError, leftMs: number): Step {
    if (!error.retryable) return { type: 'giveUp' };
    const address = redirectOf(error);
    if (address !== undefined && this.#hops < HOPS_MAX) {
      this.#hops++;
      return { type: 'follow', address };
    }
    if (this.#tries >= this.#retry.maxAttempts) return { type: 'giveUp' };
    const adviceMs = error.retryAfterMs ?? 0;
    // Sleeping through the whole budget helps nobody: the caller learns now when to come back.
    if (adviceMs >= leftMs) return { type: 'giveUp' };
    const jitterMs = backoffMs(this.#random, { attempt: this.#tries - 1, baseMs: this.#retry.baseMs, maxMs: this.#retry.maxMs });
    this.#tries++;
    this.#hops = 0;
    // A full queue says nothing about the route.
    return { type: 'wait', waitMs: Math.max(jitterMs, adviceMs), refresh: error.code !== 'RESOURCE_EXHAUSTED' };
  }
}

/** Where a refusal sends its caller; undefined when it names nobody, or the node that refused. */
export function redirectOf(error: SeqError | undefined): string | undefined {
  if (error?.code !== 'NOT_OWNER' || error.redirect?.address === error.endpoint) return undefined;
  return error.redirect?.address;
}

/** What went wrong in one call so far; makes the error that its caller sees. */
export class Trouble {
  #attempts = 0;
  #isDefinite = true;
  #last: SeqError | undefined;

  /** `isCut`: the call itself ended this attempt, so its error is only an echo of that end. */
  note(error: SeqError, isCut: boolean): void {
    this.#attempts += error.attempts;
    // One attempt that may have taken a number is enough: the call as a whole may have taken one.
    this.#isDefinite &&= error.definite;
    if (!isCut) this.#last = toShown(error);
  }

  /** The error of a call that gave up after `error`, the last one noted. */
  gaveUp(error: SeqError): SeqError {
    return toShown(error).with({ definite: this.#isDefinite, attempts: this.#attempts });
  }

  /** The error of a call that was stopped: TIMEOUT, ABORTED or CLOSED, with the last failure as its cause unless it has one. */
  stopped(stop: SeqError): SeqError {
    const last = this.#last;
    return new SeqError(stop.code, last === undefined ? stop.message : `${stop.message}; the last failure was ${last.code}: ${last.message}`, {
      definite: this.#isDefinite,
      attempts: this.#attempts,
      ...optional('cause', stop.cause ?? last),
      ...optional('endpoint', last?.endpoint),
    });
  }
}

/** NOT_OWNER and NOT_LEADER are words between our own parts: the caller of a client cannot act on them. */
function toShown(error: SeqError): SeqError {
  if (error.code !== 'NOT_OWNER' && error.code !== 'NOT_LEADER') return error;
  return new SeqError('UNAVAILABLE', error.message, {
    definite: error.definite,
    attempts: error.attempts,
    ...optional('cause', error.cause),
    ...optional('endpoint', error.endpoint),
    ...optional('retryAfterMs', error.retryAfterMs),
  });
}
