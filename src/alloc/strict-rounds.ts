import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import { RAISES_PER_REQUEST_MAX } from '../rpc/limits.js';
import type { OwnedSection, StoreCall } from '../store/client.js';
import type { AllocEvent } from './events.js';
import type { Patience } from './node.js';
import { Notices } from './notices.js';

/** How many calls may wait for rounds; more are told to come back. */
export const STRICT_WAITERS_MAX = 10_000;
/** What the turned-away are told to wait, in ms: a few rounds. */
const QUEUE_FULL_RETRY_AFTER_MS = 50;
/** What the calls of a failed round are told to wait, in ms: about one attempt of the next. */
const FAILED_RETRY_AFTER_MS = 100;
/** No round goes on for longer than this, in ms: it outlasts an election, and calls that are more patient come back. */
const ROUND_TIMEOUT_MAX_MS = 5_000;

/** What a call rests on: one object for each (section, epoch), so that equal ones are the very same. */
export type Claim = OwnedSection;

export interface StrictRoundsOptions {
  readonly clock: Clock;
  readonly observe: Observer<AllocEvent>;
  /** Which of them are ours, by a quorum that was asked after this call began. At most RAISES_PER_REQUEST_MAX. */
  readonly confirm: (sections: readonly OwnedSection[], call: StoreCall) => Promise<readonly boolean[]>;
  readonly onError: (error: SeqError) => void;
  /** Something that we hold for ours is not: our table is old. */
  readonly onDisowned: () => void;
}

interface Waiting {
  readonly claims: readonly Claim[];
  readonly patience: Patience;
  confirmed(owned: ReadonlySet<Claim>): void;
  fail(error: SeqError): void;
}

/**
 * Confirms ownership for STRICT calls: one round at a time for all that wait. A call that comes while a round is on its way
 * waits for the NEXT one: the store may have answered the present one before that call began, and a call must not rest on
 * what was true before it (DESIGN 3.5).
 */
export class StrictRounds {
  readonly #options: StrictRoundsOptions;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  readonly #failures: Notices;
  #queue = new Set<Waiting>();
  /** Calls of failed rounds that were not told yet. */
  #failedCallCount = 0;
  #isScheduled = false;
  #isInFlight = false;

  constructor(options: StrictRoundsOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#failures = new Notices(options);
  }

  /**
   * Resolves with those of `claims` (at most RAISES_PER_REQUEST_MAX) that are ours, by a round that begins after this call.
   * Rejects, always definitely, with UNAVAILABLE when that round failed, TIMEOUT at the deadline of the call, and at once
   * with RESOURCE_EXHAUSTED when STRICT_WAITERS_MAX wait already.
   */
  confirm(claims: readonly Claim[], patience: Patience): Promise<ReadonlySet<Claim>> {
    if (this.#abort.signal.aborted) return Promise.reject(unconfirmed('this AllocSvr stops'));
    if (this.#queue.size >= STRICT_WAITERS_MAX) {
      const message = `${STRICT_WAITERS_MAX} calls wait for a confirmation already`;
      return Promise.reject(new SeqError('RESOURCE_EXHAUSTED', message, { retryAfterMs: QUEUE_FULL_RETRY_AFTER_MS }));
    }
    return new Promise((resolve, reject) => {
      const leftMs = Math.max(0, patience.deadlineMs - this.#clock.nowMs());
      const cancel = this.#clock.after(leftMs, () => {
        this.#queue.delete(waiting);
        reject(new SeqError('TIMEOUT', 'ownership was not confirmed by the StoreSvrs in time', { definite: true }));
      });
      const waiting: Waiting = {
        claims,
        patience,
        confirmed: (owned) => {
          cancel();
          resolve(owned);
        },
        fail: (error) => {
          cancel();
          reject(error);
        },
      };
      this.#queue.add(waiting);
      this.#schedule();
    });
  }

  /** Nobody waits any more. */
  stop(): void {
    this.#abort.abort(new SeqError('CLOSED', 'the AllocSvr stops'));
    for (const waiting of this.#queue) waiting.fail(unconfirmed('this AllocSvr stops'));
    this.#queue.clear();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isInFlight || this.#queue.size === 0 || this.#abort.signal.aborted) return;
    this.#isScheduled = true;
    // All calls of one turn share the round.
    this.#clock.defer(() => {
      this.#isScheduled = false;
      const batch = this.#takeBatch();
      if (batch.calls.length > 0) void this.#run(batch);
    });
  }

  /** Calls in the order they came, as many as fit one request. Those taken no longer count as waiting for a round. */
  #takeBatch(): { readonly calls: Waiting[]; readonly claims: ReadonlySet<Claim> } {
    const calls: Waiting[] = [];
    const claims = new Set<Claim>();
    for (const waiting of this.#queue) {
      if (calls.length > 0 && claims.size + waiting.claims.length > RAISES_PER_REQUEST_MAX) break;
      this.#queue.delete(waiting);
      if (waiting.patience.isCancelled()) {
        waiting.fail(new SeqError('ABORTED', 'the caller went away while it waited', { definite: true }));
        continue;
      }
      calls.push(waiting);
      for (const claim of waiting.claims) claims.add(claim);
    }
    return { calls, claims };
  }

  async #run({ calls, claims }: { readonly calls: readonly Waiting[]; readonly claims: ReadonlySet<Claim> }): Promise<void> {
    const sentAtMs = this.#clock.nowMs();
    const longestMs = calls.reduce((most, { patience }) => Math.max(most, patience.deadlineMs - sentAtMs), 1);
    this.#isInFlight = true;
    try {
      const asked = [...claims];
      const answers = await this.#options.confirm(asked, { timeoutMs: Math.min(longestMs, ROUND_TIMEOUT_MAX_MS), signal: this.#abort.signal });
      const owned = new Set(asked.filter((_, index) => answers[index] === true));
      this.#failures.seriesEnded();
      this.#options.observe({
        type: 'ownershipConfirmed',
        callCount: calls.length,
        sectionCount: asked.length,
        tookMs: this.#clock.nowMs() - sentAtMs,
      });
      for (const call of calls) call.confirmed(owned);
      if (owned.size < asked.length) this.#options.onDisowned();
    } catch (error) {
      if (!SeqError.is(error)) throw error;
      for (const call of calls) call.fail(unconfirmed(error.message, error));
      if (this.#abort.signal.aborted) return;
      this.#failedCallCount += calls.length;
      this.#failures.tell((leftOutCount) => {
        this.#options.observe({ type: 'confirmationFailed', callCount: this.#failedCallCount, error, leftOutCount });
        this.#failedCallCount = 0;
      });
      this.#options.onError(error);
    } finally {
      this.#isInFlight = false;
      this.#schedule();
    }
  }
}

/** Nothing was taken, so it is definite; the next round may succeed. */
function unconfirmed(why: string, cause?: SeqError): SeqError {
  const retryAfterMs = cause?.retryAfterMs ?? FAILED_RETRY_AFTER_MS;
  return new SeqError('UNAVAILABLE', `ownership was not confirmed by the StoreSvrs: ${why}`, { definite: true, retryAfterMs, cause });
}
