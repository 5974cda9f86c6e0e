import { expect } from 'chai';
import { missingIn } from '../../../src/cli/dev-ready.js';
import type { NodeAnswer } from '../../../src/cli/inspect.js';
import { DEFAULT_GEOMETRY } from '../../../src/model/geometry.js';
import { parseAllocId, toEpoch } from '../../../src/model/ids.js';
import type { RoutingTable, SectionRun } from '../../../src/model/routing.js';

const TOLD = [
  { name: 'alloc-1', address: 'a:1' },
  { name: 'alloc-2', address: 'a:2' },
];

function table(...owners: (number | undefined)[]): RoutingTable {
  const runs: SectionRun[] = owners.map((alloc) => ({ sectionCount: 42_950 / owners.length, alloc, epoch: toEpoch(1) }));
  const allocs = ['alloc-1', 'alloc-2', 'alloc-9'].map((id, index) => ({ id: parseAllocId(id), address: `a:${index + 1}`, zone: '' }));
  return { version: { generation: 1, value: 1 }, geometry: DEFAULT_GEOMETRY, allocs, stores: [], runs };
}

function answer(address: string, isServing: boolean): NodeAnswer {
  const value = { allocId: '', incarnation: '', isServing, leaseLeftMs: 0n, sectionCount: 1, handedOutCount: 0n, residentUidCount: 0n, sections: [] };
  return { address, error: '', status: { name: '', clusterId: '', version: '', pid: 1, uptimeMs: 1n, role: { $case: 'alloc', value } } };
}

describe('dev cluster is ready', () => {
  const both = [answer('a:1', true), answer('a:2', true)];

  it('when its AllocSvrs own every section and serve', () => {
    expect(missingIn({ table: table(0, 1), answers: both }, TOLD)).to.equal(undefined);
  });

  it('also when one of them owns nothing yet', () => {
    expect(missingIn({ table: table(0), answers: [answer('a:1', true), answer('a:2', false)] }, TOLD)).to.equal(undefined);
  });

  it('not while a section has no owner', () => {
    expect(missingIn({ table: table(0, undefined), answers: both }, TOLD)).to.include('no owner');
  });

  it('not while a section belongs to an AllocSvr that does not run', () => {
    expect(missingIn({ table: table(0, 2), answers: both }, TOLD)).to.include('alloc-9');
  });

  it('not while an owner has no lease, or does not answer', () => {
    expect(missingIn({ table: table(0, 1), answers: [answer('a:1', true), answer('a:2', false)] }, TOLD)).to.include('alloc-2');
    expect(missingIn({ table: table(0, 1), answers: [answer('a:2', true)] }, TOLD)).to.include('alloc-1');
  });
});
