import { createServer, createConnection, type Server, type Socket } from 'node:net';
import type { Clock } from '../base/clock.js';
import { messageOf, SeqError } from '../base/errors.js';

/** Connections at once; more are refused by closing them. */
const CONNECTIONS_MAX = 2_000;
/** How long one AllocSvr may take to accept a connection, in ms, before the next one is tried. */
const CONNECT_LIMIT_MS = 1_000;

export interface FrontDoorOptions {
  /** 0: any free port. */
  readonly port: number;
  /** Ports on loopback that serve now, asked anew for each connection. */
  readonly targets: () => readonly number[];
  readonly clock: Clock;
}

/** One address for a dev cluster: forwards each connection, byte by byte, to an AllocSvr that lives. */
export class FrontDoor {
  readonly #server: Server;
  readonly #options: FrontDoorOptions;
  readonly #sockets = new Set<Socket>();
  #turn = 0;

  private constructor(options: FrontDoorOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Throws INVALID_ARGUMENT when the port cannot be had. */
  static async open(options: FrontDoorOptions): Promise<FrontDoor> {
    const door = new FrontDoor(options);
    await new Promise<void>((resolve, reject) => {
      door.#server.once('error', (cause) => reject(refusal(options.port, cause)));
      door.#server.listen({ port: options.port, host: '127.0.0.1' }, resolve);
    });
    // Accepting fails when file descriptors run out: that one caller is lost, the door stays open.
    door.#server.on('error', () => undefined);
    return door;
  }

  get port(): number {
    const bound = this.#server.address();
    return typeof bound === 'object' && bound !== null ? bound.port : 0;
  }

  /** Closes the door and cuts every connection through it. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    this.#keep(socket);
    const targets = this.#options.targets();
    this.#turn = (this.#turn + 1) % Math.max(1, targets.length);
    this.#forward(socket, [...targets.slice(this.#turn), ...targets.slice(0, this.#turn)]);
  }

  /** Tries the first of `targets`, then the others. Nothing was read from the caller yet, so trying again is safe. */
  #forward(socket: Socket, targets: readonly number[]): void {
    const [target, ...others] = targets;
    if (target === undefined || socket.destroyed) return void socket.destroy();
    const upstream = this.#keep(createConnection({ port: target, host: '127.0.0.1' }));
    const cancel = this.#options.clock.after(CONNECT_LIMIT_MS, () => upstream.destroy());
    let isConnected = false;
    upstream.once('connect', () => {
      cancel();
      isConnected = true;
      upstream.setNoDelay(true);
      socket.setNoDelay(true);
      socket.pipe(upstream).pipe(socket);
    });
    upstream.once('close', () => {
      cancel();
      if (isConnected) socket.destroy();
      else this.#forward(socket, others);
    });
    socket.once('close', () => upstream.destroy());
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    // A broken connection also closes, and that is what both ends act on.
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }
}

/** True when nobody listens on this loopback port. 0 is always free. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1' }, () => probe.close(() => resolve(true)));
  });
}

/** A loopback port that the kernel says is free now. */
export function anyFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ port: 0, host: '127.0.0.1' }, () => {
      const bound = probe.address();
      probe.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : 0));
    });
  });
}

function refusal(port: number, cause: Error & { readonly code?: string }): SeqError {
  const why =
    cause.code === 'EADDRINUSE'
      ? `port ${port} is in use by another process; stop it, or choose another with --port N (0: any free one)`
      : `port ${port} cannot be listened on: ${messageOf(cause)}; choose another with --port N`;
  return new SeqError('INVALID_ARGUMENT', why, { cause });
}
