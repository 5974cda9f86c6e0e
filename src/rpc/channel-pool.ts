import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Channel } from './channel.js';
import { grpcWire, type Wire } from './wire.js';

/** Channels by address, made on first use. */
export class ChannelPool {
  readonly #clock: Clock;
  readonly #wire: Wire;
  readonly #channels = new Map<string, Channel>();
  #isClosed = false;

  constructor(options: { readonly clock: Clock; readonly wire?: Wire | undefined }) {
    this.#clock = options.clock;
    this.#wire = options.wire ?? grpcWire;
  }

  /** Throws CLOSED once the pool is closed. */
  to(address: string): Channel {
    if (this.#isClosed) throw new SeqError('CLOSED', 'closed');
    let channel = this.#channels.get(address);
    if (channel === undefined) {
      channel = this.#wire.channel({ address, clock: this.#clock });
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
