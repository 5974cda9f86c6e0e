import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { locate } from '../model/geometry.js';
import { parseCount, parseFloor, parseUid } from '../model/ids.js';
import { isSame, NO_VERSION, type Version } from '../model/version.js';
import { callerVersionFromWire, setMapToWire, versionFromWire, versionToWire } from '../rpc/codec.js';
import { AdminServiceService, type AllocStatus, type GetStatusRequest, type GetStatusResponse } from '../rpc/gen/seqsvr/v1/admin.js';
import type * as common from '../rpc/gen/seqsvr/v1/common.js';
import {
  type AdvanceRequest,
  type AdvanceResponse,
  type CurrentRequest,
  type CurrentResponse,
  type GetRouteRequest,
  type GetRouteResponse,
  type NextManyItem,
  type NextManyRequest,
  type NextManyResponse,
  type NextRequest,
  type NextResponse,
  RouteServiceService,
  SeqServiceService,
} from '../rpc/gen/seqsvr/v1/seq.js';
import { RANGE_COUNT_MAX, UIDS_PER_REQUEST_MAX } from '../rpc/limits.js';
import { exchangeCall, type OpsFrame, type OpsServerStream } from '../rpc/ops-codec.js';
import type { CallContext, Handlers, Service } from '../rpc/server.js';
import { errorToDetail } from '../rpc/status.js';
import { Exchange, type ExchangeFigures } from './exchange.js';
import { FrameServer } from './frame-server.js';
import type { Quotas } from './quotas.js';
import { Turns } from './turns.js';
import { handoffService } from './handoff-wire.js';
import { BATCH_UIDS_PER_TURN, type Item, nextMany, nextManyInTurns } from './next-many.js';
import type { AllocNode, Ask, Confirmed, Current, Patience, Taken } from './node.js';
import { NO_ROUTE, type RouteReply, routeFor } from './route-reply.js';

/** What callers are told to wait, in ms, while this node starts. */
const STARTING_RETRY_AFTER_MS = 200;
/** As admin.proto says. */
const SECTIONS_SHOWN_MAX = 100;
/** How long a call waits for a table that its caller has heard of, in ms. A caller that lies waits itself, and no longer. */
const HEARD_WAIT_MAX_MS = 100;
/** Calls that wait so at the same time; beyond it they are answered by the table there is. */
const HEARD_WAITERS_MAX = 1_000;

export interface ServiceOptions {
  readonly node: AllocNode;
  readonly clock: Clock;
  /** The program's version, for GetStatus. */
  readonly version: string;
  /** Every call is STRICT, whatever it says itself. */
  readonly isStrict: boolean;
  /** What callers may take; undefined: as much as they like. */
  readonly quotas?: Quotas | undefined;
}

/** The gateway of an AllocSvr: what comes in is parsed here and trusted after. */
export class AllocService {
  readonly #node: AllocNode;
  readonly #clock: Clock;
  readonly #version: string;
  readonly #isStrict: boolean;
  readonly #quotas: Quotas | undefined;
  readonly #startedAtMs: number;
  readonly #frames: FrameServer;
  readonly #turns: Turns;
  readonly #exchanges = new Set<Exchange>();
  readonly #figures: ExchangeFigures = { streamCount: 0, frameCount: 0, opCount: 0, lateOpCount: 0, overQuotaCount: 0 };
  /** Calls that wait for a table. */
  #waitingCount = 0;

  constructor(options: ServiceOptions) {
    this.#node = options.node;
    this.#clock = options.clock;
    this.#version = options.version;
    this.#isStrict = options.isStrict;
    this.#quotas = options.quotas;
    this.#frames = new FrameServer(options.node);
    this.#turns = new Turns(options.clock);
    this.#startedAtMs = options.clock.nowMs();
  }

  services(handlers: Handlers): Service[] {
    return [
      handoffService(() => this.#node.source, handlers),
      {
        definition: { ...SeqServiceService, exchange: exchangeCall },
        implementation: {
          next: handlers.unary(
            this.#seen<NextRequest, NextResponse>(
              (request, patience) => this.#next(request, patience),
              ({ count }) => ({ opCount: 1, numberCount: count === 0 ? 1 : count }),
            ),
          ),
          nextMany: handlers.unary(
            this.#seen<NextManyRequest, NextManyResponse>(
              (request, patience) => this.#nextMany(request, patience),
              ({ uids: { length } }) => ({ opCount: length, numberCount: length }),
            ),
          ),
          current: handlers.unary(this.#seen<CurrentRequest, CurrentResponse>((request, patience) => this.#current(request, patience))),
          exchange: handlers.duplex<OpsFrame | SeqError, Buffer>((stream) => this.#exchange(stream, handlers)),
          advance: handlers.unary(this.#seen<AdvanceRequest, AdvanceResponse>((request, patience) => this.#advance(request, patience))),
        },
      },
      {
        definition: RouteServiceService,
        implementation: { getRoute: handlers.unary<GetRouteRequest, GetRouteResponse>((request) => this.#getRoute(request)) },
      },
      {
        definition: AdminServiceService,
        implementation: { getStatus: handlers.unary<GetStatusRequest, GetStatusResponse>(() => this.#getStatus()) },
      },
    ];
  }

  /** Ends every Exchange stream: whoever asks on goes elsewhere. */
  closeStreams(): void {
    for (const exchange of this.#exchanges) exchange.refuse(new SeqError('UNAVAILABLE', 'this AllocSvr is closing', { definite: false }));
  }

  get exchangeFigures(): Readonly<ExchangeFigures> {
    return this.#figures;
  }

  #exchange(stream: OpsServerStream, handlers: Handlers): void {
    const exchange = new Exchange(stream, {
      node: this.#node,
      frames: this.#frames,
      turns: this.#turns,
      clock: this.#clock,
      handlers,
      figures: this.#figures,
      isStrict: this.#isStrict,
      quota: this.#quotas?.of(hostOf(stream.getPeer()), this.#clock.nowMs()),
      whenHeard: ({ heardVersion }, patience) => this.#whenHeard(heardVersion, patience),
      onOver: (over) => this.#exchanges.delete(over),
    });
    this.#exchanges.add(exchange);
  }

  #next(request: NextRequest, patience: Patience): NextResponse | Promise<NextResponse> {
    const count = parseCount(request.count === 0 ? 1 : request.count, RANGE_COUNT_MAX);
    const { section, slot } = this.#placeOf(request.uid);
    const ask = { section, slot, count, floor: parseFloor(request.floor) };
    const taken = this.#isStrictCall(request)
      ? this.#confirmed(request, [ask], patience, (confirmed) => this.#node.next(ask, patience, confirmed))
      : this.#node.next(ask, patience);
    if (taken instanceof Promise) return taken.then((later) => this.#toNextResponse(later, request));
    return this.#toNextResponse(taken, request);
  }

  #toNextResponse({ first, last, epoch }: Taken, request: NextRequest): NextResponse {
    const { routing, routingDelta } = this.#routeFor(request.routingVersion);
    return { first, last, epoch: BigInt(epoch), routing, routingDelta };
  }

  #nextMany(request: NextManyRequest, patience: Patience): NextManyResponse | Promise<NextManyResponse> {
    const { length } = request.uids;
    if (length > UIDS_PER_REQUEST_MAX) throw new SeqError('INVALID_ARGUMENT', `a batch has at most ${UIDS_PER_REQUEST_MAX} uids, got ${length}`);
    const { floors } = request;
    if (floors.length !== 0 && floors.length !== length)
      throw new SeqError('INVALID_ARGUMENT', `a batch has a floor for each uid or none at all: ${length} uids, got ${floors.length} floors`);
    const asks = request.uids.map((uid, index) => this.#askOrError(uid, floors[index] ?? 0n));
    const whole = asks.flatMap((ask) => (ask instanceof SeqError ? [] : [ask]));
    const items = this.#confirmed<Item[]>(request, whole, patience, (confirmed) =>
      length <= BATCH_UIDS_PER_TURN
        ? nextMany({ node: this.#node, clock: this.#clock, asks, patience, confirmed })
        : nextManyInTurns({ node: this.#node, clock: this.#clock, asks, patience, confirmed, turns: this.#turns }),
    );
    if (items instanceof Promise) return items.then((later) => this.#toManyResponse(later, request));
    return this.#toManyResponse(items, request);
  }

  #toManyResponse(items: readonly Item[], request: NextManyRequest): NextManyResponse {
    return { items: items.map((item) => this.#toWireItem(item)), ...this.#routeFor(request.routingVersion) };
  }

  #toWireItem(item: Item): NextManyItem {
    if (item instanceof SeqError) return { seq: 0n, epoch: 0n, error: errorToDetail(item, this.#node.table?.version) };
    return { seq: item.first, epoch: BigInt(item.epoch), error: undefined };
  }

  #current(request: CurrentRequest, patience: Patience): CurrentResponse | Promise<CurrentResponse> {
    const toResponse = ({ seq, exact, epoch }: Current): CurrentResponse => ({
      seq,
      exact,
      epoch: BigInt(epoch),
      ...this.#routeFor(request.routingVersion),
    });
    const ask = { ...this.#placeOf(request.uid), floor: parseFloor(request.floor) };
    const current = this.#confirmed(request, [ask], patience, (confirmed) => this.#node.current(ask, patience, confirmed));
    return current instanceof Promise ? current.then(toResponse) : toResponse(current);
  }

  #advance(request: AdvanceRequest, patience: Patience): AdvanceResponse | Promise<AdvanceResponse> {
    if (request.to === 0n) throw new SeqError('INVALID_ARGUMENT', 'a counter is lifted to a number in [1, 2^63-1], got 0');
    const toResponse = ({ seq, epoch }: Current): AdvanceResponse => ({
      seq,
      epoch: BigInt(epoch),
      ...this.#routeFor(request.routingVersion),
    });
    const ask = { ...this.#placeOf(request.uid), to: request.to };
    const advanced = this.#confirmed({ strict: false }, [ask], patience, (confirmed) => this.#node.advance(ask, patience, confirmed));
    return advanced instanceof Promise ? advanced.then(toResponse) : toResponse(advanced);
  }

  /**
   * Who has heard of a newer table than this node has seen comes from there: that table is on its way, and worth a short wait. `costOf`: what the call
   * counts for against the quota of its caller.
   */
  #seen<Request extends { readonly heardVersion?: common.Version | undefined }, Response>(
    answer: (request: Request, patience: Patience) => Response | Promise<Response>,
    costOf: (request: Request) => Cost = () => ONE_OPERATION,
  ): (request: Request, context: CallContext) => Response | Promise<Response> {
    return (request, context) => {
      if (this.#quotas !== undefined) this.#charge(this.#quotas, costOf(request), context);
      if (request.heardVersion === undefined) return answer(request, context);
      const heard = this.#whenHeard(versionFromWire(request.heardVersion), context);
      return heard === undefined ? answer(request, context) : heard.then(() => answer(request, context));
    };
  }

  /** Throws RESOURCE_EXHAUSTED when the caller has used up what it may take. */
  #charge(quotas: Quotas, { opCount, numberCount }: Cost, { caller = '' }: CallContext): void {
    const nowMs = this.#clock.nowMs();
    const quota = quotas.of(hostOf(caller), nowMs);
    const refusal = quota.refusal(opCount, nowMs);
    if (refusal === undefined) return quota.took(Math.min(numberCount, RANGE_COUNT_MAX));
    this.#figures.overQuotaCount += opCount;
    throw refusal;
  }

  /** Undefined: there is nothing to wait for, or too many wait already. */
  #whenHeard(version: Version, patience: Patience): Promise<void> | undefined {
    if (isSame(version, NO_VERSION) || this.#waitingCount >= HEARD_WAITERS_MAX) return undefined;
    const limitMs = Math.min(HEARD_WAIT_MAX_MS, patience.deadlineMs - this.#clock.nowMs());
    const seen = this.#node.whenSeen(version, limitMs);
    if (seen === undefined) return undefined;
    this.#waitingCount += 1;
    return seen.finally(() => (this.#waitingCount -= 1));
  }

  #getRoute(request: GetRouteRequest): GetRouteResponse {
    if (this.#node.table === undefined) throw starting('this AllocSvr has no routing table yet');
    const { sets } = this.#node;
    return { ...this.#routeFor(request.routingVersion), sets: BigInt(sets.version) > request.setsVersion ? setMapToWire(sets) : undefined };
  }

  #getStatus(): GetStatusResponse {
    const uptimeMs = BigInt(Math.floor(this.#clock.nowMs() - this.#startedAtMs));
    const clusterId = this.#node.registration?.clusterId ?? '';
    const role = { $case: 'alloc', value: this.#allocStatus() } as const;
    return { name: this.#node.id, clusterId, version: this.#version, pid: process.pid, uptimeMs, role };
  }

  #allocStatus(): AllocStatus {
    const node = this.#node;
    const now = this.#clock.now();
    return {
      allocId: node.id,
      incarnation: node.incarnation,
      isServing: node.isServingAt(now),
      leaseLeftMs: BigInt(Math.floor(node.leaseLeftMsAt(now))),
      sectionCount: node.sectionCount,
      routingVersion: node.table === undefined ? undefined : versionToWire(node.table.version),
      handedOutCount: BigInt(node.handedOutCount),
      residentUidCount: BigInt(node.residentUidCount),
      sections: node.largestSections(SECTIONS_SHOWN_MAX).map((section) => ({
        section: section.section,
        epoch: BigInt(section.epoch),
        residentUidCount: BigInt(section.residentUidCount),
        callsPerSecond: Math.round(section.callsPerSecond),
        trueMax: section.trueMax,
        maxSeq: section.maxSeq,
      })),
    };
  }

  /** Answers at once, or for a STRICT call after the ownership of its sections was confirmed. */
  #confirmed<Answer>(
    call: { readonly strict: boolean },
    asks: readonly Pick<Ask, 'section'>[],
    patience: Patience,
    answer: (confirmed: Confirmed | undefined) => Answer | Promise<Answer>,
  ): Answer | Promise<Answer> {
    if (!this.#isStrictCall(call)) return answer(undefined);
    return this.#node.confirm(new Set(asks.map(({ section }) => section)), patience).then(answer);
  }

  #isStrictCall({ strict }: { readonly strict: boolean }): boolean {
    return strict || this.#isStrict;
  }

  #placeOf(uid: bigint) {
    return locate(this.#node.geometry, parseUid(uid));
  }

  /** One bad uid of a batch fails alone. */
  #askOrError(uid: bigint, floor: bigint): Ask | SeqError {
    try {
      return { ...this.#placeOf(uid), count: 1, floor: parseFloor(floor) };
    } catch (error) {
      if (SeqError.is(error)) return error;
      throw error;
    }
  }

  #routeFor(version: common.Version | undefined): RouteReply {
    return routeFor(this.#node, callerVersionFromWire(version)) ?? NO_ROUTE;
  }
}

/** What a call counts for. */
interface Cost {
  readonly opCount: number;
  readonly numberCount: number;
}
const ONE_OPERATION: Cost = { opCount: 1, numberCount: 0 };

/** Of what grpc-js calls a peer: `address:port`. One caller has many ports. */
function hostOf(peer: string): string {
  return peer.slice(0, Math.max(0, peer.lastIndexOf(':')));
}

function starting(message: string): SeqError {
  return new SeqError('UNAVAILABLE', message, { definite: true, retryAfterMs: STARTING_RETRY_AFTER_MS });
}
