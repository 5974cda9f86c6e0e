import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { Stopper } from '../../../src/base/stop.js';
import { bench, type BenchArgs, type BenchClient, runBench } from '../../../src/cli/bench.js';
import { judge, parseLoad, perfText } from '../../../src/cli/perf.js';
import { MemorySeqServer } from '../../../src/client/testing.js';

const ARGS: BenchArgs = {
  endpoints: [],
  timeoutMs: 2_000,
  isTimeoutGiven: true,
  output: 'table',
  rate: 0,
  callers: 4,
  uids: 10,
  durationMs: 50,
  many: 1,
  strict: false,
  isConfirmed: true,
};

describe('seqctl bench', () => {
  it('finds numbers that do not grow, counts them and names them', async () => {
    let callCount = 0;
    const lying: BenchClient = {
      // Every 50th number is one that was handed out before.
      next: () => Promise.resolve(BigInt(++callCount % 50 === 0 ? 1 : callCount)),
      nextMany: (uids) => Promise.resolve(uids.map(() => 7n)),
    };
    const report = await run(lying, { ...ARGS, uids: 1 });
    expect(report.violationCount)
      .to.equal(Math.floor(report.callCount / 50))
      .and.to.be.above(0);
    expect(report.violations[0]).to.include({ uid: 100n, seq: 1n });
    const many = await run(lying, { ...ARGS, uids: 1, many: 3, callers: 1 });
    expect(many.violationCount).to.be.above(0);
  });

  it('takes calls of one uid that overlap for what they are: their order is free', async () => {
    let last = 0n;
    const parallel: BenchClient = {
      // Answers of one turn come back in the other order.
      next: async () => {
        const seq = ++last;
        for (let turns = seq % 2n === 0n ? 1 : 5; turns > 0; turns--) await Promise.resolve();
        return seq;
      },
      nextMany: () => Promise.reject(new Error('not asked for')),
    };
    expect((await run(parallel, { ...ARGS, uids: 1, callers: 8 })).violationCount).to.equal(0);
  });

  it('says how many numbers it took of many uids at once, and what failed', async () => {
    const client: BenchClient = {
      next: () => Promise.reject(new SeqError('UNAVAILABLE', 'no')),
      nextMany: (uids) => Promise.resolve(uids.map((_, at) => (at === 2 ? new SeqError('TIMEOUT', 'late') : BigInt(++ticks)))),
    };
    let ticks = 0;
    const report = await run(client, { ...ARGS, many: 3, callers: 1 });
    expect(report.failures).to.deep.equal({ TIMEOUT: report.callCount });
    expect((await run(client, { ...ARGS, rate: 1_000 })).failures).to.have.property('UNAVAILABLE');
  });

  it('shows how far it is on a terminal only', async () => {
    const client: BenchClient = { next: nextOf(), nextMany: () => Promise.reject(new Error('not asked for')) };
    for (const isWatched of [true, false]) {
      const talk: string[] = [];
      await run(client, { ...ARGS, durationMs: 1_200, rate: 100 }, { talk, isWatched });
      expect(
        talk.some((line) => /^1 s: .* numbers\/s, p99 /.test(line)),
        `${isWatched}`,
      ).to.equal(isWatched);
    }
  }).timeout(10_000);

  it('ends early when it is told to, and reports what there is', async () => {
    const client: BenchClient = { next: nextOf(), nextMany: () => Promise.reject(new Error('not asked for')) };
    const stop = new Stopper();
    const running = run(client, { ...ARGS, durationMs: 600_000, rate: 1_000 }, { stop });
    setTimeout(() => stop.abort(undefined), 50);
    const report = await running;
    expect(report).to.include({ isInterrupted: true });
    expect(report.callCount).to.be.above(0);
  });

  it('takes nothing unless it is meant: nobody there to confirm it', async () => {
    await using server = await MemorySeqServer.start();
    const { voices } = told();
    const refused = await bench({ ...ARGS, endpoints: [server.address], isConfirmed: false }, voices).catch((error: Error) => error);
    expect(String(refused)).to.include('give --yes to mean it');
    expect(server.callCounts.next).to.equal(0);
  });

  it('runs against a server, prints JSON with 64-bit numbers as strings, and refuses more uids than there are', async () => {
    await using server = await MemorySeqServer.start({ firstUid: 0n, lastUid: 99n });
    const { voices, out } = told();
    const args: BenchArgs = { ...ARGS, endpoints: [server.address], output: 'json' };
    expect(await bench(args, voices)).to.equal(0);
    const report = JSON.parse(out.join('')) as Record<string, unknown>;
    expect(report).to.include({ kind: 'Bench', violationCount: 0, failedCount: 0 });
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

function nextOf(): () => Promise<bigint> {
  let last = 0n;
  return () => Promise.resolve(++last);
}

function told({ isWatched = false } = {}) {
  const out: string[] = [];
  const talk: string[] = [];
  const output = { out: (text: string) => void out.push(text), talk: (line: string) => void talk.push(line) };
  const terminal = { isInteractive: false, isWatched, ask: () => Promise.resolve('') };
  return { voices: { output, terminal }, out, talk };
}

function run(client: BenchClient, args: BenchArgs, { talk = [] as string[], isWatched = false, stop = new Stopper() } = {}) {
  const { voices } = told({ isWatched });
  const output = { ...voices.output, talk: (line: string) => void talk.push(line) };
  return runBench({ client, firstUid: 100n, args, voices: { ...voices, output }, stop });
}
