import { expect } from 'chai';
import { RAISE_AHEAD_MAX } from '../../../src/model/window.js';
import { generationAfter, type Past, recoveryBump, safeBump } from '../../../src/store/bump.js';

const HOUR_MS = 3_600_000;
const FOUNDED_S = 1_700_000_000;
const TAKEN_AT_MS = FOUNDED_S * 1000 + 100 * HOUR_MS;

describe('the bump of a restore', () => {
  const past: Past = {
    raiseBy: 10_000n,
    maxSeq: 360_000n,
    generation: FOUNDED_S,
    takenAtMs: TAKEN_AT_MS,
    growth: { maxSeqPerSecond: 2_000, observedMs: HOUR_MS },
    nowMs: TAKEN_AT_MS + HOUR_MS,
  };

  it('is the age times the fastest rate ever observed times ten', () => {
    expect(safeBump(past)).to.deep.equal({
      ageMs: HOUR_MS,
      observedPerSecond: 2_000,
      meanPerSecond: 1,
      safetyFactor: 10,
      byRate: 72_000_000n,
      least: RAISE_AHEAD_MAX,
      bump: 72_000_000n,
    });
  });

  it('is never less than what one raise may open, nor than a larger raiseBy', () => {
    expect(safeBump({ ...past, nowMs: TAKEN_AT_MS })?.bump).to.equal(RAISE_AHEAD_MAX);
    expect(safeBump({ ...past, nowMs: TAKEN_AT_MS, raiseBy: 2n ** 31n })?.bump).to.equal(2n ** 31n);
  });

  it('takes the average since the founding where nothing was observed, or where that is higher', () => {
    const fast = { ...past, maxSeq: 360_000_000_000n };
    expect(safeBump({ ...fast, growth: undefined })).to.deep.include({
      observedPerSecond: undefined,
      meanPerSecond: 1_000_000,
      bump: 36_000_000_000n,
    });
    expect(safeBump(fast)?.bump).to.equal(36_000_000_000n);
  });

  it('grows with the age, and is not known when the snapshot or the founding lies in the future', () => {
    expect(safeBump({ ...past, nowMs: TAKEN_AT_MS + 10 * HOUR_MS })?.bump).to.equal(720_000_000n);
    expect(safeBump({ ...past, nowMs: TAKEN_AT_MS - 1 })).to.equal(undefined);
    expect(safeBump({ ...past, generation: TAKEN_AT_MS / 1000 + 1 })).to.equal(undefined);
  });

  it('of a cluster that was founded in the very second is one window', () => {
    expect(safeBump({ ...past, growth: undefined, maxSeq: 10_000n, takenAtMs: FOUNDED_S * 1000, nowMs: FOUNDED_S * 1000 })?.bump).to.equal(
      RAISE_AHEAD_MAX,
    );
  });
});

describe('the bump of a forced recovery', () => {
  it('is a hundred raises, and never less than a million', () => {
    expect([recoveryBump(100n), recoveryBump(1_000_000n)]).to.deep.equal([1_000_000n, 100_000_000n]);
  });
});

describe('the generation of what begins anew', () => {
  it('grows even where the clock stands before the old one', () => {
    expect([generationAfter(50, 70_999), generationAfter(50, 1_000)]).to.deep.equal([70, 51]);
  });
});
