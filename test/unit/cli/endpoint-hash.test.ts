import { expect } from 'chai';
import { HashComparison } from '../../../src/cli/endpoint-hash.js';
import type { SeenStore } from '../../../src/cli/store-finder.js';
import type { StoreStatus } from '../../../src/rpc/gen/seqsvr/v1/admin.js';

function seen(name: string, appliedIndex: bigint, stateHash: string, change: Partial<StoreStatus> = {}): SeenStore {
  const store = { appliedIndex, stateHash, ...change } as StoreStatus;
  return { address: `${name}:1`, status: { name, clusterId: 'c', version: '', pid: 1, uptimeMs: 1n, role: { $case: 'store', value: store } }, store };
}

function verdicts(...looks: readonly SeenStore[][]): string[] {
  const comparison = new HashComparison();
  for (const look of looks) comparison.add(look);
  return comparison.lines.map(({ name, verdict, comparedAt }) => `${name} ${verdict} ${comparedAt ?? '-'}`);
}

describe('comparison of state digests', () => {
  it('says the same of stores with one digest at one index', () => {
    expect(verdicts([seen('b', 5n, 'x'), seen('a', 5n, 'x')])).to.deep.equal(['a same 5', 'b same 5']);
  });

  it('says nothing of stores at different indexes until they were seen at one, in whichever look', () => {
    expect(verdicts([seen('a', 5n, 'x'), seen('b', 6n, 'y')])).to.deep.equal(['a alone -', 'b alone -']);
    expect(verdicts([seen('a', 5n, 'x'), seen('b', 6n, 'y')], [seen('a', 6n, 'y'), seen('b', 7n, 'z')])).to.deep.equal(['a same 6', 'b same 6']);
  });

  it('finds two digests at one index, also when they agreed before', () => {
    expect(verdicts([seen('a', 5n, 'x'), seen('b', 5n, 'x')], [seen('a', 6n, 'y'), seen('b', 6n, 'z')])).to.deep.equal([
      'a differs 6',
      'b differs 6',
    ]);
  });

  it('leaves out who has applied nothing, and who is quarantined', () => {
    expect(verdicts([seen('a', 0n, ''), seen('b', 5n, 'x', { quarantine: { reason: 'r', sinceUnixMs: 1n } })])).to.deep.equal([]);
  });
});
