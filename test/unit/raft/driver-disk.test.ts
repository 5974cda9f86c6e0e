import { expect } from 'chai';
import { codeOf, DriverStage, TICK_MS, watch } from './driver-stage.js';
import { bytesOf } from './memory-storage.js';

const ELECTION_MS = 10 * TICK_MS;

describe('RaftDriver, a disk that hangs (raft.md hazard 11)', () => {
  it('makes a leader hand over after an election timeout, and nothing that was acknowledged is lost', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    leader.storage.hold();
    const fate = watch(leader.driver.propose(bytesOf('a')));
    await stage.clock.elapse(ELECTION_MS - TICK_MS);
    expect([leader.driver.core.role, leader.events.filter(({ type }) => type === 'diskStalled')]).to.deep.equal(['leader', []]);
    await stage.clock.elapse(TICK_MS * 3);
    expect(stage.leader!.id).to.not.equal(leader.id);
    expect(leader.events.flatMap((event) => (event.type === 'diskStalled' ? [[event.forMs, event.isLeader]] : []))).to.deep.equal([
      [ELECTION_MS, true],
    ]);
    expect([stage.leader!.machine.commands, leader.driver.core.leaderId]).to.deep.equal([['a'], stage.leader!.id]);
    expect(codeOf(fate.error), 'it was committed, and not applied here').to.equal('UNAVAILABLE unknown');
  });

  it('lets it follow again when the disk is back', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    leader.storage.hold();
    void watch(leader.driver.propose(bytesOf('a')));
    await stage.clock.elapse(ELECTION_MS * 2);
    const next = stage.leader!;
    const fate = watch(next.driver.propose(bytesOf('b')));
    await stage.clock.elapse(TICK_MS * 2);
    expect(fate.value?.result).to.equal('B');
    leader.storage.release();
    await stage.clock.elapse(TICK_MS * 5);
    expect([leader.machine.commands, leader.fatal, stage.leader]).to.deep.equal([['a', 'b'], [], next]);
  });

  it('makes a leader that nobody takes over from give up after two election timeouts', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    stage.isLost = ({ type }) => type === 'timeoutNow';
    leader.storage.hold();
    void watch(leader.driver.propose(bytesOf('a')));
    await stage.clock.elapse(ELECTION_MS * 2 - TICK_MS);
    expect(leader.driver.core.role).to.equal('leader');
    await stage.clock.elapse(TICK_MS * 2);
    expect(leader.driver.core.role).to.not.equal('leader');
    await stage.clock.elapse(ELECTION_MS * 3);
    expect(stage.leader!.id).to.not.equal(leader.id);
  });

  it('makes a leader without a successor give up at once', async () => {
    const stage = new DriverStage(1);
    const { driver, storage } = await stage.begin();
    storage.hold();
    const fate = watch(driver.propose(bytesOf('a')));
    await stage.clock.elapse(ELECTION_MS + TICK_MS);
    expect([driver.core.role === 'leader', codeOf(fate.error)]).to.deep.equal([false, 'UNAVAILABLE unknown']);
    storage.release();
    await stage.clock.elapse(ELECTION_MS * 3);
    expect(driver.isReadyLeader).to.equal(true);
  });

  it('of a follower is told of once, and disturbs nobody', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    const follower = stage.followerOf(leader);
    follower.storage.hold();
    const fate = watch(leader.driver.propose(bytesOf('a')));
    await stage.clock.elapse(ELECTION_MS * 3);
    expect(follower.events.flatMap((event) => (event.type === 'diskStalled' ? [event.isLeader] : []))).to.deep.equal([false]);
    expect([fate.value?.result, leader.driver.core.role, leader.driver.core.term]).to.deep.equal(['A', 'leader', 1]);
    follower.storage.release();
    await stage.clock.elapse(TICK_MS * 3);
    expect(follower.machine.commands).to.deep.equal(['a']);
  });

  it('that hangs again is told of again', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    const follower = stage.followerOf(leader);
    for (const text of ['a', 'b']) {
      follower.storage.hold();
      void leader.driver.propose(bytesOf(text));
      await stage.clock.elapse(ELECTION_MS * 2);
      follower.storage.release();
      await stage.clock.elapse(TICK_MS * 3);
    }
    expect(follower.events.filter(({ type }) => type === 'diskStalled')).to.have.length(2);
  });

  it('is no reason while it is idle: only a write under way counts', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    await stage.clock.elapse(ELECTION_MS * 5);
    expect([leader.driver.core.role, leader.events.filter(({ type }) => type === 'diskStalled')]).to.deep.equal(['leader', []]);
  });

  it('does not stop the quorum check: a leader that nobody hears steps down meanwhile', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    stage.isolate(leader.id);
    leader.storage.hold();
    void watch(leader.driver.propose(bytesOf('a')));
    await stage.clock.elapse(ELECTION_MS * 2);
    expect(leader.driver.core.role).to.not.equal('leader');
  });
});
