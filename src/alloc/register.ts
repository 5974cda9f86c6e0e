import type { Clock } from '../base/clock.js';
import { sleep } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import { backoffMs, type Random } from '../base/random.js';
import type { Caller, Registration } from '../store/client.js';
import type { AllocEvent } from './events.js';
import { isSuperseded, type StorePort } from './store-port.js';

/** The budget of one call, in ms; registering itself goes on until it succeeds or is aborted. */
const REGISTER_TIMEOUT_MS = 5_000;
const RETRY_BASE_MS = 50;
const RETRY_MAX_MS = 1_000;

/**
 * Makes an incarnation known, however long the StoreSvrs take to come up: a whole cluster may be starting. Rejects with
 * the signal's reason when that is aborted, and with what the store refuses for good.
 */
export async function register(options: {
  readonly store: StorePort;
  readonly caller: Caller;
  readonly address: string;
  readonly zone: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly observe: Observer<AllocEvent>;
  readonly signal: AbortSignal;
}): Promise<Registration> {
  const { store, caller, address, zone, clock, random, observe, signal } = options;
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    try {
      const registration = await store.register({ ...caller, address, zone, clusterId: '' }, { timeoutMs: REGISTER_TIMEOUT_MS, signal });
      signal.throwIfAborted();
      return registration;
    } catch (error) {
      signal.throwIfAborted();
      if (!SeqError.is(error) || !error.retryable || isSuperseded(error)) throw error;
      observe({ type: 'registerFailed', error });
    }
    await sleep(clock, backoffMs(random, { attempt, baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS }), signal);
  }
}
