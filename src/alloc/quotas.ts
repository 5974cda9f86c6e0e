import { SeqError } from '../base/errors.js';
import { TokenBucket } from './token-bucket.js';

/** Callers whose use is remembered; beyond it the one that came longest ago begins anew. */
export const CALLERS_MAX = 10_000;
/** No caller is told to wait longer than this, in ms, however deep its debt: limits may be lifted meanwhile. */
export const QUOTA_RETRY_AFTER_MAX_MS = 10_000;

/** What each caller may do. 0: as much as it likes. */
export interface Limits {
  readonly operationsPerSecond: number;
  /** Numbers handed out, which a range takes many of at once. */
  readonly numbersPerSecond: number;
  /** As much as this time brings may come at once, in ms. */
  readonly burstMs: number;
}

/** What one caller uses, whatever it calls by. */
export class Quota {
  readonly #caller: string;
  readonly #limits: Limits;
  readonly #operations: TokenBucket | undefined;
  readonly #numbers: TokenBucket | undefined;

  constructor(caller: string, limits: Limits, nowMs: number) {
    const bucket = (perSecond: number): TokenBucket | undefined =>
      perSecond === 0 ? undefined : new TokenBucket({ perSecond, burst: (perSecond * limits.burstMs) / 1_000 }, nowMs);
    this.#caller = caller;
    this.#limits = limits;
    this.#operations = bucket(limits.operationsPerSecond);
    this.#numbers = bucket(limits.numbersPerSecond);
  }

  /** Undefined: so many operations may go on, and are counted. Otherwise RESOURCE_EXHAUSTED, and nothing is counted. */
  refusal(opCount: number, nowMs: number): SeqError | undefined {
    const { operationsPerSecond, numbersPerSecond } = this.#limits;
    const opsWaitMs = this.#operations?.waitMs(nowMs) ?? 0;
    if (opsWaitMs > 0) return this.#exhausted(`${operationsPerSecond} operations`, opsWaitMs);
    const numbersWaitMs = this.#numbers?.waitMs(nowMs) ?? 0;
    if (numbersWaitMs > 0) return this.#exhausted(`${numbersPerSecond} numbers`, numbersWaitMs);
    this.#operations?.take(opCount);
    return undefined;
  }

  /** So many numbers went to it, or will. */
  took(numberCount: number): void {
    this.#numbers?.take(numberCount);
  }

  #exhausted(what: string, waitMs: number): SeqError {
    const message = `${this.#caller} may take ${what} a second, and has taken more`;
    return new SeqError('RESOURCE_EXHAUSTED', message, { retryAfterMs: Math.min(waitMs, QUOTA_RETRY_AFTER_MAX_MS) });
  }
}

/** The quotas of all callers of one AllocSvr. */
export class Quotas {
  readonly #limits: Limits;
  /** In the order in which they were last looked up. */
  readonly #quotas = new Map<string, Quota>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  of(caller: string, nowMs: number): Quota {
    const quota = this.#quotas.get(caller) ?? new Quota(caller, this.#limits, nowMs);
    this.#quotas.delete(caller);
    this.#quotas.set(caller, quota);
    if (this.#quotas.size > CALLERS_MAX) this.#forgetFirst();
    return quota;
  }

  #forgetFirst(): void {
    const [first] = this.#quotas.keys();
    if (first !== undefined) this.#quotas.delete(first);
  }
}

/** Undefined: nothing is limited. */
export function quotasOf(limits: Limits): Quotas | undefined {
  return limits.operationsPerSecond === 0 && limits.numbersPerSecond === 0 ? undefined : new Quotas(limits);
}
