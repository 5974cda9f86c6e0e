import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { Stopper } from '../../../src/base/stop.js';
import { LoadFigures, type LoadOptions, runLoad } from '../../../src/cli/load.js';
import { OVERTIME_MAX_MS } from '../../../src/cli/open-loop.js';
import { VirtualClock } from '../virtual-clock.js';
import { turningClock, whileTimePasses } from './turning-clock.js';

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

  it('makes rate times time calls, whatever the two are', async () => {
    for (const [ratePerSecond, durationMs, callCount] of [
      [7, 2_000, 14],
      [3, 1_000, 3],
      [333, 3_000, 999],
      [1, 1, 1],
    ] as const) {
      const world = new World({ ratePerSecond, durationMs }, () => 1);
      await world.run(4_000);
      expect(world.madeAtMs.length, `${ratePerSecond}/s for ${durationMs} ms`).to.equal(callCount);
    }
  });

  it('has no more calls under way than places, and makes those that are due once there is room', async () => {
    const world = new World({ ratePerSecond: 2_000, durationMs: 1_000, placeCount: 1_000 }, () => 2_000);
    await world.run(6_000);
    expect(world.underWayMax).to.equal(1_000);
    expect(world.figures.latency.count).to.equal(2_000);
    expect([world.figures.lateCount, world.figures.unmadeCount]).to.deep.equal([1_000, 0]);
    // Due at 0.5 s, made when the first place was free at 2 s, answered at 4 s.
    expect(world.figures.latency.maxMs).to.be.within(3_490, 3_510);
  });

  it('gives a place to one call at a time, and tells each answer to its own', async () => {
    const world = new World({ ratePerSecond: 1_000, durationMs: 500, placeCount: 7 }, (at) => 1 + (at % 5));
    await world.run(2_000);
    expect(world.mistakes).to.deep.equal([]);
    expect(world.figures.latency.count).to.equal(500);
  });

  it('ends some time after its end when it cannot keep up, and says how many calls were not made', async () => {
    const world = new World({ ratePerSecond: 1_000, durationMs: 1_000, placeCount: 1 }, () => 100);
    await world.run(1_000 + OVERTIME_MAX_MS + 200);
    const { latency, unmadeCount } = world.figures;
    expect(latency.count).to.be.within(58, 61);
    expect(latency.count + unmadeCount).to.equal(1_000);
  });

  it('goes as fast as its callers when no rate is given', async () => {
    const world = new World({ ratePerSecond: 0, placeCount: 3, durationMs: 100 }, () => 10);
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

  it('counts a call as failed when what came is no answer', async () => {
    for (const ratePerSecond of [0, 100]) {
      const world = new World({ ratePerSecond, durationMs: 100 }, () => 10);
      world.refused = new SeqError('TIMEOUT', 'one of many');
      await world.run(300);
      expect([...world.figures.failures]).to.deep.equal([['TIMEOUT', world.madeAtMs.length]]);
      expect(world.figures.latency.count).to.equal(0);
    }
  });

  it('lets the rest of the program have its turns while calls fail at once', async () => {
    const world = new World({ ratePerSecond: 0, durationMs: 60_000 }, () => new SeqError('CLOSED', 'no'));
    world.clock.after(50, () => world.stop.abort(undefined));
    await world.run(60);
    expect(world.figures.failedCount).to.be.within(190, 210);
    expect(world.figures.tookMs).to.be.within(50, 51);
  });

  for (const ratePerSecond of [0, 100]) {
    it(`ends with a bug, whatever is under way (rate ${ratePerSecond})`, async () => {
      const world = new World({ ratePerSecond, durationMs: 60_000, placeCount: 3 }, (at) => (at === 2 ? (new TypeError('a bug') as never) : 5));
      const outcome = await world.run(200).catch((error: Error) => error.message);
      expect(outcome).to.equal('a bug');
      const madeCount = world.madeAtMs.length;
      await world.clock.elapse(200);
      expect(world.madeAtMs.length).to.be.at.most(madeCount + 2);
      expect(world.clock.timerCount).to.equal(0);
    });
  }

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
  /** Places that two calls had at once, and answers of another call. */
  readonly mistakes: string[] = [];
  /** What every answer is taken for. */
  refused: SeqError | undefined;
  underWayMax = 0;
  readonly #done: Promise<void>;
  readonly #underWay = new Map<number, number>();
  readonly #startMs = this.clock.nowMs();

  /** `outcome`: how long a call takes, in ms, or what it fails with. */
  constructor(options: Partial<LoadOptions<number>>, outcome: (at: number) => number | SeqError) {
    const calls = {
      begin: (place: number) => this.#begin(place, outcome(this.madeAtMs.length)),
      came: (place: number, at: number) => this.#came(place, at),
    };
    const fixed = { clock: turningClock(this.clock), calls, stop: this.stop };
    this.#done = runLoad(
      { ratePerSecond: 1, placeCount: options.ratePerSecond === 0 ? 1 : 10_000, durationMs: 1, ...fixed, ...options },
      this.figures,
    );
  }

  async elapse(ms: number): Promise<void> {
    for (let left = ms; left > 0; left--) await this.clock.elapse(1);
  }

  /** Until it is done, within so many ms of its clock. */
  run(withinMs: number): Promise<void> {
    return whileTimePasses(this.clock, this.#done, withinMs);
  }

  #begin(place: number, came: number | SeqError): Promise<number> {
    const at = this.madeAtMs.length;
    this.madeAtMs.push(this.clock.nowMs() - this.#startMs);
    if (came instanceof Error) return Promise.reject(came);
    if (this.#underWay.has(place)) this.mistakes.push(`place ${place} is taken`);
    this.#underWay.set(place, at);
    this.underWayMax = Math.max(this.underWayMax, this.#underWay.size);
    if (came === 0) return Promise.resolve(at);
    return new Promise((resolve) => void this.clock.after(came, () => resolve(at)));
  }

  #came(place: number, at: number): void {
    if (this.#underWay.get(place) !== at) this.mistakes.push(`place ${place} got the answer of call ${at}`);
    this.#underWay.delete(place);
    if (this.refused !== undefined) throw this.refused;
  }
}
