import { SeqError } from '../base/errors.js';
import { parseCount, parseSeq, parseUid, type Uid } from '../model/ids.js';
import { isSame, NO_VERSION, type Version } from '../model/version.js';
import { RANGE_COUNT_MAX } from '../rpc/limits.js';
import type { CurrentSeq, SeqRange } from './attempt.js';
import { callOwner, needTable, persist } from './call.js';
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
  takeFloor,
  type UidCallOptions,
} from './options.js';
import { FastWay } from './fast-way.js';
import type { SetLink } from './set-link.js';
import { SetLinks } from './set-links.js';

export type { Clock } from '../base/clock.js';
export { type ErrorCode, SeqError, type SeqErrorOptions } from '../base/errors.js';
export type { Random } from '../base/random.js';
export type { Version } from '../model/version.js';
export type { CurrentSeq, SeqRange } from './attempt.js';
export type { SeqClientEventName, SeqClientEvents } from './events.js';
export type { CallOptions, ClientTls, RetryOptions, SeqClientOptions, UidCallOptions } from './options.js';

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
  /** First and last uid of the set of its endpoints; undefined without a table. */
  readonly uids: { readonly first: bigint; readonly last: bigint } | undefined;
  /** Of every set that this client has called on. */
  readonly allocs: readonly { readonly id: string; readonly address: string; readonly zone: string; readonly isFailing: boolean }[];
  /** All sets, when there are several. */
  readonly sets: readonly { readonly name: string; readonly uids: { readonly first: bigint; readonly last: bigint } }[];
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
  readonly #events = new Emitter<SeqClientEvents>();
  readonly #links: SetLinks;
  readonly #scopes = new Set<CallScope>();
  /** Undefined: every call of this client is STRICT. */
  readonly #fast: FastWay | undefined;
  /** Calls on the fast way. */
  #fastCount = 0;
  #isClosed = false;

  private constructor(config: ClientConfig) {
    this.#config = config;
    this.#links = new SetLinks(config, {
      onTable: ({ version }, previous) => this.#events.emit('route', { version, previous }),
      onEndpoint: (address, error) => this.#events.emit('endpoint', { address, state: error === undefined ? 'answering' : 'failing', error }),
    });
    this.#fast = config.strict ? undefined : this.#fastWay();
  }

  #fastWay(): FastWay {
    const { home } = this.#links;
    return new FastWay({
      timeoutMs: this.#config.timeoutMs,
      home,
      begin: (link) => this.#beginFast(link),
      end: (link) => {
        this.#fastCount -= 1;
        link.end();
      },
      nextAfter: (uid, startedMs, error) =>
        this.#after(startedMs, error, (scope) =>
          callOwner(home.way, scope, parseUid(uid), (address) => this.#nextAt(home, address, uid, scope), error),
        ),
      nextManyAfter: (uids, startedMs, items) =>
        this.#after(startedMs, items.find((item) => SeqError.is(item) && !item.definite) as SeqError | undefined, (scope) => {
          const send = (address: string, some: readonly Uid[]) => home.attempts.nextMany(address, some, scope);
          return callMany(home.way, scope, uids.map(parseUid), send, items);
        }),
    });
  }

  #beginFast(link: SetLink): boolean {
    if (this.#isClosed || this.#inFlightCount >= CALLS_IN_FLIGHT_MAX || !link.begin()) return false;
    this.#fastCount += 1;
    return true;
  }

  async #nextAt(link: SetLink, address: string, uid: bigint, scope: CallScope): Promise<bigint> {
    const { first } = await link.attempts.next(address, { uid: parseUid(uid), count: 1 }, scope);
    return first;
  }

  /** The rest of a call whose first attempt was made on the fast way. */
  #after<Value>(startedMs: number, error: SeqError | undefined, run: (scope: CallScope) => Promise<Value>): Promise<Value> {
    if (this.#isClosed) return Promise.reject(closedError().with({ definite: error?.definite ?? true }));
    return this.#call(undefined, (scope) => this.#links.home.counted(() => run(scope)), this.#config.clock.nowMs() - startedMs);
  }

  get #inFlightCount(): number {
    return this.#scopes.size + this.#fastCount;
  }

  /**
   * A client that has found the cluster: it fetched a routing table from one of the endpoints, within `timeoutMs`.
   * Rejects with INVALID_ARGUMENT for bad options, and with TIMEOUT or UNAVAILABLE when no endpoint told a table.
   */
  static async connect(options: SeqClientOptions): Promise<SeqClient> {
    const client = SeqClient.lazy(options);
    try {
      const { way } = client.#links.home;
      await client.#call(undefined, (scope) => persist(way, scope, () => needTable(way, scope)));
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
  next(uid: UidLike, options?: UidCallOptions): Promise<bigint> {
    return (options === undefined ? this.#fast?.next(uid) : undefined) ?? this.#nextLong(uid, options);
  }

  /** `count` neighbouring numbers, 1 to 1,000,000, first and last inclusive. */
  async nextRange(uid: UidLike, count: number, options?: UidCallOptions): Promise<SeqRange> {
    return this.#takeRange(parseUid(uid), parseCount(count, RANGE_COUNT_MAX), options);
  }

  /**
   * One number for each of many uids, at most 1,000,000, in the order asked. A uid may repeat and gets a different
   * number each time, in no promised order. What fails, fails alone: a SeqError in its place, for a uid outside the
   * cluster's range and at the end of the budget too. Rejects as a whole only with INVALID_ARGUMENT (too many uids, or
   * one that is no uint64; nothing was sent), RESOURCE_EXHAUSTED (like every call), ABORTED or CLOSED.
   */
  nextMany(uids: readonly UidLike[], options?: CallOptions): Promise<(bigint | SeqError)[]> {
    return (options === undefined ? this.#fast?.nextMany(uids) : undefined) ?? this.#nextManyLong(uids, options);
  }

  async #nextLong(uid: UidLike, options: UidCallOptions | undefined): Promise<bigint> {
    const { first } = await this.#takeRange(parseUid(uid), 1, options);
    return first;
  }

  async #nextManyLong(uids: readonly UidLike[], options: CallOptions | undefined): Promise<(bigint | SeqError)[]> {
    const parsed = parseUids(uids);
    if (parsed.length === 0) return [];
    return this.#call(options, (scope, strict) => this.#callMany(parsed, scope, strict));
  }

  /** The last number handed out for the uid. Hands nothing out. */
  async current(uid: UidLike, options?: UidCallOptions): Promise<CurrentSeq> {
    const parsed = parseUid(uid);
    const { floor, others } = takeFloor(options);
    return this.#callOne(parsed, others, ({ attempts }, address, scope, strict) => attempts.current(address, { uid: parsed, floor, strict }, scope));
  }

  /**
   * Lifts the counter of the uid to `to`, forward only, and resolves with where it stands: the next number is above it. Repeating it
   * changes nothing. Rejects with INVALID_ARGUMENT when `to` is no number in [1, 2^63-1], or more than 2^40 above where the counter stands.
   */
  async advance(uid: UidLike, to: bigint, options?: CallOptions): Promise<bigint> {
    const parsed = parseUid(uid);
    const target = parseSeq(to);
    return this.#callOne(parsed, options, ({ attempts }, address, scope) => attempts.advance(address, { uid: parsed, to: target }, scope));
  }

  /**
   * Who serves the uid by the table this client has now; undefined without a table, or while nobody does.
   * For tools: a call finds its way by itself. Throws INVALID_ARGUMENT for a uid that is none or lies outside the set.
   */
  owner(uid: UidLike): { readonly id: string; readonly address: string; readonly epoch: number } | undefined {
    const parsed = parseUid(uid);
    const owner = (this.#links.find(parsed) ?? this.#links.home).cache.ownerOf(parsed);
    return owner?.alloc === undefined ? undefined : { id: owner.alloc.id, address: owner.alloc.address, epoch: owner.epoch };
  }

  status(): SeqClientStatus {
    const { home, map, all } = this.#links;
    const { table, version } = home.cache;
    return {
      isClosed: this.#isClosed,
      endpoints: this.#config.endpoints,
      routingVersion: isSame(version, NO_VERSION) ? undefined : version,
      uids: table === undefined ? undefined : { first: table.geometry.firstUid, last: table.geometry.lastUid },
      allocs: all.flatMap((link) =>
        (link.cache.table?.allocs ?? []).map(({ id, address, zone }) => ({ id, address, zone, isFailing: link.isFailing(address) })),
      ),
      sets: map.sets.map(({ name, firstUid, lastUid }) => ({ name, uids: { first: firstUid, last: lastUid } })),
      inFlightCount: this.#inFlightCount,
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
    this.#events.emit('closed', { callsCutCount: this.#inFlightCount });
    for (const scope of this.#scopes) scope.stop(closedError());
    this.#links.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #takeRange(uid: Uid, count: number, options: UidCallOptions | undefined): Promise<SeqRange> {
    const { floor, others } = takeFloor(options);
    return this.#callOne(uid, others, ({ attempts }, address, scope, strict) => attempts.next(address, { uid, count, floor, strict }, scope));
  }

  /** A call on one uid: to its set, and there to its owner. */
  #callOne<Value>(
    uid: Uid,
    options: CallOptions | undefined,
    send: (link: SetLink, address: string, scope: CallScope, strict: boolean) => Promise<Value>,
  ): Promise<Value> {
    return this.#call(options, async (scope, strict) => {
      const link = this.#links.find(uid) ?? (await this.#links.linkOf(uid, scope));
      return link.counted(() => callOwner(link.way, scope, uid, (address) => send(link, address, scope, strict)));
    });
  }

  /** Each set by itself: one that is down costs its own uids only. */
  async #callMany(uids: readonly Uid[], scope: CallScope, strict: boolean): Promise<(bigint | SeqError)[]> {
    const results: (bigint | SeqError)[] = [];
    const shares = new Map<SetLink, number[]>();
    for (const [place, uid] of uids.entries()) {
      const link = this.#links.find(uid) ?? (await this.#linkOrError(uid, scope));
      if (link instanceof SeqError) results[place] = link;
      else pushTo(shares, link, place);
    }
    await Promise.all(
      [...shares].map(async ([link, places]) => {
        const own = places.map((place) => uids[place] as Uid);
        const items = await link.counted(() =>
          callMany(link.way, scope, own, (address, some) => link.attempts.nextMany(address, some, scope, strict)),
        );
        for (const [index, place] of places.entries()) results[place] = items[index] as bigint | SeqError;
      }),
    );
    return results;
  }

  /** A uid in no set fails alone. What ends the whole call is thrown. */
  async #linkOrError(uid: Uid, scope: CallScope): Promise<SetLink | SeqError> {
    try {
      return await this.#links.linkOf(uid, scope);
    } catch (error) {
      if (!(error instanceof SeqError) || error.code === 'ABORTED' || error.code === 'CLOSED') throw error;
      return error;
    }
  }

  async #call<Value>(options: CallOptions | undefined, run: (scope: CallScope, strict: boolean) => Promise<Value>, spentMs = 0): Promise<Value> {
    const { timeoutMs, signal, strict } = parseCallOptions(options, this.#config);
    if (this.#isClosed) throw closedError();
    if (this.#inFlightCount >= CALLS_IN_FLIGHT_MAX) {
      throw new SeqError('RESOURCE_EXHAUSTED', `${CALLS_IN_FLIGHT_MAX} calls of this client are in flight already`, {
        retryAfterMs: BUSY_RETRY_AFTER_MS,
      });
    }
    const scope = new CallScope({ clock: this.#config.clock, timeoutMs, signal, spentMs });
    this.#scopes.add(scope);
    try {
      return await run(scope, strict);
    } finally {
      this.#scopes.delete(scope);
      scope.end();
    }
  }
}

function pushTo(shares: Map<SetLink, number[]>, link: SetLink, place: number): void {
  const places = shares.get(link);
  if (places === undefined) shares.set(link, [place]);
  else places.push(place);
}

function closedError(): SeqError {
  return new SeqError('CLOSED', 'the client was closed');
}
