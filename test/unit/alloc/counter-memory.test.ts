import { expect } from 'chai';
import { CounterMemory } from '../../../src/alloc/counter-memory.js';
import { SLOTS_PER_PAGE } from '../../../src/alloc/counter-page.js';

const PAGE_BYTES = 4 * SLOTS_PER_PAGE;

/** What is allocated for so many pages of a section that has `pageCountMax`. */
function bytesFor(pageCount: number, pageCountMax: number): number {
  const memory = new CounterMemory(pageCountMax);
  const blocks = new Set(Array.from({ length: pageCount }, () => memory.page(SLOTS_PER_PAGE).buffer));
  return [...blocks].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

describe('the memory of counters', () => {
  it('has pages of zeros that do not overlap', () => {
    const memory = new CounterMemory(300);
    const pages = Array.from({ length: 300 }, () => memory.page(SLOTS_PER_PAGE));
    for (const [number, page] of pages.entries()) {
      expect(page.every((distance) => distance === 0)).to.equal(true);
      page.fill(number + 1);
    }
    for (const [number, page] of pages.entries()) expect(page.every((distance) => distance === number + 1)).to.equal(true);
  });

  it('is 4 bytes a slot and nothing else for a section all of whose pages are touched', () => {
    for (const pageCount of [1, 2, 7, 98, 1_000]) expect(bytesFor(pageCount, pageCount)).to.equal(pageCount * PAGE_BYTES);
  });

  it('is a quarter more at most while pages are still untouched, and one block more for the largest', () => {
    for (let pageCount = 1; pageCount <= 600; pageCount += 1) {
      const unused = bytesFor(pageCount, 10_000) / PAGE_BYTES - pageCount;
      expect(unused).to.be.within(0, Math.min(pageCount / 4, 63));
    }
  });

  it('has few blocks: one for each page would cost more than they', () => {
    const memory = new CounterMemory(98);
    expect(new Set(Array.from({ length: 98 }, () => memory.page(SLOTS_PER_PAGE).buffer)).size).to.be.below(25);
  });

  it('has no slot beyond the end of the section', () => {
    expect(new CounterMemory(1).page(10)).to.have.length(10);
    expect(() => new CounterMemory(1).page(0)).to.throw('a page has slots of its section');
    expect(() => new CounterMemory(1).page(SLOTS_PER_PAGE + 1)).to.throw('a page has slots of its section');
  });

  it('gives no more pages than the section has, as a bug', () => {
    const memory = new CounterMemory(1);
    memory.page(SLOTS_PER_PAGE);
    expect(() => memory.page(SLOTS_PER_PAGE)).to.throw('no more pages');
  });
});
