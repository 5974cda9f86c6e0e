import { assert } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import type { Seq, Uid } from '../model/ids.js';
import { UIDS_PER_REQUEST_MAX } from '../rpc/limits.js';
import { redirectOf, Trouble } from './retry.js';

/** Part of a nextMany that goes to one AllocSvr in one request. */
export interface Chunk {
  readonly address: string;
  /** Places in the array asked. */
  readonly places: number[];
}

/** A nextMany on its way: which items have their number, which are still to be asked for, and what went wrong. Pure. */
export class Many {
  readonly #uids: readonly Uid[];
  readonly #results: (Seq | SeqError | undefined)[];
  readonly #troubles = new Map<number, Trouble>();
  /** The last error of every item that is still to be asked for again. */
  #failed = new Map<number, SeqError>();
  #pending: readonly number[];

  constructor(uids: readonly Uid[]) {
    this.#uids = uids;
    this.#results = uids.map(() => undefined);
    this.#pending = [...uids.keys()];
  }

  uidsOf(chunk: Chunk): Uid[] {
    return chunk.places.map((place) => this.#uids[place] as Uid);
  }

  /**
   * The next round: every pending item in a chunk for its owner. Where the last answer named another owner, that one
   * is asked. An item that nobody owns now fails at once, for this round; one that `pick` refuses, for good.
   */
  plan(pick: (uid: Uid) => string | undefined): Chunk[] {
    const redirects = this.#failed;
    const pending = this.#pending;
    this.#failed = new Map();
    this.#pending = [];
    const open = new Map<string, Chunk>();
    const chunks: Chunk[] = [];
    for (const place of pending) {
      const address = redirectOf(redirects.get(place)) ?? this.#pickFor(place, pick);
      if (address === undefined) continue;
      let chunk = open.get(address);
      if (chunk === undefined || chunk.places.length === UIDS_PER_REQUEST_MAX) {
        chunk = { address, places: [] };
        open.set(address, chunk);
        chunks.push(chunk);
      }
      chunk.places.push(place);
    }
    return chunks;
  }

  /** Undefined: the item has failed, for this round or for good. */
  #pickFor(place: number, pick: (uid: Uid) => string | undefined): string | undefined {
    const uid = this.#uids[place] as Uid;
    try {
      const address = pick(uid);
      if (address !== undefined) return address;
      this.#fail(place, new SeqError('UNAVAILABLE', `nobody serves the section of uid ${uid} now`, { definite: true }), false);
    } catch (error) {
      if (!(error instanceof SeqError)) throw error;
      this.#fail(place, error, false);
    }
    return undefined;
  }

  /** The answer to a chunk: an item for each place, or one error for all. `isCut`: the call itself ended the attempt. */
  take(chunk: Chunk, answer: readonly (Seq | SeqError)[] | SeqError, isCut: boolean): void {
    for (const [index, place] of chunk.places.entries()) {
      const item = answer instanceof SeqError ? answer : (answer[index] as Seq | SeqError);
      if (item instanceof SeqError) this.#fail(place, item, isCut);
      else this.#results[place] = item;
    }
  }

  /**
   * The error that decides what the whole call does next, undefined when every item is settled. NOT_OWNER with a
   * redirect only when every item left has one; otherwise one that asks for the longest wait.
   */
  leftover(): SeqError | undefined {
    this.#pending = [...this.#failed.keys()].sort((one, other) => one - other);
    let worst: SeqError | undefined;
    for (const error of this.#failed.values()) if (worst === undefined || rankOf(error) > rankOf(worst)) worst = error;
    return worst;
  }

  /** Gives up on every item without a result. `stop`: what ended the call; `error`: what the call failed with. */
  giveUp({ stop, error }: { readonly stop: SeqError | undefined; readonly error: SeqError }): void {
    for (const [place, result] of this.#results.entries()) {
      if (result !== undefined) continue;
      const trouble = this.#troubleOf(place);
      this.#results[place] = stop === undefined ? trouble.gaveUp(this.#failed.get(place) ?? error) : trouble.stopped(stop);
    }
    this.#failed = new Map();
    this.#pending = [];
  }

  /** In the order asked. Every item must be settled. */
  results(): (Seq | SeqError)[] {
    return this.#results.map((result) => {
      assert(result !== undefined, 'an item of a nextMany is neither a number nor an error');
      return result;
    });
  }

  #fail(place: number, error: SeqError, isCut: boolean): void {
    const trouble = this.#troubleOf(place);
    trouble.note(error, isCut);
    if (error.retryable || isCut) this.#failed.set(place, error);
    else this.#results[place] = trouble.gaveUp(error);
  }

  #troubleOf(place: number): Trouble {
    let trouble = this.#troubles.get(place);
    if (trouble === undefined) {
      trouble = new Trouble();
      this.#troubles.set(place, trouble);
    }
    return trouble;
  }
}

function rankOf(error: SeqError): number {
  return redirectOf(error) === undefined ? 1 + (error.retryAfterMs ?? 0) : 0;
}
