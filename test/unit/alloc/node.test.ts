import { expect } from 'chai';
import type { AllocEvent } from '../../../src/alloc/events.js';
import { AllocNode, type Current, type Patience, type Taken } from '../../../src/alloc/node.js';
import { SeqError } from '../../../src/base/errors.js';
import type { AllocId, Epoch, SectionId, Slot } from '../../../src/model/ids.js';
import { NO_SETS } from '../../../src/model/sets.js';
import { SeededRandom } from '../seeded-random.js';
import { VirtualClock } from '../virtual-clock.js';
import { FakeStore, SUPERSEDED, UNKNOWN } from './fake-store.js';

describe('AllocNode', () => {
  let clock: VirtualClock;
  let store: FakeStore;
  let node: AllocNode;
  let events: AllocEvent[];
  let fatal: SeqError[];

  const make = (renewEveryMs = 500, id = 'a'): AllocNode =>
    new AllocNode({
      id: id as AllocId,
      zone: '',
      renewEveryMs,
      store,
      pull: () => Promise.resolve(),
      clock,
      random: new SeededRandom(1),
      observe: (event) => events.push(event),
      onFatal: (error) => fatal.push(error),
    });
  const started = async (...sections: number[]): Promise<void> => {
    if (sections.length > 0) store.assign('a', ...sections);
    await node.start({ address: 'a:1' });
  };
  const patience = (waitMs = 1000): Patience => ({ deadlineMs: clock.nowMs() + waitMs, isCancelled: () => false });
  const ask = (section: number, { slot = 0, count = 1, floor = 0n } = {}) => ({ section: section as SectionId, slot: slot as Slot, count, floor });
  /** The first number, or the error code. Never waits: a call that would is a failure of the test. */
  const next = (section: number, options = {}): bigint | string => {
    try {
      const taken = node.next(ask(section, options), patience());
      if (taken instanceof Promise) throw new Error('it waits');
      return taken.first;
    } catch (error) {
      if (SeqError.is(error)) return error.code;
      throw error;
    }
  };
  const refusal = (section: number, options = {}): SeqError => {
    try {
      void node.next(ask(section, options), patience());
    } catch (error) {
      if (SeqError.is(error)) return error;
      throw error;
    }
    throw new Error('it was not refused');
  };
  /** The call's outcome, for a call that may wait. */
  const later = async (section: number, options = {}, waitMs = 1000): Promise<bigint | string> => {
    try {
      return (await node.next(ask(section, options), patience(waitMs))).first;
    } catch (error) {
      if (SeqError.is(error)) return error.definite ? error.code : `${error.code}?`;
      throw error;
    }
  };
  const current = (section: number, slot = 0): Current => {
    const answer = node.current({ section: section as SectionId, slot: slot as Slot, floor: 0n }, patience());
    if (answer instanceof Promise) throw new Error('it waits');
    return answer;
  };
  /** AllocSvr b fetches the counters, as the successor of a planned move does. */
  const handOver = (section: number, allocId = 'b', epoch = 1): Promise<void> => {
    const sections = [{ section: section as SectionId, epoch: epoch as Epoch, has: new Map() }];
    return node.source.pull({ allocId: allocId as AllocId, sections }, { write: () => Promise.resolve(), isCancelled: () => false });
  };
  const typesOf = () => events.map(({ type }) => type);

  beforeEach(() => {
    clock = new VirtualClock();
    store = new FakeStore();
    events = [];
    fatal = [];
    node = make();
  });
  afterEach(() => node.stop());

  describe('when it starts', () => {
    it('registers until the store answers, then serves with its first lease', async () => {
      store.assign('a', 0);
      store.failures.set('register', new SeqError('UNAVAILABLE', 'no leader'));
      const start = node.start({ address: 'a:1' });
      await clock.elapse(5000);
      expect(store.counts.register).to.be.greaterThan(3);
      expect(next(0)).to.equal('UNAVAILABLE');
      store.failures.clear();
      await clock.elapse(1000);
      await start;
      expect(next(0)).to.equal(1n);
    });

    it('refuses a pace of renewals that cannot keep the lease of the set, with the arithmetic', async () => {
      node = make(800);
      const error = await node.start({ address: 'a:1' }).catch((caught: unknown) => caught);
      expect(error).to.include({ code: 'INVALID_ARGUMENT' });
      expect((error as SeqError).message).to.include('800ms x 4 = 3200ms > 3000ms');
    });

    it('gives up when the store refuses for good, and when it is stopped', async () => {
      store.failures.set('register', new SeqError('PERMISSION_DENIED', 'you are not welcome'));
      expect(await node.start({ address: 'a:1' }).catch((error: SeqError) => error.code)).to.equal('PERMISSION_DENIED');
      store.failures.set('register', SUPERSEDED);
      expect(await node.start({ address: 'a:1' }).catch((error: SeqError) => error.code)).to.equal('NOT_OWNER');
      store.failures.set('register', new SeqError('UNAVAILABLE', 'no leader'));
      const start = node.start({ address: 'a:1' }).catch((error: SeqError) => error.code);
      await clock.elapse(100);
      node.stop();
      expect(await start).to.equal('CLOSED');
      expect(clock.timerCount).to.equal(0);
    });
  });

  describe('a call', () => {
    it('gets increasing numbers, each uid from its own counter', async () => {
      await started(0, 1);
      expect([next(0), next(0), next(0, { slot: 5 }), next(1)]).to.deep.equal([1n, 2n, 1n, 1n]);
    });

    it('names the owner of a section that is not ours', async () => {
      store.assign('b', 2);
      await started(0);
      expect(refusal(2)).to.deep.include({ code: 'NOT_OWNER', definite: true, redirect: { id: 'b', address: 'b:1' } });
    });

    it('is told to come back, definitely, when nobody serves the section', async () => {
      await started(0);
      const error = refusal(3);
      expect(error).to.include({ code: 'UNAVAILABLE', definite: true });
      expect(error.retryAfterMs).to.be.greaterThan(0);
    });

    it('is not sent to ourselves when the table still names a former run of ours', async () => {
      store.assign('a', 0);
      const { table } = store.assignment();
      await node.start({ address: 'a:1' });
      node.adopt({ table: { ...table, version: { ...table.version, value: 99 } }, windows: [], incoming: [], sets: NO_SETS });
      expect(refusal(0)).to.include({ code: 'UNAVAILABLE', definite: true });
    });

    it('says OUT_OF_RANGE at the end of a counter', async () => {
      store.sections[0]!.maxSeq = 2n ** 63n - 3n;
      await started(0);
      expect(next(0, { count: 2 })).to.equal(2n ** 63n - 2n);
      expect(refusal(0)).to.include({ code: 'OUT_OF_RANGE', definite: true });
    });
  });

  describe('current', () => {
    it('is exact after the first number and an upper bound before it', async () => {
      store.sections[0]!.maxSeq = 500n;
      await started(0);
      expect(current(0)).to.deep.equal({ seq: 500n, exact: false, epoch: 1 });
      next(0);
      expect(current(0)).to.deep.equal({ seq: 501n, exact: true, epoch: 1 });
    });

    it('needs a lease too', async () => {
      await started(0);
      clock.stall(3000);
      expect(() => current(0))
        .to.throw()
        .with.property('code', 'UNAVAILABLE');
    });
  });

  describe('the lease', () => {
    const ends: Record<string, () => void> = {
      'time passed on all clocks and no timer fired': () => clock.stall(3000),
      'the wall clock alone says so': () => clock.jumpWall(3000),
      'the machine was suspended: the monotonic clock stood still': () => clock.suspend(3000),
    };
    for (const [name, end] of Object.entries(ends)) {
      it(`ends serving when ${name}`, async () => {
        await started(0);
        expect(next(0)).to.equal(1n);
        end();
        expect(refusal(0)).to.include({ code: 'UNAVAILABLE', definite: true });
      });
    }

    it('counts from the send, however late the reply', async () => {
      await started(0);
      const sentAtMs = clock.nowMs() + 500;
      store.held.add('renew');
      await clock.elapse(500);
      store.failures.set('renew', UNKNOWN);
      await clock.elapse(2400);
      store.deliver('renew');
      await clock.settle();
      await clock.elapse(sentAtMs + 2999 - clock.nowMs());
      expect(next(0)).to.equal(1n);
      clock.stall(1);
      expect(next(0)).to.equal('UNAVAILABLE');
    });

    it('is not extended by a pushed table', async () => {
      await started(0);
      store.failures.set('renew', UNKNOWN);
      await clock.elapse(2999);
      store.assign('a', 1);
      store.push();
      expect(next(1)).to.equal(1n);
      clock.stall(1);
      expect(next(1)).to.equal('UNAVAILABLE');
    });

    describe('does not count any more', () => {
      const upsets: Record<string, readonly [() => void, AllocEvent['type']]> = {
        'when the event loop was blocked for longer than the lease margin': [() => clock.stall(200), 'eventLoopLagged'],
        'when the machine was suspended, however short': [() => clock.suspend(200), 'clockJumped'],
        'when the date was set back by an hour': [() => clock.jumpWall(-3_600_000), 'clockJumped'],
        'when the date was set forward by an hour': [() => clock.jumpWall(3_600_000), 'clockJumped'],
      };
      for (const [name, [happen, type]] of Object.entries(upsets)) {
        it(`${name}: what was queued is refused, until a renewal that was sent after it is answered`, async () => {
          await started(0);
          store.held.add('renew');
          await clock.elapse(500);
          happen();
          expect(refusal(0)).to.include({ code: 'UNAVAILABLE', definite: true });
          expect(typesOf()).to.include(type);
          store.deliver('renew', 1);
          await clock.settle();
          expect(next(0), 'a renewal that was sent before').to.equal('UNAVAILABLE');
          store.held.clear();
          store.deliver('renew');
          await clock.settle();
          expect(next(0)).to.equal(1n);
          expect(fatal, 'no restart').to.deep.equal([]);
        });
      }
    });

    it('is not made longer by a date that was set back by an hour', async () => {
      await started(0);
      store.failures.set('renew', UNKNOWN);
      await clock.elapse(100);
      clock.jumpWall(-3_600_000);
      for (let tenth = 0; tenth < 100; tenth++) {
        expect(next(0)).to.equal('UNAVAILABLE');
        await clock.elapse(100);
      }
    });

    it('costs one renewal, and no wait for the next one in turn, when the date was set forward by an hour', async () => {
      await started(0);
      await clock.elapse(10);
      clock.jumpWall(3_600_000);
      expect(next(0)).to.equal('UNAVAILABLE');
      await clock.settle();
      expect(next(0)).to.equal(1n);
      expect(typesOf().filter((type) => type === 'clockJumped')).to.have.length(1);
    });

    it('is told to be lost once a call could have been refused, and to be back', async () => {
      await started(0);
      store.failures.set('renew', UNKNOWN);
      await clock.elapse(4000);
      store.failures.clear();
      await clock.elapse(500);
      expect(typesOf().filter((type) => type === 'leaseLost' || type === 'leaseRegained')).to.deep.equal(['leaseLost', 'leaseRegained']);
    });

    it('only suspends when it lapses: the same counters go on with the next renewal', async () => {
      await started(0);
      expect(next(0, { count: 7 })).to.equal(1n);
      clock.stall(10_000);
      expect(next(0)).to.equal('UNAVAILABLE');
      await clock.elapse(1);
      expect(next(0)).to.equal(8n);
    });
  });

  describe('tables', () => {
    it('are ignored unless they are newer than the newest seen', async () => {
      await started(0);
      const old = store.assignment();
      store.assign('b', 0);
      store.push();
      expect(next(0)).to.equal('NOT_OWNER');
      store.push(old);
      expect(next(0)).to.equal('NOT_OWNER');
    });

    it('take a section away for good: A -> B -> A starts above everything, never from old memory', async () => {
      await started(0);
      next(0, { count: 60 });
      store.assign('b', 0);
      store.push();
      store.sections[0]!.maxSeq = 777n;
      store.assign('a', 0);
      store.push();
      expect(next(0)).to.equal(778n);
    });

    it('do so too when the node never saw the table in between', async () => {
      await started(0);
      next(0, { count: 60 });
      store.assign('b', 0);
      store.assign('a', 0);
      store.push();
      // 100 was granted to us, 100 to b.
      expect(next(0)).to.equal(201n);
    });

    it('come with a renewal before its lease counts', async () => {
      await started(0);
      store.failures.set('renew', UNKNOWN);
      await clock.elapse(4000);
      store.assign('b', 0);
      store.failures.clear();
      await clock.elapse(300);
      expect(next(0)).to.equal('NOT_OWNER');
    });

    it('of a higher generation end this incarnation', async () => {
      await started(0);
      store.generation += 1;
      store.version = 1;
      store.push();
      expect(fatal).to.have.length(1);
      expect(fatal[0]!.message).to.include('generation 1001');
      expect(next(0)).to.equal('UNAVAILABLE');
    });

    it('that contradict their windows are refused', async () => {
      await started(0);
      const { windows } = store.assignment();
      store.assign('b', 0);
      expect(() => node.adopt({ ...store.assignment(), windows })).to.throw("but the table gives it to 'b' at epoch 2");
      expect(next(0), 'as before').to.equal(1n);
    });

    it('that give back what was given up end this incarnation: an epoch is opened at most once', async () => {
      await started(0);
      next(0);
      const { table, windows } = store.assignment();
      const at = (value: number, runs = table.runs) => ({ ...table, runs, version: { ...table.version, value } });
      node.adopt({ table: at(50), windows: [], incoming: [], sets: NO_SETS });
      node.adopt({ table: at(51), windows, incoming: [], sets: NO_SETS });
      expect(fatal.map(({ message }) => message)).to.have.length(1);
      expect(fatal[0]!.message).to.include('whose memory we gave up');
      expect(next(0)).to.equal('UNAVAILABLE');
    });
  });

  describe('an empty window', () => {
    it('makes the call wait for the raise, and the number leaves only after it is committed', async () => {
      await started(0);
      store.held.add('raise');
      next(0, { count: 100 });
      const waiting = later(0);
      await clock.settle();
      let isAnswered = false;
      void waiting.then(() => {
        isAnswered = true;
      });
      await clock.elapse(100);
      expect(isAnswered).to.equal(false);
      expect(current(0).seq).to.equal(100n);
      store.deliver('raise');
      expect(await waiting).to.equal(101n);
    });

    it('wakes its waiters in order', async () => {
      await started(0);
      store.held.add('raise');
      next(0, { count: 100 });
      const waiting = [later(0), later(0, { count: 3 }), later(0)];
      await clock.settle();
      store.deliver('raise');
      expect(await Promise.all(waiting)).to.deep.equal([101n, 102n, 105n]);
    });

    it('is told once in five seconds, however many calls wait', async () => {
      await started(0);
      store.held.add('raise');
      next(0, { count: 100 });
      const waits = (): number[] => events.flatMap((event) => (event.type === 'windowEmpty' ? [event.leftOutCount] : []));
      const waiting = Array.from({ length: 50 }, () => later(0, {}, 200));
      await clock.elapse(5000);
      expect(new Set(await Promise.all(waiting))).to.deep.equal(new Set(['TIMEOUT']));
      expect(waits()).to.deep.equal([0]);
      const last = later(0, {}, 200);
      await clock.elapse(200);
      expect(await last).to.equal('TIMEOUT');
      expect(waits()).to.deep.equal([0, 49]);
    });

    it('ends the wait at the deadline of the call, definitely', async () => {
      await started(0);
      store.held.add('raise');
      next(0, { count: 100 });
      const waiting = later(0, {}, 200);
      await clock.elapse(200);
      expect(await waiting).to.equal('TIMEOUT');
    });

    it('serves a range that is larger than any window', async () => {
      await started(0);
      const waiting = later(0, { count: 1_000_000 });
      await clock.settle();
      expect(await waiting).to.equal(1n);
      expect(next(0)).to.equal(1_000_001n);
    });

    it('does not give up on a raise whose outcome is unknown', async () => {
      await started(0);
      store.failures.set('raise', UNKNOWN);
      next(0, { count: 100 });
      const waiting = later(0);
      await clock.elapse(300);
      store.failures.clear();
      await clock.elapse(300);
      expect(await waiting).to.equal(101n);
      expect(new Set(store.raises.map(([raise]) => raise!.to)).size, 'each retry was identical').to.equal(1);
    });

    it('takes nothing for a waiter when the lease ended before the raise came', async () => {
      await started(0);
      store.held.add('raise');
      next(0, { count: 100 });
      const waiting = later(0, {}, 60_000);
      await clock.settle();
      clock.stall(3000);
      store.deliver('raise');
      expect(await waiting).to.equal('UNAVAILABLE');
    });

    it('takes nothing for a caller who went away', async () => {
      await started(0);
      store.held.add('raise');
      next(0, { count: 100 });
      const waiting = Promise.resolve(node.next(ask(0), { deadlineMs: clock.nowMs() + 1000, isCancelled: () => true })).catch(
        (error: SeqError) => error.code,
      );
      await clock.settle();
      store.deliver('raise');
      expect(await waiting).to.equal('ABORTED');
      expect(current(0).seq).to.equal(100n);
    });

    it('sends a waiter to the new owner when the epoch is lost while the raise is in flight', async () => {
      await started(0);
      store.held.add('raise');
      next(0, { count: 100 });
      const waiting = later(0);
      await clock.settle();
      store.assign('b', 0);
      store.push();
      expect(await waiting).to.equal('NOT_OWNER');
      store.deliver('raise');
      await clock.settle();
      store.assign('a', 0);
      store.push();
      expect(next(0)).to.equal(store.sections[0]!.base + 1n);
    });

    it('learns the newest table when the store says that the section is not ours', async () => {
      await started(0);
      store.assign('b', 0);
      next(0, { count: 100 });
      const waiting = later(0);
      await clock.settle();
      expect(await waiting).to.equal('NOT_OWNER');
    });
  });

  describe('a floor', () => {
    it('at or below the counter changes nothing', async () => {
      await started(0);
      next(0, { count: 5 });
      expect(next(0, { floor: 5n })).to.equal(6n);
    });

    it('above the counter refuses that call and no other', async () => {
      await started(0);
      next(0, { count: 5 });
      expect(refusal(0, { floor: 6n })).to.include({ code: 'UNAVAILABLE', definite: true });
      expect(typesOf()).to.include('floorAboveCurrent');
      expect(next(0)).to.equal(6n);
    });

    it('above the counter is told once in five seconds, however many come', async () => {
      await started(0);
      const alarms = (): number[] => events.flatMap((event) => (event.type === 'floorAboveCurrent' ? [event.leftOutCount] : []));
      for (let call = 0; call < 50; call++) refusal(0, { floor: 600n });
      expect(alarms()).to.deep.equal([0]);
      await clock.elapse(5000);
      refusal(0, { floor: 600n });
      expect(alarms()).to.deep.equal([0, 49]);
    });

    it('above the counter starts one confirmation a second, however many come', async () => {
      await started(0);
      for (let call = 0; call < 50; call++) refusal(0, { floor: 600n });
      await clock.settle();
      expect(store.confirms).to.deep.equal([[{ section: 0, epoch: 1 }]]);
      refusal(0, { floor: 600n });
      await clock.elapse(1000);
      expect(store.confirms).to.have.length(2);
      expect(next(0), 'the section is ours: a lying caller takes nothing down').to.equal(1n);
      expect(fatal).to.deep.equal([]);
    });

    it('ends this incarnation when the confirmation says that the section is not ours at that epoch', async () => {
      await started(0);
      // The table that would say so does not get through.
      store.failures.set('renew', UNKNOWN);
      store.assign('b', 0);
      expect(next(0), 'nobody has told us').to.equal(1n);
      refusal(0, { floor: 600n });
      await clock.settle();
      expect(fatal.map(({ message }) => message)).to.deep.equal(['we serve section 0 at epoch 1, and the StoreSvrs say that it is not ours']);
      expect(next(0)).to.equal('UNAVAILABLE');
    });

    it('ends this incarnation when the confirmation says that it is over', async () => {
      await started(0);
      store.failures.set('confirm', SUPERSEDED);
      refusal(0, { floor: 6n });
      await clock.settle();
      expect(fatal).to.have.length(1);
      expect(next(0)).to.equal('UNAVAILABLE');
    });

    it('above the counter refuses nothing but that call while the confirmation does not come', async () => {
      await started(0);
      for (const failure of [UNKNOWN, new SeqError('UNAVAILABLE', 'no leader')]) {
        store.failures.set('confirm', failure);
        expect(next(0, { floor: 600n })).to.equal('UNAVAILABLE');
        await clock.elapse(1500);
        expect(next(0)).to.be.a('bigint');
      }
      expect(fatal).to.deep.equal([]);
    });

    it('is below every answer, also of a call that waited', async () => {
      await started(0);
      store.held.add('raise');
      next(0, { count: 100 });
      const waiting = later(0, { floor: 100n });
      const lying = later(0, { floor: 101n });
      await clock.settle();
      store.deliver('raise');
      expect(await waiting).to.equal(101n);
      expect(await lying).to.equal('UNAVAILABLE');
    });
  });

  describe('STRICT', () => {
    /** The first number of a STRICT call, or its error. */
    const strictly = async (section: number, { waitMs = 1000, count = 1 } = {}): Promise<bigint | string> => {
      const wait = patience(waitMs);
      try {
        const confirmed = await node.confirm(new Set([section as SectionId]), wait);
        return (await node.next(ask(section, { count }), wait, confirmed)).first;
      } catch (error) {
        if (SeqError.is(error)) return error.definite ? error.code : `${error.code}?`;
        throw error;
      }
    };

    const settled = async <Answer>(answer: Promise<Answer>): Promise<Answer> => {
      await clock.settle();
      return answer;
    };

    it('answers once the store has confirmed that the section is ours, from the same counters as other calls', async () => {
      await started(0);
      expect(next(0)).to.equal(1n);
      expect(await settled(strictly(0))).to.equal(2n);
      expect(next(0)).to.equal(3n);
      expect(store.confirms).to.deep.equal([[{ section: 0, epoch: 1 }]]);
    });

    it('refuses when ownership was lost and a lying clock still shows a lease; a call that trusts the clock is answered', async () => {
      await started(0);
      store.failures.set('renew', UNKNOWN);
      // All three clocks stand still here while the arbiter waits the lease out and gives the section away.
      store.assign('b', 0);
      expect(next(0)).to.equal(1n);
      expect(await settled(strictly(0))).to.equal('UNAVAILABLE');
      expect(next(0)).to.equal(2n);
    });

    it('does not rest on a round that was on its way when the call came', async () => {
      await started(0);
      store.held.add('confirm');
      const early = strictly(0);
      await clock.settle();
      // The store has answered, and the answer is on its way; then the section changes hands, and this call begins.
      store.assign('b', 0);
      store.failures.set('renew', UNKNOWN);
      const late = strictly(0);
      await clock.settle();
      store.held.clear();
      store.deliver('confirm');
      expect(await settled(early), 'it began while the section was ours').to.equal(1n);
      expect(await late).to.equal('UNAVAILABLE');
      expect(store.confirms).to.have.length(2);
    });

    it('takes nothing from an epoch that was sealed while the round was on its way', async () => {
      await started(0);
      store.held.add('confirm');
      const waiting = strictly(0);
      await clock.settle();
      // The release is on its way: the table still names us, and what it says of the highest number is final.
      store.held.add('release');
      store.planMove(0);
      store.push();
      await handOver(0);
      store.deliver('confirm');
      expect(await waiting).to.equal('UNAVAILABLE');
    });

    it('takes nothing from a later epoch than the one that was confirmed', async () => {
      await started(0);
      store.held.add('confirm');
      const waiting = strictly(0);
      await clock.settle();
      store.assign('b', 0);
      store.assign('a', 0);
      store.push();
      store.deliver('confirm');
      expect(await waiting).to.equal('UNAVAILABLE');
      store.held.clear();
      expect(await settled(strictly(0))).to.equal(store.sections[0]!.base + 1n);
    });

    it('waits for the raise too, and takes only while the epoch is the confirmed one', async () => {
      await started(0);
      store.held.add('raise');
      next(0, { count: 100 });
      const [waiting, lost] = [strictly(0), strictly(0, { count: 1_000 })];
      await clock.settle();
      store.deliver('raise', 1);
      expect(await waiting).to.equal(101n);
      await clock.settle();
      store.assign('a', 0);
      store.push();
      store.deliver('raise');
      expect(await lost).to.equal('UNAVAILABLE');
    });

    it('needs a lease as well', async () => {
      await started(0);
      store.failures.set('renew', UNKNOWN);
      clock.stall(3000);
      expect(await settled(strictly(0))).to.equal('UNAVAILABLE');
      expect(store.confirms).to.deep.equal([]);
    });

    it('names the owner of a section that is not ours, and asks nobody', async () => {
      store.assign('b', 2);
      await started(0);
      expect(await settled(strictly(2))).to.equal('NOT_OWNER');
      expect(store.confirms).to.deep.equal([]);
    });

    it('waits no longer than the call does, and fails definitely with the round', async () => {
      await started(0);
      store.held.add('confirm');
      const late = strictly(0, { waitMs: 200 });
      await clock.elapse(200);
      expect(await late).to.equal('TIMEOUT');
      store.held.clear();
      store.deliver('confirm');
      store.failures.set('confirm', UNKNOWN);
      expect(await settled(strictly(0))).to.equal('UNAVAILABLE');
      store.failures.clear();
      expect(await settled(strictly(0)), 'nothing was taken').to.equal(1n);
    });

    it('learns the newest table when the store says that a section is not ours', async () => {
      await started(0);
      store.assign('b', 0);
      expect(await settled(strictly(0))).to.equal('UNAVAILABLE');
      await clock.settle();
      expect(next(0)).to.equal('NOT_OWNER');
    });

    it('holds for current and advance as well', async () => {
      await started(0);
      store.failures.set('renew', UNKNOWN);
      store.held.add('confirm');
      const confirmed = node.confirm(new Set([0 as SectionId]), patience());
      await clock.settle();
      store.held.clear();
      store.deliver('confirm');
      const place = { section: 0 as SectionId, slot: 0 as Slot };
      expect(await node.advance({ ...place, to: 50n }, patience(), await confirmed)).to.include({ seq: 50n });
      expect(await node.current({ ...place, floor: 0n }, patience(), await confirmed)).to.include({ seq: 50n });
      store.assign('b', 0);
      const lost = await settled(node.confirm(new Set([0 as SectionId]), patience()));
      expect(() => node.current({ ...place, floor: 0n }, patience(), lost)).to.throw('not ours any more');
      expect(() => node.advance({ ...place, to: 60n }, patience(), lost)).to.throw('not ours any more');
    });
  });

  describe('advance', () => {
    const advance = async (to: bigint, waitMs = 1000): Promise<bigint | string> => {
      try {
        return (await node.advance({ section: 0 as SectionId, slot: 0 as Slot, to }, patience(waitMs))).seq;
      } catch (error) {
        if (SeqError.is(error)) return error.definite ? error.code : `${error.code}?`;
        throw error;
      }
    };

    it('lifts a counter forward only, however often it is repeated', async () => {
      await started(0);
      expect([await advance(40n), await advance(40n), await advance(7n), next(0)]).to.deep.equal([40n, 40n, 40n, 41n]);
    });

    it('raises first, and lifts only once that is committed', async () => {
      await started(0);
      store.held.add('raise');
      const lifted = advance(5_000n);
      await clock.settle();
      expect(current(0).seq).to.equal(0n);
      store.deliver('raise');
      expect(await lifted).to.equal(5_000n);
      expect(store.sections[0]!.maxSeq >= 5_000n).to.equal(true);
      expect(next(0)).to.equal(5_001n);
    });

    it('is refused past 2^40 at a time, and past the end of all counters', async () => {
      await started(0);
      expect(await advance(2n ** 40n + 1n)).to.equal('INVALID_ARGUMENT');
      const far = advance(2n ** 40n);
      await clock.settle();
      expect(await far).to.equal(2n ** 40n);
      expect(await advance(2n ** 63n)).to.equal('OUT_OF_RANGE');
      expect(next(0)).to.equal(2n ** 40n + 1n);
    });

    it('ends the wait at the deadline of the call, definitely, and lifts nothing for a caller who went away', async () => {
      await started(0);
      store.held.add('raise');
      const late = advance(5_000n, 200);
      const gone = Promise.resolve(
        node.advance({ section: 0 as SectionId, slot: 0 as Slot, to: 5_000n }, { deadlineMs: clock.nowMs() + 1000, isCancelled: () => true }),
      ).catch((error: SeqError) => error.code);
      await clock.elapse(200);
      expect(await late).to.equal('TIMEOUT');
      store.deliver('raise');
      expect(await gone).to.equal('ABORTED');
      expect(current(0).seq).to.equal(0n);
    });
  });

  describe('being superseded', () => {
    for (const kind of ['renew', 'raise', 'release'] as const) {
      it(`is fatal when ${kind} says so, and nothing is served after it`, async () => {
        await started(0);
        store.failures.set(kind, SUPERSEDED);
        if (kind === 'raise') next(0, { count: 90 });
        if (kind === 'release') {
          store.planMove(0);
          store.push();
          void handOver(0);
        }
        await clock.elapse(600);
        expect(fatal.map(({ code }) => code)).to.deep.equal(['NOT_OWNER']);
        expect(refusal(0)).to.include({ code: 'UNAVAILABLE', definite: true });
        await clock.elapse(60_000);
        expect(fatal).to.have.length(1);
        expect(clock.timerCount).to.equal(0);
      });
    }

    for (const kind of ['renew', 'raise', 'release'] as const) {
      it(`is not what a refusal of ${kind} means whose text merely has the word, as the name of an AllocSvr may`, async () => {
        await started(0);
        store.failures.set(kind, new SeqError('NOT_OWNER', "section 0 does not belong to 'superseded-1' at epoch 1, nor to 'superseded: x'"));
        if (kind === 'raise') next(0, { count: 90 });
        if (kind === 'release') {
          store.planMove(0);
          store.push();
          void handOver(0);
        }
        await clock.elapse(600);
        expect(fatal).to.deep.equal([]);
      });
    }
  });

  describe('a planned move', () => {
    it('serves until its successor has a copy, then seals in one tick and releases the true maximum with the digest', async () => {
      await started(0, 1);
      next(0, { count: 42 });
      store.planMove(0);
      store.push();
      expect(next(0), 'served until the successor has a copy').to.equal(43n);
      await handOver(0);
      const called = later(0, {}, 5_000);
      expect(next(1)).to.equal(1n);
      await clock.settle();
      const [run] = store.releases[0]!;
      expect(run).to.deep.include({ firstSection: 0, sectionCount: 1, epoch: 1, trueMax: 43n });
      expect(run!.digest).to.match(/^[0-9a-f]{64}$/);
      await clock.elapse(2_000);
      expect(await called, 'a call waits for the table that names the successor').to.equal('NOT_OWNER');
    });

    it('sends callers to the new owner once the table says so', async () => {
      await started(0);
      store.planMove(0);
      store.push();
      await handOver(0);
      const called = later(0);
      store.assign('b', 0);
      store.push();
      expect(await called, 'who waited is told').to.equal('NOT_OWNER');
      expect(refusal(0)).to.deep.include({ code: 'NOT_OWNER', redirect: { id: 'b', address: 'b:1' } });
    });

    it('stays sealed whatever becomes of the release, and repeats identical values', async () => {
      await started(0);
      next(0, { count: 42 });
      store.failures.set('release', UNKNOWN);
      store.planMove(0);
      store.push();
      await handOver(0);
      const called = later(0, {}, 5_000);
      await clock.elapse(3000);
      expect(await called).to.equal('UNAVAILABLE');
      expect(store.releases.length).to.be.greaterThan(2);
      expect(new Set(store.releases.map(([run]) => `${run!.trueMax} ${run!.digest}`)).size).to.equal(1);
      expect(store.releases[0]![0]).to.include({ trueMax: 42n });
    });

    it('is done when a repeated release is refused because the first one got through', async () => {
      await started(0);
      store.lost.add('release');
      store.planMove(0);
      store.push();
      await handOver(0);
      await clock.settle();
      store.lost.clear();
      await clock.elapse(100);
      expect([store.counts.release, store.counts.load]).to.deep.equal([2, 1]);
      expect(fatal).to.deep.equal([]);
      expect(node.sectionCount).to.equal(0);
    });

    it('whose release is refused although the section is ours ends this incarnation', async () => {
      await started(0);
      next(0);
      store.planMove(0);
      // A release below base is impossible.
      store.sections[0]!.base = 50n;
      store.push();
      await handOver(0);
      await clock.settle();
      expect(fatal.map(({ message }) => message)).to.deep.equal(['the release of section 0 at epoch 1 was refused, yet it is ours']);
    });

    it('wakes who waits for a raise: the caller is told to come back', async () => {
      await started(0);
      store.failures.set('raise', UNKNOWN);
      next(0, { count: 100 });
      const waiting = later(0);
      await clock.settle();
      store.planMove(0);
      store.push();
      store.failures.set('release', UNKNOWN);
      await handOver(0);
      await clock.elapse(2_000);
      expect(await waiting).to.equal('UNAVAILABLE');
    });
  });

  describe('draining', () => {
    it('releases everything with its true maxima in one request, and serves nothing after that', async () => {
      await started(0, 1, 3);
      next(1, { count: 9 });
      store.held.add('release');
      const drained = node.drain({ withinMs: 2000 });
      await clock.settle();
      expect(refusal(0)).to.include({ code: 'UNAVAILABLE', definite: true });
      expect(node.isServingAt(clock.now())).to.equal(false);
      store.deliver('release');
      await drained;
      expect(store.releases.map((runs) => runs.map(({ firstSection, trueMax }) => [firstSection, trueMax]))).to.deep.equal([
        [
          [0, 0n],
          [1, 9n],
          [3, 0n],
        ],
      ]);
    });

    it('serves until the store took note, and releases what was granted up to then too', async () => {
      await started(0);
      store.held.add('drain');
      const drained = node.drain({ withinMs: 2000 });
      await clock.settle();
      expect(next(0)).to.equal(1n);
      expect(store.releases).to.deep.equal([]);
      store.held.clear();
      store.deliver('drain');
      await drained;
      expect(store.releases[0]?.map(({ firstSection, trueMax }) => [firstSection, trueMax])).to.deep.equal([[0, 1n]]);
      expect(store.counts.drain).to.equal(1);
    });

    it('releases all the same when the store cannot be told', async () => {
      await started(0, 2);
      store.failures.set('drain', UNKNOWN);
      await node.drain({ withinMs: 2000 });
      expect(store.sections.map(({ owner }) => owner)).to.deep.equal([undefined, undefined, undefined, undefined]);
    });

    it('takes no longer than it is given', async () => {
      await started(0);
      store.failures.set('release', UNKNOWN);
      let isDone = false;
      void node.drain({ withinMs: 2000 }).then(() => {
        isDone = true;
      });
      await clock.elapse(1999);
      expect(isDone).to.equal(false);
      await clock.elapse(1);
      expect(isDone).to.equal(true);
    });

    it('gives back what it is handed meanwhile', async () => {
      await started(0);
      store.held.add('release');
      const drained = node.drain({ withinMs: 2000 });
      await clock.settle();
      store.assign('a', 2);
      store.push();
      store.held.clear();
      store.deliver('release');
      await drained;
      expect(store.sections.map(({ owner }) => owner)).to.deep.equal([undefined, undefined, undefined, undefined]);
    });
  });

  it('counts what it handed out and what it keeps in memory', async () => {
    await started(0, 1);
    next(0, { count: 10 });
    next(1);
    expect([node.handedOutCount, node.residentUidCount, node.sectionCount]).to.deep.equal([11, 2048, 2]);
  });

  it('says with each renewal how often its sections are called', async () => {
    await started(0, 1);
    for (let second = 0; second < 60; second++) {
      for (let call = 0; call < 20; call++) next(0);
      await clock.elapse(1000);
    }
    expect(store.loads).to.deep.equal([{ section: 0, callsPerSecond: 20 }]);
  });

  it('raises ahead of need in steady state: no call waits', async () => {
    store.raiseBy = 1000n;
    await started(0);
    let last: Taken | undefined;
    for (let call = 0; call < 20_000; call++) {
      const taken = node.next(ask(0), patience());
      if (taken instanceof Promise) throw new Error('it waits');
      expect(taken.first).to.equal((last?.last ?? 0n) + 1n);
      last = taken;
      if (call % 200 === 0) await clock.elapse(1);
    }
    expect(typesOf()).to.not.include('windowEmpty');
  });
});
