import { unreachable } from '../base/assert.js';
import { type Clock, systemClock } from '../base/clock.js';
import { type ErrorCode, optional, type Redirect, SeqError } from '../base/errors.js';
import { checkGeometry, contains, DEFAULT_GEOMETRY, type Geometry, SECTIONS_MAX, sectionCountOf, UIDS_PER_SECTION_MAX } from '../model/geometry.js';
import { parseAllocId, parseUid, SEQ_MAX, toEpoch, type Uid, UID_MAX } from '../model/ids.js';
import type { RoutingTable } from '../model/routing.js';
import { NO_SETS, parseSetMap, type SetMap } from '../model/sets.js';
import { isNewer } from '../model/version.js';
import { callerVersionFromWire, setMapToWire, tableToWire } from '../rpc/codec.js';
import type * as common from '../rpc/gen/seqsvr/v1/common.js';
import * as wire from '../rpc/gen/seqsvr/v1/seq.js';
import { RANGE_COUNT_MAX, UIDS_PER_REQUEST_MAX } from '../rpc/limits.js';
import { exchangeCall, type OpsServerStream } from '../rpc/ops-codec.js';
import { GrpcServer, Handlers, type Service } from '../rpc/server.js';
import { errorToDetail } from '../rpc/status.js';
import { BROKEN_CONNECTION, exchange, type ExchangeHost } from './testing-exchange.js';

export type { SetEntry, SetMap } from '../model/sets.js';

export type MemorySeqMethod = 'next' | 'nextMany' | 'current' | 'advance' | 'getRoute';

/** What goes wrong with one call. */
export type MemorySeqFault =
  /** Refused with this error; nothing is handed out. */
  | { readonly type: 'error'; readonly code: ErrorCode; readonly redirect?: Redirect; readonly retryAfterMs?: number }
  /** Served after this many ms. */
  | { readonly type: 'delay'; readonly delayMs: number }
  /** Served, and the answer is lost: the caller sees a broken connection and cannot know. */
  | { readonly type: 'dropReply' };

export interface MemorySeqInjection {
  readonly method: MemorySeqMethod;
  readonly fault: MemorySeqFault;
  /**
   * How many calls it hits, the next ones of that method: of a client's stream, nextMany is a frame of several operations, next and current
   * are operations. Default 1; Infinity: all. */
  readonly times?: number;
}

export interface MemorySeqServerOptions {
  readonly faults?: readonly MemorySeqInjection[];
  /** First uid of the set. Default 0. */
  readonly firstUid?: bigint;
  /** Last uid of the set, inclusive. Default 2^32-1, or as far as a set reaches from `firstUid`. */
  readonly lastUid?: bigint;
  readonly clock?: Clock;
}

/**
 * A seqsvr for tests: the real gRPC services on a free port of 127.0.0.1, numbers from a Map, faults on demand.
 * It stores nothing and replicates nothing.
 *
 *   await using server = await MemorySeqServer.start();
 *   await using client = await SeqClient.connect({ endpoints: [server.address] });
 *   server.inject({ method: 'next', fault: { type: 'error', code: 'UNAVAILABLE' }, times: 2 });
 *   await client.next(42n); // 1n, at the third attempt
 */
export class MemorySeqServer {
  readonly #clock: Clock;
  readonly #lastSeqs = new Map<Uid, bigint>();
  readonly #callCounts: Record<MemorySeqMethod, number> = { next: 0, nextMany: 0, current: 0, advance: 0, getRoute: 0 };
  readonly #cutDelayed = new Set<() => void>();
  readonly #streams = new Set<OpsServerStream>();
  #faults: { readonly method: MemorySeqMethod; readonly fault: MemorySeqFault; times: number }[] = [];
  #server: GrpcServer | undefined;
  #table: RoutingTable;
  #sets: SetMap = NO_SETS;
  #closing: Promise<void> | undefined;

  private constructor(geometry: Geometry, clock: Clock) {
    this.#clock = clock;
    this.#table = { version: { generation: 1, value: 1 }, geometry, allocs: [], stores: [], runs: [] };
  }

  /** Throws INVALID_ARGUMENT for a uid range that makes no sense. */
  static async start(options: MemorySeqServerOptions = {}): Promise<MemorySeqServer> {
    const geometry = geometryOf(options);
    const clock = options.clock ?? systemClock;
    const memory = new MemorySeqServer(geometry, clock);
    for (const injection of options.faults ?? []) memory.inject(injection);
    const server = await GrpcServer.start({ address: '127.0.0.1:0', services: memory.#services(), clock });
    memory.#server = server;
    const alloc = { id: parseAllocId('memory'), address: server.address, zone: '' };
    memory.#table = { ...memory.#table, allocs: [alloc], runs: [{ sectionCount: sectionCountOf(geometry), alloc: 0, epoch: toEpoch(1) }] };
    return memory;
  }

  /** `host:port`, for the `endpoints` of a client. */
  get address(): string {
    return this.#server?.address ?? '';
  }

  /** Calls received so far, the ones that a fault hit included. */
  get callCounts(): Readonly<Record<MemorySeqMethod, number>> {
    return { ...this.#callCounts };
  }

  /** The table that replies carry and GetRoute tells. */
  get table(): RoutingTable {
    return this.#table;
  }

  /** Tells another table from now on, such as one that names another server. It must be newer to be believed. */
  setTable(table: RoutingTable): void {
    this.#table = table;
  }

  /** Tells these sets from now on; a client believes a newer version. Throws INVALID_ARGUMENT for a map that is none. */
  setSets(sets: SetMap): void {
    this.#sets = parseSetMap(sets);
  }

  /** Makes the next calls of a method go wrong, after the faults that were injected before. */
  inject({ method, fault, times = 1 }: MemorySeqInjection): void {
    this.#faults.push({ method, fault, times });
  }

  /** Forgets every fault that has not hit yet. */
  heal(): void {
    this.#faults = [];
  }

  /** The last number handed out for the uid; 0n: none yet. */
  lastSeqOf(uid: bigint | number | string): bigint {
    return this.#lastSeqs.get(parseUid(uid)) ?? 0n;
  }

  /** Sets a counter, such as one near its end (2^63-1), or two servers that take over from one another. */
  setLastSeq(uid: bigint | number | string, seq: bigint): void {
    this.#lastSeqs.set(parseUid(uid), seq);
  }

  /** Ends delayed calls as if the connection broke, and frees the port. Closing twice is fine. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    for (const cut of this.#cutDelayed) cut();
    this.#cutDelayed.clear();
    for (const stream of this.#streams) stream.emit('error', BROKEN_CONNECTION);
    await this.#server?.close();
  }

  #services(): Service[] {
    const handlers = new Handlers({ clock: this.#clock, onBug: throwLater });
    const next = handlers.unary((request: wire.NextRequest) => this.#next(request));
    const nextMany = handlers.unary((request: wire.NextManyRequest) => this.#nextMany(request));
    const current = handlers.unary((request: wire.CurrentRequest) => this.#current(request));
    const advance = handlers.unary((request: wire.AdvanceRequest) => this.#advance(request));
    const getRoute = handlers.unary((request: wire.GetRouteRequest) => ({
      routing: this.#newerThan(request.routingVersion),
      sets: BigInt(this.#sets.version) > request.setsVersion ? setMapToWire(this.#sets) : undefined,
    }));
    return [
      {
        definition: { ...wire.SeqServiceService, exchange: exchangeCall },
        implementation: {
          exchange: handlers.duplex((stream: OpsServerStream) => this.#exchange(stream, handlers)),
          next: this.#withFaults('next', next, handlers),
          nextMany: this.#withFaults('nextMany', nextMany, handlers),
          current: this.#withFaults('current', current, handlers),
          advance: this.#withFaults('advance', advance, handlers),
        },
      },
      { definition: wire.RouteServiceService, implementation: { getRoute: this.#withFaults('getRoute', getRoute, handlers) } },
    ];
  }

  #exchange(stream: OpsServerStream, handlers: Handlers): void {
    this.#streams.add(stream);
    for (const event of ['cancelled', 'close']) stream.on(event, () => this.#streams.delete(stream));
    const host: ExchangeHost = {
      begin: (method) => this.#begin(method),
      next: (uid, count, floor) => this.#take(uid, count, floor).first,
      current: (uid, floor) => this.#lastNotBelow(floor, this.#parse(uid)),
      routing: (version) => this.#newerThan(version),
      refusal,
      later: (delayMs, how) => this.#later(delayMs, how),
    };
    exchange(stream, host, handlers);
  }

  #begin(method: MemorySeqMethod): MemorySeqFault | undefined {
    this.#callCounts[method]++;
    return this.#takeFault(method);
  }

  #withFaults<Request, Response>(method: MemorySeqMethod, serve: Unary<Request, Response>, handlers: Handlers): Unary<Request, Response> {
    return (call, callback) => {
      const fault = this.#begin(method);
      switch (fault?.type) {
        case undefined:
          return serve(call, callback);
        case 'error': {
          const refuse = handlers.unary<Request, Response>(() => {
            throw refusal(fault);
          });
          return refuse(call, callback);
        }
        case 'delay':
          return this.#later(fault.delayMs, { serve: () => serve(call, callback), cut: () => callback(BROKEN_CONNECTION) });
        case 'dropReply':
          return serve(call, (error) => callback(error ?? BROKEN_CONNECTION));
        default:
          return unreachable(fault);
      }
    };
  }

  #takeFault(method: MemorySeqMethod): MemorySeqFault | undefined {
    const found = this.#faults.find((fault) => fault.method === method && fault.times > 0);
    if (found === undefined) return undefined;
    found.times--;
    if (found.times === 0) this.#faults = this.#faults.filter((fault) => fault !== found);
    return found.fault;
  }

  #later(delayMs: number, { serve, cut }: { readonly serve: () => void; readonly cut: () => void }): void {
    const cancel = this.#clock.after(delayMs, () => {
      this.#cutDelayed.delete(cutNow);
      serve();
    });
    const cutNow = (): void => {
      cancel();
      cut();
    };
    this.#cutDelayed.add(cutNow);
  }

  #next({ uid, count, floor, routingVersion }: wire.NextRequest): wire.NextResponse {
    const { first, last } = this.#take(uid, count === 0 ? 1 : count, floor);
    return { first, last, epoch: 1n, routing: this.#newerThan(routingVersion) };
  }

  #advance({ uid, to, routingVersion }: wire.AdvanceRequest): wire.AdvanceResponse {
    const parsed = this.#parse(uid);
    if (to < 1n || to > SEQ_MAX) throw new SeqError('OUT_OF_RANGE', `a counter is lifted to a number in [1, ${SEQ_MAX}], got ${to}`);
    const last = this.#lastSeqs.get(parsed) ?? 0n;
    const seq = to > last ? to : last;
    this.#lastSeqs.set(parsed, seq);
    return { seq, epoch: 1n, routing: this.#newerThan(routingVersion) };
  }

  #nextMany({ uids, floors, routingVersion }: wire.NextManyRequest): wire.NextManyResponse {
    if (uids.length > UIDS_PER_REQUEST_MAX) throw new SeqError('INVALID_ARGUMENT', `at most ${UIDS_PER_REQUEST_MAX} uids, got ${uids.length}`);
    return { items: uids.map((uid, at) => this.#item(uid, floors[at] ?? 0n)), routing: this.#newerThan(routingVersion) };
  }

  #item(uid: bigint, floor: bigint): wire.NextManyItem {
    try {
      const { first } = this.#take(uid, 1, floor);
      return { seq: first, epoch: 1n, error: undefined };
    } catch (error) {
      if (!(error instanceof SeqError)) throw error;
      return { seq: 0n, epoch: 0n, error: errorToDetail(error) };
    }
  }

  #current({ uid, floor, routingVersion }: wire.CurrentRequest): wire.CurrentResponse {
    return { seq: this.#lastNotBelow(floor, this.#parse(uid)), exact: true, epoch: 1n, routing: this.#newerThan(routingVersion) };
  }

  #take(wireUid: bigint, count: number, floor: bigint): { first: bigint; last: bigint } {
    const uid = this.#parse(wireUid);
    if (count > RANGE_COUNT_MAX) throw new SeqError('INVALID_ARGUMENT', `count must be at most ${RANGE_COUNT_MAX}, got ${count}`);
    const before = this.#lastNotBelow(floor, uid);
    const last = before + BigInt(count);
    if (last > SEQ_MAX) throw new SeqError('OUT_OF_RANGE', `the counter of uid ${uid} is at ${before}, ${count} more would pass ${SEQ_MAX}`);
    this.#lastSeqs.set(uid, last);
    return { first: before + 1n, last };
  }

  /** The last number of the uid. Throws UNAVAILABLE when the caller has seen a higher one, as an AllocSvr does. */
  #lastNotBelow(floor: bigint, uid: Uid): bigint {
    const last = this.#lastSeqs.get(uid) ?? 0n;
    if (floor > last) throw new SeqError('UNAVAILABLE', `floor ${floor} is above the last number ${last}`, { definite: true });
    return last;
  }

  #parse(wireUid: bigint): Uid {
    const uid = parseUid(wireUid);
    if (!contains(this.#table.geometry, uid)) throw new SeqError('INVALID_ARGUMENT', `uid ${uid} lies outside the set`);
    return uid;
  }

  #newerThan(version: common.Version | undefined): common.RoutingTable | undefined {
    return isNewer(this.#table.version, callerVersionFromWire(version)) ? tableToWire(this.#table) : undefined;
  }
}

type Unary<Request, Response> = ReturnType<typeof Handlers.prototype.unary<Request, Response>>;

function geometryOf({ firstUid = 0n, lastUid }: MemorySeqServerOptions): Geometry {
  const first = parseUid(firstUid);
  const last = lastUid === undefined ? first + DEFAULT_GEOMETRY.lastUid : parseUid(lastUid);
  const geometry = { firstUid: first, lastUid: last > UID_MAX ? UID_MAX : last, uidsPerSection: DEFAULT_GEOMETRY.uidsPerSection };
  // A wide set gets long sections, so that it stays within the number of sections that a set may have.
  const isWide = geometry.lastUid - first > BigInt(SECTIONS_MAX) * BigInt(geometry.uidsPerSection);
  const wide = isWide ? { ...geometry, uidsPerSection: UIDS_PER_SECTION_MAX } : geometry;
  checkGeometry(wide);
  return wide;
}

function refusal({ code, redirect, retryAfterMs }: Extract<MemorySeqFault, { type: 'error' }>): SeqError {
  return new SeqError(code, `${code} was injected`, { definite: true, ...optional('redirect', redirect), ...optional('retryAfterMs', retryAfterMs) });
}

/** A bug in the double must fail the test that meets it. */
function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
