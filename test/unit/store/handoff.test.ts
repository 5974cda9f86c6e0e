import { expect } from 'chai';
import { toEpoch, toSeq } from '../../../src/model/ids.js';
import { recoverState } from '../../../src/store/recover-state.js';
import { dump, GENERATION, raiseOf, releaseOf, run, show, TestReplica } from './fixture.js';

const A = run('a1');
const B = run('a2');
const LATER_A = run('a1', 2);
const DIGEST = 'ab'.repeat(32);

/** What the window of a caller says of section 0's hand-off. */
function handoffIn(store: TestReplica, caller = B) {
  const [window] = store.state.windowsOf(caller);
  return window?.handoff;
}

describe('state machine: hand-off', () => {
  it('commits the digest in the release entry and shows it to the planned successor, in the same entry', () => {
    const store = TestReplica.with(A, B);
    store.assign(A, 0);
    store.planMove(B, 0);
    store.release(A, releaseOf(0, 1, 37n, 1, DIGEST));
    expect(show(store.section(0))).to.equal('a2 e2 (37, 137]');
    expect(handoffIn(store)).to.deep.equal({ epoch: 1, digest: DIGEST, from: A.allocId, fromAddress: 'a1:7000' });
    const before = dump(store.state);
    store.restart();
    expect(dump(store.state)).to.deep.equal(before);
  });

  it('tells the successor of a planned move where the counters are, before it owns them', () => {
    const store = TestReplica.with(A, B);
    store.assign(A, 0, 3);
    store.planMove(B, 1, 2);
    expect(store.state.incomingOf(B)).to.deep.equal([{ firstSection: 1, sectionCount: 2, epoch: 1, from: A.allocId, fromAddress: 'a1:7000' }]);
    expect(store.state.incomingOf(A)).to.deep.equal([]);
    expect(store.state.windowsOf(A).map(({ firstSection, next }) => [firstSection, next])).to.deep.equal([
      [0, undefined],
      [1, B.allocId],
    ]);
  });

  it('waits with the section that nobody took over at once, for whoever opens the next epoch', () => {
    const store = TestReplica.with(A, B);
    store.assign(A, 0);
    store.release(A, releaseOf(0, 1, 37n, 1, DIGEST));
    expect(store.state.holdings()[0]).to.include({ holder: undefined, heir: A.allocId, sectionCount: 1 });
    store.assign(B, 0);
    expect(handoffIn(store)).to.include({ epoch: 1, digest: DIGEST });
  });

  it('is over with the next epoch: epoch e + 2 never sees it, however it came about', () => {
    const crashed = TestReplica.with(A, B);
    crashed.assign(A, 0);
    crashed.release(A, releaseOf(0, 1, 37n, 1, DIGEST));
    crashed.assign(A, 0);
    crashed.assign(B, 0);
    expect(show(crashed.section(0))).to.equal('a2 e3 (137, 237]');
    expect(handoffIn(crashed)).to.equal(undefined);

    const released = TestReplica.with(A, B);
    released.assign(A, 0);
    released.release(A, releaseOf(0, 1, 37n, 1, DIGEST));
    released.assign(A, 0);
    released.release(A, releaseOf(0, 2, 40n));
    released.assign(B, 0);
    expect(handoffIn(released)).to.equal(undefined);
  });

  it('is cleared by a forced recovery', () => {
    const store = TestReplica.with(A, B);
    store.assign(A, 0);
    store.release(A, releaseOf(0, 1, 37n, 1, DIGEST));
    recoverState(store.state, {
      generation: GENERATION + 1,
      bump: 1000n,
      member: { id: 1, name: 's1', nodeUuid: 'e'.repeat(32), peerAddress: 'p:1', address: 'h:1' },
    });
    expect(store.section(0)).to.deep.include({ owner: undefined, epoch: toEpoch(2), base: toSeq(1037n), handoff: undefined });
  });

  it('is one section alone: a digest for a run of several is refused', () => {
    const store = TestReplica.with(A);
    store.assign(A, 0, 2);
    expect(store.release(A, releaseOf(0, 1, 37n, 2, DIGEST))).to.deep.include({ releasedCount: 0, refusedCount: 2 });
  });

  it('of a repeat that comes late is refused: the epoch is retired', () => {
    const store = TestReplica.with(A, B);
    store.assign(A, 0);
    store.planMove(B, 0);
    store.release(A, releaseOf(0, 1, 37n, 1, DIGEST));
    const before = dump(store.state);
    expect(store.release(A, releaseOf(0, 1, 37n, 1, 'cd'.repeat(32)))).to.deep.include({ releasedCount: 0, refusedCount: 1 });
    expect(dump(store.state)).to.deep.equal(before);
  });
});

describe('state machine: runs that ended', () => {
  it('refuses everything of a run that was reported dead, also its own register', () => {
    const store = TestReplica.with(A, B);
    store.assign(A, 0);
    expect(store.run({ type: 'reportDeath', ...A, reason: 'killed by SIGKILL', atMs: 1 })).to.deep.equal({ type: 'done' });
    expect(store.state.alloc(A.allocId)).to.deep.include({ state: 'gone', dead: [A.incarnation] });
    expect(store.raise(A, raiseOf(0, 1, 150n))).to.have.nested.property('outcomes[0].code', 'NOT_OWNER');
    expect(store.register(A)).to.include({ type: 'refused', code: 'NOT_OWNER' });
    expect(store.state.table()?.allocs.map(({ id }) => id)).to.deep.equal([B.allocId]);
    expect(store.register(LATER_A)).to.deep.equal({ type: 'done' });
    expect(store.state.mayOwn(LATER_A)).to.equal(true);
  });

  it('notes the death of a superseded run without touching the newest, and of a run whose register is still on its way', () => {
    const store = TestReplica.with(A);
    store.register(LATER_A);
    store.run({ type: 'reportDeath', ...A, reason: 'exit 1', atMs: 1 });
    expect(store.state.alloc(A.allocId)).to.deep.include({ state: 'joined', incarnation: LATER_A.incarnation, dead: [A.incarnation] });
    const third = run('a1', 3);
    store.run({ type: 'reportDeath', ...third, reason: 'exit 1', atMs: 1 });
    expect(store.register(third)).to.include({ type: 'refused' });
    expect(store.state.isCurrent(LATER_A)).to.equal(true);
  });

  it('takes one out with its sections waiting for the lease, and forgets one that holds nothing', () => {
    const store = TestReplica.with(A, B);
    store.assign(A, 0);
    store.run({ type: 'removeAlloc', allocId: A.allocId, reason: '', atMs: 1 });
    expect(store.state.alloc(A.allocId)).to.deep.include({ state: 'gone', dead: [] });
    expect(store.state.isCurrent(A), 'its renewals are refused').to.equal(false);
    store.assign(B, 0);
    store.run({ type: 'removeAlloc', allocId: A.allocId, reason: '', atMs: 1 });
    expect(store.state.alloc(A.allocId)).to.equal(undefined);
    expect(store.run({ type: 'removeAlloc', allocId: A.allocId, reason: '', atMs: 1 })).to.include({ code: 'INVALID_ARGUMENT' });
  });

  it('lets a draining one have sections again', () => {
    const store = TestReplica.with(A);
    store.drain(A);
    store.run({ type: 'resume', allocId: A.allocId, reason: '', atMs: 1 });
    expect(store.state.mayOwn(A)).to.equal(true);
  });
});
