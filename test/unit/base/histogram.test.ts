import { expect } from 'chai';
import { Histogram } from '../../../src/base/histogram.js';
import { SeededRandom } from '../seeded-random.js';

describe('histogram', () => {
  it('tells any percentile within 1 % of the sorted samples, from 1 us to a minute', () => {
    const random = new SeededRandom(1);
    const histogram = new Histogram();
    const samples = Array.from({ length: 20_000 }, () => 10 ** (-3 + 7.7 * (random.below(1_000_000) / 1_000_000)));
    for (const sample of samples) histogram.record(sample);
    samples.sort((one, other) => one - other);
    for (const part of [0.01, 0.5, 0.9, 0.99, 0.999, 1]) {
      const exact = samples[Math.ceil(samples.length * part) - 1] ?? 0;
      expect(Math.abs(histogram.percentileMs(part) - exact), `${part}`).to.be.at.most(exact * 0.01);
    }
    expect(histogram.maxMs).to.equal(samples.at(-1));
    expect(histogram.count).to.equal(20_000);
  });

  it('is off by less than 1 % at every length, the edges of its buckets included', () => {
    for (let us = 1; us < 6e7; us *= 1.003) {
      for (const ms of [us / 1_000, Math.floor(us) / 1_000, 2 ** Math.floor(Math.log2(us)) / 1_000]) {
        const histogram = new Histogram();
        histogram.record(ms);
        histogram.record(1e6);
        expect(Math.abs(histogram.percentileMs(0.5) - ms), `${ms} ms`).to.be.at.most(ms * 0.01);
      }
    }
  });

  it('is the same whether recorded in one or merged from two', () => {
    const [one, two, all] = [new Histogram(), new Histogram(), new Histogram()];
    for (let ms = 0; ms < 500; ms++) {
      (ms % 3 === 0 ? one : two).record(ms / 7);
      all.record(ms / 7);
    }
    one.merge(two);
    expect([0.1, 0.5, 0.99, 1].map((part) => one.percentileMs(part))).to.deep.equal([0.1, 0.5, 0.99, 1].map((part) => all.percentileMs(part)));
    expect([one.count, one.maxMs]).to.deep.equal([all.count, all.maxMs]);
  });

  it('says 0 of nothing, takes what is shorter than 1 us for that, and what is longer than a minute at its length', () => {
    const histogram = new Histogram();
    expect([histogram.percentileMs(0.5), histogram.maxMs]).to.deep.equal([0, 0]);
    histogram.record(-1);
    expect(histogram.percentileMs(0.5)).to.equal(0);
    histogram.record(1e9);
    expect(histogram.percentileMs(1)).to.equal(1e9);
  });
});
