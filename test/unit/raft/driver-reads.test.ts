import { expect } from 'chai';
import { codeOf, DriverStage, TICK_MS, watch } from './driver-stage.js';
import { bytesOf } from './memory-storage.js';

describe('RaftDriver, reads', () => {
  describe('readIndex', () => {
    it('resolves with an index that is applied here and covers all that was committed before', async () => {
      const stage = new DriverStage(3);
      const { driver, machine } = await stage.begin();
      void driver.propose(bytesOf('a'));
      await stage.clock.settle();
      const read = watch(driver.readIndex());
      await stage.clock.settle();
      expect([read.value, machine.commands]).to.deep.equal([2, ['a']]);
    });

    it('waits until what was committed is applied, when the own disk is the slow one', async () => {
      const stage = new DriverStage(3);
      const { driver, storage } = await stage.begin();
      storage.hold();
      void driver.propose(bytesOf('a'));
      await stage.clock.settle();
      expect(driver.core.log.commitIndex).to.equal(2);
      const read = watch(driver.readIndex());
      await stage.clock.settle();
      expect(read.isDone).to.equal(false);
      storage.release();
      await stage.clock.settle();
      expect([read.value, driver.core.log.appliedIndex]).to.deep.equal([2, 2]);
    });

    it('makes one round for all reads of a turn', async () => {
      const stage = new DriverStage(3);
      const { driver } = await stage.begin();
      const reads = Array.from({ length: 50 }, () => watch(driver.readIndex()));
      await stage.clock.settle();
      expect(reads.every(({ value }) => value === 1)).to.equal(true);
      expect(stage.sent.filter(({ type }) => type === 'heartbeat')).to.have.length(2);
    });

    it('is refused when the leadership is lost before it was confirmed', async () => {
      const stage = new DriverStage(3);
      const leader = await stage.begin();
      stage.isolate(leader.id);
      const read = watch(leader.driver.readIndex());
      await stage.clock.elapse(TICK_MS * 5);
      expect(read.isDone).to.equal(false);
      await stage.clock.elapse(TICK_MS * 40);
      expect(codeOf(read.error)).to.equal('NOT_LEADER definite');
    });
  });
});

describe('RaftDriver, reads on any node', () => {
  it('on a follower ask the leader, and resolve once that much is applied here', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    const follower = stage.followerOf(leader);
    follower.storage.hold();
    void leader.driver.propose(bytesOf('a'));
    await stage.clock.settle();
    const read = watch(follower.driver.readIndex());
    await stage.clock.elapse(TICK_MS);
    expect([read.isDone, follower.machine.commands]).to.deep.equal([false, []]);
    follower.storage.release();
    await stage.clock.elapse(TICK_MS);
    expect([read.value, follower.machine.commands]).to.deep.equal([2, ['a']]);
  });

  it('that must be answered by the leader itself are refused on a follower', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    const read = watch(stage.followerOf(leader).driver.confirmLeadership());
    await stage.clock.settle();
    expect(codeOf(read.error)).to.equal('NOT_LEADER definite');
  });

  it('of one turn share one question', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    const { driver } = stage.followerOf(leader);
    const reads = Array.from({ length: 50 }, () => watch(driver.readIndex()));
    await stage.clock.settle();
    expect([reads.every(({ value }) => value === 1), stage.sent.filter(({ type }) => type === 'readIndex').length]).to.deep.equal([true, 1]);
  });

  for (const lost of ['readIndex', 'readIndexReply'] as const) {
    it(`are given up after two election timeouts when a ${lost} is lost`, async () => {
      const stage = new DriverStage(3);
      const leader = await stage.begin();
      stage.isLost = ({ type }) => type === lost;
      const read = watch(stage.followerOf(leader).driver.readIndex());
      await stage.clock.elapse(TICK_MS * 19);
      expect(read.isDone).to.equal(false);
      await stage.clock.elapse(TICK_MS * 2);
      expect(codeOf(read.error)).to.equal('NOT_LEADER definite');
      stage.isLost = () => false;
      const again = watch(stage.followerOf(leader).driver.readIndex());
      await stage.clock.settle();
      expect(again.value).to.equal(1);
    });
  }

  it('are refused at once where no leader is known', async () => {
    const stage = new DriverStage(3);
    const { driver } = stage.actor(1);
    driver.start();
    const read = watch(driver.readIndex());
    await stage.clock.settle();
    expect(codeOf(read.error)).to.equal('NOT_LEADER definite');
  });

  it('are not answered by what a former run of this process asked', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    const follower = stage.followerOf(leader);
    let answers = 0;
    stage.isLost = ({ type }) => type === 'readIndexReply' && (answers += 1) > 0;
    void follower.driver.readIndex().catch(() => undefined);
    await stage.clock.settle();
    const late = stage.sent.findLast(({ type }) => type === 'readIndexReply')!;
    await follower.driver.stop();
    const next = stage.replace(follower);
    await stage.clock.elapse(TICK_MS * 2);
    const read = watch(next.driver.readIndex());
    stage.clock.flushDeferred();
    next.driver.receive({ ...late, term: next.driver.core.term });
    await stage.clock.settle();
    expect([answers > 1, read.isDone]).to.deep.equal([true, false]);
  });

  it('are refused at the stop', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    const { driver } = stage.followerOf(leader);
    stage.isolate(leader.id);
    const read = watch(driver.readIndex());
    await stage.clock.settle();
    void driver.stop();
    await stage.clock.settle();
    expect(codeOf(read.error)).to.equal('NOT_LEADER definite');
  });
});
