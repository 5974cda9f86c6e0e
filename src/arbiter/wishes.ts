import { SeqError } from '../base/errors.js';
import type { OperatorStep, Wish } from './operator.js';
import type { Situation } from './situation.js';

/** Wishes of operators that wait or are under way; more are refused. */
const WISHES_MAX = 16;

interface Waiting {
  readonly wish: Wish;
  readonly resolve: () => void;
  readonly reject: (error: SeqError) => void;
}

/** What operators want, one after the other, each until it is fulfilled or cannot be any more. */
export class Wishes {
  #waiting: Waiting[] = [];

  /** Resolves once its first part is committed, or nothing of it is left to do. */
  add(wish: Wish): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length >= WISHES_MAX)
        return reject(new SeqError('RESOURCE_EXHAUSTED', `${WISHES_MAX} wishes of operators are under way`, { retryAfterMs: 1_000 }));
      this.#waiting.push({ wish, resolve, reject });
    });
  }

  /** The next part of the first one that has something to do; undefined: none has, now. */
  next(situation: Situation): (OperatorStep & { readonly wish: Wish }) | undefined {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const step = stepOf(first.wish, situation);
      if (step instanceof SeqError) this.#drop(first, step);
      else if (step.moves.length > 0) return { ...step, wish: first.wish };
      else if (step.isPart) return undefined;
      else this.#fulfilled(first);
    }
    return undefined;
  }

  /** A part of it was applied. */
  decided(wish: Wish): void {
    this.#waiting.find((each) => each.wish === wish)?.resolve();
  }

  /** Gives all of them up. */
  rejectAll(error: SeqError): void {
    for (const each of this.#waiting) this.#drop(each, error);
  }

  #fulfilled(waiting: Waiting): void {
    this.#remove(waiting);
    waiting.resolve();
  }

  #drop(waiting: Waiting, error: SeqError): void {
    this.#remove(waiting);
    // Who was answered already does not hear it.
    waiting.reject(error);
  }

  #remove(waiting: Waiting): void {
    this.#waiting = this.#waiting.filter((each) => each !== waiting);
  }
}

function stepOf(wish: Wish, situation: Situation): OperatorStep | SeqError {
  try {
    return wish.next(situation);
  } catch (error) {
    if (error instanceof SeqError) return error;
    throw error;
  }
}
