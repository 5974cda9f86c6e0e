import { type Clock, sleep } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import { Stopper } from '../base/stop.js';
import type { CallOptions } from '../rpc/channel.js';

/** How long one node may take to tell its table, in ms. */
const ASK_MAX_MS = 1_000;
/** A node that has not answered for this long gets company, in ms: dead seeds must not add up. */
const HEDGE_MS = 100;
/** Fetches begin at least this far apart, in ms, however many calls wait for a newer table. */
const EVERY_MIN_MS = 50;
/** How many nodes of the table one refresh asks at most, besides the seeds. */
const KNOWN_NODES_MAX = 8;

export interface RouteRefreshOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Asks one node for its table. */
  readonly ask: (address: string, options: CallOptions) => Promise<void>;
  readonly seeds: () => readonly string[];
  /** The addresses of the table in use. */
  readonly known: () => readonly string[];
  /** Nodes that answered badly last time come last. */
  readonly isFailing: (address: string) => boolean;
}

/** Fetches the routing table from any node that answers; at most one fetch at a time, shared by all who ask. */
export class RouteRefresh {
  readonly #options: RouteRefreshOptions;
  readonly #stopper = new Stopper();
  #running: Promise<SeqError | undefined> | undefined;
  #startedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: RouteRefreshOptions) {
    this.#options = options;
  }

  /**
   * Resolves with undefined once one node has answered, or with an error once all have failed: a retryable one when
   * there is one, and definite always, for asking the way hands nothing out.
   */
  refresh(): Promise<SeqError | undefined> {
    this.#running ??= this.#fetchInTurn().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Ends a fetch that is going on. */
  close(): void {
    this.#stopper.abort(new SeqError('CLOSED', 'the client was closed'));
  }

  async #fetchInTurn(): Promise<SeqError | undefined> {
    const { clock } = this.#options;
    const earlyMs = this.#startedAtMs + EVERY_MIN_MS - clock.nowMs();
    if (earlyMs > 0) await sleep(clock, earlyMs, this.#stopper);
    this.#startedAtMs = clock.nowMs();
    return this.#fetch();
  }

  #fetch(): Promise<SeqError | undefined> {
    const { clock, ask } = this.#options;
    const queue = this.#candidates();
    const stopper = this.#stopper;
    /** Ends the questions that are still open when one is answered, or when the client closes. */
    const signal = new Stopper();
    return new Promise((resolve, reject) => {
      let isOver = false;
      let openCount = 0;
      let lastError: SeqError | undefined;
      let cancelHedge = (): void => undefined;
      const onClose = (): void => signal.abort(stopper.reason);
      const finish = (outcome: () => void): void => {
        isOver = true;
        cancelHedge();
        stopper.removeEventListener('abort', onClose);
        outcome();
        signal.abort(undefined);
      };
      const askNext = (): void => {
        cancelHedge();
        if (isOver) return;
        const address = queue.shift();
        if (address === undefined) {
          if (openCount === 0) finish(() => resolve(lastError));
          return;
        }
        openCount++;
        cancelHedge = clock.after(HEDGE_MS, askNext);
        ask(address, { timeoutMs: ASK_MAX_MS, signal }).then(
          () => finish(() => resolve(undefined)),
          (thrown: unknown) => {
            openCount--;
            // The fetch is over and this is the echo of its end.
            if (isOver) return;
            if (!(thrown instanceof SeqError)) return finish(() => reject(thrown));
            // One refusal does not settle the matter while another node may still come up.
            if (lastError === undefined || thrown.retryable) lastError = thrown.with({ definite: true });
            if (stopper.aborted) finish(() => resolve(lastError));
            else askNext();
          },
        );
      };
      stopper.addEventListener('abort', onClose);
      if (stopper.aborted) onClose();
      askNext();
    });
  }

  /** All seeds and some nodes of the table, in random order, the ones that failed last time at the end. */
  #candidates(): string[] {
    const { seeds, known, isFailing, random } = this.#options;
    const some = shuffle(random, known()).sort((one, other) => Number(isFailing(one)) - Number(isFailing(other)));
    const all = shuffle(random, [...new Set([...some.slice(0, KNOWN_NODES_MAX), ...seeds()])]);
    return all.sort((one, other) => Number(isFailing(one)) - Number(isFailing(other)));
  }
}

function shuffle<Item>(random: Random, items: readonly Item[]): Item[] {
  const shuffled = [...items];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = random.below(last + 1);
    const item = shuffled[last];
    const swapped = shuffled[other];
    if (item === undefined || swapped === undefined) break;
    shuffled[last] = swapped;
    shuffled[other] = item;
  }
  return shuffled;
}
