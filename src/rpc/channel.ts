import { type ClientDuplexStream, type ClientReadableStream, Metadata, type MethodDefinition, type ServiceError, status } from '@grpc/grpc-js';
import type { Clock } from '../base/clock.js';
import { optional, SeqError } from '../base/errors.js';
import type { StopSignal } from '../base/stop.js';
import { Connection } from './connection.js';
import { errorFromWire } from './status.js';
import type { TlsIdentity } from './tls-identity.js';

/** Connections that were given up while calls still waited in them. Beyond it the oldest is closed, and its calls fail. */
const RETIRED_MAX = 8;

/** What a stream's 'error' event carries. */
export type StreamError = ServiceError;

export interface CallOptions {
  /** For this one attempt, in ms; at least 1. Every attempt has a deadline. */
  readonly timeoutMs: number;
  readonly signal?: StopSignal | undefined;
}

/** How a channel shows who calls. */
export interface DialSecurity {
  readonly identity: TlsIdentity;
  /** Sent with every call. */
  readonly token?: string | undefined;
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
  readonly #security: DialSecurity | undefined;
  #connection: Connection;
  /** Given up, and open until their calls have ended. */
  readonly #retired = new Set<Connection>();
  #isClosed = false;

  /** `security`: undefined for plain connections. */
  constructor(options: { readonly address: string; readonly clock: Clock; readonly security?: DialSecurity | undefined }) {
    this.address = options.address;
    this.#clock = options.clock;
    this.#security = options.security;
    this.#connection = this.#dial();
  }

  call<Request, Response>(method: MethodDefinition<Request, Response>, request: Request, options: CallOptions): Promise<Response> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(new SeqError('CLOSED', `the channel to ${this.address} is closed`));
      if (options.signal?.aborted) return reject(abortedBy(options.signal, true));
      const deadline = this.#clock.wallMs() + Math.max(1, options.timeoutMs);
      const connection = this.#current();
      connection.began();
      const call = connection.client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        this.#metadata(),
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
    const { client } = this.#current();
    return this.#counted(client.makeServerStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, request, this.#metadata()));
  }

  duplexStream<Request, Response>(method: MethodDefinition<Request, Response>): ClientDuplexStream<Request, Response> {
    const { client } = this.#current();
    return this.#counted(client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, this.#metadata()));
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
    if (!this.#isClosed && this.#connection.isStuck) this.#rebuild();
  }

  /** A certificate that was replaced counts from the next call or stream on; what is under way ends where it began. */
  #current(): Connection {
    if (!this.#isClosed && this.#connection.context !== this.#security?.identity.context) this.#rebuild();
    return this.#connection;
  }

  #dial(): Connection {
    return new Connection({ address: this.address, clock: this.#clock, context: this.#security?.identity.context });
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    const token = this.#security?.token;
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    return metadata;
  }

  #rebuild(): void {
    const former = this.#connection;
    this.#connection = this.#dial();
    this.#retired.add(former);
    former.retire(() => this.#retired.delete(former));
    const [oldest] = this.#retired;
    if (oldest === undefined || this.#retired.size <= RETIRED_MAX) return;
    this.#retired.delete(oldest);
    oldest.close();
  }
}

function abortedBy(signal: StopSignal, definite: boolean): SeqError {
  return new SeqError('ABORTED', 'the call was aborted by its signal', { definite, ...optional('cause', signal.reason) });
}
