import type { SeqError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import type { SeqClient, UidLike } from '../client/client.js';
import type { Calls } from './load.js';
import { Floors, type Monotony } from './monotony.js';

/** What a load needs of a client. */
export type BenchClient = Pick<SeqClient, 'next' | 'nextMany'>;

export interface BenchCallsOptions {
  readonly client: BenchClient;
  readonly firstUid: bigint;
  readonly uidCount: number;
  readonly monotony: Monotony;
  readonly random: Random;
  /** Calls that can be under way. */
  readonly placeCount: number;
}

/** A number for one uid, drawn anew for each call. What belongs to a call lies in arrays, by its place. */
export class NextCalls implements Calls<bigint> {
  readonly #options: BenchCallsOptions;
  readonly #uidAt: (index: number) => UidLike;
  readonly #indexes: Uint32Array;
  readonly #floors: Floors;

  constructor(options: BenchCallsOptions) {
    this.#options = options;
    this.#uidAt = uidsFrom(options);
    this.#indexes = new Uint32Array(options.placeCount);
    this.#floors = new Floors(options.placeCount);
  }

  begin(place: number): Promise<bigint> {
    const { client, uidCount, monotony, random } = this.#options;
    const index = random.below(uidCount);
    this.#indexes[place] = index;
    monotony.begin(index, this.#floors, place);
    return client.next(this.#uidAt(index));
  }

  came(place: number, seq: bigint): void {
    this.#options.monotony.saw(this.#indexes[place] ?? 0, seq, this.#floors, place);
  }
}

type Items = Awaited<ReturnType<BenchClient['nextMany']>>;

/** A number for each of `many` uids in one call. A call in which some uid failed counts as failed, with the first one's error. */
export class NextManyCalls implements Calls<Items> {
  readonly #options: BenchCallsOptions;
  readonly #many: number;
  readonly #uidAt: (index: number) => UidLike;
  /** `many` for each place. */
  readonly #indexes: Uint32Array;
  readonly #floors: Floors;

  constructor(options: BenchCallsOptions, many: number) {
    this.#options = options;
    this.#many = many;
    this.#uidAt = uidsFrom(options);
    this.#indexes = new Uint32Array(options.placeCount * many);
    this.#floors = new Floors(options.placeCount * many);
  }

  begin(place: number): Promise<Items> {
    const { client, uidCount, monotony, random } = this.#options;
    const uids: UidLike[] = [];
    for (let at = place * this.#many; uids.length < this.#many; at++) {
      const index = random.below(uidCount);
      this.#indexes[at] = index;
      monotony.begin(index, this.#floors, at);
      uids.push(this.#uidAt(index));
    }
    return client.nextMany(uids);
  }

  came(place: number, items: Items): void {
    let failure: SeqError | undefined;
    for (let item = 0; item < items.length; item++) {
      const seq = items[item];
      const at = place * this.#many + item;
      if (typeof seq === 'bigint') this.#options.monotony.saw(this.#indexes[at] ?? 0, seq, this.#floors, at);
      else failure ??= seq;
    }
    if (failure !== undefined) throw failure;
  }
}

/** Numbers where they are exact: a bigint costs an object. */
function uidsFrom({ firstUid, uidCount }: BenchCallsOptions): (index: number) => UidLike {
  if (firstUid + BigInt(uidCount) > BigInt(Number.MAX_SAFE_INTEGER)) return (index) => firstUid + BigInt(index);
  const first = Number(firstUid);
  return (index) => first + index;
}
