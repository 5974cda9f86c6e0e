import type { Clock } from '../base/clock.js';
import { every } from '../base/clock.js';
import { optional, SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import type { Random } from '../base/random.js';
import { isWildcard, splitAddress } from '../model/address.js';
import { type Incarnation, parseAllocId, parseIncarnation } from '../model/ids.js';
import { ChannelPool } from '../rpc/channel-pool.js';
import { Health } from '../rpc/health.js';
import { Handlers, type RpcServer, type ServeOptions } from '../rpc/server.js';
import { type ServerFigures, sumFigures } from '../rpc/server-figures.js';
import { grpcWire, type Wire } from '../rpc/wire.js';
import { StoreClient } from '../store/client.js';
import type { AllocEvent } from './events.js';
import type { ExchangeFigures } from './exchange.js';
import { pullOver } from './handoff-wire.js';
import type { SavedCounters } from './handover.js';
import { AllocNode } from './node.js';
import { CountersFile } from './saved-counters.js';
import { DEFAULT_RAISE_AHEAD_MS } from './preallocator.js';
import { type Limits, quotasOf } from './quotas.js';
import { AllocService } from './service.js';

/** How long a clean stop may take until all sections have moved or been given back, in ms. */
export const DRAIN_LIMIT_MS = 20_000;
/** How often health is brought up to date, in ms. It is advice for load balancers; calls ask the lease itself. */
const HEALTH_EVERY_MS = 100;

export interface AllocServerOptions {
  /** The name of this AllocSvr: 1 to 63 of [A-Za-z0-9._-], unique within the set. */
  readonly id: string;
  /** `host:port` for clients; port 0 takes a free one. */
  readonly listen: string;
  /** `host:port` that clients are told to dial; `listen` unless given. */
  readonly advertise?: string;
  /** Failure domain; '' for none. */
  readonly zone: string;
  /** `host:port` of StoreSvrs, at least one. */
  readonly stores: readonly string[];
  /** Absolute path of a folder of its own, where counters survive a clean stop. Absent: they do not. */
  readonly dataDir?: string;
  /** The same, and not in a folder. */
  readonly saved?: SavedCounters;
  /** Fixed by whoever spawned this process. Absent: drawn. */
  readonly incarnation?: Incarnation;
  /** The pace of lease renewals, in ms; at most a quarter of the lease. */
  readonly renewEveryMs: number;
  /** How long one raise is to last at the recent rate, in ms. Default DEFAULT_RAISE_AHEAD_MS. */
  readonly raiseAheadMs?: number;
  /** Every call is STRICT, whatever it says itself. Default false. */
  readonly isStrict?: boolean;
  /** Of each address of clients. Default: none. */
  readonly limits?: Limits;
  readonly clock: Clock;
  /** How calls travel. Default: gRPC. */
  readonly wire?: Wire | undefined;
  readonly random: Random;
  readonly observe: Observer<AllocEvent>;
  /** This process must end: its incarnation was superseded, or it met a bug. */
  readonly onFatal: (error: unknown) => void;
  /** The program's version, for GetStatus. */
  readonly version?: string;
}

/** An AllocSvr: one run of one process, on one address. */
export class AllocServer {
  /** `host:port` that clients dial. */
  readonly address: string;
  readonly #server: RpcServer;
  readonly #service: AllocService;
  readonly #node: AllocNode;
  readonly #store: StoreClient;
  readonly #peers: ChannelPool;
  readonly #health: Health;
  readonly #stopHealth: () => void;

  private constructor(parts: {
    readonly address: string;
    readonly server: RpcServer;
    readonly service: AllocService;
    readonly node: AllocNode;
    readonly store: StoreClient;
    readonly peers: ChannelPool;
    readonly health: Health;
    readonly clock: Clock;
  }) {
    this.address = parts.address;
    this.#server = parts.server;
    this.#service = parts.service;
    this.#node = parts.node;
    this.#store = parts.store;
    this.#peers = parts.peers;
    this.#health = parts.health;
    const refresh = (): void => this.#health.set(this.#node.isServingAt(parts.clock.now()));
    this.#stopHealth = every(parts.clock, HEALTH_EVERY_MS, refresh);
  }

  /**
   * Listens, registers, and resolves when it holds its first lease; waits for the StoreSvrs as long as it takes.
   * Throws INVALID_ARGUMENT for a bad name or address, a port in use, or a pace that cannot keep the set's lease.
   */
  static async start(options: AllocServerOptions): Promise<AllocServer> {
    const { clock, wire = grpcWire, random, observe, zone, renewEveryMs, onFatal } = options;
    const id = parseAllocId(options.id);
    if (options.advertise !== undefined) splitAddress(options.advertise);
    const store = new StoreClient({ endpoints: options.stores, clock, random, wire });
    const incarnation = options.incarnation ?? parseIncarnation(random.id128());
    const peers = new ChannelPool({ clock, wire });
    const pull = pullOver(peers, { allocId: id, incarnation });
    const saved = optional('saved', options.saved ?? (options.dataDir === undefined ? undefined : new CountersFile(options.dataDir, id)));
    const { raiseAheadMs = DEFAULT_RAISE_AHEAD_MS, isStrict = false } = options;
    const node = new AllocNode({ id, incarnation, zone, renewEveryMs, raiseAheadMs, store, clock, random, observe, onFatal, pull, ...saved });
    const handlers = new Handlers({ clock, onBug: onFatal, routingVersion: () => node.table?.version });
    const service = new AllocService({
      node,
      clock,
      version: options.version ?? '',
      isStrict,
      quotas: options.limits === undefined ? undefined : quotasOf(options.limits),
    });
    const health = new Health(['seqsvr.v1.SeqService', 'seqsvr.v1.RouteService']);
    // Listens BEFORE it registers: a port in use is a plain message, and never costs a former run its place.
    const server = await listen(wire, { address: options.listen, services: [...service.services(handlers), health.service(handlers)], clock }, () =>
      shut(node, store, peers),
    );
    const address = options.advertise ?? server.address;
    const alloc = new AllocServer({ address, server, service, node, store, peers, health, clock });
    try {
      if (isWildcard(address)) {
        throw new SeqError('INVALID_ARGUMENT', `clients cannot dial ${address}: say with advertise which address they can`);
      }
      await node.start({ address });
    } catch (error) {
      alloc.cut();
      throw error;
    }
    health.set(node.isServingAt(clock.now()));
    return alloc;
  }

  /** For metrics and probes; never call it to serve. */
  get node(): AllocNode {
    return this.#node;
  }

  /** What its streams have carried. */
  get exchangeFigures(): Readonly<ExchangeFigures> {
    return this.#service.exchangeFigures;
  }

  /** What the gates of its port have counted. */
  get gateFigures(): ServerFigures {
    return sumFigures([this.#server]);
  }

  get incarnation(): Incarnation {
    return this.#node.incarnation;
  }

  /** Hands its sections over to others while it serves on, gives back what nobody takes, and closes: within DRAIN_LIMIT_MS and a little. */
  async drainAndStop(): Promise<void> {
    this.#stopHealth();
    this.#health.close();
    await this.#node.drain({ withinMs: DRAIN_LIMIT_MS });
    shut(this.#node, this.#store, this.#peers);
    this.#service.closeStreams();
    await this.#server.close();
  }

  /** Ends at once, as a crash would: nothing is released. */
  cut(): void {
    this.#stopHealth();
    this.#health.close();
    shut(this.#node, this.#store, this.#peers);
    this.#server.cut();
  }
}

async function listen(wire: Wire, options: ServeOptions, onFailure: () => void): Promise<RpcServer> {
  try {
    return await wire.serve(options);
  } catch (error) {
    onFailure();
    throw error;
  }
}

function shut(node: AllocNode, store: StoreClient, peers: ChannelPool): void {
  node.stop();
  store.close();
  peers.close();
}
