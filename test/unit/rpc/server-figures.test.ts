import { expect } from 'chai';
import { MethodFigures } from '../../../src/rpc/method-figures.js';
import { NO_FIGURES, sumFigures } from '../../../src/rpc/server-figures.js';

describe('sumFigures', () => {
  const figures = (unit: number) => ({
    connections: { openCount: unit, refusedCount: 2 * unit, silentCount: 3 * unit, strangerCount: 4 * unit, faultyCount: 8 * unit },
    calls: { openCount: 5 * unit, refusedCount: 6 * unit, unfinishedCount: 7 * unit, compressedCount: 9 * unit, deniedCount: 10 * unit },
    methods: [calledOnce('/a.B/C'), calledOnce(`/a.B/Of${unit}`)],
  });

  function calledOnce(path: string): MethodFigures {
    const method = new MethodFigures(path, { requestStream: false, responseStream: false });
    method.started();
    method.handled(0, 1);
    return method;
  }

  it('adds every port of a process up, and a network without gates as nothing', () => {
    const { connections, calls } = figures(101);
    const sum = sumFigures([{ figures: figures(1) }, {}, { figures: figures(100) }]);
    expect([sum.connections, sum.calls]).to.deep.equal([connections, calls]);
  });

  it('has a method that two ports serve once, with the calls of both', () => {
    const { methods } = sumFigures([{ figures: figures(1) }, { figures: figures(2) }]);
    const shown = methods.map(({ method, startedCount, codeCounts, durationCounts, durationSumMs }) => [
      method,
      startedCount,
      codeCounts[0],
      durationCounts[5],
      durationSumMs,
    ]);
    expect(shown).to.deep.equal([
      ['C', 2, 2, 2, 2],
      ['Of1', 1, 1, 1, 1],
      ['Of2', 1, 1, 1, 1],
    ]);
  });

  it('is nothing without ports', () => {
    expect(sumFigures([])).to.deep.equal(NO_FIGURES);
  });
});
