import { unreachable } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { messageOf, optional, SeqError } from '../base/errors.js';
import { backoffMs, type Random } from '../base/random.js';

/** What one caller grants one call, retries and waits included. */
export interface StoreCall {
  /** For the whole call, in ms; above 0. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

const BACKOFF_BASE_MS = 50;
const BACKOFF_MAX_MS = 500;
/** An attempt never gets longer than this, in ms, however slow the leader's disk. */
const ATTEMPT_TIMEOUT_MAX_MS = 2_000;
/** A retry with less time than this, in ms, would be cut short and only turn "certainly not" into "unknown". */
const RETRY_MIN_MS = 20;

/**
 * Keeps the books of one call: the time left, the attempts made, and whether any of them may have been carried out.
 * Once one may have, no later refusal can say "certainly not" for the call as a whole.
 */
export class CallBudget {
  readonly #what: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #call: StoreCall;
  readonly #attemptTimeoutMs: number;
  /** Attempts made in quick succession before the call pauses. */
  readonly #triesPerRound: number;
  readonly #deadlineMs: number;
  #attempts = 0;
  #timeouts = 0;
  #rounds = 0;
  #mayHaveHappened = false;
  #last: SeqError | undefined;

  /** `what`: the name of the call, for messages. */
  constructor(options: {
    readonly what: string;
    readonly clock: Clock;
    readonly random: Random;
    readonly call: StoreCall;
    readonly attemptTimeoutMs: number;
    readonly triesPerRound: number;
  }) {
    this.#what = options.what;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#call = options.call;
    this.#attemptTimeoutMs = options.attemptTimeoutMs;
    this.#triesPerRound = options.triesPerRound;
    this.#deadlineMs = options.clock.nowMs() + options.call.timeoutMs;
  }

  /**
   * The deadline of the next attempt, in ms from now; 0 when the budget is spent. It doubles with each attempt that
   * timed out: a leader whose disk takes longer than one attempt must still get to answer.
   */
  get attemptMs(): number {
    if (this.#attempts > 0 && this.#leftMs < RETRY_MIN_MS) return 0;
    const patienceMs = Math.min(ATTEMPT_TIMEOUT_MAX_MS, this.#attemptTimeoutMs * 2 ** Math.min(this.#timeouts, 10));
    return Math.max(0, Math.min(patienceMs, this.#leftMs));
  }

  failed(error: SeqError): void {
    this.#attempts += 1;
    if (error.code === 'TIMEOUT') this.#timeouts += 1;
    if (!error.definite) this.#mayHaveHappened = true;
    this.#last = error;
  }

  /** How long to pause before the next attempt, in ms: 0 within a round, backoff with jitter between rounds. */
  pauseMs(): number {
    const adviceMs = this.#last?.retryAfterMs ?? 0;
    const isRoundOver = this.#attempts % this.#triesPerRound === 0;
    const backMs = isRoundOver ? backoffMs(this.#random, { attempt: this.#rounds++, baseMs: BACKOFF_BASE_MS, maxMs: BACKOFF_MAX_MS }) : 0;
    return Math.max(0, Math.min(this.#leftMs, Math.max(adviceMs, backMs)));
  }

  /** The error for the caller when `error` ends the call. */
  refusal(error: SeqError): SeqError {
    return error.with({ definite: error.definite && !this.#mayHaveHappened, attempts: this.#attempts });
  }

  /** The error for the caller when the budget or the caller's patience has ended. NOT_LEADER never leaves this file. */
  spent(): SeqError {
    const { signal, timeoutMs } = this.#call;
    const definite = !this.#mayHaveHappened;
    if (signal?.aborted) {
      const reason = optional('cause', signal.reason as unknown);
      return new SeqError('ABORTED', `${this.#what} was aborted by its signal`, { definite, attempts: this.#attempts, ...reason });
    }
    const code = this.#last === undefined || this.#last.code === 'TIMEOUT' ? 'TIMEOUT' : 'UNAVAILABLE';
    const why = this.#last === undefined ? 'no attempt was made' : `last: ${messageOf(this.#last)}`;
    return new SeqError(code, `no StoreSvr leader answered ${this.#what} within ${timeoutMs}ms (${this.#attempts} attempts, ${why})`, {
      definite,
      attempts: this.#attempts,
      ...optional('cause', this.#last),
      ...optional('endpoint', this.#last?.endpoint),
    });
  }

  get #leftMs(): number {
    return this.#deadlineMs - this.#clock.nowMs();
  }
}

/** May the same request succeed later or at another StoreSvr? */
export function isWorthRetrying(error: SeqError): boolean {
  switch (error.code) {
    case 'NOT_LEADER':
    case 'UNAVAILABLE':
    case 'TIMEOUT':
    case 'RESOURCE_EXHAUSTED':
      return true;
    // A bare gRPC status or a closing server: another one may do better. Without an endpoint it is our own end.
    case 'PROTOCOL':
    case 'CLOSED':
      return error.endpoint !== undefined;
    case 'INVALID_ARGUMENT':
    case 'OUT_OF_RANGE':
    case 'NOT_OWNER':
    case 'ABORTED':
    case 'UNAUTHENTICATED':
    case 'PERMISSION_DENIED':
    case 'WOULD_LOSE_QUORUM':
      return false;
    default:
      return unreachable(error.code);
  }
}
