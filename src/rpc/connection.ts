import { isIP } from 'node:net';
import { checkServerIdentity, type SecureContext } from 'node:tls';
import { type ChannelCredentials, type ChannelOptions, Client, connectivityState, credentials } from '@grpc/grpc-js';
import type { Clock } from '../base/clock.js';
import { splitAddress } from '../model/address.js';

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

/** grpc-js has no connect timeout (grpc-node #2785): one that has been connecting for longer than this, in ms, is stuck. */
const CONNECT_TIMEOUT_MS = 1_000;

/** What a connection to an address that is a number says in place of a name, for TLS has no place for numbers (RFC 6066, 3). */
const NAMELESS = 'seqsvr.invalid';

/** One grpc-js client: the calls it carries, and since when it has been connecting without a break. */
export class Connection {
  readonly client: Client;
  /** What it began with. */
  readonly context: SecureContext | undefined;
  readonly #clock: Clock;
  #callCount = 0;
  #connectingSinceMs: number | undefined;
  #onIdle: (() => void) | undefined;

  /** `context`: undefined for a plain connection. */
  constructor(options: { readonly address: string; readonly clock: Clock; readonly context?: SecureContext | undefined }) {
    const { address, context } = options;
    this.#clock = options.clock;
    this.context = context;
    const host = splitAddress(address).host.replace(/^\[(.*)\]$/, '$1');
    const named = context === undefined || isIP(host) === 0 ? {} : { 'grpc.ssl_target_name_override': NAMELESS };
    this.client = new Client(address, credentialsOf(host, context), { ...CHANNEL_OPTIONS, ...named });
    this.#watch();
  }

  get isStuck(): boolean {
    return this.#connectingSinceMs !== undefined && this.#clock.nowMs() - this.#connectingSinceMs >= CONNECT_TIMEOUT_MS;
  }

  /** A call or a stream begins. */
  began(): void {
    this.#callCount++;
  }

  /** It ended, whatever came of it. */
  ended(): void {
    this.#callCount--;
    if (this.#callCount === 0) this.#onIdle?.();
  }

  /** Closes once the last call has ended: one that still waits here may yet be answered. Then calls `onClosed`. */
  retire(onClosed: () => void): void {
    this.#onIdle = () => {
      this.#onIdle = undefined;
      this.close();
      onClosed();
    };
    if (this.#callCount === 0) this.#onIdle();
  }

  /** Cuts the calls that wait for the connection; those on the wire may end. */
  close(): void {
    this.client.close();
  }

  /** Follows the state for as long as the client lives: a state that was only read now and then says nothing of "without a break". */
  #watch(): void {
    const channel = this.client.getChannel();
    const state = channel.getConnectivityState(false);
    this.#connectingSinceMs = state === connectivityState.CONNECTING ? this.#clock.nowMs() : undefined;
    if (state === connectivityState.SHUTDOWN) return;
    channel.watchConnectivityState(state, Infinity, () => this.#watch());
  }
}

function credentialsOf(host: string, context: SecureContext | undefined): ChannelCredentials {
  if (context === undefined) return credentials.createInsecure();
  // Against the address that was dialled, whatever name stands in the handshake.
  return credentials.createFromSecureContext(context, { checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate) });
}
