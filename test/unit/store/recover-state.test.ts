import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { SEQ_MAX } from '../../../src/model/ids.js';
import { recoverState, restoreState } from '../../../src/store/recover-state.js';
import { GENERATION, INIT, raiseOf, run, TestReplica } from './fixture.js';

const A = run('a1');
const member = { id: 70_000, name: 's1', nodeUuid: '7'.repeat(32), peerAddress: 's1:1', address: 's1:2' };
const founder = { id: 1, name: 's1', nodeUuid: '1'.repeat(32), peerAddress: 's1:1', address: 's1:2' };
const recovery = { generation: GENERATION + 5, bump: 1_000_000n, member };

describe('forced recovery', () => {
  function used(): TestReplica {
    const store = new TestReplica();
    store.run({ ...INIT, members: [founder] });
    store.register(A);
    store.assign(A, 0, 2);
    store.raise(A, raiseOf(0, 1, 5_000n));
    return store;
  }

  it('lifts every section above what it had, with a new epoch and nobody to serve it', () => {
    const { state } = used();
    expect(recoverState(state, recovery)).to.equal(70);
    expect(state.sections[0]).to.deep.equal({
      owner: undefined,
      epoch: 2,
      base: 1_005_000n,
      maxSeq: 1_005_000n,
      next: undefined,
      handoff: undefined,
    });
    expect(state.sections[2], 'somebody may have had a number of it since').to.include({ epoch: 1, base: 1_000_000n, maxSeq: 1_000_000n });
  });

  it('takes a higher generation, and leaves one member', () => {
    const { state } = used();
    recoverState(state, recovery);
    expect(state.version).to.deep.equal({ generation: GENERATION + 5, value: 1 });
    expect(state.members.map(({ id }) => id)).to.deep.equal([70_000]);
    expect(state.wasMember({ id: 1, nodeUuid: founder.nodeUuid })).to.equal(true);
  });

  it('retires every run: it can neither raise nor come back, and a new one can', () => {
    const store = used();
    recoverState(store.state, recovery);
    expect(store.state.isCurrent(A)).to.equal(false);
    expect(store.register(A)).to.include({ type: 'refused', code: 'NOT_OWNER' });
    expect(store.register(run('a1', 2)).type).to.equal('done');
  });

  it('refuses a generation that does not grow, a section without room, and a cluster that never was', () => {
    expect(() => recoverState(used().state, { ...recovery, generation: GENERATION })).to.throw(SeqError, 'must be above');
    expect(() => recoverState(used().state, { ...recovery, bump: SEQ_MAX })).to.throw(SeqError, 'would pass');
    expect(() => recoverState(new TestReplica().state, recovery)).to.throw(SeqError, 'never founded');
  });
});

describe('the state that a restore begins with', () => {
  const members = [1, 2, 3].map((id) => ({ ...member, id, name: `n${id}`, nodeUuid: String(id + 3).repeat(32) }));
  const restoration = { generation: GENERATION + 5, bump: 500n, clusterId: 'd'.repeat(32), members };

  it('is that of another cluster, with members that may have the ids of the old ones', () => {
    const store = new TestReplica();
    store.run({ ...INIT, members: [founder] });
    store.register(A);
    store.assign(A, 0, 2);
    expect(restoreState(store.state, restoration)).to.equal(70);
    const { state } = store;
    expect(state.cluster).to.include({ clusterId: 'd'.repeat(32) });
    expect(state.version).to.deep.equal({ generation: GENERATION + 5, value: 1 });
    expect(state.members.map(({ id, nodeUuid }) => [id, nodeUuid])).to.deep.equal(members.map(({ id, nodeUuid }) => [id, nodeUuid]));
    expect(state.removed).to.deep.equal([]);
    expect(state.sections[1]).to.deep.include({ owner: undefined, epoch: 2, base: 600n, maxSeq: 600n });
    expect(state.isCurrent(A)).to.equal(false);
  });
});
