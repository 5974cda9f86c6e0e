import { expect } from 'chai';
import { Health } from '../../../src/arbiter/health.js';
import { DEFAULT_LEASE_TERMS, waitMsOf } from '../../../src/model/lease.js';
import { VirtualClock } from '../virtual-clock.js';
import { incarnation } from './fixture.js';

const TERMS = DEFAULT_LEASE_TERMS;
const WAIT_MS = waitMsOf(TERMS);
const [A, B] = [incarnation('a1'), incarnation('a2')];

describe('health', () => {
  let clock: VirtualClock;
  let health: Health;

  beforeEach(() => {
    clock = new VirtualClock();
    health = new Health(clock.now());
  });

  it('counts a run that was never heard from the moment of becoming leader, whenever it is first asked about', () => {
    clock.advance(1_000);
    expect(health.leftMs(A, clock.now(), WAIT_MS)).to.equal(WAIT_MS - 1_000);
    clock.advance(WAIT_MS - 1_000);
    expect([A, B].map((run) => health.leftMs(run, clock.now(), WAIT_MS))).to.deep.equal([0, 0]);
  });

  it('counts a run that was heard from the last renewal that was answered', () => {
    clock.advance(2_000);
    health.heard(A, clock.now());
    clock.advance(WAIT_MS - 1);
    expect([health.leftMs(A, clock.now(), WAIT_MS), health.leftMs(B, clock.now(), WAIT_MS)]).to.deep.equal([1, 0]);
  });

  it('waits longer when the lease got longer since: the terms of now count', () => {
    health.heard(A, clock.now());
    clock.advance(WAIT_MS);
    expect(health.leftMs(A, clock.now(), waitMsOf({ ...TERMS, leaseMs: TERMS.leaseMs * 2 }))).to.be.greaterThan(TERMS.leaseMs);
  });

  it('calls a run living for one lease after it was heard under this leader, and never before', () => {
    expect(health.isLiving(A, clock.now(), TERMS)).to.equal(false);
    health.heard(A, clock.now());
    clock.advance(TERMS.leaseMs - 1);
    expect(health.isLiving(A, clock.now(), TERMS)).to.equal(true);
    clock.advance(1);
    expect(health.isLiving(A, clock.now(), TERMS)).to.equal(false);
  });

  it('never calls a run both living and expired, whatever the clocks do', () => {
    health.heard(A, clock.now());
    for (const change of [() => clock.jumpWall(3_600_000), () => clock.jumpWall(-7_200_000), () => clock.suspend(60_000), () => clock.stall(1_500)]) {
      change();
      for (let step = 0; step < 40; step += 1) {
        clock.advance(100);
        const isExpired = health.leftMs(A, clock.now(), WAIT_MS) === 0;
        expect(isExpired && health.isLiving(A, clock.now(), TERMS)).to.equal(false);
      }
    }
  });

  it('tells how long ago a run was heard, and nothing of one that was not', () => {
    expect(health.heardMsAgo(A, clock.now())).to.equal(undefined);
    health.heard(A, clock.now());
    clock.advance(750);
    expect(health.heardMsAgo(A, clock.now())).to.equal(750);
    clock.jumpWall(-5_000);
    expect(health.heardMsAgo(A, clock.now())).to.equal(0);
  });

  it('is quiet since the last newcomer, not since the last renewal', () => {
    clock.advance(300);
    health.heard(A, clock.now());
    clock.advance(100);
    health.heard(A, clock.now());
    expect(health.quietMs(clock.now())).to.equal(100);
    health.heard(B, clock.now());
    expect(health.quietMs(clock.now())).to.equal(0);
  });

  it('forgets runs that nobody asks about, and keeps the others', () => {
    clock.advance(1_000);
    health.heard(A, clock.now());
    health.heard(B, clock.now());
    health.keepOnly(new Set([A]));
    expect([A, B].map((run) => health.heardMsAgo(run, clock.now()))).to.deep.equal([0, undefined]);
    expect(health.leftMs(A, clock.now(), WAIT_MS)).to.equal(WAIT_MS);
  });
});
