import { messageOf, optional, SeqError } from '../base/errors.js';
import { isDialable, splitAddress } from '../model/address.js';
import { type Seq, SEQ_MAX, type Uid } from '../model/ids.js';
import type { RoutingTable } from '../model/routing.js';
import type { RoutingDelta } from '../model/routing-delta.js';
import type { SetMap } from '../model/sets.js';
import { isNewer, isSame, NO_VERSION, type Version } from '../model/version.js';
import { contains, locate } from '../model/geometry.js';
import type { CallOptions, Channel } from '../rpc/channel.js';
import { deltaFromWire, seqFromWire, setMapFromWire, tableFromWire, versionToWire } from '../rpc/codec.js';
import type * as common from '../rpc/gen/seqsvr/v1/common.js';
import { type NextManyItem, RouteServiceService as RouteService, SeqServiceService as SeqService } from '../rpc/gen/seqsvr/v1/seq.js';
import { errorFromDetail } from '../rpc/status.js';
import type { CallScope } from './call-scope.js';
import { ClientMemory } from './memory.js';
import type { RoutingCache } from './routing-cache.js';
import { WireLimit } from './wire-limit.js';

export interface SeqRange {
  /** First number handed out. */
  readonly first: bigint;
  /** Last number handed out, inclusive. */
  readonly last: bigint;
}

export interface CurrentSeq {
  /** The last number handed out; 0n: none yet. */
  readonly seq: bigint;
  /** False: nothing was handed out since the section changed hands, and `seq` is an upper bound of what was before. */
  readonly exact: boolean;
}

/** What Attempts needs of a ChannelPool. */
export interface Channels {
  to(address: string): Pick<Channel, 'call'>;
}

/** What an attempt needs of its call: asked when the attempt is sent, for it may have to wait for its turn before. */
export type AttemptScope = Pick<CallScope, 'stopError' | 'signal' | 'attempt'>;

export interface AttemptEvents {
  /** A newer table is in the cache. */
  onTable(table: RoutingTable, previous: Version): void;
  /** A node told which sets there are. */
  onSets(sets: SetMap): void;
  /** The address answered; `error` when what came back, or did not, makes it suspect. */
  onOutcome(address: string, error: SeqError | undefined): void;
}

/**
 * The one place where a call meets the wire: waits for its turn there, sends it once, checks the answer, keeps the
 * table that came along. Every error of what was sent is a SeqError with `endpoint` and `attempts: 1`. When nothing was
 * sent it is definite, with `attempts: 0`: what stopped the call, or NOT_OWNER when the section moved while it waited.
 * A batching stream will take the place of the unary calls.
 */
export class Attempts {
  readonly #pool: Channels;
  readonly #cache: RoutingCache;
  readonly #events: AttemptEvents;
  readonly #wire = new WireLimit();
  readonly #setsVersion: () => number;
  readonly #memory = new ClientMemory();
  /** A delta did not fit. */
  #needsWhole = false;

  /** `setsVersion`: of the set map that this client has; 0 without one. */
  constructor(options: {
    readonly pool: Channels;
    readonly cache: RoutingCache;
    readonly events: AttemptEvents;
    readonly setsVersion?: () => number;
  }) {
    this.#pool = options.pool;
    this.#cache = options.cache;
    this.#events = options.events;
    this.#setsVersion = options.setsVersion ?? (() => 0);
  }

  next(address: string, request: { readonly uid: Uid; readonly count: number; readonly strict?: boolean }, scope: AttemptScope): Promise<SeqRange> {
    return this.#inTurn(address, [request.uid], scope, async (options) => {
      const floor = this.#memory.floorOf(request.uid);
      const reply = await this.#pool.to(address).call(SeqService.next, { strict: false, ...request, floor, ...this.#versions() }, options);
      this.#absorbQuietly(address, reply);
      const range = rangeOf(reply, request.count);
      this.#believe(request.uid, { epoch: reply.epoch, isAbove: range.first > floor, seq: range.last });
      return range;
    });
  }

  /** An item for each uid, in the order asked. */
  nextMany(address: string, uids: Uid[], scope: AttemptScope, strict = false): Promise<(Seq | SeqError)[]> {
    return this.#inTurn(address, uids, scope, async (options) => {
      const known = uids.map((uid) => this.#memory.floorOf(uid));
      const floors = known.some((floor) => floor > 0n) ? known : [];
      const reply = await this.#pool.to(address).call(SeqService.nextMany, { uids, floors, strict, ...this.#versions() }, options);
      this.#absorbQuietly(address, reply);
      if (reply.items.length !== uids.length) throw protocol(`${reply.items.length} items for ${uids.length} uids`);
      return reply.items.map((item, at) => this.#itemOf(address, item, uids[at] as Uid, known[at] ?? 0n));
    });
  }

  current(address: string, uid: Uid, scope: AttemptScope, strict = false): Promise<CurrentSeq> {
    return this.#inTurn(address, [uid], scope, async (options) => {
      const floor = this.#memory.floorOf(uid);
      const reply = await this.#pool.to(address).call(SeqService.current, { uid, floor, strict, ...this.#versions() }, options);
      this.#absorbQuietly(address, reply);
      const seq = seqFromWire(reply.seq);
      // An upper bound is nothing that was handed out, so it is no floor for what comes.
      this.#believe(uid, { epoch: reply.epoch, isAbove: seq >= floor, seq: reply.exact ? seq : floor });
      return { seq, exact: reply.exact };
    });
  }

  /** Where the counter stands after it was lifted to `to`. */
  advance(address: string, { uid, to }: { readonly uid: Uid; readonly to: bigint }, scope: AttemptScope): Promise<bigint> {
    return this.#inTurn(address, [uid], scope, async (options) => {
      const reply = await this.#pool.to(address).call(SeqService.advance, { uid, to, ...this.#versions() }, options);
      this.#absorbQuietly(address, reply);
      const seq = seqFromWire(reply.seq);
      if (seq < to) throw protocol(`a counter at ${seq} that was lifted to ${to}`);
      this.#believe(uid, { epoch: reply.epoch, isAbove: true, seq });
      return seq;
    });
  }

  /**
   * Resolves once the cache is at least as new as that node's table. Never waits in line: it is asked once at a time,
   * and what it brings is what the calls in line may need.
   */
  getRoute(address: string, options: CallOptions): Promise<void> {
    return this.#ask(address, async () => {
      const request = { routingVersion: this.#version(), setsVersion: BigInt(this.#setsVersion()) };
      const reply = await this.#pool.to(address).call(RouteService.getRoute, request, options);
      if (reply.sets !== undefined) this.#events.onSets(setMapFromWire(reply.sets));
      if (reply.routing !== undefined || reply.routingDelta !== undefined) this.#absorb(reply);
      else if (this.#cache.table === undefined) throw new SeqError('UNAVAILABLE', 'it has no routing table yet', { definite: true });
    });
  }

  async #inTurn<Value>(address: string, uids: readonly Uid[], scope: AttemptScope, send: (options: CallOptions) => Promise<Value>): Promise<Value> {
    const isStale = (): boolean => uids.every((uid) => this.#cache.pick(uid) !== address);
    const entered = this.#wire.enter(address, { signal: scope.signal, isStale });
    const hasPlace = entered === true || (await entered);
    try {
      // The wait may have eaten the budget, and a busy process may be late with the timer that says so.
      if (scope.stopError !== undefined) throw scope.stopError.with({ definite: true });
      if (!hasPlace) throw this.#movedFrom(address, uids);
      return await this.#ask(address, () => send(scope.attempt()));
    } finally {
      if (hasPlace) this.#wire.leave(address);
    }
  }

  /** Names the new owner when there is only one to name. */
  #movedFrom(address: string, uids: readonly Uid[]): SeqError {
    const [uid] = uids;
    const redirect = uids.length === 1 && uid !== undefined ? this.#cache.ownerOf(uid)?.alloc : undefined;
    return new SeqError('NOT_OWNER', `${address} lost the section while the call waited for its turn`, { ...optional('redirect', redirect) });
  }

  async #ask<Value>(address: string, send: () => Promise<Value>): Promise<Value> {
    try {
      const value = await send();
      this.#events.onOutcome(address, undefined);
      return value;
    } catch (thrown) {
      if (!(thrown instanceof SeqError)) throw thrown;
      if (thrown.seenVersion !== undefined) this.#memory.sawVersion(thrown.seenVersion);
      const error = atAddress(asRemote(thrown), address);
      // An attempt that we cut short says nothing about the node.
      if (error.code !== 'ABORTED') this.#events.onOutcome(address, isSuspect(error) ? error : undefined);
      throw error;
    }
  }

  #itemOf(address: string, { seq, epoch, error }: NextManyItem, uid: Uid, floor: bigint): Seq | SeqError {
    if (error !== undefined) {
      const refusal = errorFromDetail(error);
      if (refusal.seenVersion !== undefined) this.#memory.sawVersion(refusal.seenVersion);
      return atAddress(refusal, address);
    }
    const number = handedOut(seq);
    try {
      this.#believe(uid, { epoch, isAbove: number > floor, seq: number });
      return number;
    } catch (thrown) {
      if (!(thrown instanceof SeqError)) throw thrown;
      return atAddress(thrown, address);
    }
  }

  /**
   * Throws, for another try elsewhere, when the answer comes from a former owner: its epoch is over, or its numbers are not
   * above what was seen. What it took is a gap.
   */
  #believe(uid: Uid, { epoch, isAbove, seq }: { readonly epoch: bigint; readonly isAbove: boolean; readonly seq: bigint }): void {
    const { table } = this.#cache;
    const isCurrent =
      table === undefined || !contains(table.geometry, uid) || this.#memory.sawEpoch(locate(table.geometry, uid).section, Number(epoch));
    if (!isCurrent || !isAbove)
      throw new SeqError(
        'UNAVAILABLE',
        `an answer of a former owner: for uid ${uid} it is in epoch ${epoch}${isAbove ? '' : ' and not above what was seen'}`,
      );
    if (seq > 0n) this.#memory.sawSeq(uid, seq);
  }

  /** The table in use, and a newer one that some server spoke of: whoever has not seen that yet waits for it. */
  #versions(): { readonly routingVersion: common.Version | undefined; readonly heardVersion: common.Version | undefined } {
    const { heard } = this.#memory;
    return { routingVersion: this.#version(), heardVersion: isNewer(heard, this.#cache.version) ? versionToWire(heard) : undefined };
  }

  #version(): common.Version | undefined {
    const { version } = this.#cache;
    return this.#needsWhole || isSame(version, NO_VERSION) ? undefined : versionToWire(version);
  }

  /** A bad table must not cost the numbers that came with it. */
  #absorbQuietly(address: string, routing: Routing): void {
    if (routing.routing === undefined && routing.routingDelta === undefined) return;
    try {
      this.#absorb(routing);
    } catch (thrown) {
      if (!(thrown instanceof SeqError)) throw thrown;
      this.#events.onOutcome(address, thrown.with({ endpoint: address }));
    }
  }

  #absorb({ routing, routingDelta }: Routing): void {
    const previous = this.#cache.version;
    const absorbed = routing === undefined ? this.#absorbDelta(routingDelta) : this.#cache.absorb(parseTable(routing));
    if (routing !== undefined) this.#needsWhole = false;
    const { table } = this.#cache;
    if (!absorbed || table === undefined) return;
    this.#memory.sawVersion(table.version);
    this.#wire.dropStale();
    this.#events.onTable(table, previous);
  }

  #absorbDelta(wire: common.RoutingDelta | undefined): boolean {
    if (wire === undefined) return false;
    const absorbed = this.#cache.absorbDelta(parseDelta(wire));
    // Made for a table that is not in use any more, or never was: the next request asks for a whole one.
    if (absorbed === 'misfit') this.#needsWhole = true;
    return absorbed === true;
  }
}

/** What a reply says of the route. */
interface Routing {
  readonly routing?: common.RoutingTable | undefined;
  readonly routingDelta?: common.RoutingDelta | undefined;
}

function rangeOf(reply: { readonly first: bigint; readonly last: bigint }, count: number): SeqRange {
  const { first, last } = reply;
  if (first < 1n || last > SEQ_MAX || last - first + 1n !== BigInt(count)) throw protocol(`numbers ${first}..${last} for a count of ${count}`);
  return { first, last };
}

function handedOut(seq: bigint): Seq {
  if (seq < 1n) throw protocol(`a handed out number is at least 1, got ${seq}`);
  return seqFromWire(seq);
}

/** Throws PROTOCOL unless the table is whole and every address in it can be dialled. */
function parseTable(wire: common.RoutingTable): RoutingTable {
  try {
    const table = tableFromWire(wire);
    for (const { address } of [...table.allocs, ...table.stores]) splitAddress(address);
    return table;
  } catch (cause) {
    if (!(cause instanceof SeqError)) throw cause;
    throw new SeqError('PROTOCOL', `a bad routing table: ${messageOf(cause)}`, { cause });
  }
}

/** Throws PROTOCOL unless every address in it can be dialled. */
function parseDelta(wire: common.RoutingDelta): RoutingDelta {
  try {
    const delta = deltaFromWire(wire);
    for (const { address } of [...delta.allocs, ...(delta.stores ?? [])]) splitAddress(address);
    return delta;
  } catch (cause) {
    if (!(cause instanceof SeqError)) throw cause;
    throw new SeqError('PROTOCOL', `a bad routing delta: ${messageOf(cause)}`, { cause });
  }
}

/** What an error means to a client when the other side, or the way there, made it. */
function asRemote(error: SeqError): SeqError {
  // A node that is closing is one that cannot serve now; another one can.
  return error.code === 'CLOSED' ? new SeqError('UNAVAILABLE', error.message, { definite: error.definite, cause: error.cause }) : error;
}

/** Who was asked, and one attempt counted. A redirect that nobody can dial is dropped. */
function atAddress(error: SeqError, address: string): SeqError {
  const { code, message, definite, cause, retryAfterMs, redirect, seenVersion } = error;
  return new SeqError(code, message, {
    definite,
    cause,
    endpoint: address,
    attempts: 1,
    ...optional('retryAfterMs', retryAfterMs),
    ...optional('seenVersion', seenVersion),
    ...optional('redirect', redirect !== undefined && isDialable(redirect.address) ? redirect : undefined),
  });
}

/** The node did not answer, or answered nonsense. A refusal is an answer. */
function isSuspect(error: SeqError): boolean {
  return !error.definite && (error.code === 'UNAVAILABLE' || error.code === 'TIMEOUT' || error.code === 'PROTOCOL');
}

function protocol(what: string): SeqError {
  return new SeqError('PROTOCOL', `the server broke the protocol: ${what}`);
}
