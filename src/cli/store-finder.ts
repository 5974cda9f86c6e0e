import { type Clock, sleep } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { isDialable } from '../model/address.js';
import type { CallOptions, Channel } from '../rpc/channel.js';
import type { ChannelPool } from '../rpc/channel-pool.js';
import type { GetStatusResponse, StoreStatus } from '../rpc/gen/seqsvr/v1/admin.js';
import { RouteServiceService } from '../rpc/gen/seqsvr/v1/seq.js';
import { formatDuration } from './duration.js';
import { ATTEMPT_LIMIT_MS, askAll } from './inspect.js';

/** The longest one attempt at a change may take, in ms: the server's own limit, and a bit for the way. */
const CALL_LIMIT_MS = 31_000;
/** Between two searches for a leader, in ms. */
const SEARCH_PAUSE_MS = 200;
/** Redirects in a row that are followed; more of them only chase an election, so the search begins anew. */
const HOPS_MAX = 3;
/** Stores that are asked in one search; a set has far fewer, and a hostile answer must not make us dial for ever. */
const STORES_MAX = 64;

/** A store that answered. */
export interface SeenStore {
  /** Where it answered. */
  readonly address: string;
  readonly status: GetStatusResponse;
  readonly store: StoreStatus;
}

/** One call through a channel that the finder picks. */
type Send<Response> = (channel: Channel, options: CallOptions) => Promise<Response>;

/** Finds the stores of a set from any of its nodes, and calls the one that leads. */
export class StoreFinder {
  readonly #endpoints: readonly string[];
  readonly #pool: ChannelPool;
  readonly #clock: Clock;
  readonly #endMs: number;
  readonly #timeoutMs: number;

  /** `timeoutMs` counts from now, for everything that is done with it. */
  constructor(options: { readonly endpoints: readonly string[]; readonly pool: ChannelPool; readonly clock: Clock; readonly timeoutMs: number }) {
    this.#endpoints = options.endpoints;
    this.#pool = options.pool;
    this.#clock = options.clock;
    this.#timeoutMs = options.timeoutMs;
    this.#endMs = options.clock.nowMs() + options.timeoutMs;
  }

  /** In ms, until the time of the whole command is over; 0: it is. */
  get leftMs(): number {
    return Math.max(0, this.#endMs - this.#clock.nowMs());
  }

  /** The same for another set, within what is left of the time and no longer than `limitMs`. */
  elsewhere(endpoints: readonly string[], limitMs: number): StoreFinder {
    return new StoreFinder({ endpoints, pool: this.#pool, clock: this.#clock, timeoutMs: Math.min(limitMs, this.leftMs) });
  }

  pause(delayMs: number): Promise<void> {
    return sleep(this.#clock, Math.min(delayMs, this.leftMs));
  }

  /**
   * Every store that answers within a second: the endpoints, the members that those know of, the stores in the tables of
   * AllocSvrs. Throws UNAVAILABLE when no endpoint answers.
   */
  async search(): Promise<SeenStore[]> {
    const first = await this.#ask(this.#endpoints);
    if (first.every(({ status }) => status === undefined)) {
      const why = first.map(({ error }) => error).join('; ');
      throw new SeqError('UNAVAILABLE', `no endpoint answers: ${why}`, { definite: true });
    }
    const besides = new Set<string>();
    for (const { address, status } of first) {
      if (status?.role?.$case === 'store') for (const member of status.role.value.members) besides.add(member.address);
      if (status?.role?.$case === 'alloc') for (const store of await this.#storesOf(address)) besides.add(store);
    }
    const others = [...besides].filter((address) => isDialable(address) && !this.#endpoints.includes(address));
    const answers = [...first, ...(await this.#ask(others.slice(0, STORES_MAX)))];
    return answers.flatMap(({ address, status }) => (status?.role?.$case === 'store' ? [{ address, status, store: status.role.value }] : []));
  }

  /** One store's own word. Undefined when it does not answer; `why` hears the reason. */
  async statusAt(address: string, why: (reason: string) => void = () => undefined): Promise<GetStatusResponse | undefined> {
    const [answer] = await this.#ask([address]);
    if (answer?.status === undefined) why(answer?.error ?? 'it was not asked');
    return answer?.status;
  }

  /** One call to one node. */
  callAt<Response>(address: string, send: Send<Response>): Promise<Response> {
    return send(this.#pool.to(address), { timeoutMs: this.#attemptMs() });
  }

  /**
   * Calls the leader, whoever it is. Tries again for as long as nothing was done and another attempt may help; throws
   * what the leader said, or TIMEOUT. What may have been done is thrown at once: only the caller can look.
   */
  async callLeader<Response>(send: Send<Response>): Promise<Response> {
    let last = new SeqError('UNAVAILABLE', 'no store leads', { definite: true });
    while (this.leftMs > 0) {
      let target = leaderOf(await this.search())?.address;
      for (let hop = 0; target !== undefined && hop < HOPS_MAX && this.leftMs > 0; hop += 1) {
        try {
          return await this.callAt(target, send);
        } catch (error) {
          if (!SeqError.is(error)) throw error;
          if (!error.retryable || !error.definite) throw error;
          last = error;
          target = error.code === 'NOT_LEADER' && isDialable(error.redirect?.address ?? '') ? error.redirect?.address : undefined;
        }
      }
      await this.pause(Math.max(SEARCH_PAUSE_MS, last.retryAfterMs ?? 0));
    }
    const within = formatDuration(Math.round(this.#timeoutMs));
    throw new SeqError('TIMEOUT', `not done within ${within}: ${last.message}`, { definite: true, cause: last });
  }

  async #storesOf(alloc: string): Promise<string[]> {
    try {
      const { routing } = await this.#pool.to(alloc).call(RouteServiceService.getRoute, { setsVersion: 0n }, { timeoutMs: this.#probeMs() });
      return (routing?.stores ?? []).map(({ address }) => address);
    } catch (error) {
      // It has no table yet: then the other endpoints have to do.
      if (SeqError.is(error)) return [];
      throw error;
    }
  }

  #ask(addresses: readonly string[]) {
    return askAll(addresses, { pool: this.#pool, clock: this.#clock, timeoutMs: this.#probeMs() });
  }

  #probeMs(): number {
    return Math.max(1, Math.min(ATTEMPT_LIMIT_MS, this.leftMs));
  }

  #attemptMs(): number {
    return Math.max(1, Math.min(CALL_LIMIT_MS, this.leftMs));
  }
}

/** Who leads, as these stores tell it. Two may claim to for a moment: the higher term is the true one. */
export function leaderOf(stores: readonly SeenStore[]): SeenStore | undefined {
  return stores.filter(({ store }) => store.raftRole === 'leader').sort((one, other) => Number(other.store.term - one.store.term))[0];
}

/** The store whose view of the members is the newest: the leader, else whoever has applied most. Undefined: none has one. */
export function bestOf(stores: readonly SeenStore[]): SeenStore | undefined {
  const informed = stores.filter(({ store }) => store.members.length > 0);
  return leaderOf(informed) ?? informed.sort((one, other) => Number(other.store.appliedIndex - one.store.appliedIndex))[0];
}
