import { expect } from 'chai';
import { backoffMs, fraction, systemRandom } from '../../../src/base/random.js';
import { SeededRandom } from '../seeded-random.js';

describe('random', () => {
  for (const [name, random] of [
    ['the real one', systemRandom],
    ['the seeded one', new SeededRandom(1)],
  ] as const) {
    it(`draws whole numbers in [0, below) and reaches both ends: ${name}`, () => {
      const drawn = new Set(Array.from({ length: 1_000 }, () => random.below(4)));
      expect([...drawn].sort((one, other) => one - other)).to.deep.equal([0, 1, 2, 3]);
      expect(random.below(1)).to.equal(0);
    });

    it(`draws identities of 32 hex digits that never repeat: ${name}`, () => {
      const ids = Array.from({ length: 1_000 }, () => random.id128());
      expect(new Set(ids).size).to.equal(1_000);
      for (const id of ids) expect(id).to.match(/^[0-9a-f]{32}$/);
    });
  }

  it('draws fractions in [0, 1)', () => {
    const lowest = { below: () => 0, id128: () => '' };
    const highest = { below: (below: number) => below - 1, id128: () => '' };
    expect(fraction(lowest)).to.equal(0);
    expect(fraction(highest)).to.be.below(1).and.above(0.999);
  });

  it('backs off with full jitter below a ceiling that doubles up to its maximum', () => {
    const highest = { below: (below: number) => below - 1, id128: () => '' };
    const waits = [0, 1, 2, 3, 4, 1_000].map((attempt) => Math.ceil(backoffMs(highest, { attempt, baseMs: 10, maxMs: 100 })));
    expect(waits).to.deep.equal([10, 20, 40, 80, 100, 100]);
    const lowest = { below: () => 0, id128: () => '' };
    expect(backoffMs(lowest, { attempt: 5, baseMs: 10, maxMs: 100 })).to.equal(0);
  });
});
