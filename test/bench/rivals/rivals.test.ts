import { expect } from 'chai';
import { closedLoop } from './client/closed-loop.js';
import type { Driver } from './client/driver.js';
import { openLoop } from './client/open-loop.js';
import type { Measurement } from './figures.js';
import { verdictsOf } from './goals.js';
import { parseOptions } from './options.js';
import { topFramesOf } from './profile.js';
import { report } from './report.js';
import { type OpenLoop, ratioOf, type Results } from './results.js';
import { aligned, showSpread } from './show.js';
import { parseBenchmark } from './systems/redis-benchmark.js';
import { countOf, uidAt } from './uids.js';

describe('bench', () => {
  const driverOf = (call: Driver['call']): Driver => ({ opsPerCall: 2, call, close: () => undefined });
  const one = (work: Measurement['work'], system: string, round: number, figures: Partial<Measurement>): Measurement => {
    const base = { opsPerSecond: 1_000, p50Ms: 1, p99Ms: 2, p999Ms: 3, serverCpuUs: 4, clientCpuUs: 5, opCount: 6, residentMiB: 7 };
    return { ...base, work, system, round, ...figures };
  };
  const loop = (system: string, targetPerSecond: number, figures: Partial<OpenLoop>): OpenLoop => {
    const base = { opsPerSecond: targetPerSecond, p50Ms: 0.1, p99Ms: 1, p999Ms: 3, maxMs: 50, advanceWaits: 0, raises: 9 };
    return { ...base, system, targetPerSecond, ...figures };
  };
  const results = (some: Partial<Results>): Results => {
    return { measurements: [], openLoops: [], scalings: [], memory: undefined, takeover: undefined, idle: undefined, workerRuns: [], ...some };
  };
  const reached = (some: Partial<Results>, goal: number): (boolean | undefined)[] =>
    verdictsOf(results(some))
      .filter((verdict) => verdict.goal === goal)
      .map(({ isReached }) => isReached);

  it('divides ours by the other round by round, and leaves out rounds in which one of them is missing', () => {
    const all = [
      one('next', 'ours', 0, { opsPerSecond: 900 }),
      one('next', 'ioredis everysec', 0, { opsPerSecond: 100 }),
      one('next', 'ours', 1, { opsPerSecond: 800 }),
      one('next', 'ioredis everysec', 1, { opsPerSecond: 200 }),
      one('next', 'ours', 2, { opsPerSecond: 1 }),
    ];
    const ratio = ratioOf(all, 'opsPerSecond', { work: 'next', system: 'ours' }, { work: 'next', system: 'ioredis everysec' });
    expect(ratio).to.deep.equal({ median: 6.5, min: 4, max: 9 });
    expect(showSpread(ratio, 1)).to.equal('6.5 [4.0..9.0]');
  });

  it('judges every goal of the project, its bound included, and says what was not measured', () => {
    expect(verdictsOf(results({})).map(({ isReached }) => isReached)).to.deep.equal(Array(18).fill(undefined));
    const next = (ops: number, p99Ms: number, serverCpuUs: number): Partial<Results> => ({
      measurements: [
        one('next', 'ours', 0, { opsPerSecond: ops, p99Ms, serverCpuUs }),
        one('next', 'ioredis everysec', 0, { opsPerSecond: 100, p99Ms: 2, serverCpuUs: 4 }),
      ],
    });
    expect([reached(next(800, 2, 1), 1), reached(next(799, 2.1, 1), 1)]).to.deep.equal([
      [true, true],
      [false, false],
    ]);
    expect([reached(next(1, 1, 1), 2), reached(next(1, 1, 1.01), 2)]).to.deep.equal([[true], [false]]);
    const unary = (serverCpuUs: number): Partial<Results> => ({
      measurements: [one('unary', 'ours', 0, { serverCpuUs }), one('unary', 'grpc-js echo', 0, { serverCpuUs: 10 })],
    });
    expect([reached(unary(11), 4), reached(unary(11.1), 4)]).to.deep.equal([[true], [false]]);
  });

  it('compares the tails of open loops only at rates that the other holds, and counts one that is not held as missed', () => {
    const slow = { p999Ms: 13 };
    const [own, against] = [loop('ours', 20_000, {}), loop('ioredis everysec', 20_000, slow)];
    expect(reached({ openLoops: [own, against] }, 6)).to.deep.equal([true, true, undefined, undefined]);
    expect(reached({ openLoops: [own, { ...against, opsPerSecond: 19_000 }] }, 6)).to.deep.equal([true, undefined, undefined]);
    expect(reached({ openLoops: [{ ...own, opsPerSecond: 19_000 }] }, 6)).to.deep.equal([false, undefined, undefined]);
    expect(reached({ openLoops: [{ ...own, maxMs: 51 }] }, 6)).to.deep.equal([false, undefined, undefined]);
    expect([reached({ openLoops: [own] }, 9), reached({ openLoops: [{ ...own, advanceWaits: 1 }] }, 9)]).to.deep.equal([[true], [false]]);
  });

  it('judges growth by the medians of each size, and entries in the stores by the rate', () => {
    const scaling = (dimension: 'uids' | 'sections', size: number, opsPerSecond: number, entriesPerSecond: number) => {
      return { dimension, size, round: 0, opsPerSecond, entriesPerSecond };
    };
    const even = [scaling('uids', 1_000, 1_100_000, 115), scaling('uids', 1_000_000, 1_000_000, 105), scaling('sections', 1, 5, 0)];
    expect(reached({ scalings: even }, 8)).to.deep.equal([true, undefined, true]);
    expect(reached({ scalings: [...even, scaling('uids', 10_000_000, 990_000, 105)] }, 8)).to.deep.equal([false, undefined, false]);
    const memory = (bytesPerUid: number): Partial<Results> => ({ memory: { touchedUids: 10, bytesPerUid, residentBytesPerUid: 5 } });
    expect([reached(memory(4.2), 7), reached(memory(4.21), 7)]).to.deep.equal([
      [true, undefined, undefined],
      [false, undefined, undefined],
    ]);
  });

  it('prints a row for each system, ours first, with what ours is of it, and a line for each goal', () => {
    const lines = report(
      results({
        measurements: [
          one('commit', 'etcd', 0, { opsPerSecond: 10 }),
          one('next', 'ioredis everysec', 0, { opsPerSecond: 500, serverCpuUs: 8 }),
          one('next', 'ours', 0, {}),
        ],
      }),
    ).split('\n');
    expect(lines.slice(0, 4)).to.deep.equal([
      'work                              system            ops/s  p50 ms  p99 ms  p99.9 ms  server us/op  client us/op  server MiB  ours: ops/s x  ours: CPU x',
      'next(), 256 callers               ours              1,000   1.000   2.000     3.000         4.000         5.000           7',
      'next(), 256 callers               ioredis everysec    500   1.000   2.000     3.000         8.000         5.000           7           2.00        0.500',
      'one commit a number, 256 callers  etcd                 10   1.000   2.000     3.000         4.000         5.000           7         100.00        1.000',
    ]);
    expect(lines.find((line) => line.startsWith('2'))).to.match(/^2 +FAIL +next\(\): server CPU over redis-server's +0\.500 x +<= 0\.25 x$/);
    expect(
      aligned(
        [
          ['a', 'b'],
          ['cc', 'dd'],
        ],
        1,
      ),
    ).to.deep.equal(['a    b', 'cc  dd']);
  });

  it('prints a row for each number of workers and load, by the medians of the rounds', () => {
    const run = (workers: number, round: number, allocCpuUs: number) => {
      return { workers, work: 'next' as const, round, opsPerSecond: 10 * workers, p99Ms: 1, allocCpuUs, storesCpuUs: 0.1, busiestShare: 1 / workers };
    };
    const lines = report(results({ workerRuns: [run(1, 0, 0.5), run(2, 0, 0.6), run(2, 1, 0.8)] })).split('\n');
    expect(lines.slice(0, 3)).to.deep.equal([
      'workers of one host  load                 ops/s  p99 ms       AllocSvrs us/op  StoreSvrs us/op  busiest does',
      '1                    next(), 256 callers     10    1.00                 0.500            0.100          1.00',
      '2                    next(), 256 callers     20    1.00  0.700 [0.600..0.800]            0.100          0.50',
    ]);
  });

  it('reads what redis-benchmark prints, and says so when it is something else', () => {
    const printed = [
      'Latency by percentile distribution:',
      '0.000% <= 0.111 milliseconds (cumulative count 16)',
      '50.000% <= 3.055 milliseconds (cumulative count 500512)',
      '98.438% <= 4.255 milliseconds (cumulative count 984832)',
      '99.219% <= 5.503 milliseconds (cumulative count 992256)',
      '99.902% <= 7.255 milliseconds (cumulative count 999168)',
      '100.000% <= 9.015 milliseconds (cumulative count 1000000)',
      'Summary:',
      '  throughput summary: 782472.62 requests per second',
    ].join('\n');
    expect(parseBenchmark(printed)).to.deep.equal({ opsPerSecond: 782_472.62, p50Ms: 3.055, p99Ms: 5.503, p999Ms: 7.255 });
    expect(() => parseBenchmark('Could not connect to Redis')).to.throw('did not say how fast it was: Could not connect');
  });

  it('puts uids into sections: the first few of each', () => {
    const uids = { sections: 3, perSection: 2, sectionSize: 100 };
    expect(Array.from({ length: countOf(uids) }, (_, place) => uidAt(uids, place))).to.deep.equal([0, 1, 100, 101, 200, 201]);
  });

  it('finds where the time of a profile went, waiting aside', () => {
    const node = (id: number, functionName: string, url = '') => ({ id, callFrame: { functionName, url, lineNumber: 6 } });
    const nodes = [node(1, '(idle)'), node(2, 'take', 'file:///x/dist/src/alloc/counters.js'), node(3, '')];
    expect(topFramesOf({ nodes, samples: [1, 2, 3, 2], timeDeltas: [100, 30, 10, 40] })).to.deep.equal([
      { frame: 'take  src/alloc/counters.js:7', share: 70 / 80 },
      { frame: '(anonymous)', share: 10 / 80 },
    ]);
  });

  it('asks in a closed loop for as much as there are callers, and counts what came within the time', async () => {
    let [underWay, most, asked] = [0, 0, 0];
    const driver = driverOf(() => {
      asked += 1;
      underWay += 1;
      most = Math.max(most, underWay);
      return new Promise((resolve) => void setImmediate(resolve)).finally(() => {
        underWay -= 1;
      });
    });
    const { opCount, opsPerSecond, p50Ms } = await closedLoop(driver, () => 7, { callers: 3, warmUpMs: 2, measureMs: 10, pids: [] });
    expect([most, underWay]).to.deep.equal([3, 0]);
    // Each call brings two numbers.
    expect(opCount / 2).to.be.within(1, asked);
    expect(opsPerSecond).to.be.within(1, opCount / 0.01);
    expect(p50Ms).to.be.greaterThan(0);
  });

  it('asks in an open loop for every call that is due, and counts its latency from then, however long it could not be made', async () => {
    const uids: number[] = [];
    let isHeld = true;
    const waiting: (() => void)[] = [];
    const driver = driverOf(async (draw) => {
      uids.push(draw());
      if (isHeld) await new Promise<void>((resolve) => waiting.push(resolve));
    });
    const load = openLoop(driver, () => 7, { ratePerSecond: 1_000_000, seconds: 0.01, warmUpSeconds: 0.001 });
    // 11,000 are due within 11 ms, and no more than so many are ever under way.
    while (uids.length < 4_096) await new Promise((resolve) => void setImmediate(resolve));
    const beginMs = performance.now();
    while (performance.now() < beginMs + 20) await new Promise((resolve) => void setImmediate(resolve));
    expect(uids).to.have.length(4_096);
    isHeld = false;
    for (const settle of waiting) settle();
    const { p50Ms, maxMs } = await load;
    expect(uids).to.have.length(11_000);
    expect(maxMs).to.be.greaterThan(15);
    expect(p50Ms).to.be.greaterThan(8);
  });

  it('ends an open loop with the first failure', async () => {
    const driver = driverOf(() => Promise.reject(new Error('no number')));
    let failure: unknown;
    await openLoop(driver, () => 7, { ratePerSecond: 1_000, seconds: 1, warmUpSeconds: 0 }).catch((error: unknown) => {
      failure = error;
    });
    expect(failure).to.be.an('error').with.property('message', 'no number');
  });

  it('refuses options that make no measurement, and names the rule', () => {
    expect(parseOptions(['--help'])).to.equal(undefined);
    expect(parseOptions(['--quick', '--only', 'next,open'])).to.deep.include({ isQuick: true, parts: new Set(['next', 'open']) });
    expect(parseOptions([])).to.deep.include({ rounds: 5, seconds: 3, openSeconds: 60, touchedUids: 10_000_000, json: undefined });
    expect(() => parseOptions(['--only', 'nxt'])).to.throw(
      "--only must name some of next, frames, unary, etcd, postgres, open, scale, memory, workers, got 'nxt'",
    );
    expect(() => parseOptions(['--rounds', '0'])).to.throw('--rounds must be a whole number in [1, 100], got 0');
    expect(() => parseOptions(['--seconds', 'x'])).to.throw('--seconds must be in [0.1, 600], got x');
  });
});
