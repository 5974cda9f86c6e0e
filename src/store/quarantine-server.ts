import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import {
  AdminServiceService,
  type GetStatusRequest,
  type GetStatusResponse,
  type RejoinRequest,
  type RejoinResponse,
} from '../rpc/gen/seqsvr/v1/admin.js';
import { RouteServiceService } from '../rpc/gen/seqsvr/v1/seq.js';
import { StoreServiceService } from '../rpc/gen/seqsvr/v1/store.js';
import { Health } from '../rpc/health.js';
import { Handlers, type RpcServer, type Service } from '../rpc/server.js';
import { type ServerFigures, sumFigures } from '../rpc/server-figures.js';
import { grpcWire, type Wire } from '../rpc/wire.js';
import { requireCluster } from './admin-service.js';
import type { Identity } from './data-dir.js';
import type { Build } from './status-service.js';

export interface QuarantineServerOptions {
  readonly name: string;
  readonly clusterId: string;
  /** Whose data it was. Undefined: that cannot be read any more. */
  readonly identity: Identity | undefined;
  /** What was found, and when. */
  readonly quarantine: { readonly reason: string; readonly sinceUnixMs: number };
  /** `host:port` of the store API. */
  readonly listen: string;
  readonly advertise: string;
  readonly peerAdvertise: string;
  readonly build: Build;
  readonly clock: Clock;
  /** How calls travel. Default: gRPC. */
  readonly wire?: Wire | undefined;
  /** Puts the damaged data aside and resolves with where it is, once that is on disk. A rejection ends the process. */
  readonly setAside: () => Promise<string>;
  /** Hears a bug, or that the data could not be put aside: the process must end. */
  readonly onFatal: (error: unknown) => void;
}

/**
 * What a StoreSvr is while its data cannot be believed: it says so, and does nothing else. No Raft, no peer listener: it
 * votes for nobody, acknowledges nothing and answers no read (DESIGN 3.6).
 */
export class QuarantineServer {
  /** Resolves once an operator had the data put aside and was told: stop this server and start as a joiner. */
  readonly rejoined: Promise<void>;
  readonly #options: QuarantineServerOptions;
  readonly #health = new Health(['seqsvr.v1.StoreService', 'seqsvr.v1.RouteService', 'seqsvr.v1.AdminService']);
  readonly #startedMs: number;
  #server: RpcServer | undefined;
  #movedTo: Promise<string> | undefined;
  #onRejoined: () => void = () => undefined;

  private constructor(options: QuarantineServerOptions) {
    this.#options = options;
    this.#startedMs = options.clock.nowMs();
    this.rejoined = new Promise((resolve) => {
      this.#onRejoined = resolve;
    });
  }

  /** Throws INVALID_ARGUMENT when the address cannot be had. */
  static async start(options: QuarantineServerOptions): Promise<QuarantineServer> {
    const server = new QuarantineServer(options);
    const handlers = new Handlers({ clock: options.clock, onBug: options.onFatal });
    const why = `${options.name} is quarantined: ${options.quarantine.reason}`;
    const services = [
      refusing(StoreServiceService, handlers, why),
      refusing(RouteServiceService, handlers, why),
      server.#adminService(handlers, why),
      server.#health.service(handlers),
    ];
    server.#server = await (options.wire ?? grpcWire).serve({ address: options.listen, services, clock: options.clock });
    return server;
  }

  get address(): string {
    return this.#server?.address ?? '';
  }

  /** What the gates of its port have counted. */
  get gateFigures(): ServerFigures {
    return sumFigures(this.#server === undefined ? [] : [this.#server]);
  }

  /** Lets the answer of a Rejoin leave, then closes. */
  async stop(): Promise<void> {
    this.#health.close();
    await this.#server?.close();
  }

  #adminService(handlers: Handlers, why: string): Service {
    const { definition, implementation } = refusing(AdminServiceService, handlers, why);
    return {
      definition,
      implementation: {
        ...implementation,
        getStatus: handlers.unary<GetStatusRequest, GetStatusResponse>(() => this.#status()),
        rejoin: handlers.unary<RejoinRequest, RejoinResponse>((request) => this.#rejoin(request)),
      },
    };
  }

  #status(): GetStatusResponse {
    const { name, clusterId, build, clock, identity, quarantine, advertise, peerAdvertise } = this.#options;
    const nothing = { firstIndex: 0n, lastIndex: 0n, commitIndex: 0n, appliedIndex: 0n, term: 0n, leaderId: 0, stateHash: '' };
    return {
      name,
      clusterId,
      ...build,
      uptimeMs: BigInt(Math.round(clock.nowMs() - this.#startedMs)),
      role: {
        $case: 'store',
        value: {
          ...nothing,
          nodeId: identity?.nodeId ?? 0,
          nodeUuid: identity?.nodeUuid ?? '',
          raftRole: 'quarantined',
          standing: 'quarantined',
          quarantine: { reason: quarantine.reason, sinceUnixMs: BigInt(quarantine.sinceUnixMs) },
          peerAddress: peerAdvertise,
          address: advertise,
          sectionCount: 0,
          unassignedCount: 0,
          allocs: [],
          members: [],
        },
      },
    };
  }

  /** Asked twice at once, it is done once. What was asked for is checked first: the answer to a repeat is the same. */
  async #rejoin(request: RejoinRequest): Promise<RejoinResponse> {
    const { clusterId, identity, setAside, onFatal } = this.#options;
    requireCluster(request.clusterId, clusterId);
    const own = identity?.nodeUuid ?? '';
    if (request.nodeUuid !== '' && request.nodeUuid !== own) {
      const what = own === '' ? 'one that cannot be read' : own;
      throw new SeqError('INVALID_ARGUMENT', `the data directory here is ${what}, the caller means ${request.nodeUuid}`);
    }
    this.#movedTo ??= setAside();
    try {
      const movedTo = await this.#movedTo;
      this.#onRejoined();
      return { movedTo };
    } catch (error) {
      onFatal(error);
      throw new SeqError('UNAVAILABLE', 'the data could not be put aside; the process ends', { cause: error, definite: false });
    }
  }
}

/** Every method of a service answers UNAVAILABLE with the reason, definite: nothing was done. */
function refusing(definition: Service['definition'], handlers: Handlers, why: string): Service {
  const refuse = (): never => {
    throw new SeqError('UNAVAILABLE', why, { definite: true });
  };
  const implementation = Object.fromEntries(
    Object.entries(definition).map(([name, { requestStream, responseStream }]) => {
      if (requestStream) return [name, handlers.duplex(refuse)];
      return [name, responseStream ? handlers.serverStream(refuse) : handlers.unary(refuse)];
    }),
  );
  return { definition, implementation };
}
