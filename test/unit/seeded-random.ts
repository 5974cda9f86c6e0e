import type { Random } from '../../src/base/random.js';

/** Chance that a seed replays: the same seed gives the same draws on every machine (mulberry32). */
export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(below: number): number {
    // Two draws make 53 bits, so that a bound above 2^32 is reached too.
    const high = this.#bits32() >>> 5;
    const low = this.#bits32() >>> 6;
    return Math.floor(((high * 2 ** 26 + low) / 2 ** 53) * below);
  }

  id128(): string {
    let id = '';
    for (let part = 0; part < 4; part++) id += this.#bits32().toString(16).padStart(8, '0');
    return id;
  }

  /** 64 random bits as a bigint in [0, 2^64). */
  bits64(): bigint {
    return (BigInt(this.#bits32()) << 32n) | BigInt(this.#bits32());
  }

  chance(probability: number): boolean {
    return this.below(1_000_000) < probability * 1_000_000;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }

  #bits32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let bits = this.#state;
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return (bits ^ (bits >>> 14)) >>> 0;
  }
}
