import { SeqError } from '../base/errors.js';
import type { Channel } from '../rpc/channel.js';
import { StoreServiceService, type WatchRequest } from '../rpc/gen/seqsvr/v1/store.js';
import { type Assignment, assignmentFromWire } from './client-values.js';

export interface WatchHandlers {
  onAssignment(assignment: Assignment): void;
  /** Called once, last; not after cancel(). NOT_LEADER is told as UNAVAILABLE. Open another one then. */
  onEnd(error: SeqError): void;
}

interface Watch {
  readonly address: string;
  end(error: SeqError): void;
}

/** The open Watch streams, by the StoreSvr that feeds them. */
export class Watches {
  readonly #open = new Set<Watch>();
  /** Hears why a stream ended, with the address that ended it. */
  readonly #onEnd: (address: string, error: SeqError) => void;

  constructor(options: { readonly onEnd: (address: string, error: SeqError) => void }) {
    this.#onEnd = options.onEnd;
  }

  /** The returned function ends it silently. */
  open(channel: Channel, request: WatchRequest, handlers: WatchHandlers): () => void {
    const stream = channel.serverStream(StoreServiceService.watch, request);
    const { address } = channel;
    const watch: Watch = {
      address,
      end: (error) => {
        if (!this.#open.delete(watch)) return;
        stream.cancel();
        this.#onEnd(address, error);
        handlers.onEnd(error.code === 'NOT_LEADER' ? new SeqError('UNAVAILABLE', error.message, { cause: error, endpoint: address }) : error);
      },
    };
    this.#open.add(watch);
    stream.on('data', (response) => {
      if (!this.#open.has(watch)) return;
      const assignment = parse(() => assignmentFromWire(response.assignment));
      if (assignment instanceof SeqError) watch.end(assignment);
      else handlers.onAssignment(assignment);
    });
    // A cancelled stream still emits 'error'; with no listener that would end the process.
    stream.on('error', (error) => watch.end(channel.errorOf(error as Parameters<Channel['errorOf']>[0])));
    stream.on('end', () => watch.end(new SeqError('UNAVAILABLE', `${address} ended the watch`, { endpoint: address })));
    return () => {
      if (this.#open.delete(watch)) stream.cancel();
    };
  }

  /** Another StoreSvr leads now: what a former one may still push, or not push because it is paused, is of no use. */
  endAllBut(leader: string): void {
    for (const watch of this.#open) {
      if (watch.address !== leader) watch.end(new SeqError('UNAVAILABLE', `${watch.address} no longer leads, ${leader} does`, { endpoint: leader }));
    }
  }

  close(): void {
    for (const watch of this.#open) watch.end(new SeqError('CLOSED', 'the store client was closed'));
  }
}

function parse<Value>(read: () => Value): Value | SeqError {
  try {
    return read();
  } catch (error) {
    if (error instanceof SeqError) return error;
    throw error;
  }
}
