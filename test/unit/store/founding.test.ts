import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import type { StoreEvent } from '../../../src/store/events.js';
import type { Command } from '../../../src/store/command.js';
import { Founding, type FoundingOptions } from '../../../src/store/founding.js';
import { EMPTY_CONF_STATE } from '../../../src/raft/types.js';
import { VirtualClock } from '../virtual-clock.js';
import { CLUSTER_ID, GEOMETRY, INIT, TestReplica } from './fixture.js';

const uuidOf = (id: number): string => String(id).repeat(32);
const memberOf = (id: number) => ({ id, name: `s${id}`, peerAddress: `s${id}:7200`, address: `s${id}:7100` });
const MEMBERS = [1, 2, 3].map(memberOf);

describe('founding', () => {
  let store: TestReplica;
  let heard: Set<number>;
  let proposed: Command[];
  let fatal: unknown[];
  let told: StoreEvent[];

  beforeEach(() => {
    store = new TestReplica();
    heard = new Set();
    proposed = [];
    fatal = [];
    told = [];
  });

  function founding(change: Partial<FoundingOptions> = {}): Founding {
    return new Founding({
      identity: { clusterId: CLUSTER_ID, nodeId: 1, nodeUuid: uuidOf(1) },
      members: MEMBERS,
      bootstrap: { geometry: GEOMETRY, lease: INIT.lease, raiseBy: INIT.raiseBy },
      electionMaxMs: 1_000,
      clock: new VirtualClock(),
      state: () => store.state,
      heardOf: (id) => (id === 1 || heard.has(id) ? { ...memberOf(id), nodeUuid: uuidOf(id) } : undefined),
      confState: () => ({ ...EMPTY_CONF_STATE, voters: [1, 2, 3] }),
      propose: async (command) => {
        proposed.push(command);
        store.run(command);
      },
      observe: (event) => told.push(event),
      onFatal: (error) => fatal.push(error),
      ...change,
    });
  }

  it('founds nothing while a member was never heard: a wiped directory and one that never ran are no cluster', async () => {
    const members = founding();
    members.tend();
    heard.add(2);
    members.tend();
    expect(proposed).to.deep.equal([]);
    heard.add(3);
    members.tend();
    members.tend();
    await Promise.resolve();
    expect(proposed.map(({ type }) => type)).to.deep.equal(['init']);
    expect(store.state.members.map(({ id, nodeUuid }) => [id, nodeUuid])).to.deep.equal([1, 2, 3].map((id) => [id, uuidOf(id)]));
  });

  it('tries again after a proposal that failed, and ends the process for a bug', async () => {
    heard = new Set([2, 3]);
    let failure: unknown = new SeqError('UNAVAILABLE', 'lost its leadership');
    const members = founding({ propose: () => Promise.reject(failure) });
    members.tend();
    await Promise.resolve();
    expect(fatal).to.deep.equal([]);
    failure = new TypeError('a bug');
    members.tend();
    await new Promise((resolve) => setImmediate(resolve));
    expect(fatal.map(String)).to.deep.equal(['TypeError: a bug']);
  });

  it('commits where a member says that it is, and believes nobody but the directory that the cluster knows', async () => {
    store.run({ ...INIT, members: MEMBERS.map((member) => ({ ...member, nodeUuid: uuidOf(member.id) })) });
    const moved = { ...memberOf(2), address: 'new:7100', nodeUuid: uuidOf(2) };
    const wiped = { ...memberOf(3), address: 'other:7100', nodeUuid: uuidOf(7) };
    const members = founding({ heardOf: (id) => (id === 2 ? moved : id === 3 ? wiped : undefined) });
    members.tend();
    await Promise.resolve();
    members.tend();
    expect(proposed).to.deep.equal([{ type: 'member', ...moved }]);
    expect(fatal).to.deep.equal([]);
  });

  const founded = { ...INIT, members: MEMBERS.map((member) => ({ ...member, nodeUuid: uuidOf(member.id) })) };
  const rows: readonly (readonly [string, Partial<FoundingOptions>, string])[] = [
    [
      'a data directory that is not the one the cluster knows',
      { identity: { clusterId: CLUSTER_ID, nodeId: 1, nodeUuid: uuidOf(9) } },
      'is not the old node',
    ],
    ['a log of another cluster', { identity: { clusterId: 'd'.repeat(32), nodeId: 1, nodeUuid: uuidOf(1) } }, 'the log is of cluster'],
    [
      'Raft members that are not those of the table',
      { confState: () => ({ ...EMPTY_CONF_STATE, voters: [1, 2] }) },
      'the members are 1, 2 by the Raft group and 1, 2, 3 by the member table',
    ],
    ['another geometry', { bootstrap: { ...INIT, geometry: { ...GEOMETRY, lastUid: 799n } } }, 'geometry is fixed at bootstrap'],
    ['an election that could outlast the committed lease', { electionMaxMs: 1_500 }, 'two election rounds'],
  ];
  for (const [name, change, why] of rows) {
    it(`ends the process for ${name}`, () => {
      store.run(founded);
      founding(change).check();
      expect(fatal.map(String).join()).to.contain(why);
    });
  }

  it('has nothing to say about a cluster that is as configured, or not founded yet', () => {
    founding().check();
    store.run(founded);
    founding().check();
    expect([fatal, told]).to.deep.equal([[], []]);
  });

  it('says so when the file says otherwise about what is fixed since the founding', () => {
    store.run(founded);
    founding({ bootstrap: { geometry: GEOMETRY, lease: { ...INIT.lease, leaseMs: 9_000 }, raiseBy: 77n }, members: [1, 2].map(memberOf) }).check();
    expect(told).to.deep.equal([
      {
        type: 'settingIgnored',
        setting: 'lease',
        committed: '3000ms, drift 10000ppm, margin 100ms',
        configured: '9000ms, drift 10000ppm, margin 100ms',
      },
      { type: 'settingIgnored', setting: 'raiseBy', committed: '100', configured: '77' },
      { type: 'settingIgnored', setting: 'members', committed: '1, 2, 3', configured: '1, 2' },
    ]);
    expect(fatal).to.deep.equal([]);
  });
});
