import type { Clock, Instant } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import { DEFAULT_LEASE_TERMS, Lease, type LeaseTerms, type RenewalPace, renewalPaceOf } from '../model/lease.js';
import type { Renewal, RenewCall } from '../store/client.js';
import type { AllocEvent } from './events.js';
import { Notices } from './notices.js';

/**
 * How long an attempt goes on waiting for its reply, in ms, while newer ones are on their way: a leader whose disk is slow
 * answers late, and a late reply still brings what is left of a lease counted from the send.
 */
const REPLY_TIMEOUT_MS = 1_000;
/** Renewals on their way at once: twice what the pace alone makes of REPLY_TIMEOUT_MS, and a bound on renewNow(). */
const ATTEMPTS_IN_FLIGHT_MAX = 8;

export interface LeaseKeeperOptions {
  readonly clock: Clock;
  /** The pace of renewals, in ms; never slower than a quarter of the lease that the last renewal brought. */
  readonly renewEveryMs: number;
  readonly observe: Observer<AllocEvent>;
  /** Exactly one attempt on the wire, sent before it returns; rejects with a SeqError. */
  readonly renewOnce: (call: RenewCall) => Promise<Renewal>;
  /** Takes the table in, BEFORE the lease counts: a lease on an old table would serve what was given away. May throw a SeqError. */
  readonly adopt: (renewal: Renewal) => void;
  /** With the terms that the renewal brought. */
  readonly onRenewed: (terms: LeaseTerms) => void;
  readonly onError: (error: SeqError) => void;
}

/**
 * Keeps the lease of one incarnation alive. Timers only decide when to ask; whether the lease holds is computed from
 * the clock by whoever serves a request, after the request was received (`isValidAt`), and never kept in a flag: a
 * paused process runs its socket callbacks before its timers.
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #clock: Clock;
  readonly #failures: Notices;
  #lease = Lease.none;
  #pace: RenewalPace;
  /** Counts the renewals sent. */
  #attempt = 0;
  /** The renewal that brought the lease. */
  #leaseAttempt = 0;
  /** A lease counts only if this renewal or a later one brought it. */
  #freshFrom = 0;
  /** When the lease was last seen to hold, and then not to; for what is told only. */
  #isHeld = false;
  #lostAtMs: number | undefined;
  #inFlightCount = 0;
  #cancelNext: () => void = () => {};
  #isStopped = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#failures = new Notices({ clock: options.clock });
    this.#pace = renewalPaceOf({ ...DEFAULT_LEASE_TERMS, renewEveryMs: options.renewEveryMs });
  }

  isValidAt(now: Instant): boolean {
    return this.leftMsAt(now) > 0;
  }

  /** Milliseconds left; 0 while there is no lease that counts. */
  leftMsAt(now: Instant): number {
    return this.#leaseAttempt < this.#freshFrom ? 0 : this.#lease.leftMsAt(now);
  }

  /** Something happened to time: no lease counts any more but one by a renewal sent from now on, and that is sent at once. */
  requireFresh(): void {
    this.#freshFrom = this.#attempt + 1;
    this.renewNow();
  }

  /** Tells when the lease was lost, for people: whoever serves asks isValidAt(). */
  look(now: Instant): void {
    if (!this.#isHeld || this.#isStopped || this.isValidAt(now)) return;
    this.#isHeld = false;
    this.#lostAtMs = now.monoMs;
    this.#options.observe({ type: 'leaseLost' });
  }

  /** Sends a renewal now and keeps renewing until stop(). */
  start(): void {
    this.#send();
  }

  /** Sends a renewal now, out of turn: to learn the newest table, or that we are no longer who we think we are. */
  renewNow(): void {
    if (!this.#isStopped) this.#send();
  }

  /** No more renewals. The lease is left to run out by itself. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelNext();
  }

  #send(): void {
    // No reply and no error, for whatever reason: the next attempt goes out all the same.
    const { attemptMs, retryAfterMs } = this.#pace;
    this.#sendAfter(attemptMs + retryAfterMs);
    if (this.#inFlightCount >= ATTEMPTS_IN_FLIGHT_MAX) return;
    const attempt = ++this.#attempt;
    this.#inFlightCount += 1;
    // The lease counts from here: the clock is read BEFORE the send, and this reading stays with this very attempt.
    const sentAt = this.#clock.now();
    void this.#options.renewOnce({ timeoutMs: REPLY_TIMEOUT_MS, moveOnAfterMs: attemptMs }).then(
      (renewal) => this.#renewed({ attempt, sentAt, renewal }),
      (error: unknown) => this.#failed(attempt, error),
    );
  }

  #renewed({ attempt, sentAt, renewal }: { readonly attempt: number; readonly sentAt: Instant; readonly renewal: Renewal }): void {
    if (this.#isStopped) return;
    const error = caught(() => this.#options.adopt(renewal));
    if (error !== undefined) return this.#failed(attempt, error);
    // adopt() may have found out that this incarnation is over.
    if (this.#isStopped) return;
    this.#inFlightCount -= 1;
    const now = this.#clock.now();
    this.look(now);
    // Replies may cross: the renewal that was sent last counts, with the terms that it brought.
    if (attempt > this.#leaseAttempt) this.#take({ attempt, sentAt, leaseMs: renewal.lease.leaseMs });
    this.#tellRegained(now);
    const tookMs = now.monoMs - sentAt.monoMs;
    if (attempt === this.#attempt) {
      this.#sendAfter(this.#pace.everyMs - tookMs);
      // A late answer is no sign that all is well: with a slow leader, failures at its followers come in between.
      this.#failures.seriesEnded();
    }
    this.#options.observe({ type: 'leaseRenewed', leftMs: this.leftMsAt(now), tookMs });
    this.#options.onRenewed(renewal.lease);
  }

  #take({ attempt, sentAt, leaseMs }: { readonly attempt: number; readonly sentAt: Instant; readonly leaseMs: number }): void {
    this.#lease = Lease.renewed({ sentAt, leaseMs });
    this.#leaseAttempt = attempt;
    const { renewEveryMs } = this.#options;
    const pace = renewalPaceOf({ leaseMs, renewEveryMs });
    if (pace.everyMs < renewEveryMs && pace.everyMs !== this.#pace.everyMs)
      this.#options.observe({ type: 'renewalsSpedUp', leaseMs, everyMs: pace.everyMs });
    this.#pace = pace;
  }

  #tellRegained(now: Instant): void {
    if (this.#isHeld || !this.isValidAt(now)) return;
    this.#isHeld = true;
    if (this.#lostAtMs !== undefined) this.#options.observe({ type: 'leaseRegained', afterMs: now.monoMs - this.#lostAtMs });
  }

  #failed(attempt: number, error: unknown): void {
    this.#inFlightCount -= 1;
    if (!SeqError.is(error)) throw error;
    if (this.#isStopped) return;
    // A late failure must not disturb the timing of a newer attempt.
    if (attempt === this.#attempt) this.#sendAfter(this.#pace.retryAfterMs);
    const leftMs = this.leftMsAt(this.#clock.now());
    this.#failures.tell((leftOutCount) => this.#options.observe({ type: 'renewalFailed', error, leftMs, leftOutCount }));
    this.#options.onError(error);
  }

  #sendAfter(delayMs: number): void {
    this.#cancelNext();
    this.#cancelNext = this.#clock.after(Math.max(0, delayMs), () => this.#send());
  }
}

function caught(act: () => void): unknown {
  try {
    act();
    return undefined;
  } catch (error) {
    return error;
  }
}
