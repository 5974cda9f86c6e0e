import { bigOf, highOf, lowOf } from '../client/halves.js';

/** How many violations are named; all are counted. */
const NAMED_MAX = 10;

/** A number that was not above one whose call had returned before its own call began, or that came twice. */
export interface Backwards {
  readonly uid: bigint;
  readonly seq: bigint;
  /** What it should have been above. */
  readonly after: bigint;
}

/** What numbers must be above, kept by place while their calls are under way: low and high half, one after the other. */
export class Floors {
  readonly halves: Uint32Array;

  constructor(placeCount: number) {
    this.halves = new Uint32Array(placeCount * 2);
  }
}

/**
 * Whether the numbers of each uid only grow, looked at while they come: a number must be above the highest whose call had returned before
 * its own call began, and it must not be that of another call. 8 bytes for each of `uidCount` uids from `firstUid`, no object for a call.
 */
export class Monotony {
  readonly #firstUid: bigint;
  /** Of each uid the highest number that came, in halves. */
  readonly #highest: Uint32Array;
  readonly named: Backwards[] = [];
  violationCount = 0;

  constructor({ firstUid, uidCount }: { readonly firstUid: bigint; readonly uidCount: number }) {
    this.#firstUid = firstUid;
    this.#highest = new Uint32Array(uidCount * 2);
  }

  /** To be called when a call begins: keeps what its number must be above. `index`: of the uid, from `firstUid`. */
  begin(index: number, { halves }: Floors, place: number): void {
    halves[place * 2] = this.#highest[index * 2] ?? 0;
    halves[place * 2 + 1] = this.#highest[index * 2 + 1] ?? 0;
  }

  /** The number of that call. */
  saw(index: number, seq: bigint, { halves }: Floors, place: number): void {
    const [low, high] = [lowOf(seq), highOf(seq)];
    const [floorLow, floorHigh] = [halves[place * 2] ?? 0, halves[place * 2 + 1] ?? 0];
    const [highestLow, highestHigh] = [this.#highest[index * 2] ?? 0, this.#highest[index * 2 + 1] ?? 0];
    // Calls that overlap may come in any order; one number for two of them is wrong in every order.
    const isTwice = low === highestLow && high === highestHigh && (low !== 0 || high !== 0);
    if (isTwice || !isAbove(low, high, floorLow, floorHigh)) return this.#violated(index, seq, isTwice ? seq : bigOf(floorLow, floorHigh));
    if (!isAbove(low, high, highestLow, highestHigh)) return;
    this.#highest[index * 2] = low;
    this.#highest[index * 2 + 1] = high;
  }

  #violated(index: number, seq: bigint, after: bigint): void {
    this.violationCount += 1;
    if (this.named.length < NAMED_MAX) this.named.push({ uid: this.#firstUid + BigInt(index), seq, after });
  }
}

/** Of unsigned halves. */
function isAbove(low: number, high: number, otherLow: number, otherHigh: number): boolean {
  return high > otherHigh || (high === otherHigh && low > otherLow);
}
