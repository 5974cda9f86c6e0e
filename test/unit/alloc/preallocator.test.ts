import { expect } from 'chai';
import { DEFAULT_RAISE_AHEAD_MS, Preallocator, RAISE_AHEAD_MAX_MS, RAISE_AHEAD_MIN_MS } from '../../../src/alloc/preallocator.js';
import { RAISE_AHEAD_MAX } from '../../../src/model/window.js';
import { SEQ_MAX, type Seq } from '../../../src/model/ids.js';

const seq = (value: bigint | number): Seq => BigInt(value) as Seq;
const fresh = (raiseBy = 10_000n, aheadMs = DEFAULT_RAISE_AHEAD_MS) => new Preallocator({ raiseBy, aheadMs, trueMax: seq(0), nowMs: 0 });

/** A steady rate for some seconds, sampled once a second; returns where the counter stands. */
function run(
  prealloc: Preallocator,
  { perSecond, seconds, fromMs = 0, from = 0 }: { perSecond: number; seconds: number; fromMs?: number; from?: number },
): number {
  let count = from;
  for (let second = 1; second <= seconds; second++) {
    count += perSecond;
    prealloc.sample({ trueMax: seq(count), nowMs: fromMs + second * 1000 });
  }
  return count;
}

describe('Preallocator', () => {
  it('raises nothing while the window is ample', () => {
    expect(fresh().target({ trueMax: seq(1), maxSeq: seq(10_000), needed: seq(1) })).to.equal(undefined);
  });

  it('raises by raiseBy when a quarter of it is left and nothing is known about the rate', () => {
    const prealloc = fresh();
    expect(prealloc.target({ trueMax: seq(7_499), maxSeq: seq(10_000), needed: seq(0) })).to.equal(undefined);
    expect(prealloc.target({ trueMax: seq(7_500), maxSeq: seq(10_000), needed: seq(0) })).to.equal(17_500n);
  });

  it('keeps the peak rate of 2.5 s as low water', () => {
    const prealloc = fresh();
    run(prealloc, { perSecond: 20_000, seconds: 1 });
    expect(prealloc.lowWater).to.equal(50_000n);
  });

  it('remembers a peak after the rate has dropped, and forgets it slowly', () => {
    const prealloc = fresh();
    const count = run(prealloc, { perSecond: 20_000, seconds: 1 });
    run(prealloc, { perSecond: 0, seconds: 30, fromMs: 1000, from: count });
    expect(Number(prealloc.lowWater)).to.be.closeTo(25_000, 10);
    run(prealloc, { perSecond: 0, seconds: 300, fromMs: 31_000, from: count });
    expect(prealloc.lowWater).to.equal(2_500n);
  });

  it('aims at 60 s of the recent rate', () => {
    const prealloc = fresh();
    const count = run(prealloc, { perSecond: 1_000, seconds: 120 });
    const to = prealloc.target({ trueMax: seq(count), maxSeq: seq(count + 10), needed: seq(0) });
    expect(Number(to) - count).to.be.closeTo(60_000, 100);
  });

  it('aims at as much time as it is told to', () => {
    for (const aheadMs of [RAISE_AHEAD_MIN_MS, 30_000, RAISE_AHEAD_MAX_MS]) {
      const prealloc = fresh(1n, aheadMs);
      const count = run(prealloc, { perSecond: 1_000, seconds: 120 });
      const to = prealloc.target({ trueMax: seq(count), maxSeq: seq(count + 10), needed: seq(0) });
      expect(Number(to) - count).to.be.closeTo(aheadMs, aheadMs / 100);
    }
  });

  it('does not take what was skipped for a rate', () => {
    const prealloc = fresh();
    prealloc.lifted(2n ** 40n);
    prealloc.sample({ trueMax: seq(2n ** 40n + 5n), nowMs: 1_000 });
    expect(prealloc.lowWater).to.equal(2_500n);
  });

  it('lifts no further in one raise than the store lets it', () => {
    const maxSeq = seq(10_000);
    const needed = seq(10_000n + 2n ** 40n - 1n);
    expect(fresh().target({ trueMax: seq(9_000), maxSeq, needed })).to.equal(10_000n + 2n ** 40n);
  });

  it('never raises by less than raiseBy', () => {
    const prealloc = fresh();
    const count = run(prealloc, { perSecond: 1, seconds: 120 });
    expect(prealloc.target({ trueMax: seq(count), maxSeq: seq(count), needed: seq(0) })).to.equal(BigInt(count) + 10_000n);
  });

  it('never raises further than the named maximum above the hottest counter', () => {
    const prealloc = fresh();
    const count = run(prealloc, { perSecond: 50_000_000, seconds: 60 });
    expect(prealloc.target({ trueMax: seq(count), maxSeq: seq(count), needed: seq(0) })).to.equal(BigInt(count) + RAISE_AHEAD_MAX);
    expect(prealloc.lowWater).to.equal(RAISE_AHEAD_MAX / 2n);
  });

  it('does not find the next raise due as soon as one is done', () => {
    for (const perSecond of [1, 10_000, 500_000, 50_000_000]) {
      const prealloc = fresh();
      const count = run(prealloc, { perSecond, seconds: 1 });
      const to = prealloc.target({ trueMax: seq(count), maxSeq: seq(count), needed: seq(0) })!;
      expect(to - BigInt(count) > prealloc.lowWater, `${perSecond} a second`).to.equal(true);
    }
  });

  it('does not do so either when a peak is long past', () => {
    const prealloc = fresh();
    const peak = run(prealloc, { perSecond: 500_000, seconds: 1 });
    const count = run(prealloc, { perSecond: 0, seconds: 40, fromMs: 1000, from: peak });
    const to = prealloc.target({ trueMax: seq(count), maxSeq: seq(count), needed: seq(0) })!;
    expect(to - BigInt(count) > prealloc.lowWater).to.equal(true);
  });

  it('reaches beyond what a waiting range needs, however large', () => {
    expect(fresh().target({ trueMax: seq(5), maxSeq: seq(10_000), needed: seq(1_000_005) })).to.equal(1_010_005n);
  });

  it('stops at the end of the counter', () => {
    const trueMax = (SEQ_MAX - 5n) as Seq;
    expect(fresh().target({ trueMax, maxSeq: (SEQ_MAX - 1n) as Seq, needed: trueMax })).to.equal(SEQ_MAX);
    expect(fresh().target({ trueMax, maxSeq: SEQ_MAX, needed: trueMax })).to.equal(undefined);
  });

  it('measures no rate over a moment', () => {
    const prealloc = fresh();
    prealloc.sample({ trueMax: seq(1_000), nowMs: 1 });
    expect(prealloc.lowWater).to.equal(2_500n);
  });
});
