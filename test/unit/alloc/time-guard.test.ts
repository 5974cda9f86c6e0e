import { expect } from 'chai';
import { TIME_GUARD_EVERY_MS, TimeGuard } from '../../../src/alloc/time-guard.js';
import { VirtualClock } from '../virtual-clock.js';

describe('TimeGuard', () => {
  let clock: VirtualClock;
  let guard: TimeGuard;
  const tick = () => guard.tick(clock.now());
  const check = () => guard.check(clock.now());

  beforeEach(() => {
    clock = new VirtualClock();
    guard = new TimeGuard({ now: clock.now(), marginMs: 100 });
  });

  it('finds nothing while its timer is on time', () => {
    for (let turn = 0; turn < 1_000; turn++) {
      clock.stall(TIME_GUARD_EVERY_MS);
      expect(check()).to.deep.equal([]);
      expect(tick()).to.deep.equal([]);
    }
  });

  it('finds a lag longer than the margin, and not one that is as long', () => {
    clock.stall(TIME_GUARD_EVERY_MS + 100);
    expect(tick()).to.deep.equal([]);
    clock.stall(TIME_GUARD_EVERY_MS + 101);
    expect(tick()).to.deep.equal([{ type: 'lag', ms: 101 }]);
    expect(tick()).to.deep.equal([]);
  });

  it('finds it with a request too, before the timer had its turn, and then tells it once', () => {
    clock.stall(500);
    expect(check()).to.deep.equal([{ type: 'lag', ms: 450 }]);
    expect(check()).to.deep.equal([]);
    expect(tick()).to.deep.equal([]);
  });

  it('measures from the last turn of the timer, however many requests came since', () => {
    for (let request = 0; request < 15; request++) {
      clock.stall(10);
      expect(check()).to.deep.equal([]);
    }
    clock.stall(1);
    expect(check()).to.deep.equal([{ type: 'lag', ms: 101 }]);
  });

  it('follows the margin of the committed terms, and never takes what timers do for a lag', () => {
    guard.marginMs = 2_000;
    clock.stall(2_000);
    expect(tick()).to.deep.equal([]);
    guard.marginMs = 0;
    clock.stall(TIME_GUARD_EVERY_MS + 50);
    expect(tick()).to.deep.equal([]);
  });

  it('finds clocks that jumped, with the timer or with a request', () => {
    clock.suspend(10_000);
    expect(check()).to.deep.equal([{ type: 'jump', kind: 'suspend', ms: 10_000 }]);
    clock.jumpWall(-3_600_000);
    expect(tick()).to.deep.equal([{ type: 'jump', kind: 'wallBack', ms: 3_600_000 }]);
    expect(tick()).to.deep.equal([]);
  });
});
