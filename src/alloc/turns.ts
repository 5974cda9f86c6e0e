import type { Clock } from '../base/clock.js';

/**
 * Work that was cut in pieces, so that others have their turn between them: one piece in a turn of the event loop, whoever's it is, in the order in which
 * they came. So what a turn costs does not grow with how many have such work. At most one piece of each stream waits here.
 */
export class Turns {
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  next(piece: () => void): void {
    this.#waiting.push(piece);
    if (this.#waiting.length === 1) this.#clock.defer(this.#turn);
  }

  readonly #turn = (): void => {
    const [piece] = this.#waiting;
    try {
      piece?.();
    } finally {
      // Only now: what the piece leaves for later goes to the end.
      this.#waiting.shift();
      if (this.#waiting.length > 0) this.#clock.defer(this.#turn);
    }
  };
}
