import { expect } from 'chai';
import { endpointLine } from '../../../src/cli/endpoint-view.js';
import type { NodeAnswer } from '../../../src/cli/inspect.js';
import type { StoreStatus } from '../../../src/rpc/gen/seqsvr/v1/admin.js';

const STORE: StoreStatus = {
  nodeId: 1,
  nodeUuid: 'u',
  raftRole: 'follower',
  term: 4n,
  leaderId: 2,
  stateHash: 'h',
  lastIndex: 1_100n,
  commitIndex: 1_100n,
  appliedIndex: 1_099n,
  sectionCount: 7,
  unassignedCount: 0,
  allocs: [],
  members: [],
  firstIndex: 101n,
  standing: 'voter',
  peerAddress: '',
  address: 's:1',
};

function store(change: Partial<StoreStatus> = {}): NodeAnswer {
  return answer({ $case: 'store', value: { ...STORE, ...change } });
}

function alloc(isServing: boolean, clusterId = 'c'): NodeAnswer {
  const value = {
    allocId: 'a',
    incarnation: '',
    isServing,
    leaseLeftMs: 5n,
    sectionCount: 7,
    handedOutCount: 0n,
    residentUidCount: 0n,
    sections: [],
  };
  return answer({ $case: 'alloc', value }, clusterId);
}

function answer(role: NonNullable<NodeAnswer['status']>['role'], clusterId = 'c'): NodeAnswer {
  return { address: 'h:1', error: '', status: { name: 'n', clusterId, version: '0.1.0', pid: 9, uptimeMs: 60_000n, role } };
}

describe('endpoint view', () => {
  const rows: readonly [string, NodeAnswer, string, RegExp][] = [
    ['a store that knows a leader', store(), 'healthy', /^$/],
    ['a store that knows none', store({ leaderId: 0 }), 'degraded', /no leader/],
    ['a store that has much to apply', store({ appliedIndex: 99n }), 'degraded', /apply 1001 committed/],
    ['a quarantined store', store({ quarantine: { reason: 'torn', sinceUnixMs: 1n }, standing: 'quarantined' }), 'unavailable', /quarantined: torn/],
    ['a store that waits to be added', store({ standing: 'joining', leaderId: 0 }), 'unavailable', /member add/],
    ['a store that was removed', store({ standing: 'removed' }), 'unavailable', /removed/],
    ['an AllocSvr with a lease', alloc(true), 'healthy', /^$/],
    ['an AllocSvr without one', alloc(false), 'unavailable', /no lease/],
    ['an AllocSvr that never registered', alloc(false, ''), 'unavailable', /not registered/],
    ['a node of no role', answer(undefined), 'unknown', /does not say/],
    [
      'a port where nobody listens',
      { address: 'h:1', status: undefined, error: 'connect ECONNREFUSED', code: 'UNAVAILABLE' },
      'unavailable',
      /ECONNREFUSED/,
    ],
    ['who is silent', { address: 'h:1', status: undefined, error: 'no answer', code: 'TIMEOUT' }, 'unknown', /no answer/],
    ['who does not let us ask', { address: 'h:1', status: undefined, error: 'denied', code: 'PERMISSION_DENIED' }, 'unknown', /denied/],
  ];
  for (const [what, said, health, reason] of rows) {
    it(`calls ${what} ${health}`, () => {
      const line = endpointLine(said, 1.6);
      expect(line).to.include({ endpoint: 'h:1', health, tookMs: 2 });
      expect(line.reason).to.match(reason);
    });
  }

  it('shows how long the log is, and what a store is rather than its Raft role when it takes no part', () => {
    expect(endpointLine(store(), 0)).to.include({ logEntries: 1_000n, state: 'follower' });
    expect(endpointLine(store({ firstIndex: 0n, standing: 'quarantined' }), 0)).to.include({ logEntries: 0n, state: 'quarantined' });
  });
});
