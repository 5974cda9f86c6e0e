import { expect } from 'chai';
import { GrowthMeter, LOOK_EVERY_MS } from '../../../src/store/growth.js';

describe('GrowthMeter', () => {
  const sections = (...maxSeqs: number[]) => maxSeqs.map((maxSeq) => ({ maxSeq: BigInt(maxSeq) }));

  it('remembers the busiest minute of the busiest section', () => {
    const meter = new GrowthMeter();
    meter.look(sections(0, 0), 0);
    meter.look(sections(600, 60_000), LOOK_EVERY_MS);
    meter.look(sections(700, 60_001), 2 * LOOK_EVERY_MS);
    expect(meter.seen).to.deep.equal({ maxSeqPerSecond: 1_000, observedMs: 2 * LOOK_EVERY_MS });
  });

  it('knows nothing before its first whole look, however often it is called', () => {
    const meter = new GrowthMeter();
    meter.look([], 0);
    for (let at = 0; at < LOOK_EVERY_MS; at += 1_000) meter.look(sections(at), 1_000 + at);
    expect(meter.seen).to.equal(undefined);
    meter.look(sections(90), 1_000 + LOOK_EVERY_MS);
    expect(meter.seen, 'rounded up').to.deep.equal({ maxSeqPerSecond: 2, observedMs: LOOK_EVERY_MS });
  });

  it('counts a section that was lowered by a release as one that did not grow', () => {
    const meter = new GrowthMeter();
    meter.look(sections(10_000), 0);
    meter.look(sections(5), LOOK_EVERY_MS);
    expect(meter.seen).to.deep.equal({ maxSeqPerSecond: 0, observedMs: LOOK_EVERY_MS });
  });
});
