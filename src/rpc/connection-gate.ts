import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../base/clock.js';
import { messageOf } from '../base/errors.js';
import { cannotListen, splitAddress } from '../model/address.js';
import type { FaultLedger } from './fault-ledger.js';

/** What a server takes of connections. What is above is cut, the one that came last first. */
export const CONNECTIONS_MAX = 4_096;
/** From one address of the network: many clients may stand behind one, but never all that there is room for. */
export const CONNECTIONS_OF_ONE_MAX = 2_048;
/** That have not said yet what they speak. Beyond it the one that has been silent for longest is cut: who means it speaks at once. */
export const SILENT_MAX = 256;
/** How long a connection may be silent, in ms. */
export const SILENCE_MAX_MS = 3_000;

/** How HTTP/2 begins (RFC 9113, 3.4). */
const PREFACE_TEXT = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const PREFACE = Buffer.from(PREFACE_TEXT, 'latin1');
/** How TLS begins: the type of a handshake record (RFC 8446, 5.1). */
const TLS_HANDSHAKE = 0x16;

/** What became of connections, since the server started. */
export interface GateFigures {
  openCount: number;
  /** Above one of the bounds in number. */
  refusedCount: number;
  /** Said nothing, or not enough, for too long, or were the most silent of too many. */
  silentCount: number;
  /** Spoke something else. */
  strangerCount: number;
  /** Broke the rules of the protocol, or came from an address that did so too often. */
  faultyCount: number;
}

export interface GateOptions {
  readonly address: string;
  readonly clock: Clock;
  /** TLS comes first; otherwise HTTP/2 at once. */
  readonly isSecure: boolean;
  readonly ledger: FaultLedger;
  /** Takes a connection over that has begun to speak; what it said is still to be read. */
  readonly admit: (socket: Socket) => void;
}

/**
 * The door in front of a gRPC server. grpc-js takes every connection and keeps it, however many there are and whether or not they ever speak;
 * here they are counted, in all and by address, and only those that begin as they should come to HTTP/2.
 */
export class ConnectionGate {
  readonly figures: GateFigures = { openCount: 0, refusedCount: 0, silentCount: 0, strangerCount: 0, faultyCount: 0 };
  readonly #options: GateOptions;
  readonly #server: Server;
  readonly #countOf = new Map<string, number>();
  /** Those that were admitted, by address and port of their other end. */
  readonly #admitted = new Map<string, Cuttable>();
  /** In the order in which they came: how each is cut. */
  readonly #silent = new Map<Socket, () => void>();

  private constructor(options: GateOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true }, (socket) => this.#onConnection(socket));
  }

  /** Throws INVALID_ARGUMENT when the address cannot be had: in use, or not of this machine. */
  static async listen(options: GateOptions): Promise<ConnectionGate> {
    const gate = new ConnectionGate(options);
    const { host, port } = splitAddress(options.address);
    const server = gate.#server;
    await new Promise<void>((resolve, reject) => {
      const fail = (error: Error): void => reject(cannotListen(options.address, new Error(messageOf(error), { cause: error })));
      server.once('error', fail);
      server.listen({ host: host.replace(/^\[|\]$/g, ''), port }, () => {
        server.off('error', fail);
        resolve();
      });
    });
    // Too many open files: the connection is lost, and the server is not.
    server.on('error', () => (gate.figures.refusedCount += 1));
    return gate;
  }

  /** As bound. */
  get port(): number {
    const bound = this.#server.address();
    return bound === null || typeof bound === 'string' ? 0 : bound.port;
  }

  /** Takes no more connections; those that were admitted stay. */
  close(): void {
    this.#server.close();
    for (const cut of this.#silent.values()) cut();
  }

  /** This end of the network broke the rules of the protocol so many times. Once it is not trusted any more, its connection is cut. */
  blame({ remoteAddress = '', remotePort = 0 }: RemoteEnd, count = 1): void {
    if (this.#options.ledger.blame(remoteAddress, count)) return;
    const connection = this.#admitted.get(endOf(remoteAddress, remotePort));
    if (connection === undefined || connection.destroyed) return;
    this.figures.faultyCount += 1;
    connection.destroy();
  }

  /** What is to be destroyed when this connection is cut: a session leaves unread at once what its socket has handed to it already. */
  speaksBy(session: Cuttable, { remoteAddress = '', remotePort = 0 }: RemoteEnd): void {
    const end = endOf(remoteAddress, remotePort);
    if (this.#admitted.has(end)) this.#admitted.set(end, session);
  }

  #onConnection(socket: Socket): void {
    const from = socket.remoteAddress ?? '';
    const ofOne = this.#countOf.get(from) ?? 0;
    // Without a listener a connection that is reset before anybody has it would end the process.
    socket.on('error', () => socket.destroy());
    if (this.figures.openCount >= CONNECTIONS_MAX || ofOne >= CONNECTIONS_OF_ONE_MAX) {
      this.figures.refusedCount += 1;
      socket.destroy();
      return;
    }
    if (!this.#options.ledger.isTrusted(from)) {
      this.figures.faultyCount += 1;
      socket.destroy();
      return;
    }
    this.figures.openCount += 1;
    this.#countOf.set(from, ofOne + 1);
    const end = endOf(from, socket.remotePort ?? 0);
    socket.once('close', () => {
      this.#admitted.delete(end);
      this.#onClose(from);
    });
    this.#listenTo(socket, end);
  }

  #onClose(from: string): void {
    this.figures.openCount -= 1;
    const left = (this.#countOf.get(from) ?? 0) - 1;
    if (left > 0) this.#countOf.set(from, left);
    else this.#countOf.delete(from);
  }

  /** Until it has said how it begins. */
  #listenTo(socket: Socket, end: string): void {
    let heard: Buffer = Buffer.alloc(0);
    const settle = (): void => {
      cancel();
      this.#silent.delete(socket);
      socket.off('readable', onReadable).off('close', settle);
    };
    const cut = (): void => {
      settle();
      this.figures.silentCount += 1;
      socket.destroy();
    };
    const onReadable = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      heard = Buffer.concat([heard, chunk]);
      const beginning = this.#judge(heard);
      if (beginning === 'unfinished') return;
      settle();
      if (beginning === 'strange') {
        this.figures.strangerCount += 1;
        this.#options.ledger.blame(socket.remoteAddress ?? '');
        socket.destroy();
        return;
      }
      socket.unshift(heard);
      this.#admitted.set(end, socket);
      this.#options.admit(socket);
    };
    const cancel = this.#options.clock.after(SILENCE_MAX_MS, cut);
    this.#silent.set(socket, cut);
    socket.on('readable', onReadable).once('close', settle);
    if (this.#silent.size > SILENT_MAX) this.#silent.values().next().value?.();
  }

  #judge(heard: Buffer): 'fine' | 'unfinished' | 'strange' {
    if (this.#options.isSecure) return heard[0] === TLS_HANDSHAKE ? 'fine' : 'strange';
    const length = Math.min(heard.length, PREFACE.length);
    if (!heard.subarray(0, length).equals(PREFACE.subarray(0, length))) return 'strange';
    return length === PREFACE.length ? 'fine' : 'unfinished';
  }
}

/** A socket, or the session on it. */
export interface Cuttable {
  readonly destroyed: boolean;
  destroy(): unknown;
}

/** The other end of a connection. */
export interface RemoteEnd {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

function endOf(address: string, port: number): string {
  return `${address} ${port}`;
}
