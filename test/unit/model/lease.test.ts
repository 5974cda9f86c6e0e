import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import {
  checkElection,
  checkLeaseTerms,
  checkRenewal,
  DEFAULT_LEASE_TERMS,
  DEFAULT_RENEW_EVERY_MS,
  Lease,
  LeaseWait,
  longestMs,
  renewalPaceOf,
  shortestMs,
  waitMsOf,
} from '../../../src/model/lease.js';
import { DEFAULT_ELECTION_MIN_MS } from '../../../src/cli/config.js';
import { SeededRandom } from '../seeded-random.js';
import { VirtualClock } from '../virtual-clock.js';

describe('Lease', () => {
  it('ends one lease after the renewal was sent, however late the reply', () => {
    const clock = new VirtualClock();
    const sentAt = clock.now();
    clock.advance(2_900);
    const lease = Lease.renewed({ sentAt, leaseMs: 3_000 });
    expect(lease.leftMsAt(clock.now())).to.equal(100);
    clock.advance(99);
    expect(lease.isValidAt(clock.now())).to.equal(true);
    clock.advance(1);
    expect(lease.isValidAt(clock.now())).to.equal(false);
  });

  for (const [name, pass] of [
    ['the monotonic clock', (clock: VirtualClock) => clock.stall(3_000)],
    ['the wall clock', (clock: VirtualClock) => clock.jumpWall(3_000)],
    ['uptime, after a suspend,', (clock: VirtualClock) => clock.suspend(3_000)],
  ] as const) {
    it(`is over as soon as ${name} says so`, () => {
      const clock = new VirtualClock();
      const lease = Lease.renewed({ sentAt: clock.now(), leaseMs: 3_000 });
      pass(clock);
      expect(lease.isValidAt(clock.now())).to.equal(false);
    });
  }

  it('is over as soon as one clock says so, whatever the other two say', () => {
    const sentAt = { monoMs: 10_000, wallMs: 20_000, uptimeMs: 30_000 };
    const lease = Lease.renewed({ sentAt, leaseMs: 3_000 });
    for (const clock of ['monoMs', 'wallMs', 'uptimeMs'] as const) {
      expect(lease.isValidAt({ ...sentAt, [clock]: sentAt[clock] + 2_999 }), clock).to.equal(true);
      expect(lease.isValidAt({ ...sentAt, [clock]: sentAt[clock] + 3_000 }), clock).to.equal(false);
    }
  });

  it('is over by uptime alone when someone set the date back during a suspend', () => {
    const clock = new VirtualClock();
    const lease = Lease.renewed({ sentAt: clock.now(), leaseMs: 3_000 });
    clock.suspend(3_000);
    clock.jumpWall(-10_000);
    expect(lease.isValidAt(clock.now())).to.equal(false);
  });

  it('is not made longer by a wall clock that went back', () => {
    const clock = new VirtualClock();
    const lease = Lease.renewed({ sentAt: clock.now(), leaseMs: 3_000 });
    clock.jumpWall(-3_600_000);
    clock.advance(3_000);
    expect(lease.isValidAt(clock.now())).to.equal(false);
  });

  it('was never granted before the first renewal', () => {
    expect(Lease.none.isValidAt(new VirtualClock().now())).to.equal(false);
  });
});

describe('LeaseWait', () => {
  it('is over only when all clocks say so', () => {
    const clock = new VirtualClock();
    const wait = new LeaseWait(clock.now());
    clock.suspend(10_000);
    expect(wait.leftMsAt(clock.now(), 3_161)).to.equal(3_161);
    clock.advance(3_160);
    expect(wait.leftMsAt(clock.now(), 3_161)).to.equal(1);
    clock.advance(1);
    expect(wait.leftMsAt(clock.now(), 3_161)).to.equal(0);
  });

  it('starts again once when a clock steps back, and is never blocked for longer', () => {
    const clock = new VirtualClock();
    const wait = new LeaseWait(clock.now());
    clock.advance(3_000);
    clock.jumpWall(-3_600_000);
    expect(wait.leftMsAt(clock.now(), 3_161)).to.equal(3_161);
    clock.advance(1_000);
    clock.jumpWall(-3_600_000);
    expect(wait.leftMsAt(clock.now(), 3_161)).to.equal(2_161);
    clock.advance(2_161);
    expect(wait.leftMsAt(clock.now(), 3_161)).to.equal(0);
  });

  it('starts again with each renewal heard', () => {
    const clock = new VirtualClock();
    const wait = new LeaseWait(clock.now());
    clock.advance(3_000);
    wait.heard(clock.now());
    expect(wait.leftMsAt(clock.now(), 3_161)).to.equal(3_161);
  });

  it('outlasts every lease it waits for, whatever two clocks do within the drift bound', () => {
    const random = new SeededRandom(5);
    for (let turn = 0; turn < 20_000; turn++) {
      const terms = { leaseMs: 50 + random.below(10_000), driftPpm: random.below(200_001), marginMs: random.below(200) };
      const drift = terms.driftPpm / 1e6;
      const rate = (): number => 1 + (random.below(3) - 1) * drift;
      // The holder counts its lease on its own clock from the send; the arbiter waits on its own, from a later moment.
      const leaseEndsAtMs = terms.leaseMs / rate();
      const waitEndsAtMs = random.below(100) + waitMsOf(terms) / rate();
      expect(waitEndsAtMs, JSON.stringify(terms)).to.be.at.least(leaseEndsAtMs);
    }
  });
});

describe('lease terms', () => {
  it('come to 3161 ms of waiting by default', () => {
    expect(waitMsOf(DEFAULT_LEASE_TERMS)).to.equal(Math.ceil((3_000 * 1.01) / 0.99 + 100));
  });

  it('have defaults that keep their own rules', () => {
    checkLeaseTerms(DEFAULT_LEASE_TERMS);
    checkRenewal({ leaseMs: DEFAULT_LEASE_TERMS.leaseMs, renewEveryMs: DEFAULT_RENEW_EVERY_MS });
    checkElection({ leaseMs: DEFAULT_LEASE_TERMS.leaseMs, electionMaxMs: 1_000 });
  });

  it('have defaults by which an election never costs a lease: two rounds after the last answered renewal, and time to find the leader', () => {
    const { everyMs, attemptMs, retryAfterMs } = renewalPaceOf({ ...DEFAULT_LEASE_TERMS, renewEveryMs: DEFAULT_RENEW_EVERY_MS });
    // The leader dies with the next renewal on its way; the attempts go on all the while, so that one more is needed at the end.
    const worstMs = everyMs + 2 * 2 * DEFAULT_ELECTION_MIN_MS + attemptMs + retryAfterMs;
    expect(worstMs).to.equal(2_750);
    expect(worstMs).to.be.below(DEFAULT_LEASE_TERMS.leaseMs);
  });

  it('leave room for four lost renewals in a row, whatever the lease and the pace', () => {
    for (const leaseMs of [50, 99, 400, 1_000, 3_000, 10_000, 600_000]) {
      for (const renewEveryMs of [10, 100, 500, 60_000]) {
        const { everyMs, attemptMs, retryAfterMs } = renewalPaceOf({ leaseMs, renewEveryMs });
        checkRenewal({ leaseMs, renewEveryMs: everyMs });
        expect(everyMs + 4 * (attemptMs + retryAfterMs), `${leaseMs} ${renewEveryMs}`).to.be.below(leaseMs);
      }
    }
  });

  it('are refused with the arithmetic when they could not be kept', () => {
    const rows: readonly (readonly [() => void, string])[] = [
      [() => checkRenewal({ leaseMs: 3_000, renewEveryMs: 751 }), '751ms x 4 = 3004ms > 3000ms'],
      [() => checkElection({ leaseMs: 2_000, electionMaxMs: 1_000 }), '2000ms <= 2 x 1000ms'],
      [() => checkLeaseTerms({ ...DEFAULT_LEASE_TERMS, leaseMs: 49 }), 'got 49ms'],
      [() => checkLeaseTerms({ ...DEFAULT_LEASE_TERMS, leaseMs: 600_001 }), 'got 600001ms'],
      [() => checkLeaseTerms({ ...DEFAULT_LEASE_TERMS, leaseMs: 99.5 }), 'got 99.5ms'],
      [() => checkLeaseTerms({ ...DEFAULT_LEASE_TERMS, driftPpm: -1 }), 'got -1'],
      [() => checkLeaseTerms({ ...DEFAULT_LEASE_TERMS, driftPpm: 200_001 }), 'got 200001'],
      [() => checkLeaseTerms({ ...DEFAULT_LEASE_TERMS, marginMs: 60_001 }), 'got 60001ms'],
    ];
    for (const [act, message] of rows) expect(act).to.throw(SeqError, message);
    checkRenewal({ leaseMs: 3_000, renewEveryMs: 750 });
    checkElection({ leaseMs: 2_001, electionMaxMs: 1_000 });
  });

  it('measure time by the clock that says the most for a holder, the least for a waiter', () => {
    const from = { monoMs: 0, wallMs: 0, uptimeMs: 0 };
    const to = { monoMs: 5, wallMs: -2, uptimeMs: 9 };
    expect([longestMs(from, to), shortestMs(from, to)]).to.deep.equal([9, -2]);
  });
});
