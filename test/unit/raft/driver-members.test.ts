import { expect } from 'chai';
import type { SeqError } from '../../../src/base/errors.js';
import type { ConfChange, Transition } from '../../../src/raft/conf-change.js';
import { codeOf, DriverStage, TICK_MS, watch } from './driver-stage.js';
import { bytesOf } from './memory-storage.js';
import { changeOf, textOfConf } from './test-node.js';

function change(steps: string, { context = steps, transition }: { context?: string; transition?: Transition } = {}): ConfChange {
  return { ...changeOf(steps, transition), context: bytesOf(context) };
}

function membersOf(stage: DriverStage): readonly string[] {
  return stage.actors.map(({ driver }) => textOfConf(driver.core.confState));
}

describe('RaftDriver, changes of members', () => {
  it('resolve with what the state machine answered, and every node has the same members then', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    const fate = watch(leader.driver.changeMembers(change('l4')));
    await stage.clock.elapse(TICK_MS * 2);
    expect(fate.value).to.deep.equal({ index: 2, term: 1, result: 'CHANGE L4' });
    expect(membersOf(stage)).to.deep.equal(['1 2 3 ~4', '1 2 3 ~4', '1 2 3 ~4']);
    for (const { events } of stage.actors)
      expect(events.flatMap((event) => (event.type === 'confChanged' ? [`${event.index} ${textOfConf(event.confState)}`] : []))).to.deep.equal([
        '2 1 2 3 ~4',
      ]);
  });

  it('are on every disk by themselves, with the commit index: whoever restarts counts votes among the members of now', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    const savedIndexes = (): number[] => stage.actors.map(({ storage }) => storage.appliedIndex);
    void leader.driver.propose(bytesOf('a'));
    await stage.clock.elapse(TICK_MS * 2);
    expect(savedIndexes(), 'a command waits for an append to ride on').to.deep.equal([1, 1, 1]);
    void leader.driver.changeMembers(change('l4'));
    await stage.clock.elapse(TICK_MS * 2);
    expect(savedIndexes()).to.deep.equal([3, 3, 3]);
    const states = stage.actors.map(({ storage }) => `${storage.hardState.commitIndex} ${textOfConf(storage.confState)}`);
    expect(states).to.deep.equal(['3 1 2 3 ~4', '3 1 2 3 ~4', '3 1 2 3 ~4']);
  });

  it('are refused while another one is under way: certainly not made, with a time to try again', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    const one = watch(leader.driver.changeMembers(change('l4')));
    const other = watch(leader.driver.changeMembers(change('l5')));
    await stage.clock.elapse(TICK_MS);
    expect([one.value?.result, codeOf(other.error), (other.error as SeqError).retryAfterMs]).to.deep.equal(['CHANGE L4', 'UNAVAILABLE definite', 50]);
    expect(leader.machine.commands).to.deep.equal(['change l4']);
    const again = watch(leader.driver.changeMembers(change('l5')));
    await stage.clock.elapse(TICK_MS);
    expect(again.value?.result).to.equal('CHANGE L5');
  });

  it('are refused when they cannot be made at all', async () => {
    const stage = new DriverStage(1);
    const { driver } = await stage.begin();
    const fate = watch(driver.changeMembers(change('r1')));
    await stage.clock.elapse(TICK_MS);
    expect([codeOf(fate.error), membersOf(stage)]).to.deep.equal(['UNAVAILABLE definite', ['1']]);
  });

  it('on a follower are a certain no', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    const fate = watch(stage.followerOf(leader).driver.changeMembers(change('l4')));
    await stage.clock.elapse(TICK_MS);
    expect(codeOf(fate.error)).to.equal('NOT_LEADER definite');
  });

  it('that the state machine refuses leave the members as they are, everywhere, and the next one may come', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    const refused = watch(leader.driver.changeMembers(change('v4 v5', { context: 'no' })));
    await stage.clock.elapse(TICK_MS * 2);
    expect([refused.value?.result, membersOf(stage)]).to.deep.equal(['REFUSED', ['1 2 3', '1 2 3', '1 2 3']]);
    const next = watch(leader.driver.changeMembers(change('l4')));
    await stage.clock.elapse(TICK_MS * 2);
    expect([next.value?.result, membersOf(stage)[0]]).to.deep.equal(['CHANGE L4', '1 2 3 ~4']);
  });

  it('that leave a joint configuration cannot be refused by the state machine: they only end what it took', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    void leader.driver.changeMembers(change('l3', { transition: 'explicit' }));
    await stage.clock.elapse(TICK_MS * 2);
    expect(membersOf(stage)[0]).to.equal('1 2&1 2 3 >3');
    void leader.driver.changeMembers(change('', { context: 'no' }));
    await stage.clock.elapse(TICK_MS * 2);
    expect([membersOf(stage), stage.actors.flatMap(({ fatal }) => fatal)]).to.deep.equal([['1 2 ~3', '1 2 ~3', '1 2 ~3'], []]);
  });

  it('through a joint configuration resolve when they count, and joint is left by itself', async () => {
    const stage = new DriverStage(3, { joiners: 1 });
    const leader = await stage.begin();
    const gone = stage.followerOf(leader).id;
    const fate = watch(leader.driver.changeMembers(change(`v4 r${gone}`)));
    await stage.clock.elapse(TICK_MS * 5);
    const left = [1, 2, 3, 4].filter((id) => id !== gone);
    expect([fate.isDone, left.map((id) => membersOf(stage)[id - 1])]).to.deep.equal([true, left.map(() => left.join(' '))]);
    const after = watch(leader.driver.propose(bytesOf('a')));
    await stage.clock.elapse(TICK_MS * 2);
    expect([after.value?.result, stage.actor(4).machine.commands.at(-1)]).to.deep.equal(['A', 'a']);
  });

  it('are on disk with the applied index, in one write', async () => {
    const stage = new DriverStage(1);
    const { driver, storage } = await stage.begin();
    void driver.changeMembers(change('l2'));
    await stage.clock.settle();
    void driver.propose(bytesOf('a'));
    await stage.clock.settle();
    const applied = storage.batches.flatMap((batch) =>
      batch.applied === undefined ? [] : [`${batch.applied.index} ${textOfConf(batch.applied.confState)}`],
    );
    expect(applied.at(-1)).to.equal('2 1 ~2');
  });

  it('survive a restart', async () => {
    const stage = new DriverStage(1);
    const leader = await stage.begin();
    void leader.driver.changeMembers(change('l2'));
    await stage.clock.settle();
    await leader.driver.stop();
    expect(textOfConf(stage.reopen(leader).driver.core.confState)).to.equal('1 ~2');
  });

  it('that remove the leader make it step down: what waits then is unknown, what comes then a certain no', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    const removed = watch(leader.driver.changeMembers(change(`r${leader.id}`)));
    await stage.clock.elapse(TICK_MS * 2);
    expect([removed.isDone, leader.driver.core.role]).to.deep.equal([true, 'follower']);
    const late = watch(leader.driver.propose(bytesOf('a')));
    await stage.clock.elapse(TICK_MS * 40);
    expect([codeOf(late.error), stage.leader!.id === leader.id]).to.deep.equal(['NOT_LEADER definite', false]);
    const fate = watch(stage.leader!.driver.propose(bytesOf('b')));
    await stage.clock.settle();
    expect(fate.value?.result).to.equal('B');
  });
});

describe('RaftDriver, handing leadership over', () => {
  it('makes the other one lead within a round, and the old one follows', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    const next = stage.followerOf(leader);
    leader.driver.transferLeader(next.id);
    await stage.clock.elapse(TICK_MS);
    expect([next.driver.isReadyLeader, leader.driver.core.leaderId, next.driver.core.term]).to.deep.equal([true, next.id, 2]);
  });

  it('refuses proposals meanwhile: certainly not in the log, with a time to try again', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    stage.isLost = ({ type }) => type === 'timeoutNow';
    leader.driver.transferLeader(stage.followerOf(leader).id);
    const fate = watch(leader.driver.propose(bytesOf('a')));
    await stage.clock.settle();
    expect([codeOf(fate.error), (fate.error as SeqError).retryAfterMs, leader.driver.core.log.lastIndex]).to.deep.equal([
      'UNAVAILABLE definite',
      50,
      1,
    ]);
    await stage.clock.elapse(TICK_MS * 11);
    const again = watch(leader.driver.propose(bytesOf('a')));
    await stage.clock.settle();
    expect(again.value?.result, 'given up after an election timeout').to.equal('A');
  });

  it('loses nothing that waits: the next leader commits it', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    const next = stage.followerOf(leader);
    const fate = watch(leader.driver.propose(bytesOf('a')));
    stage.clock.flushDeferred();
    leader.driver.transferLeader(next.id);
    await stage.clock.elapse(TICK_MS * 3);
    expect([fate.isDone, next.machine.commands]).to.deep.equal([true, ['a']]);
  });

  it('stops with the driver', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    stage.isLost = ({ type }) => type === 'timeoutNow';
    leader.driver.transferLeader(stage.followerOf(leader).id);
    const change = watch(leader.driver.changeMembers(changeOf('l4')));
    const stopped = watch(leader.driver.stop());
    await stage.clock.settle();
    expect([stopped.isDone, codeOf(change.error), leader.fatal]).to.deep.equal([true, 'CLOSED definite', []]);
  });
});
