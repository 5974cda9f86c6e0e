import { expect } from 'chai';
import { clockJumps } from '../../../src/model/clock-jump.js';
import { VirtualClock } from '../virtual-clock.js';

describe('clockJumps', () => {
  const rows: readonly (readonly [string, (clock: VirtualClock) => void, readonly string[]])[] = [
    ['nothing while all clocks move alike', () => {}, []],
    ['a suspend: the monotonic clock stood still while the others went on', (clock) => clock.suspend(5_000), ['suspend 5000']],
    ['a date that was set forward', (clock) => clock.jumpWall(3_600_000), ['wallForward 3600000']],
    ['a date that was set back', (clock) => clock.jumpWall(-3_600_000), ['wallBack 3600000']],
    [
      'a date that was set back during a suspend, as both',
      (clock) => {
        clock.suspend(5_000);
        clock.jumpWall(-60_000);
      },
      ['suspend 5000', 'wallBack 60000'],
    ],
    ['nothing when a step is as small as the clocks are coarse', (clock) => clock.jumpWall(140), []],
    ['the smallest step above that', (clock) => clock.jumpWall(151), ['wallForward 151']],
  ];
  for (const [name, happen, found] of rows) {
    it(`finds ${name}`, () => {
      const clock = new VirtualClock();
      const from = clock.now();
      clock.advance(1_000);
      happen(clock);
      expect(clockJumps(from, clock.now()).map(({ kind, ms }) => `${kind} ${ms}`)).to.deep.equal(found);
    });
  }

  it('takes rates that differ within the largest drift for no jump', () => {
    const from = { monoMs: 0, wallMs: 0, uptimeMs: 0 };
    expect(clockJumps(from, { monoMs: 10_000, wallMs: 11_000, uptimeMs: 10_000 })).to.deep.equal([]);
    expect(clockJumps(from, { monoMs: 10_000, wallMs: 9_000, uptimeMs: 10_000 })).to.deep.equal([]);
  });
});
