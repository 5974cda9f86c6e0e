import { expect } from 'chai';
import type { Clock } from '../../../src/base/clock.js';
import { SeqError } from '../../../src/base/errors.js';
import { Stopper } from '../../../src/base/stop.js';
import { LoadFigures, type LoadOptions, runLoad, UNDER_WAY_MAX } from '../../../src/cli/load.js';
import { VirtualClock } from '../virtual-clock.js';

const TURN_MS = 0.25;

describe('a load', () => {
  it('makes exactly as many calls as its rate and its time ask for, each at its time', async () => {
    const world = new World({ ratePerSecond: 50, durationMs: 2_000 }, () => 0);
    await world.run(3_000);
    expect(world.madeAtMs).to.deep.equal(Array.from({ length: 100 }, (_, at) => at * 20));
    expect([world.figures.latency.count, world.figures.lateCount]).to.deep.equal([100, 0]);
  });

  it('counts latency from when a call was due: a stall of a second is seen by all calls that it kept waiting', async () => {
    const world = new World({ ratePerSecond: 1_000, durationMs: 3_000 }, () => 1);
    await world.elapse(1_000);
    // The whole process stands still, as in a long garbage collection: nothing is made meanwhile.
    world.clock.stall(1_000);
    await world.run(3_000);
    const { latency } = world.figures;
    expect(latency.count).to.equal(3_000);
    expect(latency.maxMs).to.be.within(1_000, 1_010);
    // A third of all were due in that second, on average half of it late.
    expect(latency.percentileMs(0.83)).to.be.within(450, 550);
    expect(latency.percentileMs(0.5)).to.be.below(5);
  });

  it('has no more calls under way than its limit, and makes those that are due once there is room', async () => {
    const answerAfterMs = 2_000;
    const world = new World({ ratePerSecond: 20_000, durationMs: 1_000 }, () => answerAfterMs);
    await world.run(6_000);
    expect(world.underWayMax).to.equal(UNDER_WAY_MAX);
    expect(world.figures.latency.count).to.equal(20_000);
    expect(world.figures.lateCount).to.equal(20_000 - UNDER_WAY_MAX);
    expect(world.figures.latency.maxMs).to.be.at.least(3_000);
  });

  it('goes as fast as its callers when no rate is given', async () => {
    const world = new World({ ratePerSecond: 0, callers: 3, durationMs: 100 }, () => 10);
    await world.run(200);
    expect(world.underWayMax).to.equal(3);
    expect(world.figures.latency.count).to.equal(30);
    expect(world.figures.callsPerSecond).to.be.within(290, 301);
  });

  it('counts failures by their code, and goes on', async () => {
    const world = new World({ ratePerSecond: 100, durationMs: 100 }, (at) => (at % 2 === 0 ? new SeqError('UNAVAILABLE', 'no') : 1));
    await world.run(300);
    expect([...world.figures.failures]).to.deep.equal([['UNAVAILABLE', 5]]);
    expect([world.figures.latency.count, world.figures.failedCount]).to.deep.equal([5, 5]);
  });

  it('ends with a bug, whatever is under way', async () => {
    const world = new World({ ratePerSecond: 100, durationMs: 100 }, () => new TypeError('a bug') as never);
    const outcome = world.done.then(
      () => 'done',
      (error: Error) => error.message,
    );
    await world.elapse(200);
    expect(await outcome).to.equal('a bug');
  });

  for (const ratePerSecond of [0, 100]) {
    it(`stops at once when it is told to, and waits for what is under way (rate ${ratePerSecond})`, async () => {
      const world = new World({ ratePerSecond, durationMs: 60_000 }, () => 5);
      await world.elapse(100);
      world.stop.abort(undefined);
      await world.run(200);
      expect(world.madeAtMs.length).to.be.within(9, 31);
      expect(world.figures.latency.count).to.equal(world.madeAtMs.length);
    });
  }
});

class World {
  readonly clock = new VirtualClock();
  readonly figures = new LoadFigures();
  readonly stop = new Stopper();
  readonly madeAtMs: number[] = [];
  readonly done: Promise<void>;
  underWayMax = 0;
  #underWay = 0;
  readonly #startMs = this.clock.nowMs();

  /** `outcome`: how long a call takes, in ms, or what it fails with. */
  constructor(options: Partial<LoadOptions>, outcome: (at: number) => number | SeqError) {
    const call = (): Promise<void> => {
      const came = outcome(this.madeAtMs.length);
      this.madeAtMs.push(this.clock.nowMs() - this.#startMs);
      this.#underWay += 1;
      this.underWayMax = Math.max(this.underWayMax, this.#underWay);
      return new Promise((resolve, reject) => {
        const end = (): void => {
          this.#underWay -= 1;
          if (came instanceof Error) reject(came);
          else resolve();
        };
        if (came instanceof Error || came === 0) end();
        else this.clock.after(came, end);
      });
    };
    const { clock } = this;
    // A turn of the event loop takes time, or one that waits for time would turn for ever.
    const turning: Clock = {
      nowMs: () => clock.nowMs(),
      now: () => clock.now(),
      wallMs: () => clock.wallMs(),
      after: (delayMs, fire) => clock.after(delayMs, fire),
      defer: (fire) => void clock.after(TURN_MS, fire),
    };
    this.done = runLoad({ clock: turning, call, ratePerSecond: 1, callers: 1, durationMs: 1, stop: this.stop, ...options }, this.figures);
  }

  async elapse(ms: number): Promise<void> {
    for (let left = ms; left > 0; left--) await this.clock.elapse(1);
  }

  /** Until it is done, within so many ms of its clock. */
  async run(withinMs: number): Promise<void> {
    const state = { isDone: false };
    const done = this.done.then(() => (state.isDone = true));
    for (let left = withinMs; left > 0 && !state.isDone; left--) await this.clock.elapse(1);
    expect(state.isDone, `done within ${withinMs} ms`).to.equal(true);
    await done;
  }
}
