import { assert } from '../base/assert.js';
import { SLOTS_PER_PAGE } from './counter-page.js';

/** Pages that are allocated together at most: a block of 256 KiB. */
const PAGES_PER_BLOCK_MAX = 64;
/** A block has a quarter of the pages that there are: so little is unused at most, and a block for each page would cost a twentieth of it again. */
const GROWTH_SHIFT = 2;
const PAGE_BYTES = SLOTS_PER_PAGE * Uint32Array.BYTES_PER_ELEMENT;

/**
 * Memory for the pages of 4-byte counters of one section. No page is given back: all of it goes when nobody has the section any more, so
 * that what a hand-off still reads is never somebody else's. Blocks shared by sections would stay as long as one of them does.
 */
export class CounterMemory {
  readonly #pageCountMax: number;
  #pageCount = 0;
  #block: ArrayBuffer | undefined;
  #usedBytes = 0;

  /** `pageCountMax`: how many pages the section has. */
  constructor(pageCountMax: number) {
    this.#pageCountMax = pageCountMax;
  }

  /** All zero, and no longer than the slots that the section has there: there is no counter outside of it. */
  page(slotCount: number): Uint32Array {
    assert(slotCount > 0 && slotCount <= SLOTS_PER_PAGE, 'a page has slots of its section');
    if (this.#block === undefined || this.#usedBytes === this.#block.byteLength) {
      this.#block = new ArrayBuffer(this.#pagesOfNextBlock() * PAGE_BYTES);
      this.#usedBytes = 0;
    }
    const page = new Uint32Array(this.#block, this.#usedBytes, slotCount);
    this.#usedBytes += PAGE_BYTES;
    this.#pageCount += 1;
    return page;
  }

  #pagesOfNextBlock(): number {
    const leftCount = this.#pageCountMax - this.#pageCount;
    assert(leftCount > 0, 'a section has no more pages than slots for them');
    return Math.min(leftCount, PAGES_PER_BLOCK_MAX, Math.max(1, this.#pageCount >>> GROWTH_SHIFT));
  }
}
