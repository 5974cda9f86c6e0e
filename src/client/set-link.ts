import { SeqError } from '../base/errors.js';
import type { RoutingTable } from '../model/routing.js';
import type { SetMap } from '../model/sets.js';
import type { Version } from '../model/version.js';
import { ChannelPool } from '../rpc/channel-pool.js';
import { Attempts } from './attempt.js';
import type { Way } from './call.js';
import { type ClientConfig, SET_CALLS_IN_FLIGHT_MAX } from './options.js';
import { RouteRefresh } from './route-refresh.js';
import { RoutingCache } from './routing-cache.js';

/** What a caller is told to wait, in ms, when too many calls are in flight. */
const BUSY_RETRY_AFTER_MS = 100;

export interface LinkEvents {
  onTable(table: RoutingTable, previous: Version): void;
  onSets(sets: SetMap): void;
  onEndpoint(address: string, error: SeqError | undefined): void;
}

/**
 * One client's way to one set: its table, its connections, its queues. Sets share nothing, so a set that is down holds up
 * nobody who calls on another.
 */
export class SetLink {
  readonly cache = new RoutingCache();
  readonly attempts: Attempts;
  readonly way: Way;
  readonly #events: LinkEvents;
  readonly #pool: ChannelPool;
  readonly #route: RouteRefresh;
  /** Addresses that did not answer last time. Bounded: forgotten when they leave the table. */
  readonly #failing = new Set<string>();
  #seeds: readonly string[];
  #callCount = 0;
  #isClosed = false;

  constructor(options: {
    readonly seeds: readonly string[];
    readonly config: ClientConfig;
    readonly setsVersion: () => number;
    readonly events: LinkEvents;
  }) {
    const { clock, random, retry, wire } = options.config;
    this.#seeds = options.seeds;
    this.#events = options.events;
    this.#pool = new ChannelPool({ clock, wire });
    const events = {
      onTable: (table: RoutingTable, previous: Version) => this.#onTable(table, previous),
      onSets: (sets: SetMap) => options.events.onSets(sets),
      onOutcome: (address: string, error: SeqError | undefined) => this.#onOutcome(address, error),
    };
    this.attempts = new Attempts({ pool: this.#pool, cache: this.cache, events, setsVersion: options.setsVersion });
    this.#route = new RouteRefresh({
      clock,
      random,
      seeds: () => this.#seeds,
      known: () => this.cache.addresses(),
      isFailing: (address) => this.#failing.has(address),
      ask: (address, ask) => this.attempts.getRoute(address, ask),
    });
    this.way = { cache: this.cache, route: this.#route, retry, random };
  }

  /** The set map names other nodes to begin with. */
  set seeds(seeds: readonly string[]) {
    this.#seeds = seeds;
  }

  isFailing(address: string): boolean {
    return this.#failing.has(address);
  }

  /** Runs a call of this set. Throws RESOURCE_EXHAUSTED when as many are under way as one set may have. */
  async counted<Value>(run: () => Promise<Value>): Promise<Value> {
    if (this.#callCount >= SET_CALLS_IN_FLIGHT_MAX) {
      throw new SeqError('RESOURCE_EXHAUSTED', `${SET_CALLS_IN_FLIGHT_MAX} calls of this client to one set are in flight already`, {
        retryAfterMs: BUSY_RETRY_AFTER_MS,
      });
    }
    this.#callCount += 1;
    try {
      return await run();
    } finally {
      this.#callCount -= 1;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#route.close();
    this.#pool.close();
  }

  #onTable(table: RoutingTable, previous: Version): void {
    if (this.#isClosed) return;
    const inUse = new Set([...this.#seeds, ...this.cache.addresses()]);
    this.#pool.keepOnly(inUse);
    for (const address of this.#failing) if (!inUse.has(address)) this.#failing.delete(address);
    this.#events.onTable(table, previous);
  }

  #onOutcome(address: string, error: SeqError | undefined): void {
    if (this.#isClosed || this.#failing.has(address) === (error !== undefined)) return;
    if (error === undefined) this.#failing.delete(address);
    else this.#failing.add(address);
    this.#events.onEndpoint(address, error);
  }
}
