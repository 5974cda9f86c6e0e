import { expect } from 'chai';
import { DEFAULT_LEASE_TERMS, waitMsOf } from '../../../src/model/lease.js';
import { DEFAULT_POLICY } from '../../../src/model/policy.js';
import type { SetMap } from '../../../src/model/sets.js';
import { AUDIT_MAX } from '../../../src/store/state.js';
import { CLUSTER_ID, dump, MOTIVE, run, TestReplica } from './fixture.js';

const A = run('a1');
const OWN = { name: 'main', firstUid: 0n, lastUid: 699n, seeds: ['h:1'], clusterId: CLUSTER_ID };
const OTHER = { name: 'more', firstUid: 700n, lastUid: 999n, seeds: ['i:1'], clusterId: 'd'.repeat(32) };

function restarted(store: TestReplica): TestReplica {
  const before = dump(store.state);
  store.restart();
  expect(dump(store.state)).to.deep.equal(before);
  return store;
}

describe('state machine: the lease', () => {
  const lease = (leaseMs: number) => ({ ...DEFAULT_LEASE_TERMS, leaseMs });
  const set = (store: TestReplica, leaseMs: number) => store.run({ type: 'setLease', lease: lease(leaseMs), ...MOTIVE });
  const settle = (store: TestReplica, arbiterTerm: number, leaseNumber: number, term = arbiterTerm) =>
    store.run({ type: 'settleWait', arbiterTerm, leaseNumber }, term);

  it('raised counts at once, and so does the wait for it', () => {
    const store = TestReplica.with(A);
    set(store, 9_000);
    expect(store.state.cluster).to.deep.include({ lease: lease(9_000), waitMs: waitMsOf(lease(9_000)), leaseNumber: 1 });
    restarted(store);
  });

  it('lowered leaves the wait, until a leader has waited it out', () => {
    const store = TestReplica.with(A);
    set(store, 1_000);
    expect(store.state.cluster).to.deep.include({ lease: lease(1_000), waitMs: waitMsOf(DEFAULT_LEASE_TERMS) });
    restarted(store);
    expect(settle(store, 1, 1)).to.deep.equal({ type: 'done' });
    expect(store.state.cluster?.waitMs).to.equal(waitMsOf(lease(1_000)));
  });

  it('keeps the wait when another leader, or one that waited for another lease, says that it is over', () => {
    const store = TestReplica.with(A);
    set(store, 1_000);
    expect(settle(store, 1, 1, 2), 'of a former term').to.include({ type: 'refused' });
    set(store, 9_000);
    set(store, 1_000);
    expect(settle(store, 2, 1), 'leases of 9 s were given meanwhile').to.include({ type: 'refused' });
    expect(store.state.cluster?.waitMs).to.equal(waitMsOf(lease(9_000)));
    expect(settle(store, 2, 3)).to.deep.equal({ type: 'done' });
  });
});

describe('state machine: policy and audit', () => {
  it('keeps the policy, and every decision with its reason', () => {
    const store = TestReplica.with(A);
    const policy = { ...DEFAULT_POLICY, isPaused: true };
    store.run({ type: 'setPolicy', policy, reason: 'maintenance', atMs: 5 }, 7);
    store.assign(A, 0, 3);
    expect(store.state.cluster?.policy).to.deep.equal(policy);
    expect(store.state.audit.map(({ number, kind, term, reason, sectionCount }) => [number, kind, term, reason, sectionCount])).to.deep.equal([
      [1, 'setPolicy', 7, 'maintenance', 0],
      [2, 'assign', 1, 'test', 3],
    ]);
    restarted(store);
  });

  it('remembers the last decisions only, and never a longer reason than it should', () => {
    const store = TestReplica.with(A);
    for (let count = 0; count < AUDIT_MAX + 3; count += 1)
      store.run({ type: 'setPolicy', policy: DEFAULT_POLICY, reason: 'x'.repeat(1_000), atMs: 1 });
    const { audit } = store.state;
    expect([audit.length, audit[0]?.number, audit.at(-1)?.number, audit[0]?.reason.length]).to.deep.equal([AUDIT_MAX, 4, AUDIT_MAX + 3, 300]);
    restarted(store);
  });
});

describe('state machine: the set map', () => {
  const change = (store: TestReplica, sets: SetMap, basedOn = sets.version - 1, isCopy = false) =>
    store.run({ type: 'setSets', basedOn, sets, isCopy, ...MOTIVE });
  const map = (version: number, ...sets: SetMap['sets']): SetMap => ({ version, home: 'main', sets });

  it('is compare-and-set in the home set, and a new version of what clients see', () => {
    const store = TestReplica.with(A);
    const { value } = store.state.version;
    expect(change(store, map(1, OWN))).to.deep.equal({ type: 'done' });
    expect(change(store, map(2, OWN, OTHER))).to.deep.equal({ type: 'done' });
    expect(store.state.version.value).to.equal(value + 2);
    expect(change(store, map(2, OWN, OTHER)), 'based on what is over').to.include({ code: 'ABORTED' });
    expect(store.state.cluster?.sets).to.deep.equal(map(2, OWN, OTHER));
    restarted(store);
  });

  it('takes any newer copy, and ignores an older one', () => {
    const store = TestReplica.with(A);
    change(store, map(5, OWN, OTHER), 0, true);
    change(store, map(4, OWN), 0, true);
    expect(store.state.cluster?.sets).to.deep.equal(map(5, OWN, OTHER));
  });

  const rows: readonly (readonly [string, SetMap, string])[] = [
    ['a moved range', map(2, OWN, { ...OTHER, lastUid: 2_000n }), 'must stay so'],
    ['a set that is gone', map(2, OWN), 'must stay in the map'],
    ['a map without this very set', { ...map(2, OTHER), home: 'more' }, 'must have cluster'],
    ['another home', { ...map(2, OWN, OTHER), home: 'more' }, 'home set'],
  ];
  for (const [what, sets, why] of rows) {
    it(`refuses ${what}`, () => {
      const store = TestReplica.with(A);
      change(store, map(1, OWN, OTHER));
      const result = change(store, sets);
      expect(result).to.include({ type: 'refused', code: 'INVALID_ARGUMENT' });
      expect(result).to.have.property('why').that.includes(why);
      expect(store.state.cluster?.sets.version).to.equal(1);
    });
  }
});
