import { expect } from 'chai';
import { routeLinesOf } from '../../../src/model/route-lines.js';
import { parseAllocId, toEpoch } from '../../../src/model/ids.js';
import type { RoutingTable } from '../../../src/model/routing.js';

describe('the lines of a routing table', () => {
  const table: RoutingTable = {
    version: { generation: 1, value: 1 },
    geometry: { firstUid: 1000n, lastUid: 1024n, uidsPerSection: 10 },
    allocs: [{ id: parseAllocId('a'), address: 'h:1', zone: '' }],
    stores: [],
    runs: [
      { sectionCount: 2, alloc: 0, epoch: toEpoch(4) },
      { sectionCount: 1, alloc: undefined, epoch: toEpoch(0) },
    ],
  };

  it('give the uids of each run, the shorter last section and the unowned included', () => {
    expect(routeLinesOf(table)).to.deep.equal([
      { firstSection: 0, lastSection: 1, firstUid: 1000n, lastUid: 1019n, alloc: 'a', address: 'h:1', epoch: 4 },
      { firstSection: 2, lastSection: 2, firstUid: 1020n, lastUid: 1024n, alloc: '', address: '', epoch: 0 },
    ]);
  });

  it('come in pages: from the run with a section on, and no more than asked', () => {
    const firsts = (page: { readonly fromSection?: number; readonly limit?: number }): number[] =>
      routeLinesOf(table, page).map(({ firstSection }) => firstSection);
    expect(firsts({ fromSection: 1 })).to.deep.equal([0, 2]);
    expect(firsts({ fromSection: 2 })).to.deep.equal([2]);
    expect(firsts({ limit: 1 })).to.deep.equal([0]);
    expect(firsts({ fromSection: 3 })).to.deep.equal([]);
  });
});
