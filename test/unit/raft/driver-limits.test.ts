import { expect } from 'chai';
import type { SeqError } from '../../../src/base/errors.js';
import { codeOf, DriverStage, TICK_MS, watch } from './driver-stage.js';
import { bytesOf } from './memory-storage.js';

describe('RaftDriver, limits', () => {
  it('10,000 proposals may wait; one more is refused, with a time to try again', async () => {
    const stage = new DriverStage(1);
    const { driver, storage } = await stage.begin();
    storage.hold();
    const fates = Array.from({ length: 10_000 }, () => watch(driver.propose(bytesOf('a'))));
    await stage.clock.settle();
    const refused = watch(driver.propose(bytesOf('b')));
    await stage.clock.settle();
    expect([codeOf(refused.error), (refused.error as SeqError).retryAfterMs]).to.deep.equal(['RESOURCE_EXHAUSTED definite', 50]);
    storage.release();
    await stage.clock.settle();
    expect(fates.every(({ value }) => value?.result === 'A')).to.equal(true);
    const again = watch(driver.propose(bytesOf('c')));
    await stage.clock.settle();
    expect(again.value?.result).to.equal('C');
  });

  it('so many bytes may wait to be committed; more are certainly not in the log', async () => {
    const stage = new DriverStage(1, { raft: { maxUncommittedBytes: 100 } });
    const { driver, storage } = await stage.begin();
    storage.hold();
    const taken = watch(driver.propose(bytesOf('x'.repeat(200))));
    await stage.clock.settle();
    const refused = watch(driver.propose(bytesOf('b')));
    await stage.clock.settle();
    expect([codeOf(refused.error), driver.core.log.lastIndex]).to.deep.equal(['RESOURCE_EXHAUSTED definite', 2]);
    storage.release();
    await stage.clock.settle();
    expect(taken.isDone && taken.error === undefined).to.equal(true);
  });

  it('10,000 reads may wait, in however many rounds', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    stage.isolate(leader.id);
    const fates = [];
    for (let round = 0; round < 4; round += 1) {
      for (let read = 0; read < 2_500; read += 1) fates.push(watch(leader.driver.readIndex()));
      await stage.clock.settle();
    }
    const refused = watch(leader.driver.readIndex());
    await stage.clock.settle();
    expect(codeOf(refused.error)).to.equal('RESOURCE_EXHAUSTED definite');
    stage.heal();
    await stage.clock.elapse(TICK_MS * 2);
    expect(fates.every(({ value }) => value === 1)).to.equal(true);
    const again = watch(leader.driver.readIndex());
    await stage.clock.settle();
    expect(again.value).to.equal(1);
  });
});
