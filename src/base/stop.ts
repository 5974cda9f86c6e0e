/** The part of an AbortSignal that our own waits use. Every AbortSignal is one, and so is a Stopper. */
export interface StopSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', handle: () => void, options?: { readonly once: boolean }): void;
  removeEventListener(type: 'abort', handle: () => void): void;
}

/**
 * An AbortController and its signal in one, for paths where that costs too much: an EventTarget with one listener
 * takes about 7 us, this one 0.1 us. Each handler runs once, in the order they came; one that throws stops the rest.
 */
export class Stopper implements StopSignal {
  #handles: Set<() => void> | undefined;
  #aborted = false;
  #reason: unknown;

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  /** How many wait for the stop: 0 shows that a finished call left none behind. */
  get listenerCount(): number {
    return this.#handles?.size ?? 0;
  }

  /** The first reason counts. */
  abort(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    // A handler that an earlier one took away is not called: a Set skips what was deleted.
    for (const handle of this.#handles ?? []) handle();
    this.#handles = undefined;
  }

  /** As with an AbortSignal, nobody is called who comes after the stop. */
  addEventListener(_type: 'abort', handle: () => void): void {
    if (this.#aborted) return;
    this.#handles ??= new Set();
    this.#handles.add(handle);
  }

  removeEventListener(_type: 'abort', handle: () => void): void {
    this.#handles?.delete(handle);
  }
}
