/** How many violations are named; all are counted. */
const NAMED_MAX = 10;

/** A number that was not above one whose call had returned before its own call began. */
export interface Backwards {
  readonly uid: bigint;
  readonly seq: bigint;
  readonly after: bigint;
}

/**
 * Whether the numbers of each uid only grow, looked at while they come: a number must be above the highest whose call had returned before
 * its own call began. 8 bytes for each of `uidCount` uids from `firstUid`.
 */
export class Monotony {
  readonly #firstUid: bigint;
  readonly #highest: BigUint64Array;
  readonly named: Backwards[] = [];
  violationCount = 0;

  constructor({ firstUid, uidCount }: { readonly firstUid: bigint; readonly uidCount: number }) {
    this.#firstUid = firstUid;
    this.#highest = new BigUint64Array(uidCount);
  }

  /** To be asked when a call begins: what its number must be above. */
  floorOf(index: number): bigint {
    return this.#highest[index] ?? 0n;
  }

  saw(index: number, seq: bigint, floor: bigint): void {
    if (seq > (this.#highest[index] ?? 0n)) this.#highest[index] = seq;
    if (seq > floor) return;
    this.violationCount += 1;
    if (this.named.length < NAMED_MAX) this.named.push({ uid: this.#firstUid + BigInt(index), seq, after: floor });
  }
}
