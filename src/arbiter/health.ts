import type { Instant } from '../base/clock.js';
import type { Incarnation } from '../model/ids.js';
import { type LeaseTerms, LeaseWait, shortestMs } from '../model/lease.js';

/** For so many waits the brake counts who fell silent and was taken over. */
const REMEMBERED_WAITS = 3;

/**
 * Who was heard when, under one leader. The lease renewal is the heartbeat.
 *
 * What former leaders answered is unknown, so every run that was not heard under this one counts as heard at the
 * moment it became leader (DESIGN 3.3).
 */
export class Health {
  readonly #leadingSince: Instant;
  readonly #waits = new Map<Incarnation, LeaseWait>();
  readonly #heardAt = new Map<Incarnation, Instant>();
  #newestAt: Instant;

  constructor(leadingSince: Instant) {
    this.#leadingSince = leadingSince;
    this.#newestAt = leadingSince;
  }

  /** A renewal of this run was answered: its wait begins again. */
  heard(incarnation: Incarnation, now: Instant): void {
    if (!this.#heardAt.has(incarnation)) this.#newestAt = now;
    this.#heardAt.set(incarnation, now);
    this.#waitOf(incarnation).heard(now);
  }

  /** It renewed under this leader, within its lease. */
  isLiving(incarnation: Incarnation, now: Instant, { leaseMs }: LeaseTerms): boolean {
    const heardAt = this.#heardAt.get(incarnation);
    return heardAt !== undefined && now.monoMs - heardAt.monoMs < leaseMs;
  }

  /** Milliseconds until its lease is surely over; 0: it is. */
  leftMs(incarnation: Incarnation, now: Instant, waitMs: number): number {
    return this.#waitOf(incarnation).leftMsAt(now, waitMs);
  }

  /** It missed two renewals or more: half a lease without one (checkRenewal). Who was never heard counts from becoming leader. */
  isSilent(incarnation: Incarnation, now: Instant, { leaseMs }: LeaseTerms): boolean {
    const since = this.#heardAt.get(incarnation) ?? this.#leadingSince;
    return now.monoMs - since.monoMs > leaseMs / 2;
  }

  /** It was heard under this leader within the last few waits. */
  isRemembered(incarnation: Incarnation, now: Instant, waitMs: number): boolean {
    const heardAt = this.#heardAt.get(incarnation);
    return heardAt !== undefined && now.monoMs - heardAt.monoMs <= waitMs * REMEMBERED_WAITS;
  }

  /** Milliseconds since the last answered renewal under this leader; undefined when there was none. */
  heardMsAgo(incarnation: Incarnation, now: Instant): number | undefined {
    const heardAt = this.#heardAt.get(incarnation);
    return heardAt === undefined ? undefined : Math.max(0, shortestMs(heardAt, now));
  }

  /** Milliseconds since the last newcomer: a run that was heard for the first time under this leader. */
  quietMs(now: Instant): number {
    return now.monoMs - this.#newestAt.monoMs;
  }

  /** Forgets runs that nobody asks about any more. */
  keepOnly(incarnations: ReadonlySet<Incarnation>): void {
    for (const incarnation of this.#waits.keys()) if (!incarnations.has(incarnation)) this.#waits.delete(incarnation);
    for (const incarnation of this.#heardAt.keys()) if (!incarnations.has(incarnation)) this.#heardAt.delete(incarnation);
  }

  #waitOf(incarnation: Incarnation): LeaseWait {
    let wait = this.#waits.get(incarnation);
    if (wait === undefined) {
      wait = new LeaseWait(this.#leadingSince);
      this.#waits.set(incarnation, wait);
    }
    return wait;
  }
}
