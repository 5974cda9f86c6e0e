import { expect } from 'chai';
import { checkPage, decodePage, encodePage, PAGE_BYTES_MAX, slotCountOf, SLOTS_PER_PAGE } from '../../../src/alloc/counter-page.js';
import { SEQ_MAX, type Seq } from '../../../src/model/ids.js';
import { SeededRandom } from '../seeded-random.js';

const page = (defaultSeq: bigint, ...distances: bigint[]): BigUint64Array => {
  const values = new BigUint64Array(SLOTS_PER_PAGE).fill(defaultSeq);
  for (const [slot, distance] of distances.entries()) values[slot] = defaultSeq + distance;
  return values;
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
  it('comes back as it was, whatever the distances and the default', () => {
    for (const defaultSeq of [0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 62n]) {
      const values = page(defaultSeq, ...EDGES.filter((distance) => defaultSeq + distance <= SEQ_MAX));
      const bytes = encodePage(values, defaultSeq as Seq);
      expect(decodePage(bytes, defaultSeq as Seq)).to.deep.equal(values);
      expect(checkPage(bytes, SLOTS_PER_PAGE)).to.equal(EDGES.filter((distance) => defaultSeq + distance <= SEQ_MAX).at(-1));
    }
  });

  it('leaves trailing defaults out', () => {
    expect([...encodePage(page(7n, 0n, 3n), 7n as Seq)]).to.deep.equal([0, 3]);
    expect(encodePage(page(7n), 7n as Seq).length).to.equal(0);
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
      expect([...encodePage(decodePage(bytes, 5n as Seq), 5n as Seq)]).to.deep.equal([...bytes]);
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
    expect(encodePage(values, 0n as Seq).length).to.equal(PAGE_BYTES_MAX);
  });

  it('has as many slots as the section leaves it', () => {
    expect([0, 1, 2, 3].map((number) => slotCountOf({ uidCount: 2500, page: number }))).to.deep.equal([1024, 1024, 452, 0]);
  });
});
