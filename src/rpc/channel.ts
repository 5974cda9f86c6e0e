import { type ClientReadableStream, Metadata, type MethodDefinition, type ServiceError, status } from '@grpc/grpc-js';
import type { Clock } from '../base/clock.js';
import { optional, SeqError } from '../base/errors.js';
import type { StopSignal } from '../base/stop.js';
import { Connection } from './connection.js';
import { errorFromWire } from './status.js';

/** Connections that were given up while calls still waited in them. Beyond it the oldest is closed, and its calls fail. */
const RETIRED_MAX = 8;

export interface CallOptions {
  /** For this one attempt, in ms; at least 1. Every attempt has a deadline. */
  readonly timeoutMs: number;
  readonly signal?: StopSignal | undefined;
}

/** One connection to one address: unary calls and streams with deadlines, rebuilt when it is stuck. */
export class Channel {
  readonly address: string;
  readonly #clock: Clock;
  #connection: Connection;
  /** Given up, and open until their calls have ended. */
  readonly #retired = new Set<Connection>();
  #isClosed = false;

  constructor(options: { readonly address: string; readonly clock: Clock }) {
    this.address = options.address;
    this.#clock = options.clock;
    this.#connection = new Connection(options);
  }

  /** One attempt. Rejects with a SeqError: definite only when the server's own trailer says so, or nothing was sent. */
  call<Request, Response>(method: MethodDefinition<Request, Response>, request: Request, options: CallOptions): Promise<Response> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(new SeqError('CLOSED', `the channel to ${this.address} is closed`));
      if (options.signal?.aborted) return reject(abortedBy(options.signal, true));
      const deadline = this.#clock.wallMs() + Math.max(1, options.timeoutMs);
      const connection = this.#connection;
      connection.began();
      const call = connection.client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        new Metadata(),
        { deadline },
        (error, response) => {
          options.signal?.removeEventListener('abort', onAbort);
          connection.ended();
          if (error !== null) return reject(this.#toSeqError(error, options.signal));
          if (response === undefined) return reject(new SeqError('PROTOCOL', `${this.address} answered without a message`));
          resolve(response);
        },
      );
      const onAbort = (): void => call.cancel();
      options.signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Opens a server stream; it has no deadline, so its reader watches over it. */
  serverStream<Request, Response>(method: MethodDefinition<Request, Response>, request: Request): ClientReadableStream<Response> {
    const { client } = this.#connection;
    return this.#counted(client.makeServerStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, request, new Metadata()));
  }

  /** Opens a stream in both directions; it has no deadline. */
  duplexStream<Request, Response>(method: MethodDefinition<Request, Response>) {
    const { client } = this.#connection;
    return this.#counted(client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, new Metadata()));
  }

  /** The SeqError of a stream's 'error' event. */
  errorOf(error: ServiceError): SeqError {
    return this.#toSeqError(error, undefined);
  }

  close(): void {
    this.#isClosed = true;
    this.#connection.close();
    for (const connection of this.#retired) connection.close();
    this.#retired.clear();
  }

  /** A stream holds its connection as a call does; 'status' comes once, whatever ends it. */
  #counted<Stream extends { on(event: 'status', handle: () => void): unknown }>(stream: Stream): Stream {
    const connection = this.#connection;
    connection.began();
    stream.on('status', () => connection.ended());
    return stream;
  }

  #toSeqError(error: ServiceError, signal: StopSignal | undefined): SeqError {
    if (signal?.aborted && error.code === status.CANCELLED) return abortedBy(signal, false);
    this.#rebuildWhenStuck();
    return errorFromWire(error, this.address);
  }

  /** Later calls get a connection of their own; those that wait in the old one keep it until they end. */
  #rebuildWhenStuck(): void {
    if (this.#isClosed || !this.#connection.isStuck) return;
    const stuck = this.#connection;
    this.#connection = new Connection({ address: this.address, clock: this.#clock });
    this.#retired.add(stuck);
    stuck.retire(() => this.#retired.delete(stuck));
    const [oldest] = this.#retired;
    if (oldest === undefined || this.#retired.size <= RETIRED_MAX) return;
    this.#retired.delete(oldest);
    oldest.close();
  }
}

/** Channels by address, made on first use. */
export class ChannelPool {
  readonly #clock: Clock;
  readonly #channels = new Map<string, Channel>();
  #isClosed = false;

  constructor(options: { readonly clock: Clock }) {
    this.#clock = options.clock;
  }

  /** Throws CLOSED once the pool is closed. */
  to(address: string): Channel {
    if (this.#isClosed) throw new SeqError('CLOSED', 'closed');
    let channel = this.#channels.get(address);
    if (channel === undefined) {
      channel = new Channel({ address, clock: this.#clock });
      this.#channels.set(address, channel);
    }
    return channel;
  }

  /** Closes every channel whose address is not among `addresses`: the pool never grows past what is in use. */
  keepOnly(addresses: ReadonlySet<string>): void {
    for (const [address, channel] of this.#channels) {
      if (addresses.has(address)) continue;
      this.#channels.delete(address);
      channel.close();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.keepOnly(new Set());
  }
}

function abortedBy(signal: StopSignal, definite: boolean): SeqError {
  return new SeqError('ABORTED', 'the call was aborted by its signal', { definite, ...optional('cause', signal.reason) });
}
