import { unreachable } from '../base/assert.js';
import { optional, SeqError } from '../base/errors.js';
import { splitAddress } from '../model/address.js';
import { type Incarnation, parseName, toSectionId } from '../model/ids.js';
import { TableHistory } from '../model/routing-delta.js';
import { isNewer } from '../model/version.js';
import {
  callerFromWire,
  callerVersionFromWire,
  deltaToWire,
  digestFromWire,
  epochFromWire,
  incomingToWire,
  leaseTermsToWire,
  numberFromWire,
  sectionRunFromWire,
  seqFromWire,
  setMapToWire,
  tableToWire,
  windowToWire,
} from '../rpc/codec.js';
import { type GetRouteRequest, type GetRouteResponse, RouteServiceService } from '../rpc/gen/seqsvr/v1/seq.js';
import {
  type Assignment,
  type ConfirmRequest,
  type ConfirmResponse,
  type DrainRequest,
  type DrainResponse,
  type LoadRequest,
  type LoadResponse,
  type RaiseOutcome as WireOutcome,
  type RaiseRequest,
  type RaiseResponse,
  type RegisterRequest,
  type RegisterResponse,
  type ReleaseRequest,
  type ReportDeathRequest,
  type ReportDeathResponse,
  type ReleaseResponse,
  type RenewRequest,
  type RenewResponse,
  StoreServiceService,
  type WatchRequest,
  type WatchResponse,
} from '../rpc/gen/seqsvr/v1/store.js';
import { LOADS_MAX, RAISES_PER_REQUEST_MAX, RELEASES_PER_REQUEST_MAX } from '../rpc/limits.js';
import type { Handlers, Service } from '../rpc/server.js';
import { errorToDetail } from '../rpc/status.js';
import type { Clock } from '../base/clock.js';
import type { Caller } from './command.js';
import type { SectionLoad } from './client-values.js';
import type { LeaseAuthority } from './lease-authority.js';
import type { StoreNode } from './node.js';
import type { Cluster } from './state.js';
import type { RaiseOutcome, Result } from './state-machine.js';
import type { Watchers } from './watchers.js';

/** What callers are told to wait, in ms, until the first leader has founded the cluster: about an election. */
const STARTING_RETRY_AFTER_MS = 200;
/** What a run is told to wait, in ms, while its sections are being given away: about one commit. */
const DECIDING_RETRY_AFTER_MS = 50;

/** What AllocSvrs ask: decode, ask the node, encode. Only a leader answers. */
export function storeService(parts: {
  readonly node: StoreNode;
  readonly authority: LeaseAuthority;
  readonly watchers: Watchers;
  readonly handlers: Handlers;
  readonly clock: Clock;
}): Service {
  const { node, authority, watchers, handlers, clock } = parts;
  return {
    definition: StoreServiceService,
    implementation: {
      register: handlers.unary<RegisterRequest, RegisterResponse>((request) => register(node, request)),
      renew: handlers.unary<RenewRequest, RenewResponse>((request) => renew(node, authority, request)),
      raise: handlers.unary<RaiseRequest, RaiseResponse>((request) => raise(node, request)),
      release: handlers.unary<ReleaseRequest, ReleaseResponse>((request) => release(node, request)),
      drain: handlers.unary<DrainRequest, DrainResponse>((request) => drain(node, authority, clock, request)),
      confirm: handlers.unary<ConfirmRequest, ConfirmResponse>((request) => confirm(node, request)),
      reportDeath: handlers.unary<ReportDeathRequest, ReportDeathResponse>((request) => reportDeath(node, clock, request)),
      load: handlers.unary<LoadRequest, LoadResponse>((request) => load(node, request)),
      watch: handlers.serverStream<WatchRequest, WatchResponse>((request, stream) => {
        const caller = callerFromWire(request);
        const seen = callerVersionFromWire(request.routingVersion);
        confirmCurrent(node, caller).then(
          () => watchers.add(stream, caller, seen),
          (error: unknown) => handlers.refuse(stream, error),
        );
      }),
    },
  };
}

/** The table, for whoever has none yet: any StoreSvr answers with what it has applied. */
export function storeRouteService(node: StoreNode, handlers: Handlers): Service {
  const history = new TableHistory();
  const getRoute = handlers.unary<GetRouteRequest, GetRouteResponse>(({ routingVersion, setsVersion }) => {
    const table = node.state.table();
    if (table === undefined)
      throw new SeqError('UNAVAILABLE', 'the cluster is not initialised yet', { definite: true, retryAfterMs: STARTING_RETRY_AFTER_MS });
    const { sets } = clusterOf(node);
    const known = callerVersionFromWire(routingVersion);
    history.add(table);
    const delta = history.deltaFrom(known);
    return {
      routing: delta === undefined && isNewer(table.version, known) ? tableToWire(table) : undefined,
      routingDelta: delta && deltaToWire(delta),
      sets: BigInt(sets.version) > setsVersion ? setMapToWire(sets) : undefined,
    };
  });
  return { definition: RouteServiceService, implementation: { getRoute } };
}

/** What an incarnation may serve by the state as applied here. */
export function assignmentOf(node: StoreNode, caller: Caller): Assignment | undefined {
  const table = node.state.table();
  if (table === undefined) return undefined;
  const { sets } = clusterOf(node);
  return {
    routing: tableToWire(table),
    windows: node.state.windowsOf(caller).map(windowToWire),
    incoming: node.state.incomingOf(caller).map(incomingToWire),
    sets: sets.version === 0 ? undefined : setMapToWire(sets),
  };
}

async function register(node: StoreNode, request: RegisterRequest): Promise<RegisterResponse> {
  const caller = callerFromWire(request);
  splitAddress(request.address);
  if (request.zone !== '') parseName(request.zone, 'zone');
  node.requireLeading();
  const cluster = clusterOf(node);
  if (request.clusterId !== '' && request.clusterId !== cluster.clusterId) {
    throw new SeqError('PERMISSION_DENIED', `this is cluster ${cluster.clusterId}, the caller is of ${request.clusterId}`);
  }
  const { result } = await node.propose({ type: 'register', ...caller, address: request.address, zone: request.zone });
  throwRefusal(result);
  return {
    clusterId: cluster.clusterId,
    geometry: cluster.geometry,
    raiseBy: cluster.raiseBy,
    lease: leaseTermsToWire(cluster.lease, cluster.waitMs),
  };
}

/**
 * Renewal = reading the routing table, confirmed by a quorum in a round that began after this request came
 * (DESIGN 3.3). Everything is checked again after the wait; the answer is noted in the turn that gives it.
 */
async function renew(node: StoreNode, authority: LeaseAuthority, request: RenewRequest): Promise<RenewResponse> {
  const caller = callerFromWire(request);
  node.requireLeading();
  requireRenewable(authority, caller);
  await node.confirmLeadership();
  node.requireLeading();
  requireCurrent(node, caller);
  requireRenewable(authority, caller);
  authority.heard(caller.incarnation, loadsOf(request));
  const isStale = isNewer(node.state.version, callerVersionFromWire(request.routingVersion));
  const { lease, waitMs } = clusterOf(node);
  return { lease: leaseTermsToWire(lease, waitMs), assignment: isStale ? assignmentOf(node, caller) : undefined };
}

async function raise(node: StoreNode, request: RaiseRequest): Promise<RaiseResponse> {
  const caller = callerFromWire(request);
  atMost(RAISES_PER_REQUEST_MAX, request.raises.length, 'raises');
  const raises = request.raises.map(({ section, epoch, to }) => ({
    section: toSectionId(section),
    epoch: epochFromWire(epoch),
    to: seqFromWire(to),
  }));
  await confirmCurrent(node, caller);
  const { result } = await node.propose({ type: 'raise', ...caller, raises });
  throwRefusal(result);
  return { outcomes: result.type === 'raises' ? result.outcomes.map(outcomeToWire) : [] };
}

async function release(node: StoreNode, request: ReleaseRequest): Promise<ReleaseResponse> {
  const caller = callerFromWire(request);
  atMost(RELEASES_PER_REQUEST_MAX, request.releases.length, 'releases');
  node.requireLeading();
  const { geometry } = clusterOf(node);
  const releases = request.releases.map((run) => ({
    ...sectionRunFromWire(run, geometry),
    epoch: epochFromWire(run.epoch),
    trueMax: seqFromWire(run.trueMax),
    ...optional('digest', digestFromWire(run.digest)),
  }));
  const { result } = await node.propose({ type: 'release', ...caller, generation: numberFromWire(request.generation, 'generation'), releases });
  throwRefusal(result);
  return result.type === 'released'
    ? { releasedCount: result.releasedCount, refusedCount: result.refusedCount }
    : { releasedCount: 0, refusedCount: 0 };
}

async function drain(node: StoreNode, authority: LeaseAuthority, clock: Clock, request: DrainRequest): Promise<DrainResponse> {
  const caller = callerFromWire(request);
  node.requireLeading();
  const { result } = await node.propose({ type: 'drain', ...caller, reason: `${caller.allocId} is about to stop`, atMs: clock.wallMs() });
  throwRefusal(result);
  const { leaseMs } = clusterOf(node).lease;
  const isAlive = (incarnation: Incarnation): boolean => (authority.heardMsAgo(incarnation) ?? Number.POSITIVE_INFINITY) < leaseMs;
  const successors = node.state.allocs.filter(({ state, incarnation }) => state === 'joined' && isAlive(incarnation));
  // Applied here, so this state has every grant that came before the mark, and there will be none after it.
  return { assignment: assignmentOf(node, caller), successorCount: successors.length };
}

/** Answered only after a quorum round that began after this request came: whoever asked before it still owned what this says. */
async function confirm(node: StoreNode, request: ConfirmRequest): Promise<ConfirmResponse> {
  const caller = callerFromWire(request);
  atMost(RAISES_PER_REQUEST_MAX, request.sections.length, 'sections');
  node.requireLeading();
  await node.confirmLeadership();
  node.requireLeading();
  requireCurrent(node, caller);
  const owned = request.sections.map(({ section, epoch }) => {
    const known = node.state.sections[section];
    return known?.owner?.incarnation === caller.incarnation && known.owner.allocId === caller.allocId && BigInt(known.epoch) === epoch;
  });
  return { owned };
}

async function reportDeath(node: StoreNode, clock: Clock, request: ReportDeathRequest): Promise<ReportDeathResponse> {
  const caller = callerFromWire(request);
  node.requireLeading();
  const { result } = await node.propose({ type: 'reportDeath', ...caller, reason: request.reason, atMs: clock.wallMs() });
  throwRefusal(result);
  return {};
}

/** What a renewal says of the caller's sections; what is no section of the set is left out. */
function loadsOf({ loads }: RenewRequest): SectionLoad[] {
  atMost(LOADS_MAX, loads.length, 'loads');
  return loads.map(({ section, callsPerSecond }) => ({ section: toSectionId(section), callsPerSecond }));
}

async function load(node: StoreNode, request: LoadRequest): Promise<LoadResponse> {
  const caller = callerFromWire(request);
  node.requireLeading();
  await node.confirmLeadership();
  requireCurrent(node, caller);
  return { assignment: assignmentOf(node, caller) };
}

function requireRenewable(authority: LeaseAuthority, caller: Caller): void {
  if (!authority.mayRenew(caller.incarnation)) {
    throw new SeqError('UNAVAILABLE', `the sections of ${caller.allocId} are being given away; ask again`, {
      definite: true,
      retryAfterMs: DECIDING_RETRY_AFTER_MS,
    });
  }
}

/**
 * Throws unless this node leads and the run is the newest of its AllocSvr. That it is not is said only after a quorum
 * round: a deposed leader that has not noticed yet must not end a run that the new leader knows.
 */
async function confirmCurrent(node: StoreNode, caller: Caller): Promise<void> {
  node.requireLeading();
  if (node.state.isCurrent(caller)) return;
  await node.confirmLeadership();
  node.requireLeading();
  requireCurrent(node, caller);
}

/** Throws NOT_OWNER for a run that a newer one of the same AllocSvr has superseded, or that never registered. */
function requireCurrent(node: StoreNode, caller: Caller): void {
  if (node.state.isCurrent(caller)) return;
  const known = node.state.alloc(caller.allocId) === undefined ? 'is not registered' : 'is superseded by a newer one';
  throw new SeqError('NOT_OWNER', `superseded: incarnation ${caller.incarnation} of ${caller.allocId} ${known}`);
}

function clusterOf(node: StoreNode): Cluster {
  const { cluster } = node.state;
  if (cluster === undefined)
    throw new SeqError('UNAVAILABLE', 'the cluster is not initialised yet', { definite: true, retryAfterMs: STARTING_RETRY_AFTER_MS });
  return cluster;
}

/** What the state machine refused, as an error: the entry changed nothing, so it is definite. */
function throwRefusal(result: Result): void {
  if (result.type === 'refused') throw new SeqError(result.code, result.why, { definite: true });
}

function outcomeToWire(outcome: RaiseOutcome): WireOutcome {
  switch (outcome.type) {
    case 'raised':
      return { maxSeq: outcome.maxSeq, error: undefined };
    case 'refused':
      return { maxSeq: 0n, error: errorToDetail(new SeqError(outcome.code, outcome.why, { definite: true })) };
    default:
      return unreachable(outcome);
  }
}

function atMost(limit: number, count: number, what: string): void {
  if (count > limit) throw new SeqError('INVALID_ARGUMENT', `a request carries at most ${limit} ${what}, got ${count}`);
}
