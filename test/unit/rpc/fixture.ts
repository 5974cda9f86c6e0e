import { connect, createServer, type Server, type Socket } from 'node:net';
import { systemClock } from '../../../src/base/clock.js';
import { SeqError } from '../../../src/base/errors.js';
import { type GetRouteRequest, type GetRouteResponse, RouteServiceService } from '../../../src/rpc/gen/seqsvr/v1/seq.js';
import { type CallContext, GrpcServer, Handlers } from '../../../src/rpc/server.js';

export type Answer = (request: GetRouteRequest, context: CallContext) => GetRouteResponse | Promise<GetRouteResponse>;

/** A real server on loopback with one method, which `answer` answers. Port 0: any. */
export function startServer(answer: Answer, options: { address?: string; onBug?: (error: unknown) => void } = {}): Promise<GrpcServer> {
  const handlers = new Handlers({ clock: systemClock, onBug: options.onBug ?? (() => undefined) });
  const implementation = { getRoute: handlers.unary<GetRouteRequest, GetRouteResponse>(answer) };
  return GrpcServer.start({
    address: options.address ?? '127.0.0.1:0',
    services: [{ definition: RouteServiceService, implementation }],
    clock: systemClock,
  });
}

/** A door that a test can wall up: the first `swallowed` connections are accepted and never answered, later ones reach `target`. */
export class Door {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  acceptedCount = 0;
  /** Connections that come from now on are accepted and never answered. */
  isWalled = false;
  /** Where they lead. */
  target: string | undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open({ swallowed, target }: { swallowed: number; target?: string }): Promise<Door> {
    const server = createServer();
    const door = new Door(server);
    door.target = target;
    server.on('connection', (socket) => {
      door.#keep(socket);
      if (++door.acceptedCount <= swallowed || door.isWalled || door.target === undefined) return;
      const [host = '', port] = door.target.split(':');
      const inner = connect(Number(port), host);
      door.#keep(inner);
      socket.pipe(inner).pipe(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return door;
  }

  get address(): string {
    const bound = this.#server.address();
    return typeof bound === 'object' && bound !== null ? `127.0.0.1:${bound.port}` : '';
  }

  /** Sockets that are open: one for a connection that is not answered, two for one that is. */
  get openCount(): number {
    return this.#sockets.size;
  }

  /** Nothing more is taken from the connections that are open: what is sent through them waits. */
  stopReading(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  /** Breaks every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()));
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket)).on('error', () => socket.destroy());
  }
}

/** The error of a call that must fail. */
export async function errorOf(call: Promise<unknown>): Promise<SeqError> {
  const outcome = await call.then(
    (value) => new Error(`it should have failed, and answered ${String(value)}`),
    (error: unknown) => error,
  );
  if (SeqError.is(outcome)) return outcome;
  throw outcome;
}
