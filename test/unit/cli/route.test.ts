import { expect } from 'chai';
import { routeLinesOf } from '../../../src/cli/route.js';
import { parseAllocId, toEpoch } from '../../../src/model/ids.js';
import type { RoutingTable } from '../../../src/model/routing.js';

describe('route show', () => {
  it('gives the uids of each run, the shorter last section and the unowned included', () => {
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
    expect(routeLinesOf(table)).to.deep.equal([
      { firstSection: 0, lastSection: 1, firstUid: 1000n, lastUid: 1019n, alloc: 'a', address: 'h:1', epoch: 4 },
      { firstSection: 2, lastSection: 2, firstUid: 1020n, lastUid: 1024n, alloc: '', address: '', epoch: 0 },
    ]);
  });
});
