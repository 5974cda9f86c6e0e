import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { Stopper } from '../../../src/base/stop.js';
import { bench, type BenchArgs, type BenchReport, benchText, runBench } from '../../../src/cli/bench.js';
import type { BenchClient } from '../../../src/cli/bench-calls.js';
import { judge, parseLoad, perfText } from '../../../src/cli/perf.js';
import { MemorySeqServer } from '../../../src/client/testing.js';
import { VirtualClock } from '../virtual-clock.js';
import { turningClock, whileTimePasses } from './turning-clock.js';

const ARGS: BenchArgs = {
  endpoints: [],
  timeoutMs: 2_000,
  isTimeoutGiven: true,
  output: 'table',
  rate: 0,
  callers: 4,
  uids: 10,
  warmUpMs: 0,
  durationMs: 50,
  many: 1,
  strict: false,
  isConfirmed: true,
};

describe('seqctl bench', () => {
  it('finds numbers that do not grow, counts them and names them', async () => {
    const world = new World();
    // Every 50th number is one that was handed out before.
    const report = await world.run((at) => BigInt(at % 50 === 0 ? 1 : at), { uids: 1, callers: 1, durationMs: 400 });
    expect(report).to.include({ callCount: 400, violationCount: 8 });
    expect(report.violations[0]).to.deep.equal({ uid: 100n, seq: 1n, after: 49n });
    expect(world.told()).to.include('VIOLATED    8 numbers came twice, or were not above').and.to.include('uid 100: 1 after 49');
  });

  it('finds them in calls of many uids too, and above 2^32 and 2^53', async () => {
    const base = 2n ** 62n;
    const report = await new World().run((at) => base + BigInt(at === 30 ? 5 : at), { uids: 1, callers: 1, many: 3 });
    expect(report.violations).to.deep.equal([{ uid: 100n, seq: base + 5n, after: base + 27n }]);
  });

  it('takes calls of one uid that overlap for what they are: their order is free', async () => {
    const world = new World({ answerAfterMs: (at) => (at % 2 === 0 ? 1 : 5) });
    expect(await world.run((at) => BigInt(at), { uids: 1, callers: 8 })).to.include({ violationCount: 0, isInterrupted: false });
  });

  it('finds one number for two calls, though they overlap', async () => {
    const report = await new World().run((at) => BigInt(Math.ceil(at / 2)), { uids: 1, callers: 2, durationMs: 10 });
    expect(report.violations[0]).to.deep.equal({ uid: 100n, seq: 1n, after: 1n });
    expect(report.violationCount).to.equal(10);
  });

  it('says how many numbers it took, of many uids at once too, and what failed', async () => {
    const many = await new World().run((at) => (at % 3 === 2 ? new SeqError('TIMEOUT', 'late') : BigInt(at)), { many: 3, callers: 1 });
    expect(many.failures).to.deep.equal({ TIMEOUT: many.callCount });
    const failing = await new World().run(() => new SeqError('UNAVAILABLE', 'no'), { rate: 1_000 });
    expect(failing).to.deep.include({ callCount: 50, failedCount: 50, reachedPerSecond: 0, failures: { UNAVAILABLE: 50 } });
    expect(await new World().run((at) => BigInt(at), { rate: 100, many: 3, durationMs: 1_000 })).to.include({
      offeredPerSecond: 300,
      callCount: 100,
    });
  });

  it('does not measure what it does to warm up, but checks the order of it', async () => {
    const world = new World({ answerAfterMs: (at) => (at <= 100 ? 40 : 1) });
    const report = await world.run((at) => BigInt(at === 150 ? 7 : at), { uids: 1, rate: 1_000, warmUpMs: 100 });
    expect(report).to.include({ callCount: 50, violationCount: 1 });
    expect(report.latencyMs.max).to.be.below(3);
  });

  it('shows how far it is on a terminal only', async () => {
    for (const isWatched of [true, false]) {
      const world = new World({ isWatched });
      await world.run((at) => BigInt(at), { durationMs: 2_100, rate: 100 });
      expect(world.talk.length).to.equal(isWatched ? 2 : 0);
      if (isWatched) expect(world.talk[0]).to.match(/^1 s: 1\d\d numbers\/s, p99 [\d.]+ ms$/);
    }
  });

  it('ends early when it is told to, and reports what there is', async () => {
    for (const warmUpMs of [0, 60_000]) {
      const world = new World();
      world.clock.after(50, () => world.stop.abort(undefined));
      const report = await world.run((at) => BigInt(at), { durationMs: 600_000, rate: 1_000, warmUpMs });
      expect(report).to.include({ isInterrupted: true, unmadeCount: 0, lateCount: 0 });
      if (warmUpMs === 0) expect(report.callCount).to.be.within(49, 52);
      else expect(report.callCount).to.equal(0);
      expect(world.told()).to.include('interrupted before its time');
    }
  });

  it('takes nothing unless it is meant: nobody there to confirm it', async () => {
    await using server = await MemorySeqServer.start();
    const { voices } = told();
    const refused = await bench({ ...ARGS, endpoints: [server.address], isConfirmed: false }, voices).catch((error: Error) => error);
    expect(String(refused)).to.include('give --yes to mean it');
    expect(server.callCounts.next).to.equal(0);
  });

  it('runs against a server, prints JSON with 64-bit numbers as strings, takes all uids when there are few, and refuses more than there are', async () => {
    await using server = await MemorySeqServer.start({ firstUid: 0n, lastUid: 99n });
    const { voices, out } = told();
    const args: BenchArgs = { ...ARGS, endpoints: [server.address], output: 'json' };
    expect(await bench(args, voices)).to.equal(0);
    const report = JSON.parse(out.join('')) as Record<string, unknown>;
    expect(report).to.include({ kind: 'Bench', violationCount: 0, failedCount: 0 });
    out.length = 0;
    expect(await bench({ ...args, uids: undefined }, voices)).to.equal(0);
    expect(JSON.parse(out.join(''))).to.include({ apiVersion: 'seqsvr/v1', uids: 100 });
    const refused = await bench({ ...args, uids: 101 }, voices).catch((error: Error) => error);
    expect(String(refused)).to.include('--uids must be at most 100, the uids of this cluster, got 101');
  });
});

describe('seqctl check perf', () => {
  const good = { reachedPerSecond: 20_000, callCount: 9, failedCount: 0, violationCount: 0, latencyMs: { p50: 0.2, p999: 2.9, max: 49 } };

  for (const [what, change, failing] of [
    ['all that it should', {}, []],
    ['a rate that is not reached', { reachedPerSecond: 18_999 }, ['throughput']],
    ['a slow middle', { latencyMs: { p50: 1.1, p999: 2, max: 3 } }, ['p50']],
    ['a long tail', { latencyMs: { p50: 0.1, p999: 3.1, max: 51 } }, ['p99.9', 'slowest']],
    ['failures', { failedCount: 1 }, ['failed']],
    ['numbers that went back', { violationCount: 2 }, ['order']],
    ['nothing at all', { reachedPerSecond: 0, callCount: 0, latencyMs: { p50: 0, p999: 0, max: 0 } }, ['throughput', 'p50', 'p99.9', 'slowest']],
  ] as const) {
    it(`passes or fails by ${what}`, () => {
      const verdict = judge({ ...good, ...change }, parseLoad('m'));
      expect(verdict.checks.filter(({ isPassed }) => !isPassed).map(({ name }) => name)).to.deep.equal(failing);
      expect(verdict.isPassed).to.equal(failing.length === 0);
      expect(perfText(verdict).trimEnd().split('\n').at(-1)).to.equal(`${failing.length === 0 ? 'PASS' : 'FAIL'}   load m`);
    });
  }

  it('knows its loads', () => {
    expect(parseLoad('l').rate).to.equal(100_000);
    expect(() => parseLoad('xxl')).to.throw("--load must be one of s, m, l, xl, got 'xxl'");
  });
});

function told({ isWatched = false } = {}) {
  const out: string[] = [];
  const talk: string[] = [];
  const output = { out: (text: string) => void out.push(text), talk: (line: string) => void talk.push(line) };
  const terminal = { isInteractive: false, isWatched, ask: () => Promise.resolve('') };
  return { voices: { output, terminal }, out, talk };
}

/** A bench on virtual time, against a client that says what the test wants. */
class World {
  readonly clock = new VirtualClock();
  readonly stop = new Stopper();
  readonly talk: string[];
  readonly #voices: ReturnType<typeof told>['voices'];
  readonly #answerAfterMs: (at: number) => number;
  #report: BenchReport | undefined;

  constructor({ isWatched = false, answerAfterMs = (): number => 1 }: { isWatched?: boolean; answerAfterMs?: (at: number) => number } = {}) {
    ({ voices: this.#voices, talk: this.talk } = told({ isWatched }));
    this.#answerAfterMs = answerAfterMs;
  }

  /** `answer`: to the first, second, ... uid that is asked for. */
  async run(answer: (at: number) => bigint | SeqError, args: Partial<BenchArgs>): Promise<BenchReport> {
    let asked = 0;
    const later = <Value>(value: Value): Promise<Value> =>
      new Promise((resolve) => void this.clock.after(this.#answerAfterMs(asked), () => resolve(value)));
    const client: BenchClient = {
      next: async () => {
        const came = await later(answer(++asked));
        if (came instanceof SeqError) throw came;
        return came;
      },
      nextMany: (uids) => later(uids.map(() => answer(++asked))),
    };
    const all = { ...ARGS, ...args };
    const uids = { first: 100n, count: all.uids ?? 0 };
    const options = { client, uids, args: all, voices: this.#voices, stop: this.stop, clock: turningClock(this.clock) };
    this.#report = await whileTimePasses(this.clock, runBench(options), 10_000);
    return this.#report;
  }

  /** What a person reads of it. */
  told(): string {
    return this.#report === undefined ? '' : benchText(this.#report);
  }
}
