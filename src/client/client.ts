import { SeqError } from '../base/errors.js';
import { parseCount, parseUid, type Uid } from '../model/ids.js';
import type { RoutingTable } from '../model/routing.js';
import { isSame, NO_VERSION, type Version } from '../model/version.js';
import { ChannelPool } from '../rpc/channel.js';
import { RANGE_COUNT_MAX } from '../rpc/limits.js';
import { Attempts, type CurrentSeq, type SeqRange } from './attempt.js';
import { callOwner, needTable, persist, type Way } from './call.js';
import { callMany } from './call-many.js';
import { CallScope } from './call-scope.js';
import { Emitter, type SeqClientEventName, type SeqClientEvents } from './events.js';
import {
  CALLS_IN_FLIGHT_MAX,
  type CallOptions,
  type ClientConfig,
  parseCallOptions,
  parseClientOptions,
  parseUids,
  type SeqClientOptions,
} from './options.js';
import { RouteRefresh } from './route-refresh.js';
import { RoutingCache } from './routing-cache.js';

export type { Clock } from '../base/clock.js';
export { type ErrorCode, SeqError, type SeqErrorOptions } from '../base/errors.js';
export type { Random } from '../base/random.js';
export type { Version } from '../model/version.js';
export type { CurrentSeq, SeqRange } from './attempt.js';
export type { SeqClientEventName, SeqClientEvents } from './events.js';
export type { CallOptions, RetryOptions, SeqClientOptions } from './options.js';

/** What a caller is told to wait, in ms, when too many calls are in flight. */
const BUSY_RETRY_AFTER_MS = 100;

/** A user key: bigint, safe integer or decimal string, in [0, 2^64). */
export type UidLike = bigint | number | string;

/** What a client knows and does at this moment. */
export interface SeqClientStatus {
  readonly isClosed: boolean;
  readonly endpoints: readonly string[];
  /** Undefined: no routing table yet. */
  readonly routingVersion: Version | undefined;
  /** First and last uid of the set; undefined without a table. */
  readonly uids: { readonly first: bigint; readonly last: bigint } | undefined;
  readonly allocs: readonly { readonly id: string; readonly address: string; readonly zone: string; readonly isFailing: boolean }[];
  /** Calls that have not returned yet. */
  readonly inFlightCount: number;
}

/**
 * Numbers for uids: each uid has a counter of its own, and every number handed out for it is larger than the ones
 * before. Gaps are allowed, so differences are not counts. Safe to share; one per process is enough.
 *
 * Every method rejects with a SeqError: INVALID_ARGUMENT, OUT_OF_RANGE, UNAVAILABLE, TIMEOUT, ABORTED,
 * RESOURCE_EXHAUSTED, PROTOCOL or CLOSED; docs/errors.md says what each means. Retrying is always safe: where
 * `maybeAllocated` is true, a number may have been taken and lost, which shows as a gap and never as a repeat.
 */
export class SeqClient {
  readonly #config: ClientConfig;
  readonly #cache = new RoutingCache();
  readonly #events = new Emitter<SeqClientEvents>();
  readonly #pool: ChannelPool;
  readonly #attempts: Attempts;
  readonly #route: RouteRefresh;
  readonly #way: Way;
  readonly #scopes = new Set<CallScope>();
  /** Addresses that did not answer last time. Bounded: forgotten when they leave the table. */
  readonly #failing = new Set<string>();
  #isClosed = false;

  private constructor(config: ClientConfig) {
    this.#config = config;
    const { clock, random, retry } = config;
    this.#pool = new ChannelPool({ clock });
    const events = {
      onTable: (table: RoutingTable, previous: Version) => this.#onTable(table, previous),
      onOutcome: (address: string, error: SeqError | undefined) => this.#onOutcome(address, error),
    };
    this.#attempts = new Attempts({ pool: this.#pool, cache: this.#cache, events });
    this.#route = new RouteRefresh({
      clock,
      random,
      seeds: config.endpoints,
      known: () => this.#cache.addresses(),
      isFailing: (address) => this.#failing.has(address),
      ask: (address, options) => this.#attempts.getRoute(address, options),
    });
    this.#way = { cache: this.#cache, route: this.#route, retry, random };
  }

  /**
   * A client that has found the cluster: it fetched a routing table from one of the endpoints, within `timeoutMs`.
   * Rejects with INVALID_ARGUMENT for bad options, and with TIMEOUT or UNAVAILABLE when no endpoint told a table.
   */
  static async connect(options: SeqClientOptions): Promise<SeqClient> {
    const client = SeqClient.lazy(options);
    try {
      await client.#call(undefined, (scope) => persist(client.#way, scope, () => needTable(client.#way, scope)));
    } catch (error) {
      await client.close();
      throw error;
    }
    return client;
  }

  /** A client that looks for the cluster on its first call. Throws INVALID_ARGUMENT for bad options. */
  static lazy(options: SeqClientOptions): SeqClient {
    return new SeqClient(parseClientOptions(options));
  }

  /** The next number of the uid: larger than every one whose call returned before this call began. */
  async next(uid: UidLike, options?: CallOptions): Promise<bigint> {
    const { first } = await this.#takeRange(parseUid(uid), 1, options);
    return first;
  }

  /** `count` neighbouring numbers, 1 to 1,000,000, first and last inclusive. */
  async nextRange(uid: UidLike, count: number, options?: CallOptions): Promise<SeqRange> {
    return this.#takeRange(parseUid(uid), parseCount(count, RANGE_COUNT_MAX), options);
  }

  /**
   * One number for each of many uids, at most 1,000,000, in the order asked. A uid may repeat and gets a different
   * number each time, in no promised order. What fails, fails alone: a SeqError in its place, for a uid outside the
   * cluster's range and at the end of the budget too. Rejects as a whole only with INVALID_ARGUMENT (too many uids, or
   * one that is no uint64; nothing was sent), RESOURCE_EXHAUSTED (as any call), ABORTED or CLOSED.
   */
  async nextMany(uids: readonly UidLike[], options?: CallOptions): Promise<(bigint | SeqError)[]> {
    const parsed = parseUids(uids);
    if (parsed.length === 0) return [];
    return this.#call(options, (scope) => callMany(this.#way, scope, parsed, (address, some) => this.#attempts.nextMany(address, some, scope)));
  }

  /** The last number handed out for the uid. Hands nothing out. */
  async current(uid: UidLike, options?: CallOptions): Promise<CurrentSeq> {
    const parsed = parseUid(uid);
    return this.#call(options, (scope) => callOwner(this.#way, scope, parsed, (address) => this.#attempts.current(address, parsed, scope)));
  }

  /**
   * Who serves the uid by the table this client has now; undefined without a table, or while nobody does.
   * For tools: a call finds its way by itself. Throws INVALID_ARGUMENT for a uid that is none or lies outside the set.
   */
  owner(uid: UidLike): { readonly id: string; readonly address: string; readonly epoch: number } | undefined {
    const owner = this.#cache.ownerOf(parseUid(uid));
    return owner?.alloc === undefined ? undefined : { id: owner.alloc.id, address: owner.alloc.address, epoch: owner.epoch };
  }

  status(): SeqClientStatus {
    const { table, version } = this.#cache;
    return {
      isClosed: this.#isClosed,
      endpoints: this.#config.endpoints,
      routingVersion: isSame(version, NO_VERSION) ? undefined : version,
      uids: table === undefined ? undefined : { first: table.geometry.firstUid, last: table.geometry.lastUid },
      allocs: (table?.allocs ?? []).map(({ id, address, zone }) => ({ id, address, zone, isFailing: this.#failing.has(address) })),
      inFlightCount: this.#scopes.size,
    };
  }

  /** Calls `handle` for each event of that name, in a turn of its own, until the returned function is called. What `handle` throws is uncaught. */
  on<Name extends SeqClientEventName>(name: Name, handle: (event: SeqClientEvents[Name]) => void): () => void {
    return this.#events.on(name, handle);
  }

  /** Ends every call in flight with CLOSED and lets the connections go. Closing twice is fine. */
  close(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#isClosed = true;
    this.#events.emit('closed', { callsCutCount: this.#scopes.size });
    for (const scope of this.#scopes) scope.stop(closedError());
    this.#route.close();
    this.#pool.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #takeRange(uid: Uid, count: number, options: CallOptions | undefined): Promise<SeqRange> {
    return this.#call(options, (scope) => callOwner(this.#way, scope, uid, (address) => this.#attempts.next(address, { uid, count }, scope)));
  }

  async #call<Value>(options: CallOptions | undefined, run: (scope: CallScope) => Promise<Value>): Promise<Value> {
    const { timeoutMs, signal } = parseCallOptions(options, this.#config.timeoutMs);
    if (this.#isClosed) throw closedError();
    if (this.#scopes.size >= CALLS_IN_FLIGHT_MAX) {
      throw new SeqError('RESOURCE_EXHAUSTED', `${CALLS_IN_FLIGHT_MAX} calls of this client are in flight already`, {
        retryAfterMs: BUSY_RETRY_AFTER_MS,
      });
    }
    const scope = new CallScope({ clock: this.#config.clock, timeoutMs, signal });
    this.#scopes.add(scope);
    try {
      return await run(scope);
    } finally {
      this.#scopes.delete(scope);
      scope.end();
    }
  }

  #onTable(table: RoutingTable, previous: Version): void {
    if (this.#isClosed) return;
    const inUse = new Set([...this.#config.endpoints, ...this.#cache.addresses()]);
    this.#pool.keepOnly(inUse);
    for (const address of this.#failing) if (!inUse.has(address)) this.#failing.delete(address);
    this.#events.emit('route', { version: table.version, previous });
  }

  #onOutcome(address: string, error: SeqError | undefined): void {
    if (this.#isClosed || this.#failing.has(address) === (error !== undefined)) return;
    if (error === undefined) this.#failing.delete(address);
    else this.#failing.add(address);
    this.#events.emit('endpoint', { address, state: error === undefined ? 'answering' : 'failing', error });
  }
}

function closedError(): SeqError {
  return new SeqError('CLOSED', 'the client was closed');
}
