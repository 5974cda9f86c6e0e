import { assert } from '../../src/base/assert.js';

const SLOTS_AT_FIRST = 1 << 10;
/** Of the slots, at most this share is taken: then they are doubled. */
const LOAD_MAX = 0.5;
const BYTES_PER_WORD = 4;

/**
 * The configurations that a search has been in: which calls were placed, as a set of bits, and the state they led to, as its number.
 * Open addressing over 32-bit words. The hash only finds the place: what is there is compared word for word.
 */
export class Memo {
  readonly #stride: number;
  readonly #bytesMax: number;
  /** 0: free; else 1 + the number of the entry. */
  #slots = new Uint32Array(SLOTS_AT_FIRST);
  /** Each entry: its hash, its state, the words of its set. */
  #entries: Uint32Array;
  #count = 0;

  constructor(options: { readonly wordCount: number; readonly bytesMax: number }) {
    this.#stride = options.wordCount + 2;
    this.#bytesMax = options.bytesMax;
    this.#entries = new Uint32Array(this.#stride * SLOTS_AT_FIRST * LOAD_MAX);
  }

  get count(): number {
    return this.#count;
  }

  get sizeBytes(): number {
    return (this.#slots.length + this.#entries.length) * BYTES_PER_WORD;
  }

  /** `full`: it is new, but there is no room under the cap. */
  add(words: Uint32Array, state: number, hash: number): 'new' | 'known' | 'full' {
    assert(words.length + 2 === this.#stride, 'every set of a search has the same number of words');
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let taken = this.#slots[slot]; taken !== 0 && taken !== undefined; taken = this.#slots[slot]) {
      if (this.#isSame(taken - 1, words, state, hash)) return 'known';
      slot = (slot + 1) & mask;
    }
    if (this.#count + 1 > this.#slots.length * LOAD_MAX) {
      if (this.sizeBytes * 2 > this.#bytesMax) return 'full';
      this.#grow();
      return this.add(words, state, hash);
    }
    const at = this.#count * this.#stride;
    this.#entries[at] = hash;
    this.#entries[at + 1] = state;
    this.#entries.set(words, at + 2);
    this.#count += 1;
    this.#slots[slot] = this.#count;
    return 'new';
  }

  #isSame(entry: number, words: Uint32Array, state: number, hash: number): boolean {
    const entries = this.#entries;
    const at = entry * this.#stride;
    if (entries[at] !== hash >>> 0 || entries[at + 1] !== state) return false;
    for (let word = 0; word < words.length; word += 1) if (entries[at + 2 + word] !== words[word]) return false;
    return true;
  }

  #grow(): void {
    const entries = new Uint32Array(this.#entries.length * 2);
    entries.set(this.#entries);
    this.#entries = entries;
    this.#slots = new Uint32Array(this.#slots.length * 2);
    const mask = this.#slots.length - 1;
    for (let entry = 0; entry < this.#count; entry += 1) {
      let slot = (entries[entry * this.#stride] ?? 0) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = entry + 1;
    }
  }
}
