import { SLOTS_PER_PAGE } from './counter-page.js';

/** Pages that are allocated together: one block of 256 KiB, for a block of its own for each page would cost a twentieth of it again. */
const PAGES_PER_BLOCK = 64;
const BYTES_PER_SLOT = 4;
const PAGE_BYTES = SLOTS_PER_PAGE * BYTES_PER_SLOT;

/**
 * Memory for pages of 4-byte counters, shared by the sections of an AllocSvr. A page is given back by forgetting it: a block goes once
 * nobody has a page of it.
 */
export class CounterMemory {
  #block: ArrayBuffer | undefined;
  #usedCount = 0;

  /** All zero. */
  page(): Uint32Array {
    if (this.#block === undefined || this.#usedCount === PAGES_PER_BLOCK) {
      this.#block = new ArrayBuffer(PAGES_PER_BLOCK * PAGE_BYTES);
      this.#usedCount = 0;
    }
    const page = new Uint32Array(this.#block, this.#usedCount * PAGE_BYTES, SLOTS_PER_PAGE);
    this.#usedCount += 1;
    return page;
  }
}
