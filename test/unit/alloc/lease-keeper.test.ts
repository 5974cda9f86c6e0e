import { expect } from 'chai';
import type { AllocEvent } from '../../../src/alloc/events.js';
import { LeaseKeeper, type LeaseKeeperOptions } from '../../../src/alloc/lease-keeper.js';
import { SeqError } from '../../../src/base/errors.js';
import type { Renewal, RenewCall } from '../../../src/store/client.js';
import { VirtualClock } from '../virtual-clock.js';

interface Attempt {
  readonly sentAtMs: number;
  answer(leaseMs?: number): void;
  fail(error?: SeqError): void;
}

const renewal = (leaseMs: number): Renewal => ({ lease: { leaseMs, driftPpm: 10_000, marginMs: 100 }, assignment: undefined });

describe('LeaseKeeper', () => {
  let clock: VirtualClock;
  let attempts: Attempt[];
  let calls: RenewCall[];
  let events: AllocEvent[];
  let adopted: (renewal: Renewal) => void;
  let errors: SeqError[];
  let quiet: Pick<LeaseKeeperOptions, 'clock' | 'renewEveryMs' | 'observe' | 'adopt' | 'onRenewed' | 'onError'>;
  let keeper: LeaseKeeper;
  const isValid = (): boolean => keeper.isValidAt(clock.now());

  beforeEach(() => {
    clock = new VirtualClock();
    attempts = [];
    calls = [];
    events = [];
    errors = [];
    adopted = () => {};
    quiet = {
      clock,
      renewEveryMs: 500,
      observe: (event) => events.push(event),
      adopt: (reply) => adopted(reply),
      onRenewed: () => {},
      onError: (error) => errors.push(error),
    };
    keeper = new LeaseKeeper({
      ...quiet,
      renewOnce: (call) => {
        calls.push(call);
        return new Promise((resolve, reject) => {
          attempts.push({
            sentAtMs: clock.nowMs(),
            answer: (leaseMs = 3000) => resolve(renewal(leaseMs)),
            fail: (error = new SeqError('TIMEOUT', 'no answer')) => reject(error),
          });
        });
      },
    });
  });

  it('holds no lease before the first renewal is answered', async () => {
    keeper.start();
    await clock.settle();
    expect(isValid()).to.equal(false);
    attempts[0]!.answer();
    await clock.settle();
    expect(isValid()).to.equal(true);
  });

  it('ends one lease after the renewal was sent, however late the reply', async () => {
    keeper.start();
    const { sentAtMs } = attempts[0]!;
    await clock.elapse(2900);
    attempts[0]!.answer();
    await clock.settle();
    expect(isValid()).to.equal(true);
    clock.stall(99);
    expect(isValid()).to.equal(true);
    clock.stall(1);
    expect(clock.nowMs()).to.equal(sentAtMs + 3000);
    expect(isValid()).to.equal(false);
  });

  it('matches a reply with the attempt that it answers, not with the newest', async () => {
    keeper.start();
    await clock.elapse(2000);
    attempts[0]!.answer();
    await clock.settle();
    expect(keeper.leftMsAt(clock.now())).to.equal(1000);
  });

  it('keeps the lease of the renewal that was sent last when replies cross', async () => {
    keeper.start();
    await clock.elapse(1000);
    attempts.at(-1)!.answer();
    await clock.settle();
    const leftMs = keeper.leftMsAt(clock.now());
    attempts[0]!.answer();
    await clock.settle();
    expect(keeper.leftMsAt(clock.now())).to.equal(leftMs);
  });

  it('is over as soon as any of the three clocks says so, with no timer having fired', async () => {
    const ends: Record<string, () => void> = {
      'all clocks': () => clock.stall(3000),
      'the wall clock alone': () => clock.jumpWall(3000),
      'wall clock and uptime, as after a suspend': () => clock.suspend(3000),
    };
    for (const [name, end] of Object.entries(ends)) {
      clock.stall(1);
      keeper.renewNow();
      attempts.at(-1)!.answer();
      await clock.settle();
      expect(isValid(), name).to.equal(true);
      end();
      expect(isValid(), name).to.equal(false);
    }
  });

  it('renews every 500 ms, counted from the send', async () => {
    keeper.start();
    await clock.elapse(120);
    attempts[0]!.answer();
    await clock.elapse(379);
    expect(attempts).to.have.length(1);
    await clock.elapse(1);
    expect(attempts).to.have.length(2);
  });

  it('tries again 50 ms after a failure', async () => {
    keeper.start();
    attempts[0]!.fail();
    await clock.elapse(49);
    expect(attempts).to.have.length(1);
    await clock.elapse(1);
    expect(attempts).to.have.length(2);
  });

  it('tries again 50 ms after an attempt that had its 200 ms and brought nothing', async () => {
    keeper.start();
    await clock.elapse(249);
    expect(attempts).to.have.length(1);
    await clock.elapse(1);
    expect(attempts).to.have.length(2);
  });

  it('lets a late failure not disturb the pace of a newer attempt', async () => {
    keeper.start();
    await clock.elapse(250);
    attempts[1]!.answer();
    await clock.settle();
    attempts[0]!.fail();
    await clock.elapse(499);
    expect(attempts).to.have.length(2);
    await clock.elapse(1);
    expect(attempts).to.have.length(3);
  });

  it('keeps the lease with renewals answered after 400 ms: a slow disk of the leader costs nothing', async () => {
    keeper = new LeaseKeeper({
      ...quiet,
      renewOnce: ({ timeoutMs }) =>
        new Promise((resolve, reject) => {
          const cancel = clock.after(timeoutMs, () => reject(new SeqError('TIMEOUT', 'no answer')));
          clock.after(400, () => {
            cancel();
            resolve(renewal(3000));
          });
        }),
    });
    keeper.start();
    await clock.elapse(400);
    for (let tenth = 0; tenth < 300; tenth++) {
      await clock.elapse(100);
      expect(keeper.leftMsAt(clock.now()), `after ${tenth * 100} ms`).to.be.greaterThan(2000);
    }
  });

  it('keeps the lease while the leader is paused and another one takes over, for no attempt waits for the one before', async () => {
    const asked: string[] = [];
    keeper = new LeaseKeeper({
      ...quiet,
      // One attempt in two is sent to a StoreSvr that says nothing until its deadline.
      renewOnce: ({ timeoutMs }) => {
        asked.push(asked.length % 2 === 0 ? 'paused' : 'leader');
        if (asked.at(-1) === 'leader') return Promise.resolve(renewal(3000));
        return new Promise((_, reject) => clock.after(timeoutMs, () => reject(new SeqError('TIMEOUT', 'no answer'))));
      },
    });
    keeper.start();
    await clock.elapse(249);
    expect(asked).to.deep.equal(['paused']);
    await clock.elapse(1);
    expect(asked).to.deep.equal(['paused', 'leader']);
    for (let tenth = 0; tenth < 300; tenth++) {
      await clock.elapse(100);
      expect(keeper.leftMsAt(clock.now())).to.be.greaterThan(2000);
    }
  });

  it('tells one failure in five seconds while the store is down, and the next one as soon as a renewal got through between', async () => {
    const failures = (): number[] => events.flatMap((event) => (event.type === 'renewalFailed' ? [event.leftOutCount] : []));
    keeper.start();
    const failFor = async (rounds: number): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        attempts.at(-1)!.fail();
        await clock.elapse(50);
      }
    };
    await failFor(101);
    expect(failures()).to.deep.equal([0, 99]);
    expect(errors).to.have.length(101);
    attempts.at(-1)!.answer();
    await clock.elapse(500);
    await failFor(1);
    expect(failures()).to.deep.equal([0, 99, 0]);
  });

  it('takes a late answer to an older attempt for no end of the failures', async () => {
    keeper.start();
    for (let round = 0; round < 8; round++) {
      await clock.elapse(250);
      attempts.at(-1)!.fail();
      await clock.elapse(50);
      attempts.at(-3)?.answer();
      await clock.settle();
    }
    expect(events.filter(({ type }) => type === 'renewalFailed')).to.have.length(1);
  });

  it('has a bounded number of attempts on their way', async () => {
    keeper.start();
    await clock.elapse(60_000);
    expect(attempts).to.have.length(8);
  });

  it('keeps up with a lease that became shorter than the pace allows, and says so once', async () => {
    keeper.start();
    attempts[0]!.answer(400);
    await clock.elapse(100);
    expect(attempts).to.have.length(2);
    attempts[1]!.answer(400);
    await clock.settle();
    expect(calls).to.deep.equal([
      { timeoutMs: 1_000, moveOnAfterMs: 200 },
      { timeoutMs: 1_000, moveOnAfterMs: 50 },
    ]);
    expect(events.filter(({ type }) => type === 'renewalsSpedUp')).to.deep.equal([{ type: 'renewalsSpedUp', leaseMs: 400, everyMs: 100 }]);
  });

  it('gives each lease the length that its own renewal brought', async () => {
    keeper.start();
    attempts[0]!.answer(3000);
    await clock.elapse(500);
    attempts[1]!.answer(600);
    await clock.settle();
    expect(keeper.leftMsAt(clock.now())).to.equal(600);
    clock.stall(600);
    expect(isValid()).to.equal(false);
  });

  describe('after something happened to time', () => {
    beforeEach(async () => {
      keeper.start();
      attempts[0]!.answer();
      await clock.elapse(100);
      keeper.renewNow();
      keeper.requireFresh();
    });

    it('counts no lease, and asks for a new one at once', () => {
      expect(isValid()).to.equal(false);
      expect(keeper.leftMsAt(clock.now())).to.equal(0);
      expect(attempts).to.have.length(3);
    });

    it('counts no lease by a renewal that was sent before, also when it is answered after', async () => {
      attempts[1]!.answer();
      await clock.settle();
      expect(isValid()).to.equal(false);
      attempts[2]!.answer();
      await clock.settle();
      expect(isValid()).to.equal(true);
    });

    it('asks again until a renewal is answered', async () => {
      attempts[2]!.fail();
      await clock.elapse(50);
      attempts[3]!.answer();
      await clock.settle();
      expect(isValid()).to.equal(true);
    });
  });

  it('tells once when the lease was lost, and for how long', async () => {
    const told = (): string[] => events.flatMap((event) => (event.type.startsWith('leaseL') || event.type === 'leaseRegained' ? [event.type] : []));
    keeper.start();
    attempts[0]!.answer();
    await clock.settle();
    clock.stall(2999);
    keeper.look(clock.now());
    expect(told()).to.deep.equal([]);
    clock.stall(1);
    keeper.look(clock.now());
    clock.stall(500);
    keeper.look(clock.now());
    keeper.renewNow();
    attempts.at(-1)!.answer();
    await clock.settle();
    expect(told()).to.deep.equal(['leaseLost', 'leaseRegained']);
    expect(events.find((event) => event.type === 'leaseRegained')).to.include({ afterMs: 500 });
  });

  it('takes the table in before the lease counts', async () => {
    adopted = () => expect(isValid()).to.equal(false);
    keeper.start();
    attempts[0]!.answer();
    await clock.settle();
    expect(isValid()).to.equal(true);
  });

  it('grants itself no lease on a reply whose table it cannot take in', async () => {
    adopted = () => {
      throw new SeqError('PROTOCOL', 'nonsense');
    };
    keeper.start();
    attempts[0]!.answer();
    await clock.settle();
    expect(isValid()).to.equal(false);
    expect(events.map(({ type }) => type)).to.deep.equal(['renewalFailed']);
  });

  it('grants itself no lease when stopped, also while a reply is on its way or taken in', async () => {
    keeper.start();
    keeper.stop();
    attempts[0]!.answer();
    await clock.elapse(5000);
    expect(isValid()).to.equal(false);
    expect(attempts).to.have.length(1);
    expect(clock.timerCount).to.equal(0);
  });
});
