import { expect } from 'chai';
import type { Message } from '../../../src/raft/message.js';
import { type Actor, DriverStage, TICK_MS, watch } from './driver-stage.js';
import { bytesOf } from './memory-storage.js';
import { membersOf } from './test-node.js';

/** Proposes them one by one, each in a write of its own, so that the applied index is saved with the next. */
async function proposeMany(stage: DriverStage, { driver }: Actor, count: number, from = 0): Promise<void> {
  for (let number = from; number < from + count; number += 1) {
    void driver.propose(bytesOf(`c${number}`));
    await stage.clock.settle();
  }
  await stage.clock.elapse(TICK_MS * 2);
}

/** Three nodes of which one was away for so long that the leader of now no longer has what it needs. */
async function withOneAway(): Promise<{ stage: DriverStage; leader: Actor; away: Actor }> {
  const stage = new DriverStage(3, { driver: { keptEntries: 5 } });
  const first = await stage.begin();
  const [away, next] = stage.actors.filter((actor) => actor !== first) as [Actor, Actor];
  stage.isolate(away.id);
  await proposeMany(stage, first, 30);
  expect(next.storage.firstIndex, 'a follower keeps what it was told to keep').to.be.within(20, 30);
  first.driver.transferLeader(next.id);
  await stage.clock.elapse(TICK_MS * 3);
  expect(next.driver.isReadyLeader).to.equal(true);
  stage.sent.length = 0;
  return { stage, leader: next, away };
}

/** Lets it come back, and its disk hang from when the snapshot is sent. */
async function holdAtSnapshot(stage: DriverStage, away: Actor): Promise<void> {
  stage.isLost = ({ type }) => {
    if (type === 'snapshot') away.storage.hold();
    return false;
  };
  stage.heal();
  for (let tick = 0; tick < 40 && !away.driver.core.log.hasUnstableSnapshot; tick += 1) await stage.clock.elapse(TICK_MS);
  expect(away.driver.core.log.hasUnstableSnapshot).to.equal(true);
  stage.isLost = () => false;
}

describe('RaftDriver, snapshots', () => {
  it('bring back a node that was away past compaction: state, log, members and all', async () => {
    const { stage, leader, away } = await withOneAway();
    stage.heal();
    await stage.clock.elapse(TICK_MS * 30);
    expect(away.storage.installs).to.have.length(1);
    expect(away.machine.commands).to.deep.equal(leader.machine.commands);
    expect(away.events.flatMap((event) => (event.type === 'snapshotInstalled' ? [event.index] : []))).to.deep.equal([
      away.storage.installs[0]!.index,
    ]);
    const fate = watch(stage.leader!.driver.propose(bytesOf('after')));
    await stage.clock.elapse(TICK_MS * 2);
    expect([fate.value?.result, away.machine.commands.at(-1)]).to.deep.equal(['AFTER', 'after']);
    await away.driver.stop();
    const again = stage.reopen(away);
    expect([again.machine.commands.at(-1), again.driver.core.log.lastIndex]).to.deep.equal(['after', away.driver.core.log.lastIndex]);
  });

  it('that cannot be read are not taken: the node says so and stays as it is', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    const { id, driver, events, storage, fatal } = stage.followerOf(leader);
    const snapshot = { index: 50, term: 1, confState: membersOf({ voters: [1, 2, 3] }), data: bytesOf('torn') };
    const message: Message = { from: leader.id, to: id, term: 1, type: 'snapshot', snapshot };
    driver.receive(message);
    await stage.clock.settle();
    expect(events.at(-1)).to.deep.equal({ type: 'snapshotUnreadable', from: leader.id, index: 50 });
    expect([driver.core.log.lastIndex, storage.installs, fatal]).to.deep.equal([1, [], []]);
  });

  it('are acknowledged only once they are on disk, and nothing is applied meanwhile', async () => {
    const { stage, away } = await withOneAway();
    await holdAtSnapshot(stage, away);
    expect([away.storage.installs, away.machine.commands.length < 30, away.driver.core.log.hasUnstableSnapshot]).to.deep.equal([[], true, true]);
    const { index } = away.driver.core.log.last;
    expect(
      stage.sent.some((message) => message.from === away.id && message.type === 'appendReply' && !message.rejected && message.index >= index),
    ).to.equal(false);
    away.storage.release();
    await stage.clock.elapse(TICK_MS * 5);
    expect(away.machine.commands.length).to.be.at.least(30);
  });

  it('that were not on disk when the power went leave the node as it was, and another one comes', async () => {
    const { stage, leader, away } = await withOneAway();
    await holdAtSnapshot(stage, away);
    const before = away.storage.lastIndex;
    away.storage.failure = new Error('power');
    away.storage.release();
    await stage.clock.settle();
    away.storage.failure = undefined;
    expect([away.fatal.map(String), away.storage.lastIndex]).to.deep.equal([['Error: power'], before]);
    const back = stage.replace(away);
    await stage.clock.elapse(TICK_MS * 40);
    expect([back.storage.installs.length, back.machine.commands]).to.deep.equal([1, leader.machine.commands]);
  });

  it('that are lost are sent again', async () => {
    const { stage, leader, away } = await withOneAway();
    let lost = 0;
    stage.isLost = ({ type }) => type === 'snapshot' && (lost += 1) <= 3;
    stage.heal();
    await stage.clock.elapse(TICK_MS * 40);
    expect([lost > 3, away.machine.commands]).to.deep.equal([true, leader.machine.commands]);
  });

  it('under way to the disk are finished by a stop', async () => {
    const { stage, away } = await withOneAway();
    await holdAtSnapshot(stage, away);
    const stopped = watch(away.driver.stop());
    await stage.clock.settle();
    expect(stopped.isDone).to.equal(false);
    away.storage.release();
    await stage.clock.settle();
    expect([stopped.isDone, away.storage.installs.length, away.fatal]).to.deep.equal([true, 1, []]);
    expect(stage.reopen(away).machine.commands.length).to.be.at.least(30);
  });

  it('bring in a node with an empty disk', async () => {
    const stage = new DriverStage(3, { joiners: 1 });
    const leader = await stage.begin();
    await proposeMany(stage, leader, 3);
    void leader.driver.changeMembers({ transition: 'auto', steps: [{ type: 'addLearner', nodeId: 4 }], context: bytesOf('4') });
    await stage.clock.elapse(TICK_MS * 5);
    const joiner = stage.actor(4);
    expect([joiner.storage.installs.length, joiner.machine.commands]).to.deep.equal([1, ['c0', 'c1', 'c2', 'change 4']]);
  });
});

describe('RaftDriver, compaction', () => {
  it('forgets what is applied, on disk, and held by all, but for the last entries', async () => {
    const stage = new DriverStage(3, { driver: { keptEntries: 5 } });
    const leader = await stage.begin();
    await proposeMany(stage, leader, 40);
    for (const { storage, driver } of stage.actors) {
      expect(storage.firstIndex).to.be.within(30, storage.appliedIndex - 5 + 1);
      expect([storage.lastIndex, driver.core.log.commitIndex]).to.deep.equal([41, 41]);
    }
  });

  it('never goes past what is applied on disk', async () => {
    const stage = new DriverStage(1, { driver: { keptEntries: 0 } });
    const leader = await stage.begin();
    await proposeMany(stage, leader, 20);
    // The storage asserts it for every batch; here it must have had the chance.
    expect([leader.storage.firstIndex > 10, leader.fatal]).to.deep.equal([true, []]);
    for (const { compactTo, applied } of leader.storage.batches)
      if (compactTo !== undefined && applied !== undefined) expect(compactTo).to.be.below(applied.index + 1);
  });

  it('of a leader keeps what a slow member needs, within bounds', async function () {
    this.timeout(20_000);
    const stage = new DriverStage(3, { driver: { keptEntries: 5 } });
    const leader = await stage.begin();
    const slow = stage.followerOf(leader);
    stage.isolate(slow.id);
    await proposeMany(stage, leader, 30);
    expect([leader.storage.firstIndex, leader.driver.core.progress.get(slow.id)!.match]).to.deep.equal([1, 1]);
    for (let round = 0; round < 6; round += 1) {
      for (let number = 0; number < 9_000; number += 1) void leader.driver.propose(bytesOf('x'));
      await stage.clock.elapse(TICK_MS);
    }
    await proposeMany(stage, leader, 2);
    // More than 50,000 behind: a snapshot is cheaper.
    expect(leader.storage.firstIndex).to.be.within(54_000 - 50_000, 54_040 - 50_000);
  });
});
