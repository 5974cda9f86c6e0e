import { expect } from 'chai';
import { InvariantError } from '../../../src/base/assert.js';
import { parseAllocId, toEpoch, toSectionId } from '../../../src/model/ids.js';
import { RoutingIndex, type RoutingTable, type SectionRun } from '../../../src/model/routing.js';
import { SeededRandom } from '../seeded-random.js';

describe('RoutingIndex', () => {
  it('finds the owner and the epoch of every section, at each edge of each run', () => {
    const index = new RoutingIndex(tableOf([run(3, 0, 7), run(1, undefined, 2), run(6, 1, 1)]));
    const owners = Array.from({ length: 10 }, (_, section) => index.ownerOf(toSectionId(section)));
    expect(owners.map(({ alloc, epoch }) => `${alloc?.id ?? '-'}${epoch}`).join(' ')).to.equal('a07 a07 a07 -2 a11 a11 a11 a11 a11 a11');
  });

  it('agrees with a walk over the runs for random tables', () => {
    const random = new SeededRandom(4);
    for (let turn = 0; turn < 200; turn++) {
      const runs: SectionRun[] = [];
      const walked: number[] = [];
      for (let at = 0; at < 1 + random.below(20); at++) {
        const next = run(1 + random.below(5), 0, at);
        runs.push(next);
        for (let count = 0; count < next.sectionCount; count++) walked.push(at);
      }
      const index = new RoutingIndex(tableOf(runs));
      expect(walked.map((_, section) => index.ownerOf(toSectionId(section)).epoch as number)).to.deep.equal(walked);
    }
  });

  it('calls a table that does not cover the set once a bug', () => {
    const table = tableOf([run(3, 0, 1)]);
    expect(() => new RoutingIndex({ ...table, runs: [run(2, 0, 1)] })).to.throw(InvariantError, 'cover every section once');
  });
});

function run(sectionCount: number, alloc: number | undefined, epoch: number): SectionRun {
  return { sectionCount, alloc, epoch: toEpoch(epoch) };
}

function tableOf(runs: readonly SectionRun[]): RoutingTable {
  const sectionCount = runs.reduce((sum, { sectionCount }) => sum + sectionCount, 0);
  return {
    version: { generation: 1, value: 1 },
    geometry: { firstUid: 0n, lastUid: BigInt(sectionCount * 10 - 1), uidsPerSection: 10 },
    allocs: ['a0', 'a1'].map((id) => ({ id: parseAllocId(id), address: `${id}:1`, zone: '' })),
    stores: [],
    runs,
  };
}
