import type { Clock } from '../base/clock.js';

/**
 * Lets so many begin in one turn of the event loop, and the others in later ones, in the order in which they came: whatever else the process has
 * to do comes between. How many wait is bounded by who calls.
 */
export class Turns {
  readonly #clock: Pick<Clock, 'defer'>;
  readonly #beginsMax: number;
  readonly #waiting: (() => void)[] = [];
  #leftCount: number;
  #isDeferred = false;

  constructor(clock: Pick<Clock, 'defer'>, beginsMax: number) {
    this.#clock = clock;
    this.#beginsMax = beginsMax;
    this.#leftCount = beginsMax;
  }

  /** Resolves when it is the caller's turn. Undefined: it is now. */
  next(): Promise<void> | undefined {
    this.#deferOnce();
    if (this.#leftCount > 0) {
      this.#leftCount -= 1;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #deferOnce(): void {
    if (this.#isDeferred) return;
    this.#isDeferred = true;
    this.#clock.defer(() => this.#nextTurn());
  }

  #nextTurn(): void {
    this.#isDeferred = false;
    const begin = this.#waiting.splice(0, this.#beginsMax);
    this.#leftCount = this.#beginsMax - begin.length;
    if (begin.length > 0) this.#deferOnce();
    for (const resolve of begin) resolve();
  }
}
