import type { Instant } from '../base/clock.js';
import { LeaseWait, waitMsOf } from '../model/lease.js';
import type { ClusterView } from './view.js';

/**
 * When the committed wait may follow a lease that was lowered: after one whole former wait under this leader since it
 * first saw that lease (DESIGN 3.3), for leases of the former length are out for so long. By all clocks, as every wait.
 */
export class WaitSettler {
  #seen: { readonly leaseNumber: number; readonly wait: LeaseWait } | undefined;

  /** Milliseconds until it may; 0: now. Undefined: the wait is what the lease needs. */
  leftMs({ lease, leaseNumber, waitMs }: ClusterView, now: Instant): number | undefined {
    if (waitMs <= waitMsOf(lease)) {
      this.#seen = undefined;
      return undefined;
    }
    // Another lease was set: it may have been raised and lowered meanwhile.
    if (this.#seen?.leaseNumber !== leaseNumber) this.#seen = { leaseNumber, wait: new LeaseWait(now) };
    return this.#seen.wait.leftMsAt(now, waitMs);
  }
}
