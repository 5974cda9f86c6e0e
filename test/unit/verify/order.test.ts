import { expect } from 'chai';
import { orderOf, ranksOf } from '../../../src/verify/order.js';
import { SeededRandom } from '../seeded-random.js';

describe('orderOf', () => {
  const random = new SeededRandom(7);
  for (const count of [0, 1, 100, 5_000]) {
    it(`sorts ${count} times as a comparison does, equal ones in the order given`, () => {
      const keys = Float64Array.from({ length: count }, () => (random.chance(0.5) ? random.below(50) - 25 : (random.below(2 ** 53) - 2 ** 52) / 4));
      const expected = [...keys.keys()].sort((one, other) => keys[one]! - keys[other]! || one - other);
      expect([...orderOf(keys)]).to.deep.equal(expected);
    });
    it(`sorts ${count} numbers of 63 bits as a comparison does`, () => {
      const keys = BigInt64Array.from({ length: count }, () => (random.chance(0.5) ? BigInt(random.below(50)) : random.bits64() >> 1n));
      const expected = [...keys.keys()].sort((one, other) => (keys[one] === keys[other] ? one - other : keys[one]! < keys[other]! ? -1 : 1));
      expect([...orderOf(keys)]).to.deep.equal(expected);
    });
  }

  it('puts what never ends last', () => {
    expect([...orderOf(Float64Array.of(Number.POSITIVE_INFINITY, -1, 2, 0))]).to.deep.equal([1, 3, 2, 0]);
  });
});

describe('ranksOf', () => {
  it('gives equal numbers one rank, counted from 0', () => {
    const { ranks, rankCount } = ranksOf(BigInt64Array.of(7n, 2n ** 63n - 1n, 0n, 7n));
    expect([...ranks]).to.deep.equal([1, 2, 0, 1]);
    expect(rankCount).to.equal(3);
  });
});
