import { expect } from 'chai';
import { recordOf, stateFrom } from '../../../src/store/records.js';
import { SectionBlock, SectionRecord } from '../../../src/rpc/gen/seqsvr/v1/log.js';
import { DamageError } from '../../../src/store/damage.js';
import { dump, INIT, raiseOf, releaseOf, run, TestReplica } from './fixture.js';

const A = run('a1');
const B = run('a2');

describe('records of the state', () => {
  it('bring back the whole state: owners, windows, planned moves, former runs, members, version', () => {
    const store = rich();
    expect(dump(stateFrom(recordsOf(store)))).to.deep.equal(dump(store.state));
    expect(stateFrom(recordsOf(store)).table()).to.deep.equal(store.state.table());
  });

  it('are nothing before the first command', () => {
    expect(stateFrom(new Map()).cluster).to.equal(undefined);
  });

  it('are the same bytes whether the state was made or loaded: equal neighbours are one run by value', () => {
    const store = rich();
    const loaded = stateFrom(recordsOf(store));
    for (const [key, value] of recordsOf(store)) expect(recordOf(loaded, key), key).to.deep.equal({ key, value });
  });

  it('count only what a command changes: a raise writes one block', () => {
    const store = rich();
    store.replica.takeWrites();
    const before = new Map(store.disk);
    store.raise(A, raiseOf(0, 1, 5_000n));
    expect([...store.disk].flatMap(([key, value]) => (before.get(key) === value ? [] : [key]))).to.have.members(['block/000000', 'hash']);
  });

  const rows: readonly (readonly [string, (records: Map<string, Uint8Array>) => unknown, string])[] = [
    ['the cluster is missing', (records) => records.delete('cluster'), 'no cluster'],
    ['a key is of an unknown kind', (records) => records.set('later/1', new Uint8Array()), 'unknown kind: later/1'],
    ['a record is cut short', (records) => records.set('block/000000', records.get('block/000000')!.slice(0, -1)), 'cannot be read'],
    ['the cluster has no version', (records) => records.set('cluster', records.get('cluster')!.slice(0, 34)), 'no version'],
    ['a block speaks of more sections than there are', (records) => records.set('block/000001', records.get('block/000000')!), 'cannot be read'],
    [
      'a section that never had an owner has numbers',
      (records) => records.set('block/000000', block({ epoch: 0n, maxSeq: 100n })),
      'never had an owner',
    ],
    ['an AllocSvr has no proper name', (records) => records.set('alloc/a1', new Uint8Array()), 'cannot be read'],
  ];
  for (const [name, damage, why] of rows) {
    it(`are not believed when ${name}`, () => {
      const records = recordsOf(rich());
      damage(records);
      expect(() => stateFrom(records)).to.throw(DamageError, why);
    });
  }

  it('have no codec for a key of an unknown kind', () => {
    expect(() => recordOf(rich().state, 'later/1')).to.throw(DamageError);
  });
});

function block(record: Partial<SectionRecord>): Uint8Array {
  const run = { ...SectionRecord.decode(new Uint8Array()), sectionCount: 1, ...record };
  return SectionBlock.encode({ runs: [run] }).finish();
}

function rich(): TestReplica {
  const store = TestReplica.with(A, B, run('a3'));
  store.run({ type: 'member', id: 2, name: 's2', nodeUuid: '2'.repeat(32), peerAddress: 's2:7200', address: 's2:7100' });
  store.assign(A, 0, 70);
  store.raise(A, raiseOf(3, 1, 900n), raiseOf(69, 1, 2n ** 40n));
  store.planMove(B, 60, 8);
  store.release(A, releaseOf(61, 1, 12n), releaseOf(10, 1, 99n));
  store.register(run('a3', 2));
  store.register(run('a3', 3));
  store.drain(B);
  expect(store.state.cluster?.clusterId).to.equal(INIT.clusterId);
  return store;
}

function recordsOf({ disk }: TestReplica): Map<string, Uint8Array> {
  const records = new Map(disk);
  records.delete('hash');
  return records;
}
