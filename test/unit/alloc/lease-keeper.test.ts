import { expect } from 'chai';
import type { AllocEvent } from '../../../src/alloc/events.js';
import { LeaseKeeper, RENEW_ATTEMPT_TIMEOUT_MS } from '../../../src/alloc/lease-keeper.js';
import { SeqError } from '../../../src/base/errors.js';
import type { Renewal } from '../../../src/store/client.js';
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
  let events: AllocEvent[];
  let adopted: (renewal: Renewal) => void;
  let keeper: LeaseKeeper;
  const isValid = (): boolean => keeper.isValidAt(clock.now());

  beforeEach(() => {
    clock = new VirtualClock();
    attempts = [];
    events = [];
    adopted = () => {};
    keeper = new LeaseKeeper({
      clock,
      renewEveryMs: 500,
      observe: (event) => events.push(event),
      renewOnce: (timeoutMs) => {
        expect(timeoutMs).to.equal(RENEW_ATTEMPT_TIMEOUT_MS);
        return new Promise((resolve, reject) => {
          attempts.push({
            sentAtMs: clock.nowMs(),
            answer: (leaseMs = 3000) => resolve(renewal(leaseMs)),
            fail: (error = new SeqError('TIMEOUT', 'no answer')) => reject(error),
          });
        });
      },
      adopt: (reply) => adopted(reply),
      onRenewed: () => {},
      onError: () => {},
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

  it('has a bounded number of attempts on their way', async () => {
    keeper.start();
    await clock.elapse(60_000);
    expect(attempts).to.have.length(8);
  });

  it('keeps up with a lease that became short', async () => {
    keeper.start();
    attempts[0]!.answer(400);
    await clock.elapse(100);
    expect(attempts).to.have.length(2);
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
