import { expect } from 'chai';
import { every, sleep, systemClock } from '../../../src/base/clock.js';
import { VirtualClock } from '../virtual-clock.js';

describe('clock', () => {
  it('sleeps no shorter than asked', async () => {
    const clock = new VirtualClock();
    let isAwake = false;
    const sleeping = sleep(clock, 100).then(() => {
      isAwake = true;
    });
    await clock.elapse(99);
    expect(isAwake).to.equal(false);
    await clock.elapse(1);
    expect(isAwake).to.equal(true);
    await sleeping;
  });

  it('ends a sleep at once when its signal is aborted, before or during it, and leaves no timer', async () => {
    const clock = new VirtualClock();
    await sleep(clock, 100, AbortSignal.abort());
    const abort = new AbortController();
    const sleeping = sleep(clock, 100, abort.signal);
    abort.abort();
    await sleeping;
    expect(clock.timerCount).to.equal(0);
  });

  it('repeats until it is ended, by its own call too', () => {
    const clock = new VirtualClock();
    const firedAtMs: number[] = [];
    const startMs = clock.nowMs();
    const end = every(clock, 10, () => {
      firedAtMs.push(clock.nowMs() - startMs);
      if (firedAtMs.length === 3) end();
    });
    clock.advance(100);
    expect(firedAtMs).to.deep.equal([10, 20, 30]);
    expect(clock.timerCount).to.equal(0);
  });

  it('reads three clocks that move together on a machine at rest', () => {
    const before = systemClock.now();
    const after = systemClock.now();
    expect(after.monoMs).to.be.at.least(before.monoMs);
    expect(after.uptimeMs).to.be.at.least(before.uptimeMs);
    expect(Math.abs(after.wallMs - before.wallMs)).to.be.below(60_000);
  });

  it('cancels a real timer and runs a deferred call in a later turn', async () => {
    const told: string[] = [];
    systemClock.after(0, () => told.push('cancelled'))();
    await new Promise<void>((resolve) => {
      systemClock.after(5, resolve);
      systemClock.defer(() => told.push('deferred'));
      told.push('now');
    });
    expect(told).to.deep.equal(['now', 'deferred']);
  });
});
