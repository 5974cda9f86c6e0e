import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import { backoffMs, type Random } from '../base/random.js';
import type { Assignment, WatchHandlers } from '../store/client.js';
import type { AllocEvent } from './events.js';
import { Notices } from './notices.js';

const REOPEN_BASE_MS = 50;
const REOPEN_MAX_MS = 1_000;

export interface WatchKeeperOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly observe: Observer<AllocEvent>;
  /** Opens one stream; the returned function ends it silently. */
  readonly open: (handlers: WatchHandlers) => () => void;
  /** Takes a table in; may throw a SeqError, which ends the stream. A push never extends a lease. */
  readonly adopt: (assignment: Assignment) => void;
  readonly onError: (error: SeqError) => void;
}

/** Keeps one stream of new tables open, for speed only: whatever it misses comes with the next renewal. */
export class WatchKeeper {
  readonly #options: WatchKeeperOptions;
  readonly #ends: Notices;
  #cancel: () => void = () => {};
  #failureCount = 0;
  #isStopped = false;

  constructor(options: WatchKeeperOptions) {
    this.#options = options;
    this.#ends = new Notices({ clock: options.clock });
  }

  start(): void {
    if (this.#isStopped) return;
    this.#cancel = this.#options.open({
      onAssignment: (assignment) => this.#adopt(assignment),
      onEnd: (error) => this.#ended(error),
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  #adopt(assignment: Assignment): void {
    if (this.#isStopped) return;
    try {
      this.#options.adopt(assignment);
      this.#failureCount = 0;
      this.#ends.seriesEnded();
    } catch (error) {
      if (!SeqError.is(error)) throw error;
      this.#cancel();
      this.#ended(error);
    }
  }

  #ended(error: SeqError): void {
    if (this.#isStopped) return;
    const { clock, random } = this.#options;
    const delayMs = backoffMs(random, { attempt: this.#failureCount++, baseMs: REOPEN_BASE_MS, maxMs: REOPEN_MAX_MS });
    this.#cancel = clock.after(delayMs, () => this.start());
    this.#ends.tell((leftOutCount) => this.#options.observe({ type: 'watchEnded', error, leftOutCount }));
    this.#options.onError(error);
  }
}
