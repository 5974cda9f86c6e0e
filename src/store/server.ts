import type { Clock } from '../base/clock.js';
import type { Observer } from '../base/observe.js';
import type { Random } from '../base/random.js';
import { Health } from '../rpc/health.js';
import { Handlers, type RpcServer } from '../rpc/server.js';
import { type ServerFigures, sumFigures } from '../rpc/server-figures.js';
import { grpcWire, type Wire } from '../rpc/wire.js';
import { storeAdminService } from './admin-service.js';
import { type Identity, isJoiner, openDataDir } from './data-dir.js';
import type { StoreEvent } from './events.js';
import type { LeaseAuthority } from './lease-authority.js';
import type { PlacementPort } from './placement-port.js';
import { placementService } from './placement-service.js';
import { type Begin, LevelStorage, type Opened } from './level-storage.js';
import type { Bootstrap, ConfiguredMember } from './founding.js';
import { StoreNode, type StoreNodeListener } from './node.js';
import { assignmentOf, storeRouteService, storeService } from './service.js';
import { Watchers } from './watchers.js';

/** The arbiter as this node sees it: it leads and stops with the node. */
type Authority = LeaseAuthority & { lead(): void; stop(): void; wake(): void };

/** A frame of one entry may be as large as what a client may propose, and then some. */
const PEER_FRAME_BYTES_MAX = 16 * 1024 * 1024;

export interface StoreServerOptions {
  readonly name: string;
  readonly clusterId: string;
  /** The Raft id of a founder. Undefined: it joins, and a new directory draws its own. */
  readonly nodeId: number | undefined;
  readonly dataDir: string;
  /** `host:port` of the store API: AllocSvrs, table-less clients, tools. */
  readonly listen: string;
  /** `host:port` of the peer listener: other StoreSvrs. */
  readonly peerListen: string;
  /** What others dial to reach `listen` and `peerListen`. */
  readonly advertise: string;
  readonly peerAdvertise: string;
  /** The founders, under the addresses that others dial; for one who joins, the members that it knows of. */
  readonly members: readonly ConfiguredMember[];
  readonly bootstrap: Bootstrap;
  readonly heartbeatMs: number;
  readonly electionMinMs: number;
  readonly keepLogEntries: number;
  readonly build: { readonly version: string; readonly pid: number };
  /** Brings the arbiter, a role that this node plays while it leads. */
  readonly makeArbiter: (node: StoreNode) => { readonly authority: Authority; readonly placement: PlacementPort };
  readonly clock: Clock;
  /** How calls travel. Default: gRPC. */
  readonly wire?: Wire | undefined;
  /** The same between StoreSvrs. Default: `wire`. */
  readonly peerWire?: Wire | undefined;
  readonly random: Random;
  readonly observe: Observer<StoreEvent>;
  /** Hears the first storage error or broken invariant: the process must end at once. */
  readonly onFatal: (error: unknown) => void;
  /** The cluster has removed this node: the process is to stop. */
  readonly onRemoved: () => void;
}

/** A StoreSvr: one node of the Raft group, with its services. */
export class StoreServer {
  readonly node: StoreNode;
  readonly #servers: readonly RpcServer[];
  readonly #health: Health;
  readonly #watchers: Watchers;
  readonly #authority: Authority;

  private constructor(parts: { node: StoreNode; servers: readonly RpcServer[]; health: Health; watchers: Watchers; authority: Authority }) {
    this.node = parts.node;
    this.#servers = parts.servers;
    this.#health = parts.health;
    this.#watchers = parts.watchers;
    this.#authority = parts.authority;
  }

  /** Opens the data directory, listens, then joins its peers. Throws INVALID_ARGUMENT or DamageError before anything runs. */
  static async start(options: StoreServerOptions): Promise<StoreServer> {
    const { clusterId, nodeId, random } = options;
    const dataDir = await openDataDir(options.dataDir, { clusterId, nodeId, random });
    const begin: Begin = isJoiner(dataDir.identity) ? { type: 'joining' } : { type: 'founding', voters: options.members.map(({ id }) => id) };
    const opened = await LevelStorage.open(dataDir, begin, options.onFatal);
    try {
      return await StoreServer.serve(options, dataDir.identity, opened);
    } catch (error) {
      await opened.storage.close();
      throw error;
    }
  }

  /** As `start`, on storage that is open already; it is the caller's until this resolves. */
  static async serve(
    options: Omit<StoreServerOptions, 'clusterId' | 'dataDir' | 'nodeId'>,
    identity: Identity,
    opened: Opened,
  ): Promise<StoreServer> {
    const { clock, observe, onFatal, wire = grpcWire, peerWire = wire } = options;
    const node = new StoreNode({ ...options, wire: peerWire, identity, opened });
    const { authority, placement } = options.makeArbiter(node);
    const watchers = new Watchers({ assignmentOf: (caller) => assignmentOf(node, caller), version: () => node.state.version });
    const health = new Health(['seqsvr.v1.StoreService', 'seqsvr.v1.RouteService', 'seqsvr.v1.AdminService']);
    node.listen(roles({ node, authority, watchers, health }));

    const handlers = new Handlers({ clock, onBug: onFatal, routingVersion: () => node.state.cluster?.version });
    const services = [
      storeService({ node, authority, watchers, handlers, clock }),
      storeRouteService(node, handlers),
      storeAdminService({ ...options, node, authority, handlers }),
      // As raft's election timeout is drawn from [min, 2 x min).
      placementService({ ...options, electionMaxMs: options.electionMinMs * 2, node, authority, placement, handlers }),
      health.service(handlers),
    ];
    const server = await wire.serve({ address: options.listen, services, clock });
    const peerServer = await peerWire
      .serve({
        address: options.peerListen,
        services: [node.transport.service(handlers)],
        clock,
        maxRequestBytes: PEER_FRAME_BYTES_MAX,
      })
      .catch((error: unknown) => {
        server.cut();
        throw error;
      });
    node.start();
    observe({ type: 'started', nodeUuid: identity.nodeUuid, lastIndex: node.raft.log.lastIndex, appliedIndex: node.raft.log.appliedIndex });
    return new StoreServer({ node, servers: [server, peerServer], health, watchers, authority });
  }

  get address(): string {
    return this.#servers[0]?.address ?? '';
  }

  /** What the gates of its ports have counted. */
  get gateFigures(): ServerFigures {
    return sumFigures(this.#servers);
  }

  /** Takes nothing more in, saves what is applied, closes. */
  async stop(): Promise<void> {
    this.#health.close();
    this.#watchers.close();
    this.#authority.stop();
    await this.node.stop();
    for (const server of this.#servers) server.cut();
  }
}

/** What lives and dies with leadership. */
function roles(parts: { node: StoreNode; authority: Authority; watchers: Watchers; health: Health }): StoreNodeListener {
  const { node, authority, watchers, health } = parts;
  return {
    onLead: () => authority.lead(),
    onFollow: () => {
      authority.stop();
      watchers.close();
    },
    onVersion: () => {
      health.set(node.state.cluster !== undefined);
      if (!node.isLeading) return;
      watchers.push();
      authority.wake();
    },
  };
}
