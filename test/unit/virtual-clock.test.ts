import { expect } from 'chai';
import { VirtualClock } from './virtual-clock.js';

describe('VirtualClock', () => {
  it('fires timers at their own moment, and those due together in the order they were set', () => {
    const clock = new VirtualClock();
    const startMs = clock.nowMs();
    const fired: string[] = [];
    const note = (name: string) => () => fired.push(`${name}@${clock.nowMs() - startMs}`);
    clock.after(20, note('late'));
    clock.after(10, note('one'));
    clock.after(10, note('two'));
    clock.after(5, () => clock.after(5, note('three')));
    clock.advance(15);
    expect(fired).to.deep.equal(['one@10', 'two@10', 'three@10']);
    expect(clock.nowMs() - startMs).to.equal(15);
    expect(clock.timerCount).to.equal(1);
  });

  it('pulls its three clocks apart on demand', () => {
    const clock = new VirtualClock();
    const { monoMs, wallMs, uptimeMs } = clock.now();
    clock.jumpWall(-7);
    clock.suspend(100);
    clock.stall(1);
    expect(clock.now()).to.deep.equal({ monoMs: monoMs + 1, wallMs: wallMs + 94, uptimeMs: uptimeMs + 101 });
  });

  it('fires nothing during a stall and everything late after it', () => {
    const clock = new VirtualClock();
    let firedAtMs = 0;
    clock.after(10, () => {
      firedAtMs = clock.nowMs();
    });
    clock.stall(500);
    expect(firedAtMs).to.equal(0);
    clock.advance(0);
    expect(firedAtMs).to.equal(clock.nowMs());
  });

  it('runs deferred calls in order before the next timer, and finds a loop of them', async () => {
    const clock = new VirtualClock();
    const told: string[] = [];
    clock.after(0, () => told.push('timer'));
    clock.defer(() => told.push('first'));
    clock.defer(() => told.push('second'));
    clock.advance(0);
    expect(told).to.deep.equal(['first', 'second', 'timer']);
    const again = (): void => clock.defer(again);
    again();
    expect(() => clock.flushDeferred()).to.throw('deferred calls');
  });

  it('lets awaiting code go on between timers', async () => {
    const clock = new VirtualClock();
    const startMs = clock.nowMs();
    const woke: number[] = [];
    const walk = async (): Promise<void> => {
      for (let turn = 0; turn < 3; turn++) {
        await new Promise<void>((resolve) => void clock.after(10, resolve));
        woke.push(clock.nowMs() - startMs);
      }
    };
    const walking = walk();
    await clock.elapse(30);
    await walking;
    expect(woke).to.deep.equal([10, 20, 30]);
  });
});
