import type { Call } from './model.js';

/** No entry: the end of the list. */
export const END = -1;

/**
 * Invocations and returns in the order of time, as a list from which calls are taken out and put back in O(1) (Wing & Gong; Lowe 4.2).
 * At one instant invocations come before returns, and a call of unknown outcome has no return. Entry 2c is the invocation of call c, 2c + 1 its return.
 */
export class Timeline {
  readonly #next: Int32Array;
  readonly #before: Int32Array;
  readonly #hasReturn: Uint8Array;
  readonly #head: number;

  constructor(calls: readonly Call<unknown, unknown>[]) {
    const entries = calls.flatMap(({ output, invokedAt, returnedAt }, call) => [
      { entry: call * 2, at: invokedAt },
      ...(output === undefined ? [] : [{ entry: call * 2 + 1, at: returnedAt }]),
    ]);
    entries.sort((one, other) => one.at - other.at || (one.entry & 1) - (other.entry & 1) || one.entry - other.entry);
    this.#head = calls.length * 2;
    this.#next = new Int32Array(calls.length * 2 + 1).fill(END);
    this.#before = new Int32Array(calls.length * 2 + 1).fill(END);
    this.#hasReturn = Uint8Array.from(calls, ({ output }) => (output === undefined ? 0 : 1));
    let before = this.#head;
    for (const { entry } of entries) {
      this.#next[before] = entry;
      this.#before[entry] = before;
      before = entry;
    }
  }

  get first(): number {
    return this.#next[this.#head] as number;
  }

  after(entry: number): number {
    return this.#next[entry] as number;
  }

  take(call: number): void {
    this.#unlink(call * 2);
    if (this.#hasReturn[call] === 1) this.#unlink(call * 2 + 1);
  }

  /** Undoes the last `take`, which was of this call: the entries still know their places. */
  putBack(call: number): void {
    if (this.#hasReturn[call] === 1) this.#link(call * 2 + 1);
    this.#link(call * 2);
  }

  #unlink(entry: number): void {
    const before = this.#before[entry] as number;
    const next = this.#next[entry] as number;
    this.#next[before] = next;
    if (next !== END) this.#before[next] = before;
  }

  #link(entry: number): void {
    const next = this.#next[entry] as number;
    this.#next[this.#before[entry] as number] = entry;
    if (next !== END) this.#before[next] = entry;
  }
}

export function isInvocation(entry: number): boolean {
  return (entry & 1) === 0;
}

export function callOf(entry: number): number {
  return entry >> 1;
}
