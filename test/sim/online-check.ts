import type { Operation } from '../../src/verify/operation.js';

/**
 * What can be told of each answer as it comes: a number is above all that had returned before its call began. The exact check of the
 * whole history comes at the end; this one stops a run near the event that broke it.
 */
export class OnlineCheck {
  /** By uid, the largest key that returned, after each operation that raised it. */
  readonly #returned = new Map<bigint, { readonly ns: number; readonly key: bigint }[]>();
  readonly #taken = new Map<bigint, Set<bigint>>();
  readonly #report: (kind: 'uniqueness' | 'order', why: string) => void;
  readonly #holdsOrder: (operation: Operation) => boolean;

  /** `holdsOrder`: whether this call promises order under the clocks of this run. */
  constructor(options: {
    readonly report: (kind: 'uniqueness' | 'order', why: string) => void;
    readonly holdsOrder: (operation: Operation) => boolean;
  }) {
    this.#report = options.report;
    this.#holdsOrder = options.holdsOrder;
  }

  /** In the order of their returns. */
  check(operation: Operation): void {
    const { outcome, uid, client } = operation;
    if (outcome.type !== 'numbers') return;
    const taken = this.#taken.get(uid) ?? new Set();
    this.#taken.set(uid, taken);
    for (let seq = outcome.first; seq <= outcome.last; seq++) {
      if (taken.has(seq)) this.#report('uniqueness', `uid ${uid}: ${seq} was handed out twice, the second time to ${client}`);
      taken.add(seq);
    }
    const before = this.#before(uid, operation.invokedNs);
    if (outcome.first <= before && this.#holdsOrder(operation))
      this.#report('order', `uid ${uid}: ${client} got ${outcome.first} after ${before} had been returned`);
    const returned = this.#returned.get(uid) ?? [];
    if (outcome.last > (returned.at(-1)?.key ?? 0n)) returned.push({ ns: operation.returnedNs, key: outcome.last });
    this.#returned.set(uid, returned);
  }

  #before(uid: bigint, ns: number): bigint {
    const returned = this.#returned.get(uid) ?? [];
    for (let at = returned.length - 1; at >= 0; at--) {
      const one = returned[at];
      if (one !== undefined && one.ns < ns) return one.key;
    }
    return 0n;
  }
}
