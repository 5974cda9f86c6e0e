import { type ClientDuplexStream, type ClientReadableStream, Metadata, type MethodDefinition, type ServiceError, status } from '@grpc/grpc-js';
import type { Clock } from '../base/clock.js';
import { optional, SeqError } from '../base/errors.js';
import type { StopSignal } from '../base/stop.js';
import { Connection } from './connection.js';
import { errorFromWire } from './status.js';

/** Connections that were given up while calls still waited in them. Beyond it the oldest is closed, and its calls fail. */
const RETIRED_MAX = 8;

/** What a stream's 'error' event carries. */
export type StreamError = ServiceError;

export interface CallOptions {
  /** For this one attempt, in ms; at least 1. Every attempt has a deadline. */
  readonly timeoutMs: number;
  readonly signal?: StopSignal | undefined;
}

/** The way to one address. What goes wrong on it is a SeqError: definite only when the server's own trailer says so, or nothing was sent. */
export interface Channel {
  readonly address: string;
  /** One attempt. Rejects with a SeqError. */
  call<Request, Response>(method: MethodDefinition<Request, Response>, request: Request, options: CallOptions): Promise<Response>;
  /** Opens a server stream; it has no deadline, so its reader watches over it. */
  serverStream<Request, Response>(method: MethodDefinition<Request, Response>, request: Request): ClientReadableStream<Response>;
  /** Opens a stream in both directions; it has no deadline. */
  duplexStream<Request, Response>(method: MethodDefinition<Request, Response>): ClientDuplexStream<Request, Response>;
  /** The SeqError of a stream's 'error' event. */
  errorOf(error: ServiceError): SeqError;
  close(): void;
}

/** One connection to one address: unary calls and streams with deadlines, rebuilt when it is stuck. */
export class GrpcChannel implements Channel {
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

  serverStream<Request, Response>(method: MethodDefinition<Request, Response>, request: Request): ClientReadableStream<Response> {
    const { client } = this.#connection;
    return this.#counted(client.makeServerStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, request, new Metadata()));
  }

  duplexStream<Request, Response>(method: MethodDefinition<Request, Response>): ClientDuplexStream<Request, Response> {
    const { client } = this.#connection;
    return this.#counted(client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, new Metadata()));
  }

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

function abortedBy(signal: StopSignal, definite: boolean): SeqError {
  return new SeqError('ABORTED', 'the call was aborted by its signal', { definite, ...optional('cause', signal.reason) });
}
