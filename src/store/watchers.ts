import { isNewer, type Version } from '../model/version.js';
import type { Assignment, WatchResponse } from '../rpc/gen/seqsvr/v1/store.js';
import { SeqError } from '../base/errors.js';
import type { Caller } from './command.js';

/** AllocSvrs that one leader pushes tables to. */
const WATCHERS_MAX = 10_000;
/** Tables that may wait in one stream; a reader this slow is cut and asks again. */
const WAITING_TABLES_MAX = 16;

/** The stream of one watcher, as far as it is used here. */
export interface WatchStream {
  readonly writableLength: number;
  write(response: WatchResponse): boolean;
  end(): void;
  on(event: 'cancelled' | 'close' | 'error', listener: () => void): unknown;
}

interface Watcher {
  readonly caller: Caller;
  seen: Version;
}

/** Pushes each new table to the AllocSvrs that watch, at once. A push never extends a lease. */
export class Watchers {
  readonly #assignmentOf: (caller: Caller) => Assignment | undefined;
  readonly #version: () => Version;
  readonly #watchers = new Map<WatchStream, Watcher>();

  constructor(parts: { readonly assignmentOf: (caller: Caller) => Assignment | undefined; readonly version: () => Version }) {
    this.#assignmentOf = parts.assignmentOf;
    this.#version = parts.version;
  }

  /** Throws RESOURCE_EXHAUSTED when too many watch. */
  add(stream: WatchStream, caller: Caller, seen: Version): void {
    if (this.#watchers.size >= WATCHERS_MAX) throw new SeqError('RESOURCE_EXHAUSTED', `${WATCHERS_MAX} AllocSvrs watch already`);
    const forget = (): void => void this.#watchers.delete(stream);
    stream.on('cancelled', forget);
    stream.on('close', forget);
    stream.on('error', forget);
    const watcher = { caller, seen };
    this.#watchers.set(stream, watcher);
    this.#push(stream, watcher);
  }

  /** The applied state has a new version. */
  push(): void {
    for (const [stream, watcher] of this.#watchers) this.#push(stream, watcher);
  }

  /** Ends every stream: this node no longer leads, and its watchers should look for who does. */
  close(): void {
    for (const stream of this.#watchers.keys()) stream.end();
    this.#watchers.clear();
  }

  #push(stream: WatchStream, watcher: Watcher): void {
    const version = this.#version();
    if (!isNewer(version, watcher.seen)) return;
    if (stream.writableLength >= WAITING_TABLES_MAX) {
      this.#watchers.delete(stream);
      return stream.end();
    }
    watcher.seen = version;
    stream.write({ assignment: this.#assignmentOf(watcher.caller) });
  }
}
