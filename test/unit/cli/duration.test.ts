import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { formatAge, formatDuration, parseDurationMs } from '../../../src/cli/duration.js';

describe('duration', () => {
  const rows: readonly [string, number][] = [
    ['0ms', 0],
    ['500ms', 500],
    ['2s', 2000],
    ['1.1s', 1100],
    ['0.25s', 250],
    ['4.35s', 4350],
    ['5m', 300_000],
    ['1h', 3_600_000],
  ];
  for (const [text, ms] of rows) it(`reads ${text} as ${ms} ms`, () => expect(parseDurationMs(text)).to.equal(ms));

  for (const wrong of ['5', '', 's', '-1s', '1 s', '1d', '1e3s', '0.5ms', '99999999999999s', ' 1s', 5, null, undefined, {}]) {
    it(`refuses ${JSON.stringify(wrong)}`, () => expect(() => parseDurationMs(wrong)).to.throw(SeqError, 'a duration is a number with a unit'));
  }

  it('writes what it reads back as the same number', () => {
    for (const ms of [0, 1, 999, 1000, 1500, 60_000, 61_000, 3_600_000, 5_400_000]) expect(parseDurationMs(formatDuration(ms))).to.equal(ms);
    expect(formatDuration(2000)).to.equal('2s');
    expect(formatDuration(1500)).to.equal('1500ms');
  });

  it('tells ages in two units at most, rounding down', () => {
    const ages = [-5, 0, 42_999, 312_000, 12_000_000, 792_000_000].map((ms) => formatAge(ms));
    expect(ages).to.deep.equal(['0s', '0s', '42s', '5m12s', '3h20m', '9d4h']);
  });
});
