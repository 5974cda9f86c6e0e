import type { Clock } from '../base/clock.js';

/** What one address may get wrong at once. */
export const FAULTS_MAX = 256;
/** What of it is forgotten each second. */
export const FAULTS_FORGOTTEN_PER_SECOND = 20;
/** No debt is larger, so that an address is heard again after a time that can be told: 12.8 s at most. */
const DEBT_MAX = 2 * FAULTS_MAX;
/** Addresses that are remembered; beyond it the one that came first is forgotten. */
export const ADDRESSES_MAX = 10_000;

interface Debt {
  faults: number;
  /** When that was right. */
  asOfMs: number;
}

/**
 * Who breaks the rules of the protocol, by address of the network: requests that cannot be read or are taken back before they came, frames that no client
 * sends. An address with too many faults is not let in until some are forgotten, so that what it costs is bounded by their rate.
 */
export class FaultLedger {
  readonly #clock: Clock;
  readonly #debts = new Map<string, Debt>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether it may still come in. */
  isTrusted(address: string): boolean {
    const debt = this.#debts.get(address);
    if (debt === undefined) return true;
    this.#forget(debt);
    if (debt.faults === 0) this.#debts.delete(address);
    return debt.faults < FAULTS_MAX;
  }

  /** Returns whether it is still trusted. */
  blame(address: string, count = 1): boolean {
    let debt = this.#debts.get(address);
    if (debt === undefined) {
      debt = { faults: 0, asOfMs: this.#clock.nowMs() };
      this.#debts.set(address, debt);
      if (this.#debts.size > ADDRESSES_MAX) this.#forgetFirst();
    }
    this.#forget(debt);
    debt.faults = Math.min(DEBT_MAX, debt.faults + count);
    return debt.faults < FAULTS_MAX;
  }

  #forget(debt: Debt): void {
    const nowMs = this.#clock.nowMs();
    debt.faults = Math.max(0, debt.faults - ((nowMs - debt.asOfMs) / 1_000) * FAULTS_FORGOTTEN_PER_SECOND);
    debt.asOfMs = nowMs;
  }

  #forgetFirst(): void {
    const [first] = this.#debts.keys();
    if (first !== undefined) this.#debts.delete(first);
  }
}
