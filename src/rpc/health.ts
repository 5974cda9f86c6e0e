import { type sendUnaryData, type ServerUnaryCall, type ServerWritableStream, status } from '@grpc/grpc-js';
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as Serving,
  HealthService,
} from './gen/grpc/health/v1/health.js';
import type { Handlers, Service } from './server.js';

type Watcher = ServerWritableStream<HealthCheckRequest, HealthCheckResponse>;

/** How many Watch streams one server keeps; more are answered once and ended. */
const WATCHERS_MAX = 1_000;

/** grpc.health.v1: what this process can serve now, for load balancers and probes. */
export class Health {
  readonly #statuses = new Map<string, Serving>();
  readonly #watchers = new Map<Watcher, string>();

  /** `services`: full names, such as 'seqsvr.v1.SeqService'. The empty name, the server as a whole, is added. */
  constructor(services: readonly string[]) {
    for (const service of ['', ...services]) this.#statuses.set(service, Serving.NOT_SERVING);
  }

  /** Tells every watcher when it changes. */
  set(isServing: boolean): void {
    const now = isServing ? Serving.SERVING : Serving.NOT_SERVING;
    for (const [service, before] of this.#statuses) {
      if (before === now) continue;
      this.#statuses.set(service, now);
      for (const [watcher, watched] of this.#watchers) if (watched === service) watcher.write({ status: now });
    }
  }

  service(handlers: Handlers): Service {
    return {
      definition: HealthService,
      implementation: {
        check: ({ request }: ServerUnaryCall<HealthCheckRequest, HealthCheckResponse>, answer: sendUnaryData<HealthCheckResponse>) => {
          const serving = this.#statuses.get(request.service);
          // The protocol's own word for a service that is not here; Watch says SERVICE_UNKNOWN instead.
          if (serving === undefined) answer({ code: status.NOT_FOUND, details: `no service '${request.service}' here` });
          else answer(null, { status: serving });
        },
        watch: handlers.serverStream<HealthCheckRequest, HealthCheckResponse>(({ service }, stream) => this.#watch(service, stream)),
      },
    };
  }

  #watch(service: string, stream: Watcher): void {
    stream.write({ status: this.#statuses.get(service) ?? Serving.SERVICE_UNKNOWN });
    if (this.#watchers.size >= WATCHERS_MAX) return void stream.end();
    this.#watchers.set(stream, service);
    const forget = (): void => void this.#watchers.delete(stream);
    stream.on('cancelled', forget).on('close', forget).on('error', forget);
  }

  /** Ends every watch, so that a closing server need not wait for its watchers. */
  close(): void {
    this.set(false);
    for (const watcher of this.#watchers.keys()) watcher.end();
    this.#watchers.clear();
  }
}
