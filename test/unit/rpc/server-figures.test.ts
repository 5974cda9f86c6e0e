import { expect } from 'chai';
import { NO_FIGURES, sumFigures } from '../../../src/rpc/server-figures.js';

describe('sumFigures', () => {
  const figures = (unit: number) => ({
    connections: { openCount: unit, refusedCount: 2 * unit, silentCount: 3 * unit, strangerCount: 4 * unit, faultyCount: 8 * unit },
    calls: { openCount: 5 * unit, refusedCount: 6 * unit, unfinishedCount: 7 * unit, compressedCount: 9 * unit, deniedCount: 10 * unit },
  });

  it('adds every port of a process up, and a network without gates as nothing', () => {
    expect(sumFigures([{ figures: figures(1) }, {}, { figures: figures(100) }])).to.deep.equal(figures(101));
  });

  it('is nothing without ports', () => {
    expect(sumFigures([])).to.deep.equal(NO_FIGURES);
  });
});
