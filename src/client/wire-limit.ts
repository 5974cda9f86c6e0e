import { assert } from '../base/assert.js';
import type { StopSignal } from '../base/stop.js';

/**
 * How many calls of one client are on the wire to one address at once; the others wait in line. It is well below the
 * 1000 streams that a server takes, and enough to keep one busy: what is sent beyond that only grows old on the way.
 */
export const CALLS_ON_WIRE_MAX = 256;

/** A call in line. */
export interface InLine {
  /** Ends the wait when it is stopped. */
  readonly signal: StopSignal;
  /** The address serves this call no longer, so that waiting there is in vain. */
  isStale(): boolean;
}

/**
 * Places on the wire, CALLS_ON_WIRE_MAX for each address, given in the order of asking. The line itself is bounded by
 * the calls that a client may have in flight. Pure: waits end by leave(), by a signal or by dropStale(), never by time.
 */
export class WireLimit {
  readonly #lines = new Map<string, Line>();

  /** True at once or later: the call has a place, and must give it back with leave(). False: stopped, or stale. */
  enter(address: string, call: InLine): true | Promise<boolean> {
    let line = this.#lines.get(address);
    if (line === undefined) {
      line = new Line();
      this.#lines.set(address, line);
    }
    return line.enter(call);
  }

  leave(address: string): void {
    const line = this.#lines.get(address);
    assert(line !== undefined, 'a place on the wire was given back twice');
    // A line exists only while someone is in it, so addresses that came and went cost nothing.
    if (line.leave() === 0) this.#lines.delete(address);
  }

  /** Ends the wait of every call that is stale by now: to be called when the table has changed. */
  dropStale(): void {
    for (const line of this.#lines.values()) line.dropStale();
  }
}

/** The line before one address. Invariant: someone waits only while every place is taken. */
class Line {
  #takenCount = 0;
  /** By ticket. A ticket below `#nextToServe` is served or gone, so no gap is looked at twice. */
  readonly #waiting = new Map<number, { readonly call: InLine; readonly end: (hasPlace: boolean) => void }>();
  #nextTicket = 0;
  #nextToServe = 0;

  enter(call: InLine): true | Promise<boolean> {
    if (this.#takenCount === CALLS_ON_WIRE_MAX) return this.#wait(call);
    this.#takenCount++;
    return true;
  }

  /** Hands the place on, or frees it. Returns how many places are taken after it. */
  leave(): number {
    const next = this.#first();
    if (next === undefined) this.#takenCount--;
    else next.end(true);
    return this.#takenCount;
  }

  dropStale(): void {
    for (const { call, end } of this.#waiting.values()) if (call.isStale()) end(false);
  }

  #wait(call: InLine): Promise<boolean> {
    return new Promise((resolve) => {
      const ticket = this.#nextTicket++;
      const end = (hasPlace: boolean): void => {
        this.#waiting.delete(ticket);
        call.signal.removeEventListener('abort', stop);
        resolve(hasPlace);
      };
      const stop = (): void => end(false);
      if (call.signal.aborted) return resolve(false);
      call.signal.addEventListener('abort', stop, { once: true });
      this.#waiting.set(ticket, { call, end });
    });
  }

  #first(): { end(hasPlace: boolean): void } | undefined {
    for (; this.#nextToServe < this.#nextTicket; this.#nextToServe++) {
      const waiting = this.#waiting.get(this.#nextToServe);
      if (waiting !== undefined) return waiting;
    }
    return undefined;
  }
}
