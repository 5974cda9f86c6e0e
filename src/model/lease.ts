import type { Instant } from '../base/clock.js';
import { SeqError } from '../base/errors.js';

/** Lease arithmetic that everybody must agree on; committed in the Raft log. */
export interface LeaseTerms {
  /** How long one confirmed renewal lets an AllocSvr serve, in ms. */
  readonly leaseMs: number;
  /** How far the rate of a clock may be off, in parts per million. */
  readonly driftPpm: number;
  /** Added to the arbiter's wait for what the drift bound leaves out, in ms. */
  readonly marginMs: number;
}

/** DESIGN 3.3: an election (two rounds of at most 1 s) never costs a lease. */
export const DEFAULT_LEASE_TERMS: LeaseTerms = { leaseMs: 3000, driftPpm: 10_000, marginMs: 100 };
export const DEFAULT_RENEW_EVERY_MS = 500;
export const LEASE_MIN_MS = 50;
export const LEASE_MAX_MS = 600_000;
export const DRIFT_MAX_PPM = 200_000;
export const MARGIN_MAX_MS = 60_000;

/** How long the arbiter waits after the last renewal it could have answered: lease x (1 + drift) / (1 - drift) + margin. */
export function waitMsOf({ leaseMs, driftPpm, marginMs }: LeaseTerms): number {
  const drift = driftPpm / 1e6;
  return Math.ceil((leaseMs * (1 + drift)) / (1 - drift) + marginMs);
}

/** Throws INVALID_ARGUMENT with the arithmetic when these terms could not be kept. */
export function checkLeaseTerms({ leaseMs, driftPpm, marginMs }: LeaseTerms): void {
  if (!Number.isInteger(leaseMs) || leaseMs < LEASE_MIN_MS || leaseMs > LEASE_MAX_MS) {
    throw new SeqError('INVALID_ARGUMENT', `lease must be 50ms to 10m, got ${leaseMs}ms`);
  }
  if (!Number.isInteger(driftPpm) || driftPpm < 0 || driftPpm > DRIFT_MAX_PPM) {
    throw new SeqError('INVALID_ARGUMENT', `drift must be 0 to 200000 ppm (20 %), got ${driftPpm}`);
  }
  if (!Number.isInteger(marginMs) || marginMs < 0 || marginMs > MARGIN_MAX_MS) {
    throw new SeqError('INVALID_ARGUMENT', `lease margin must be 0 to 60s, got ${marginMs}ms`);
  }
}

/** Throws INVALID_ARGUMENT, with the arithmetic, when renewals at this pace could not keep a lease of `leaseMs` alive. */
export function checkRenewal({ leaseMs, renewEveryMs }: { leaseMs: number; renewEveryMs: number }): void {
  if (renewEveryMs * 4 > leaseMs) {
    throw new SeqError(
      'INVALID_ARGUMENT',
      `renewEvery x 4 must not exceed lease: ${renewEveryMs}ms x 4 = ${renewEveryMs * 4}ms > ${leaseMs}ms; shorten renewEvery or lengthen lease`,
    );
  }
}

/** DESIGN 3.3: what one renewal may take, in ms, before the next one is sent, to another StoreSvr; less when leases are short. */
const ATTEMPT_MS = 200;
/** How soon a failed renewal is repeated, in ms; sooner when leases are short. */
const RETRY_AFTER_MS = 50;

export interface RenewalPace {
  /** From one renewal that was answered to the next one. */
  readonly everyMs: number;
  readonly attemptMs: number;
  readonly retryAfterMs: number;
}

/**
 * How a lease is kept: one renewal in a quarter of it at least, and when they are lost the rest of it has room for four more.
 * With the defaults a lease outlasts two election rounds after the last renewal that a leader answered, and one more attempt.
 */
export function renewalPaceOf({ leaseMs, renewEveryMs }: { leaseMs: number; renewEveryMs: number }): RenewalPace {
  return {
    everyMs: Math.min(renewEveryMs, leaseMs / 4),
    attemptMs: Math.min(ATTEMPT_MS, leaseMs / 8),
    retryAfterMs: Math.min(RETRY_AFTER_MS, leaseMs / 32),
  };
}

/** Throws INVALID_ARGUMENT, with the arithmetic, when two rounds of a Raft election could outlast a lease. */
export function checkElection({ leaseMs, electionMaxMs }: { leaseMs: number; electionMaxMs: number }): void {
  if (electionMaxMs * 2 >= leaseMs) {
    throw new SeqError(
      'INVALID_ARGUMENT',
      `a lease must outlast two election rounds: lease ${leaseMs}ms <= 2 x ${electionMaxMs}ms; lengthen lease or shorten election`,
    );
  }
}

/** Time passed from `from` to `to`, by the clock that says the most: for one who must stop in time. */
export function longestMs(from: Instant, to: Instant): number {
  return Math.max(to.monoMs - from.monoMs, to.wallMs - from.wallMs, to.uptimeMs - from.uptimeMs);
}

/** Time passed from `from` to `to`, by the clock that says the least: for one who must wait long enough. */
export function shortestMs(from: Instant, to: Instant): number {
  return Math.min(to.monoMs - from.monoMs, to.wallMs - from.wallMs, to.uptimeMs - from.uptimeMs);
}

/**
 * One incarnation's right to serve, until a moment on its own clocks. A value: no timer, no flag; asked each time.
 *
 * Counted from when the renewal was SENT. The leader confirmed the routing after that moment, so this count ends
 * before the arbiter's wait does. It is over as soon as ANY clock says so, for suspend stops the monotonic one.
 */
export class Lease {
  static readonly none = new Lease(undefined, 0);
  readonly #sentAt: Instant | undefined;
  readonly #leaseMs: number;

  private constructor(sentAt: Instant | undefined, leaseMs: number) {
    this.#sentAt = sentAt;
    this.#leaseMs = leaseMs;
  }

  static renewed(renewal: { readonly sentAt: Instant; readonly leaseMs: number }): Lease {
    return new Lease(renewal.sentAt, renewal.leaseMs);
  }

  /** Ask again after each receipt of a request; an answer does not keep. */
  isValidAt(now: Instant): boolean {
    return this.leftMsAt(now) > 0;
  }

  /** Milliseconds left, by the clock that leaves the least; 0 when over or never granted. */
  leftMsAt(now: Instant): number {
    return this.#sentAt === undefined ? 0 : Math.max(0, this.#leaseMs - longestMs(this.#sentAt, now));
  }
}

/**
 * The arbiter's wait for one incarnation: since the last renewal that it could have answered. Over only when ALL
 * clocks say so. A clock that stepped back starts the wait again, once; after that only the monotonic clock counts,
 * so that no clock can block it for longer.
 */
export class LeaseWait {
  #since: Instant;
  #restarted = false;

  constructor(since: Instant) {
    this.#since = since;
  }

  heard(now: Instant): void {
    this.#since = now;
    this.#restarted = false;
  }

  /** Milliseconds still to wait at `now`; 0 when it is over. */
  leftMsAt(now: Instant, waitMs: number): number {
    if (!this.#restarted && shortestMs(this.#since, now) < 0) {
      this.#since = now;
      this.#restarted = true;
    }
    const passedMs = this.#restarted ? now.monoMs - this.#since.monoMs : shortestMs(this.#since, now);
    return Math.max(0, waitMs - passedMs);
  }
}
