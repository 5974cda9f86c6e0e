import { SeqError } from '../base/errors.js';
import type { RoutingTable } from '../model/routing.js';
import type { SetMap } from '../model/sets.js';
import type { Version } from '../model/version.js';
import { ChannelPool } from '../rpc/channel-pool.js';
import { Attempts } from './attempt.js';
import type { Way } from './call.js';
import type { Lane } from './lane.js';
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
  /** By the place of the AllocSvr in that table. */
  #lanes: Lane[] = [];
  #lanesOf: RoutingTable | undefined;
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
    this.attempts = new Attempts({ pool: this.#pool, cache: this.cache, clock, events, setsVersion: options.setsVersion });
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
    if (!this.begin()) {
      throw new SeqError('RESOURCE_EXHAUSTED', `${SET_CALLS_IN_FLIGHT_MAX} calls of this client to one set are in flight already`, {
        retryAfterMs: BUSY_RETRY_AFTER_MS,
      });
    }
    try {
      return await run();
    } finally {
      this.end();
    }
  }

  /** A call begins; false: as many are under way as one set may have. */
  begin(): boolean {
    if (this.#callCount >= SET_CALLS_IN_FLIGHT_MAX) return false;
    this.#callCount += 1;
    return true;
  }

  end(): void {
    this.#callCount -= 1;
  }

  /** The lane to the owner of a uid in halves of 32 bits; undefined: no table, outside of the set, or nobody owns it now. */
  laneAt(low: number, high: number): Lane | undefined {
    const { table } = this.cache;
    const alloc = this.cache.allocAt(low, high);
    if (alloc < 0 || table === undefined) return undefined;
    if (table !== this.#lanesOf) {
      this.#lanesOf = table;
      this.#lanes = table.allocs.map(({ address }) => this.attempts.lane(address, false));
    }
    return this.#lanes[alloc];
  }

  close(): void {
    this.#isClosed = true;
    this.#route.close();
    this.attempts.close(new SeqError('CLOSED', 'the client was closed'));
    this.#pool.close();
  }

  #onTable(table: RoutingTable, previous: Version): void {
    if (this.#isClosed) return;
    const inUse = new Set([...this.#seeds, ...this.cache.addresses()]);
    this.attempts.keepOnly(inUse);
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
