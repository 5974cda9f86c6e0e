import type { SeqError } from '../base/errors.js';
import type { Version } from '../model/version.js';

/** What a client tells about itself. */
export interface SeqClientEvents {
  /** A newer routing table is in use. */
  readonly route: { readonly version: Version; readonly previous: Version };
  /** A node stopped answering (`failing`, with the error), or answers again (`answering`). Told once for each change. */
  readonly endpoint: { readonly address: string; readonly state: 'answering' | 'failing'; readonly error: SeqError | undefined };
  /** The client was closed. Told once. */
  readonly closed: { readonly callsCutCount: number };
}

export type SeqClientEventName = keyof SeqClientEvents;

/** A minimal typed emitter. Handlers run after the step that emitted, so that one that throws cannot break the client. */
export class Emitter<Events> {
  readonly #handlers = new Map<keyof Events, Set<(event: never) => void>>();

  /** Calls `handle` for each event of that name until the returned function is called. */
  on<Name extends keyof Events>(name: Name, handle: (event: Events[Name]) => void): () => void {
    const handlers = this.#handlers.get(name) ?? new Set();
    this.#handlers.set(name, handlers);
    // A wrapper of its own, so that one function may listen twice and stop once.
    const listener = (event: Events[Name]): void => handle(event);
    handlers.add(listener);
    return () => void handlers.delete(listener);
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const handle of this.#handlers.get(name) ?? []) {
      queueMicrotask(() => (handle as (event: Events[Name]) => void)(event));
    }
  }
}
