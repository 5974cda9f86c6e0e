import type { Clock } from '../base/clock.js';

/**
 * Takes replies one in a turn of the event loop. Several arrive together, and each sets callers free who call again at once: with a turn
 * for each, their next frame is on its way while the next reply is looked at, so that client and server work at the same time.
 */
export class ReplyQueue<Reply> {
  readonly #clock: Clock;
  readonly #take: (reply: Reply) => void;
  #waiting: Reply[] = [];
  /** This turn has had its reply. */
  #isTaken = false;

  constructor(clock: Clock, take: (reply: Reply) => void) {
    this.#clock = clock;
    this.#take = take;
  }

  push(reply: Reply): void {
    if (this.#isTaken) this.#waiting.push(reply);
    else this.#takeNow(reply);
  }

  /** Forgets what was not taken. */
  clear(): void {
    this.#waiting = [];
  }

  #takeNow(reply: Reply): void {
    this.#isTaken = true;
    this.#clock.defer(() => {
      this.#isTaken = false;
      const next = this.#waiting.shift();
      if (next !== undefined) this.#takeNow(next);
    });
    this.#take(reply);
  }
}
