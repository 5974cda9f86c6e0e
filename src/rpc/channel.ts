import {
  type ChannelOptions,
  Client,
  type ClientReadableStream,
  connectivityState,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import type { Clock } from '../base/clock.js';
import { optional, SeqError } from '../base/errors.js';
import { errorFromWire } from './status.js';

const CHANNEL_OPTIONS: ChannelOptions = {
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 500,
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
  'grpc.service_config_disable_resolution': 1,
  // Own subchannels, so that a channel that is dropped takes its stuck connection along.
  'grpc.use_local_subchannel_pool': 1,
};

/** grpc-js has no connect timeout (grpc-node #2785): a channel that connects for longer than this is dropped and rebuilt. */
const CONNECT_TIMEOUT_MS = 1_000;

export interface CallOptions {
  /** For this one attempt, in ms; at least 1. Every attempt has a deadline. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** One connection to one address: unary calls and streams with deadlines, rebuilt when it is stuck. */
export class Channel {
  readonly address: string;
  readonly #clock: Clock;
  #client: Client;
  #builtAtMs: number;
  #isClosed = false;

  constructor(options: { readonly address: string; readonly clock: Clock }) {
    this.address = options.address;
    this.#clock = options.clock;
    this.#client = this.#build();
    this.#builtAtMs = this.#clock.nowMs();
  }

  /** One attempt. Rejects with a SeqError: definite only when the server's own trailer says so, or nothing was sent. */
  call<Request, Response>(method: MethodDefinition<Request, Response>, request: Request, options: CallOptions): Promise<Response> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(new SeqError('CLOSED', `the channel to ${this.address} is closed`));
      if (options.signal?.aborted) return reject(abortedBy(options.signal, true));
      const deadline = this.#clock.now().wallMs + Math.max(1, options.timeoutMs);
      const call = this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        new Metadata(),
        { deadline },
        (error, response) => {
          options.signal?.removeEventListener('abort', onAbort);
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
    return this.#client.makeServerStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, request, new Metadata());
  }

  /** Opens a stream in both directions; it has no deadline. */
  duplexStream<Request, Response>(method: MethodDefinition<Request, Response>) {
    return this.#client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, new Metadata());
  }

  /** The SeqError of a stream's 'error' event. */
  errorOf(error: ServiceError): SeqError {
    return this.#toSeqError(error, undefined);
  }

  close(): void {
    this.#isClosed = true;
    this.#client.close();
  }

  #toSeqError(error: ServiceError, signal: AbortSignal | undefined): SeqError {
    if (signal?.aborted && error.code === status.CANCELLED) return abortedBy(signal, false);
    this.#rebuildWhenStuck();
    return errorFromWire(error, this.address);
  }

  #rebuildWhenStuck(): void {
    if (this.#isClosed || this.#clock.nowMs() - this.#builtAtMs < CONNECT_TIMEOUT_MS) return;
    if (this.#client.getChannel().getConnectivityState(false) !== connectivityState.CONNECTING) return;
    this.#client.close();
    this.#client = this.#build();
    this.#builtAtMs = this.#clock.nowMs();
  }

  #build(): Client {
    return new Client(this.address, credentials.createInsecure(), CHANNEL_OPTIONS);
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

function abortedBy(signal: AbortSignal, definite: boolean): SeqError {
  return new SeqError('ABORTED', 'the call was aborted by its signal', { definite, ...optional('cause', signal.reason as unknown) });
}
