import { expect } from 'chai';
import { CallRate, hottest } from '../../../src/alloc/load.js';
import type { SectionId } from '../../../src/model/ids.js';

describe('CallRate', () => {
  it('comes to the rate of the last seconds', () => {
    const rate = new CallRate(0);
    for (let second = 1; second <= 60; second++) rate.sample({ calls: 200, nowMs: second * 1_000 });
    expect(rate.perSecond).to.be.closeTo(200, 1);
    for (let second = 61; second <= 70; second++) rate.sample({ calls: 0, nowMs: second * 1_000 });
    expect(rate.perSecond, 'ten seconds later').to.be.closeTo(200 / Math.E, 1);
  });

  it('takes a burst of a moment for what it is', () => {
    const rate = new CallRate(0);
    rate.sample({ calls: 10_000, nowMs: 1_000 });
    expect(rate.perSecond).to.be.below(1_000);
  });

  it('forgets while nobody calls, and does not count the rest into the next rate', () => {
    const rate = new CallRate(0);
    for (let second = 1; second <= 60; second++) rate.sample({ calls: 200, nowMs: second * 1_000 });
    rate.begin(3_600_000);
    expect(rate.perSecond).to.be.below(0.001);
    rate.sample({ calls: 1_000, nowMs: 3_601_000 });
    expect(rate.perSecond).to.be.closeTo(1_000 * (1 - Math.exp(-0.1)), 0.1);
  });
});

describe('hottest', () => {
  const load = (section: number, callsPerSecond: number) => ({ section: section as SectionId, callsPerSecond });

  it('leaves out who is idle, and rounds', () => {
    expect(hottest([load(1, 0.4), load(2, 10.6), load(3, 0)])).to.deep.equal([load(2, 11)]);
  });

  it('keeps the 1,000 hottest', () => {
    const all = Array.from({ length: 5_000 }, (_, section) => load(section, (section * 7_919) % 5_003));
    const kept = hottest(all);
    const least = Math.min(...kept.map(({ callsPerSecond }) => callsPerSecond));
    expect(kept).to.have.length(1_000);
    expect(all.filter(({ callsPerSecond }) => callsPerSecond > least)).to.have.length(999);
  });
});
