import { expect } from 'chai';
import {
  checkPage,
  decodePage,
  encodePage,
  NARROW_MAX,
  PAGE_BYTES_MAX,
  slotCountOf,
  SLOTS_PER_PAGE,
  widened,
} from '../../../src/alloc/counter-page.js';
import { SEQ_MAX } from '../../../src/model/ids.js';
import { SeededRandom } from '../seeded-random.js';

const narrow = (...distances: number[]): Uint32Array => {
  const page = new Uint32Array(SLOTS_PER_PAGE);
  page.set(distances);
  return page;
};
const wide = (...distances: bigint[]): BigUint64Array => {
  const page = new BigUint64Array(SLOTS_PER_PAGE);
  page.set(distances);
  return page;
};
const EDGES = [
  0n,
  1n,
  127n,
  128n,
  16_383n,
  16_384n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 53n + 1n,
  2n ** 62n,
  SEQ_MAX,
];

describe('the page of counters on the wire', () => {
  it('comes back as it was, whatever the distances', () => {
    for (let last = 0; last < EDGES.length; last++) {
      const distances = EDGES.slice(0, last + 1);
      const most = EDGES[last] ?? 0n;
      const page = most > NARROW_MAX ? wide(...distances) : narrow(...distances.map(Number));
      const bytes = encodePage(page);
      expect(decodePage(bytes, narrow())).to.deep.equal(page);
      expect(checkPage(bytes, SLOTS_PER_PAGE)).to.equal(most);
    }
  });

  it('has the same form in 4 bytes and in 8', () => {
    const page = narrow(...EDGES.filter((distance) => distance <= NARROW_MAX).map(Number));
    expect([...encodePage(widened(page))]).to.deep.equal([...encodePage(page)]);
  });

  it('leaves trailing defaults out', () => {
    expect([...encodePage(narrow(0, 3))]).to.deep.equal([0, 3]);
    expect([...encodePage(wide(0n, 3n))]).to.deep.equal([0, 3]);
    expect(encodePage(narrow()).length).to.equal(0);
  });

  it('has one form: what checkPage takes is what encodePage makes', () => {
    const dice = new SeededRandom(1);
    let taken = 0;
    for (let round = 0; round < 20_000; round++) {
      const bytes = Uint8Array.from({ length: dice.below(6) }, () => dice.pick([0, 1, 2, 0x7f, 0x80, 0x81, 0xff]));
      try {
        checkPage(bytes, SLOTS_PER_PAGE);
      } catch {
        continue;
      }
      taken += 1;
      expect([...encodePage(decodePage(bytes, narrow()))]).to.deep.equal([...bytes]);
    }
    expect(taken).to.be.greaterThan(1000);
  });

  const bad: [string, number[], number][] = [
    ['more counters than slots', [1, 1, 1], 2],
    ['more bytes than slots can take', Array.from({ length: 19 }, () => 1), 2],
    ['a trailing default', [1, 0], 2],
    ['a counter that does not end', [1, 0x80], 2],
    ['a counter of ten bytes', [...Array.from({ length: 9 }, () => 0x80), 1], 2],
    ['a longer form than need be', [0x81, 0x00, 1], 3],
  ];
  for (const [what, bytes, slotCount] of bad) {
    it(`is refused with ${what}`, () => {
      expect(() => checkPage(Uint8Array.from(bytes), slotCount))
        .to.throw()
        .with.property('code', 'PROTOCOL');
    });
  }

  it('is never longer than PAGE_BYTES_MAX', () => {
    const values = new BigUint64Array(SLOTS_PER_PAGE).fill(SEQ_MAX);
    expect(encodePage(values).length).to.equal(PAGE_BYTES_MAX);
  });

  it('has as many slots as the section leaves it', () => {
    expect([0, 1, 2, 3].map((number) => slotCountOf({ uidCount: 2500, page: number }))).to.deep.equal([1024, 1024, 452, 0]);
  });
});
