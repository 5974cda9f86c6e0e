import { expect } from 'chai';
import type { Clock } from '../../../src/base/clock.js';
import { COMMAND_BYTES_MAX } from '../../../src/raft/driver.js';
import type { VirtualClock } from '../virtual-clock.js';
import { codeOf, DriverStage, TICK_MS, watch } from './driver-stage.js';
import { bytesOf } from './memory-storage.js';

describe('RaftDriver', () => {
  describe('leading', () => {
    it('is ready once it has applied an entry of its own term, and says so once', async () => {
      const stage = new DriverStage(3);
      const leader = await stage.begin();
      await stage.clock.elapse(TICK_MS * 5);
      expect(leader.events.filter(({ type }) => type === 'leaderReady')).to.deep.equal([{ type: 'leaderReady', term: 1 }]);
      expect(stage.actors.filter(({ driver }) => driver.isReadyLeader)).to.deep.equal([leader]);
    });

    it('is not ready before that', async () => {
      const stage = new DriverStage(1);
      const { driver, storage } = stage.actor(1);
      storage.hold();
      driver.start();
      await stage.clock.elapse(TICK_MS * 20);
      // A pre-vote promises nothing that needs the disk: one write for the vote, one for the no-op.
      for (const role of ['candidate', 'leader']) {
        expect([driver.core.role, driver.isReadyLeader]).to.deep.equal([role, false]);
        storage.release();
        if (role !== 'leader') storage.hold();
        await stage.clock.settle();
      }
      expect(driver.isReadyLeader).to.equal(true);
    });

    it('tells of every change of role', async () => {
      const stage = new DriverStage(1);
      const leader = await stage.begin();
      const roles = leader.events.flatMap((event) => (event.type === 'roleChanged' ? [`${event.role} ${event.term} ${event.leaderId}`] : []));
      expect(roles).to.deep.equal(['preCandidate 0 undefined', 'candidate 1 undefined', 'leader 1 1']);
    });
  });

  describe('group commit', () => {
    it('puts the proposals of one turn into one append and one write', async () => {
      const stage = new DriverStage(1);
      const { driver, storage } = await stage.begin();
      const fates = Array.from({ length: 100 }, (_, index) => watch(driver.propose(bytesOf(`c${index}`))));
      await stage.clock.settle();
      expect(storage.batches.map(({ entries }) => entries.length)).to.deep.equal([100]);
      expect(fates.map(({ value }) => value?.result)).to.deep.equal(fates.map((_, index) => `C${index}`));
    });

    it('puts what came while the disk worked into the next one', async () => {
      const stage = new DriverStage(1);
      const { driver, storage } = await stage.begin();
      storage.hold();
      for (const text of ['a', 'b', 'c']) {
        void driver.propose(bytesOf(text));
        await stage.clock.settle();
      }
      storage.release();
      await stage.clock.settle();
      expect(storage.batches.map(({ entries }) => entries.length)).to.deep.equal([1, 2]);
    });

    it('costs each node one write for a lone proposal: the news that it is committed needs none', async () => {
      const stage = new DriverStage(3);
      const { driver } = await stage.begin();
      const before = stage.actors.map(({ storage }) => storage.begun);
      for (let round = 0; round < 10; round += 1) {
        void driver.propose(bytesOf('a'));
        await stage.clock.settle();
      }
      expect(stage.actors.map(({ storage }, at) => storage.begun - before[at]!)).to.deep.equal([10, 10, 10]);
    });

    it('sends the proposals of one turn in one message to each follower', async () => {
      const stage = new DriverStage(3);
      const { driver } = await stage.begin();
      for (const text of ['a', 'b', 'c']) void driver.propose(bytesOf(text));
      await stage.clock.settle();
      const carrying = stage.sent.flatMap((message) => (message.type === 'append' && message.entries.length > 0 ? [message.entries.length] : []));
      expect(carrying).to.deep.equal([3, 3]);
    });
  });

  describe('the news that an entry is committed', () => {
    it('goes out alone after a moment, so that whoever waits for the commit is answered first', async () => {
      const stage = new DriverStage(3);
      const leader = await stage.begin();
      await stage.clock.elapse(TICK_MS / 2);
      stage.sent.length = 0;
      const fate = watch(leader.driver.propose(bytesOf('a')));
      await stage.clock.settle();
      expect([fate.value?.result, appendsIn(stage)]).to.deep.equal(['A', [1, 1]]);
      await stage.clock.elapse(2);
      expect(appendsIn(stage)).to.deep.equal([1, 1, 0, 0]);
      expect(stage.actors.map(({ machine }) => machine.commands)).to.deep.equal([['a'], ['a'], ['a']]);
    });

    it('travels with the next entries when they come first', async () => {
      const stage = new DriverStage(3);
      const leader = await stage.begin();
      await stage.clock.elapse(TICK_MS / 2);
      stage.sent.length = 0;
      for (const text of ['a', 'b', 'c']) {
        void leader.driver.propose(bytesOf(text));
        await stage.clock.settle();
      }
      expect(appendsIn(stage)).to.deep.equal([1, 1, 1, 1, 1, 1]);
      expect(stage.followerOf(leader).machine.commands).to.deep.equal(['a', 'b']);
      await stage.clock.elapse(2);
      expect(appendsIn(stage).slice(6)).to.deep.equal([0, 0]);
    });

    it('is not sent by a node that has stopped, which leaves no timer behind', async () => {
      const stage = new DriverStage(3);
      const leader = await stage.begin();
      await stage.clock.elapse(TICK_MS / 2);
      stage.sent.length = 0;
      void leader.driver.propose(bytesOf('a'));
      await stage.clock.settle();
      const before = stage.clock.timerCount;
      await leader.driver.stop();
      expect(stage.clock.timerCount).to.equal(before - 2);
      await stage.clock.elapse(TICK_MS / 4);
      expect(appendsIn(stage)).to.deep.equal([1, 1]);
    });
  });

  describe('the fate of a proposal', () => {
    it('is what applying it answered, and every replica has applied the same', async () => {
      const stage = new DriverStage(3);
      const leader = await stage.begin();
      const one = watch(leader.driver.propose(bytesOf('a')));
      const two = watch(leader.driver.propose(bytesOf('b')));
      await stage.clock.elapse(TICK_MS);
      expect([one.value, two.value]).to.deep.equal([
        { index: 2, term: 1, result: 'A' },
        { index: 3, term: 1, result: 'B' },
      ]);
      expect(stage.actors.map(({ machine }) => machine.commands)).to.deep.equal([
        ['a', 'b'],
        ['a', 'b'],
        ['a', 'b'],
      ]);
    });

    it('is told only once a majority has it on disk', async () => {
      const stage = new DriverStage(3);
      const leader = await stage.begin();
      for (const { storage } of stage.actors) if (storage !== leader.storage) storage.hold();
      const fate = watch(leader.driver.propose(bytesOf('a')));
      await stage.clock.elapse(TICK_MS);
      expect([fate.isDone, stage.sent.filter(({ type }) => type === 'appendReply')]).to.deep.equal([false, []]);
      stage.actors.find(({ storage }) => storage !== leader.storage)!.storage.release();
      await stage.clock.settle();
      expect(fate.value?.result).to.equal('A');
    });

    it('on a follower is a certain no', async () => {
      const stage = new DriverStage(3);
      const leader = await stage.begin();
      const follower = stage.actors.find((actor) => actor !== leader)!;
      const fate = watch(follower.driver.propose(bytesOf('a')));
      await stage.clock.settle();
      expect(codeOf(fate.error)).to.equal('NOT_LEADER definite');
    });

    it('is unknown when the leadership is lost first, and the entry may be committed by another leader', async () => {
      const stage = new DriverStage(3);
      const leader = await stage.begin();
      const fate = watch(leader.driver.propose(bytesOf('a')));
      stage.clock.flushDeferred(); // It is on its way to the others, and their answers never come.
      stage.isolate(leader.id);
      await stage.clock.elapse(TICK_MS * 40);
      expect(codeOf(fate.error)).to.equal('UNAVAILABLE unknown');
      const next = stage.actors.find(({ id, driver }) => id !== leader.id && driver.isReadyLeader)!;
      expect(next.machine.commands).to.deep.equal(['a']);
    });

    it('when it is replaced by another leader it is never said to be done', async () => {
      const stage = new DriverStage(3);
      const old = await stage.begin();
      stage.isolate(old.id);
      const fate = watch(old.driver.propose(bytesOf('lost')));
      await stage.clock.elapse(TICK_MS * 40);
      const next = stage.actors.find(({ id, driver }) => id !== old.id && driver.isReadyLeader)!;
      const kept = watch(next.driver.propose(bytesOf('kept')));
      await stage.clock.settle();
      stage.heal();
      await stage.clock.elapse(TICK_MS * 5);
      expect([codeOf(fate.error), kept.value?.result]).to.deep.equal(['UNAVAILABLE unknown', 'KEPT']);
      expect(stage.actors.map(({ machine }) => machine.commands)).to.deep.equal([['kept'], ['kept'], ['kept']]);
    });

    it('that was only queued when the leadership was lost is a certain no', async () => {
      const stage = new DriverStage(3);
      const { id, driver } = await stage.begin();
      const fate = watch(driver.propose(bytesOf('a')));
      driver.receive({ from: id === 1 ? 2 : 1, to: id, term: 9, type: 'heartbeat', commitIndex: 0, readRound: 0 });
      await stage.clock.settle();
      expect([codeOf(fate.error), driver.core.log.lastIndex]).to.deep.equal(['NOT_LEADER definite', 1]);
    });

    it('that no peer could take is refused, and the next one commits', async () => {
      const stage = new DriverStage(3);
      const { driver } = await stage.begin();
      const refused = watch(driver.propose(new Uint8Array(COMMAND_BYTES_MAX + 1)));
      const fits = watch(driver.propose(new Uint8Array(COMMAND_BYTES_MAX).fill(97)));
      const next = watch(driver.propose(bytesOf('a')));
      await stage.clock.elapse(TICK_MS);
      expect(refused.error).to.include({ code: 'INVALID_ARGUMENT', definite: true });
      expect([fits.isDone, next.value?.result]).to.deep.equal([true, 'A']);
    });

    it('without data is refused: an empty entry is the no-op of a leader', async () => {
      const stage = new DriverStage(1);
      const { driver } = await stage.begin();
      const fate = watch(driver.propose(new Uint8Array()));
      await stage.clock.settle();
      expect([codeOf(fate.error), driver.core.log.lastIndex]).to.deep.equal(['INVALID_ARGUMENT definite', 1]);
    });

    it('resolves although the answer is nothing', async () => {
      const stage = new DriverStage(1);
      const { driver, machine } = await stage.begin();
      machine.apply = () => undefined as unknown as string;
      const fate = watch(driver.propose(bytesOf('a')));
      await stage.clock.settle();
      expect(fate.value).to.deep.equal({ index: 2, term: 1, result: undefined });
    });
  });

  describe('a storage error', () => {
    it('is fatal once; nothing is acknowledged, and nothing more is done', async () => {
      const stage = new DriverStage(3);
      const leader = await stage.begin();
      const follower = stage.actors.find((actor) => actor !== leader)!;
      follower.storage.failure = new Error('no space left');
      const fate = watch(leader.driver.propose(bytesOf('a')));
      await stage.clock.elapse(TICK_MS * 30);
      expect(follower.fatal.map(String)).to.deep.equal(['Error: no space left']);
      expect(stage.sent.filter(({ from, type }) => from === follower.id && type === 'appendReply')).to.deep.equal([]);
      expect(fate.value?.result, 'the other two go on').to.equal('A');
      expect([follower.machine.commands, follower.storage.begun]).to.deep.equal([[], follower.storage.batches.length + 1]);
    });

    it('of the leader leaves its proposals unanswered, and it takes no more', async () => {
      const stage = new DriverStage(1);
      const { driver, storage, fatal, machine } = await stage.begin();
      storage.failure = new Error('no space left');
      const fate = watch(driver.propose(bytesOf('a')));
      await stage.clock.elapse(TICK_MS);
      const late = watch(driver.propose(bytesOf('b')));
      const read = watch(driver.readIndex());
      await stage.clock.elapse(TICK_MS * 5);
      expect([fatal.length, fate.isDone, machine.commands]).to.deep.equal([1, false, []]);
      expect([codeOf(late.error), codeOf(read.error)]).to.deep.equal(['CLOSED definite', 'CLOSED definite']);
      expect(stage.clock.timerCount).to.equal(0);
    });

    it('does not hang stop(), which then writes nothing', async () => {
      const stage = new DriverStage(1);
      const { driver, storage } = await stage.begin();
      storage.failure = new Error('no space left');
      const fate = watch(driver.propose(bytesOf('a')));
      await stage.clock.settle();
      storage.failure = undefined;
      await driver.stop();
      expect([storage.begun, codeOf(fate.error)]).to.deep.equal([1, 'CLOSED unknown']);
    });
  });

  it('a broken invariant is fatal once, ends the ticks and writes no more', async () => {
    const stage = new DriverStage(3);
    const leader = await stage.begin();
    const { id, driver, fatal, storage } = stage.followerOf(leader);
    // Until what the leader holds back is sent.
    await stage.clock.elapse(TICK_MS / 2);
    const before = [stage.clock.timerCount, storage.begun] as const;
    // The leader knows entries that this node has acknowledged and does not have.
    for (let time = 0; time < 2; time += 1) driver.receive({ from: leader.id, to: id, term: 1, type: 'heartbeat', commitIndex: 99, readRound: 0 });
    await stage.clock.elapse(TICK_MS * 5.5);
    await driver.stop();
    expect(fatal).to.have.length(1);
    expect(String(fatal[0])).to.include('LogLostError: the leader says that this node holds entry 99');
    expect([stage.clock.timerCount, storage.begun]).to.deep.equal([before[0] - 1, before[1]]);
  });

  describe('a late tick', () => {
    it('lets the messages that wait go first, and makes up for nothing', async () => {
      const held: (() => void)[] = [];
      let isHolding = false;
      const stage = new DriverStage(3, { clockOf: (clock) => holdable(clock, (fire) => isHolding && held.push(fire) > 0) });
      const leader = await stage.begin();
      const follower = stage.actors.find((actor) => actor !== leader)!;
      const { core } = follower.driver;
      await stage.clock.elapse(TICK_MS * 3);

      // The process of everybody stands still for ten election timeouts; then the timers run before the sockets are read.
      isHolding = true;
      const before = core.electionElapsed;
      stage.clock.stall(TICK_MS * 100);
      stage.clock.advance(0);
      expect(core.electionElapsed).to.equal(before);
      expect(follower.events.filter(({ type }) => type === 'lateTick')).to.have.length(1);
      follower.driver.receive({ from: leader.id, to: follower.id, term: 1, type: 'heartbeat', commitIndex: 1, readRound: 0 });
      isHolding = false;
      for (const fire of held) fire();
      expect([core.role, core.electionElapsed]).to.deep.equal(['follower', 1]);
    });

    it('of no more than one tick is an ordinary one', async () => {
      const stage = new DriverStage(1);
      const { events } = await stage.begin();
      stage.clock.stall(TICK_MS * 1.5);
      await stage.clock.elapse(TICK_MS * 3);
      expect(events.filter(({ type }) => type === 'lateTick')).to.deep.equal([]);
    });
  });

  describe('stop', () => {
    it('answers what waits, finishes the write, saves what is applied and leaves no timer', async () => {
      const stage = new DriverStage(1);
      const { driver, storage } = await stage.begin();
      void driver.propose(bytesOf('a'));
      await stage.clock.settle();
      storage.hold();
      const written = watch(driver.propose(bytesOf('b')));
      stage.clock.flushDeferred();
      const queued = watch(driver.propose(bytesOf('c')));
      const read = watch(driver.readIndex());
      const stopped = watch(driver.stop());
      await stage.clock.settle();
      expect([codeOf(written.error), codeOf(queued.error), read.isDone, stopped.isDone]).to.deep.equal([
        'CLOSED unknown',
        'CLOSED definite',
        true,
        false,
      ]);
      storage.release();
      await stage.clock.settle();
      expect([stopped.isDone, storage.lastIndex, storage.appliedIndex, stage.clock.timerCount]).to.deep.equal([true, 3, 2, 0]);
    });

    it('takes nothing in after it', async () => {
      const stage = new DriverStage(3);
      const { driver, id } = await stage.begin();
      await driver.stop();
      const { term } = driver.core;
      driver.receive({ from: id === 1 ? 2 : 1, to: id, term: 9, type: 'heartbeat', commitIndex: 0, readRound: 0 });
      await stage.clock.settle();
      expect(driver.core.term).to.equal(term);
    });
  });

  it('goes on after a restart where its disk ends, and applies nothing twice', async () => {
    const stage = new DriverStage(1);
    const first = await stage.begin();
    for (const text of ['a', 'b']) void first.driver.propose(bytesOf(text));
    await stage.clock.settle();
    await first.driver.stop();

    const second = stage.reopen(first);
    second.driver.start();
    await stage.clock.elapse(TICK_MS * 20);
    const fate = watch(second.driver.propose(bytesOf('c')));
    await stage.clock.settle();
    expect([fate.value?.result, fate.value?.index, second.machine.commands]).to.deep.equal(['C', 5, ['a', 'b', 'c']]);
    expect(second.driver.core.term).to.equal(2);
  });

  it('ignores a message for another node', async () => {
    const stage = new DriverStage(3);
    const { driver, fatal } = await stage.begin();
    driver.receive({ from: 1, to: 99, term: 9, type: 'heartbeat', commitIndex: 0, readRound: 0 });
    await stage.clock.settle();
    expect([driver.core.term, fatal]).to.deep.equal([1, []]);
  });
});

/** A clock whose deferred calls `keep` may take away. */
function holdable(clock: VirtualClock, keep: (fire: () => void) => boolean): Clock {
  return {
    nowMs: () => clock.nowMs(),
    now: () => clock.now(),
    wallMs: () => clock.wallMs(),
    after: (delayMs, fire) => clock.after(delayMs, fire),
    defer: (fire) => {
      if (!keep(fire)) clock.defer(fire);
    },
  };
}

/** How many entries each append carried, in the order they were sent. */
function appendsIn({ sent }: DriverStage): number[] {
  return sent.flatMap((message) => (message.type === 'append' ? [message.entries.length] : []));
}
