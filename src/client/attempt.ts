import { messageOf, optional, SeqError } from '../base/errors.js';
import { isDialable, splitAddress } from '../model/address.js';
import { type Seq, SEQ_MAX, type Uid } from '../model/ids.js';
import type { RoutingTable } from '../model/routing.js';
import { isSame, NO_VERSION, type Version } from '../model/version.js';
import type { CallOptions, Channel } from '../rpc/channel.js';
import { seqFromWire, tableFromWire, versionToWire } from '../rpc/codec.js';
import type * as common from '../rpc/gen/seqsvr/v1/common.js';
import { RouteServiceService as RouteService, SeqServiceService as SeqService } from '../rpc/gen/seqsvr/v1/seq.js';
import { errorFromDetail } from '../rpc/status.js';
import type { RoutingCache } from './routing-cache.js';

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

export interface AttemptEvents {
  /** A newer table is in the cache. */
  onTable(table: RoutingTable, previous: Version): void;
  /** The address answered; `error` when what came back, or did not, makes it suspect. */
  onOutcome(address: string, error: SeqError | undefined): void;
}

/**
 * The one place where a call meets the wire: sends it once, checks the answer, keeps the table that came along.
 * Every error is a SeqError with `endpoint` and `attempts: 1`. A batching stream will take the place of the unary calls.
 */
export class Attempts {
  readonly #pool: Channels;
  readonly #cache: RoutingCache;
  readonly #events: AttemptEvents;

  constructor(options: { readonly pool: Channels; readonly cache: RoutingCache; readonly events: AttemptEvents }) {
    this.#pool = options.pool;
    this.#cache = options.cache;
    this.#events = options.events;
  }

  next(address: string, request: { readonly uid: Uid; readonly count: number }, options: CallOptions): Promise<SeqRange> {
    return this.#ask(address, async () => {
      const reply = await this.#pool.to(address).call(SeqService.next, { ...request, floor: 0n, routingVersion: this.#version() }, options);
      this.#absorbQuietly(address, reply.routing);
      return rangeOf(reply, request.count);
    });
  }

  /** An item for each uid, in the order asked. */
  nextMany(address: string, uids: Uid[], options: CallOptions): Promise<(Seq | SeqError)[]> {
    return this.#ask(address, async () => {
      const reply = await this.#pool.to(address).call(SeqService.nextMany, { uids, routingVersion: this.#version() }, options);
      this.#absorbQuietly(address, reply.routing);
      if (reply.items.length !== uids.length) throw protocol(`${reply.items.length} items for ${uids.length} uids`);
      return reply.items.map((item) => (item.error === undefined ? handedOut(item.seq) : atAddress(errorFromDetail(item.error), address)));
    });
  }

  current(address: string, uid: Uid, options: CallOptions): Promise<CurrentSeq> {
    return this.#ask(address, async () => {
      const reply = await this.#pool.to(address).call(SeqService.current, { uid, floor: 0n, routingVersion: this.#version() }, options);
      this.#absorbQuietly(address, reply.routing);
      return { seq: seqFromWire(reply.seq), exact: reply.exact };
    });
  }

  /** Resolves once the cache is at least as new as that node's table. */
  getRoute(address: string, options: CallOptions): Promise<void> {
    return this.#ask(address, async () => {
      const { routing } = await this.#pool.to(address).call(RouteService.getRoute, { routingVersion: this.#version() }, options);
      if (routing !== undefined) this.#absorb(routing);
      else if (this.#cache.table === undefined) throw new SeqError('UNAVAILABLE', 'it has no routing table yet', { definite: true });
    });
  }

  async #ask<Value>(address: string, send: () => Promise<Value>): Promise<Value> {
    try {
      const value = await send();
      this.#events.onOutcome(address, undefined);
      return value;
    } catch (thrown) {
      if (!(thrown instanceof SeqError)) throw thrown;
      const error = atAddress(asRemote(thrown), address);
      // An attempt that we cut short says nothing about the node.
      if (error.code !== 'ABORTED') this.#events.onOutcome(address, isSuspect(error) ? error : undefined);
      throw error;
    }
  }

  #version(): common.Version | undefined {
    const { version } = this.#cache;
    return isSame(version, NO_VERSION) ? undefined : versionToWire(version);
  }

  /** A bad table must not cost the numbers that came with it. */
  #absorbQuietly(address: string, wire: common.RoutingTable | undefined): void {
    if (wire === undefined) return;
    try {
      this.#absorb(wire);
    } catch (thrown) {
      if (!(thrown instanceof SeqError)) throw thrown;
      this.#events.onOutcome(address, thrown.with({ endpoint: address }));
    }
  }

  #absorb(wire: common.RoutingTable): void {
    const table = parseTable(wire);
    const previous = this.#cache.version;
    if (this.#cache.absorb(table)) this.#events.onTable(table, previous);
  }
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

/** What an error means to a client when the other side, or the way there, made it. */
function asRemote(error: SeqError): SeqError {
  // A node that is closing is one that cannot serve now; another one can.
  return error.code === 'CLOSED' ? new SeqError('UNAVAILABLE', error.message, { definite: error.definite, cause: error.cause }) : error;
}

/** Who was asked, and one attempt counted. A redirect that nobody can dial is dropped. */
function atAddress(error: SeqError, address: string): SeqError {
  const { code, message, definite, cause, retryAfterMs, redirect } = error;
  return new SeqError(code, message, {
    definite,
    cause,
    endpoint: address,
    attempts: 1,
    ...optional('retryAfterMs', retryAfterMs),
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
