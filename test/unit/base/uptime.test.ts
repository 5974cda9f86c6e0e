import { uptime } from 'node:os';
import { expect } from 'chai';
import { parseUptimeMs, uptimeMs } from '../../../src/base/uptime.js';

describe('uptime', () => {
  it('tells what the system tells', () => {
    const before = systemTells();
    const now = uptimeMs();
    expect(now).to.be.at.least(before);
    expect(now).to.be.at.most(systemTells());
  });

  const ROWS: readonly [string, number | undefined][] = [
    ['0.00 0.00\n', 0],
    ['33597.35 12.00\n', 33_597_350],
    ['7.05', 7_050],
    ['31536000000.99 1.00', 31_536_000_000_990],
    ['', undefined],
    ['12', undefined],
    ['12.5', undefined],
    ['.50', undefined],
    ['12.5 7', undefined],
    ['1.2.3', undefined],
    ['-1.00', undefined],
  ];
  for (const [text, wanted] of ROWS) {
    it(`reads '${text.trim()}' as ${wanted}`, () => {
      const bytes = Buffer.from(text);
      expect(parseUptimeMs(bytes, bytes.length)).to.equal(wanted);
    });
  }
});

/** In whole hundredths of a second: a product of floating point may lie a hair above what it stands for. */
function systemTells(): number {
  return Math.round(uptime() * 100) * 10;
}
