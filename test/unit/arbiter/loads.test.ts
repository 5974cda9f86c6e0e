import { expect } from 'chai';
import { LOADED_SECTIONS_MAX, Loads, LOADS_PER_REPORT_MAX } from '../../../src/arbiter/loads.js';
import { toSectionId } from '../../../src/model/ids.js';
import { incarnation } from './fixture.js';

const [A, B] = [incarnation('a1'), incarnation('a2')];
const report = (...pairs: readonly (readonly [number, number])[]) =>
  pairs.map(([section, callsPerSecond]) => ({ section: toSectionId(section), callsPerSecond }));

describe('loads', () => {
  it('takes the first report as it is, and half of a change after 20 seconds', () => {
    const loads = new Loads();
    loads.note(A, report([1, 100], [2, 50]), 0);
    expect([...loads.map]).to.deep.equal([
      [1, 100],
      [2, 50],
    ]);
    loads.note(A, report([1, 300], [2, 50]), 20_000);
    expect([...loads.map]).to.deep.equal([
      [1, 200],
      [2, 50],
    ]);
  });

  it('lets a section cool down that is no longer named, and forgets it when it is idle', () => {
    const loads = new Loads();
    loads.note(A, report([1, 100]), 0);
    loads.note(A, [], 20_000);
    expect([...loads.map]).to.deep.equal([[1, 50]]);
    loads.note(A, [], 200_000);
    expect([...loads.map]).to.deep.equal([]);
  });

  it('moves the load with the section, and sums by who serves it', () => {
    const loads = new Loads();
    loads.note(A, report([1, 100], [2, 10]), 0);
    loads.note(B, report([1, 100], [5, 7]), 0);
    expect([loads.callsPerSecond(A), loads.callsPerSecond(B)]).to.deep.equal([10, 107]);
    loads.note(A, report([2, 10]), 20_000);
    expect(loads.map.get(toSectionId(1)), 'its former owner has no say').to.equal(100);
  });

  it('forgets a run with all that it said, and what was its is new to the next one', () => {
    const loads = new Loads();
    loads.note(A, report([1, 100]), 0);
    loads.note(B, report([2, 100]), 0);
    loads.keepOnly(new Set([B]));
    expect([...loads.map.keys()]).to.deep.equal([2]);
    expect(loads.callsPerSecond(A)).to.equal(0);
  });

  it('keeps no more than so many, and no nonsense', () => {
    const loads = new Loads();
    loads.note(A, report(...Array.from({ length: LOADS_PER_REPORT_MAX + 5 }, (_, index) => [index, 1] as const)), 0);
    expect(loads.map.size).to.equal(LOADS_PER_REPORT_MAX);
    loads.note(A, report([5_000, Number.NaN], [5_001, -3], [5_002, 0]), 0);
    expect([5_000, 5_001, 5_002].filter((section) => loads.map.has(toSectionId(section)))).to.deep.equal([]);
    for (let run = 1; run <= 105; run += 1) {
      const from = run * 10_000;
      loads.note(incarnation(`x${run}`), report(...Array.from({ length: 1_000 }, (_, index) => [from + index, 2] as const)), 0);
    }
    expect(loads.map.size).to.equal(LOADED_SECTIONS_MAX);
  });
});
