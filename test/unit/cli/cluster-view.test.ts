import { expect } from 'chai';
import { type ClusterView, viewOf } from '../../../src/cli/cluster-view.js';
import type { NodeAnswer } from '../../../src/cli/inspect.js';
import { DEFAULT_GEOMETRY } from '../../../src/model/geometry.js';
import { parseAllocId, toEpoch } from '../../../src/model/ids.js';
import type { RoutingTable } from '../../../src/model/routing.js';
import type { StoreMember, StoreStatus } from '../../../src/rpc/gen/seqsvr/v1/admin.js';

const STORES = [1, 2, 3].map((id) => ({ id, name: `store-${id}`, address: `s:${id}` }));
const ALLOCS = [1, 2].map((id) => ({ id: parseAllocId(`alloc-${id}`), address: `a:${id}`, zone: '' }));
const TABLE: RoutingTable = {
  version: { generation: 7, value: 3 },
  geometry: DEFAULT_GEOMETRY,
  allocs: ALLOCS,
  stores: STORES,
  runs: [{ sectionCount: 42_950, alloc: 0, epoch: toEpoch(1) }],
};

function member(one: Pick<StoreMember, 'id' | 'name' | 'address'>, change: Partial<StoreMember> = {}): StoreMember {
  const rest = { peerAddress: '', nodeUuid: 'u', isActive: true, role: 'voter', lag: 0n, wantsVote: false, replacesId: 0, matchIndex: 100n };
  return { ...one, ...rest, ...change };
}

function store(id: number, change: Partial<StoreStatus> = {}): NodeAnswer {
  const value: StoreStatus = {
    nodeId: id,
    nodeUuid: 'u',
    raftRole: id === 1 ? 'leader' : 'follower',
    term: 4n,
    leaderId: 1,
    stateHash: '',
    lastIndex: 100n,
    commitIndex: 100n,
    appliedIndex: 99n,
    sectionCount: 42_950,
    unassignedCount: 0,
    allocs: ALLOCS.map((alloc) => ({ ...alloc, state: 'joined', sectionCount: 0, heardMsAgo: 5n })),
    members: STORES.map((one) => member(one, { matchIndex: one.id === 3 ? 90n : 100n })),
    firstIndex: 1n,
    standing: 'voter',
    peerAddress: '',
    address: `s:${id}`,
    ...change,
  };
  return answer(`s:${id}`, { $case: 'store', value });
}

function alloc(id: number, change: { readonly isServing?: boolean } = {}): NodeAnswer {
  const value = {
    allocId: `alloc-${id}`,
    incarnation: '',
    isServing: true,
    leaseLeftMs: 1n,
    sectionCount: 5,
    handedOutCount: 0n,
    residentUidCount: 0n,
    sections: [],
  };
  return answer(`a:${id}`, { $case: 'alloc', value: { ...value, ...change } });
}

function answer(address: string, role: NonNullable<NonNullable<NodeAnswer['status']>['role']>): NodeAnswer {
  return { address, error: '', status: { name: '', clusterId: 'c', version: '0.1.0', pid: 9, uptimeMs: 60_000n, role } };
}

function silent(address: string): NodeAnswer {
  return { address, status: undefined, error: 'connection refused' };
}

describe('cluster view', () => {
  const all = [store(1), store(2), store(3), alloc(1), alloc(2)];
  const view = (...answers: NodeAnswer[]): ClusterView => viewOf({ table: TABLE, answers });
  const without = (address: string): NodeAnswer[] => all.map((one) => (one.address === address ? silent(address) : one));

  it('is healthy when everything answers, somebody leads and every section has an owner', () => {
    expect(view(...all)).to.deep.include({ health: 'healthy', problems: [], clusterId: 'c', routingVersion: { generation: 7, value: 3 } });
  });

  it('has a line for each store, then each AllocSvr', () => {
    expect(view(...all).nodes.map(({ name, role, state, term, lag, sections }) => [name, role, state, term, lag, sections])).to.deep.equal([
      ['store-1', 'store', 'leader', 4n, 0n, undefined],
      ['store-2', 'store', 'follower', 4n, 0n, undefined],
      ['store-3', 'store', 'follower', 4n, 10n, undefined],
      ['alloc-1', 'alloc', 'serving', undefined, undefined, 5],
      ['alloc-2', 'alloc', 'serving', undefined, undefined, 5],
    ]);
  });

  for (const address of ['s:1', 's:2', 'a:2']) {
    it(`is degraded when ${address} does not answer, and says why`, () => {
      const { health, problems } = view(...without(address));
      expect(health).to.equal('degraded');
      expect(problems.join()).to.include('connection refused');
    });
  }

  it('is degraded when nobody leads', () => {
    const { health, problems } = view(store(1, { raftRole: 'candidate' }), store(2), store(3), alloc(1), alloc(2));
    expect(health).to.equal('degraded');
    expect(problems.join()).to.include('no store leads');
  });

  it('is degraded when a section has no owner, or an AllocSvr no lease', () => {
    const { health, problems } = view(store(1, { unassignedCount: 3 }), store(2), store(3), alloc(1), alloc(2, { isServing: false }));
    expect(health).to.equal('degraded');
    expect(problems).to.deep.equal(['3 of 42950 sections have no owner', 'alloc-2 holds no lease']);
  });

  it('is unavailable when no AllocSvr serves', () => {
    expect(view(store(1), store(2), store(3), silent('a:1'), alloc(2, { isServing: false })).health).to.equal('unavailable');
  });

  it('is unknown when no store answers while AllocSvrs serve', () => {
    const { health, nodes } = view(silent('s:1'), silent('s:2'), silent('s:3'), alloc(1), alloc(2));
    expect(health).to.equal('unknown');
    expect(nodes.map(({ name, state }) => `${name} ${state}`))
      .to.include('store-2 unreachable')
      .and.to.include('alloc-2 serving');
  });

  it('does not mind an AllocSvr that the cluster knows to be gone', () => {
    const [first, second] = ALLOCS.map((one) => ({ ...one, sectionCount: 0, heardMsAgo: -1n }));
    const allocs = [
      { ...first!, state: 'joined' },
      { ...second!, state: 'gone' },
    ];
    const { health, nodes } = view(store(1, { allocs }), store(2), store(3), alloc(1), silent('a:2'));
    expect(health).to.equal('healthy');
    expect(nodes.at(-1)).to.deep.include({ name: 'alloc-2', state: 'gone' });
  });

  it('believes the higher term when two claim to lead', () => {
    const { nodes } = view(store(1), store(2, { raftRole: 'leader', term: 5n, lastIndex: 120n }), store(3), alloc(1), alloc(2));
    expect(nodes.slice(0, 3).map(({ lag }) => lag)).to.deep.equal([20n, 0n, 30n]);
  });

  describe('with members that the table of the time does not have', () => {
    const fourth = { id: 70_000, name: 'store-4', address: 's:4' };
    const withFourth = (change: Partial<StoreMember>): NodeAnswer[] =>
      [1, 2, 3].map((id) => store(id, { members: [...STORES.map((one) => member(one)), member(fourth, change)] }));

    it('shows a learner as one, from the committed list', () => {
      const { health, nodes } = view(...withFourth({ role: 'learner', matchIndex: 40n }), store(4, { nodeId: 70_000 }), alloc(1), alloc(2));
      expect(nodes[3]).to.deep.include({ name: 'store-4', state: 'learner', lag: 60n });
      expect(health).to.equal('healthy');
    });

    it('is degraded by a quarantined store, and says why; what that one knows is not believed', () => {
      const quarantine = { reason: 'the log has a hole', sinceUnixMs: 5n };
      const sick = store(2, { quarantine, raftRole: 'quarantined', standing: 'quarantined', members: [], appliedIndex: 0n });
      const { health, nodes, problems } = view(store(1), sick, store(3), alloc(1), alloc(2));
      expect(health).to.equal('degraded');
      expect(problems).to.deep.equal(['store-2 is quarantined: the log has a hole']);
      expect(nodes[1]).to.deep.include({ name: 'store-2', state: 'quarantined' });
      const { nodes: leaderless } = view(sick, store(1, { raftRole: 'follower' }), store(3), alloc(1), alloc(2));
      expect(leaderless).to.have.length(5);
    });

    it('is degraded when another data directory answers for a member', () => {
      const { problems } = view(store(1), store(2, { nodeUuid: 'v' }), store(3), alloc(1), alloc(2));
      expect(problems.join()).to.include('in the place of store-2');
    });

    it('shows stores that are no members beside them: they are no problem', () => {
      const joiner = store(4, { standing: 'joining', members: [] });
      const removed = answer('s:5', { $case: 'store', value: { ...statusOf(store(5)), standing: 'removed' } });
      const { health, nodes } = view(...all.slice(0, 3), joiner, removed, alloc(1), alloc(2));
      expect(nodes.slice(3, 5).map(({ state, address }) => [state, address])).to.deep.equal([
        ['joining', 's:4'],
        ['removed', 's:5'],
      ]);
      expect(health).to.equal('healthy');
    });
  });
});

function statusOf({ status }: NodeAnswer): StoreStatus {
  if (status?.role?.$case !== 'store') throw new Error('no store');
  return status.role.value;
}
