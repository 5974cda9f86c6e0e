import { expect } from 'chai';
import { decodeStatus, encodePut } from './etcd-wire.js';
import { GOALS, isReached, type Measurement, ratioOf, spreadOf } from './figures.js';
import { percentile, runLoad } from './load.js';
import { parseOptions } from './options.js';
import { report } from './report.js';

describe('bench:raft', () => {
  const cell = (system: string, callers: number, round: number, commitsPerSecond: number): Measurement => {
    return { system, callers, round, commitsPerSecond, p50Ms: 1_000 / commitsPerSecond, p99Ms: 9, syncsPerCommit: 1 };
  };
  const [p50Goal, etcdGoal, floorGoal] = GOALS;

  it('takes the middle of several rounds, and of an even number of them the mean of the two', () => {
    expect(spreadOf([5, 1, 3])).to.deep.equal({ median: 3, min: 1, max: 5 });
    expect(spreadOf([4, 1, 2, 9])).to.deep.equal({ median: 3, min: 1, max: 9 });
    expect(spreadOf([])).to.equal(undefined);
  });

  it('takes as a percentile the value that at least that share does not exceed', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
    expect([percentile(hundred, 0.5), percentile(hundred, 0.99), percentile([7], 0.99), percentile([], 0.5)]).to.deep.equal([50, 99, 7, Number.NaN]);
  });

  it('compares within a round, and only what both were measured at', () => {
    const all = [cell('ours', 256, 0, 50), cell('floor', 256, 0, 100), cell('ours', 256, 1, 10), cell('floor', 256, 1, 40), cell('ours', 256, 2, 1)];
    expect(ratioOf(all, floorGoal!)).to.deep.equal({ median: 0.375, min: 0.25, max: 0.5 });
    expect(ratioOf(all, etcdGoal!)).to.equal(undefined);
  });

  it('judges a goal by the median, its bound included', () => {
    const one = (median: number) => ({ median, min: 0, max: 99 });
    expect([1.9, 2, 2.1].map((median) => isReached(p50Goal!, one(median)))).to.deep.equal([true, true, false]);
    expect([9.9, 10].map((median) => isReached(etcdGoal!, one(median)))).to.deep.equal([false, true]);
    expect(isReached(etcdGoal!, undefined)).to.equal(undefined);
  });

  it('prints a row for each system and number of callers, and a verdict for each goal', () => {
    const all = [cell('ours', 1, 0, 500), cell('floor', 1, 0, 800), cell('ours', 256, 0, 30_000), cell('floor', 256, 0, 120_000)];
    expect(report(all).split('\n')).to.deep.equal([
      'system  callers        commits/s (min-max)  p50 ms (min-max)  p99 ms (min-max)  syncs/commit',
      'ours          1              500 (500-500)  2.00 (2.00-2.00)  9.00 (9.00-9.00)         1.000',
      'floor         1              800 (800-800)  1.25 (1.25-1.25)  9.00 (9.00-9.00)         1.000',
      'ours        256     30,000 (30,000-30,000)  0.03 (0.03-0.03)  9.00 (9.00-9.00)         1.000',
      'floor       256  120,000 (120,000-120,000)  0.01 (0.01-0.01)  9.00 (9.00-9.00)         1.000',
      '',
      'ours /  callers  commits/s (min-max)     p50 (min-max)     p99 (min-max)',
      'floor         1     0.63 (0.63-0.63)  1.60 (1.60-1.60)  1.00 (1.00-1.00)',
      'floor       256     0.25 (0.25-0.25)  4.00 (4.00-4.00)  1.00 (1.00-1.00)',
      '',
      "PASS  p50 at 1 caller at most 2 x the floor's: 1.60 (1.60-1.60)",
      "SKIP  commits/s at 256 callers at least 10 x etcd's: etcd was not measured",
      "MISS  commits/s at 256 callers at least 1/3 of the floor's: 0.25 (0.25-0.25)",
    ]);
  });

  it('counts every commit and every sync of a load, and lets no caller ask twice at once', async () => {
    let [commitCount, underWay, most] = [0, 0, 0];
    const system = {
      commit: async () => {
        commitCount += 1;
        underWay += 1;
        most = Math.max(most, underWay);
        await new Promise((resolve) => void setImmediate(resolve));
        underWay -= 1;
      },
      syncCount: async () => commitCount / 4,
    };
    const { syncsPerCommit, commitsPerSecond, p50Ms } = await runLoad(system, { callers: 3, warmUpMs: 5, measureMs: 20 });
    expect([syncsPerCommit, most]).to.deep.equal([0.25, 3]);
    expect(commitsPerSecond * 0.02).to.be.within(1, commitCount);
    expect(p50Ms).to.be.greaterThan(0);
  });

  it('speaks as much of etcd as it needs', () => {
    expect(encodePut({ key: Buffer.from('k'), value: Buffer.from('vw') }).toString('hex')).to.equal('0a016b12027677');
    // header { cluster_id 1, member_id 300 }, version '3', dbSize 5, leader 300, raftTerm 2
    expect(decodeStatus(Buffer.from('0a05080110ac02120133180520ac023002', 'hex'))).to.deep.equal({ memberId: 300n, leaderId: 300n });
    expect(decodeStatus(Buffer.alloc(0))).to.deep.equal({ memberId: 0n, leaderId: 0n });
  });

  it('refuses numbers that make no measurement, and names the rule', () => {
    expect(parseOptions([])).to.deep.equal({ rounds: 5, seconds: 3, json: undefined });
    expect(parseOptions(['--quick', '--seconds', '0.5', '--json', 'f'])).to.deep.equal({ rounds: 2, seconds: 0.5, json: 'f' });
    expect(() => parseOptions(['--rounds', '0'])).to.throw('--rounds must be a whole number in [1, 100], got 0');
    expect(() => parseOptions(['--seconds', 'x'])).to.throw('--seconds must be in [0.1, 600], got x');
    expect(() => parseOptions(['--what'])).to.throw('--what');
  });
});
