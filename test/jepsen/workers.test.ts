import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { checkHistory, showViolations } from '../../src/verify/check-history.js';
import { TestCluster } from './cluster.js';
import { History } from './history.js';
import { pause, until } from './until.js';
import { Workload } from './workload.js';
import { isAlive } from './is-alive.js';

const SECTIONS = 12;
const UIDS_PER_SECTION = 100;
const WORKERS = 2;
const KILLS = 5;
/** The goal is 200 ms; a busy machine is not a broken one, so the test only fails far from it, and well below a lease. */
const BACK_WITHIN_MS = 1_500;

/** A supervisor that sees its child die says so, and nobody waits for the lease. */
describe('AllocSvrs under a supervisor', function () {
  this.timeout(120_000);
  this.bail(true);
  const uids = Array.from({ length: SECTIONS }, (_, at) => BigInt(at * UIDS_PER_SECTION));
  const history = new History();
  let cluster: TestCluster;
  let workload: Workload;
  let hasFailed = false;

  before(async () => {
    const geometry = { firstUid: 0, lastUid: SECTIONS * UIDS_PER_SECTION - 1, uidsPerSection: UIDS_PER_SECTION };
    cluster = await TestCluster.startWorkers({ workers: WORKERS, storeConfig: { geometry, raiseBy: 2_000 } });
    workload = await Workload.start({ endpoints: cluster.endpoints, uids, history, workers: 4, seed: 3 });
    await until('the load flows', 30_000, () => history.operations.length > 200 || undefined);
    workload.expectFaults();
  });

  afterEach(function () {
    if (this.currentTest?.state !== 'failed') return;
    hasFailed = true;
    console.error(cluster.lastWords());
  });

  after(async () => {
    await workload?.close();
    await cluster?.dispose({ keep: hasFailed });
  });

  it(`serves the sections of a killed worker elsewhere at once, ${KILLS} times`, async () => {
    const backMs: number[] = [];
    for (let kill = 0; kill < KILLS; kill += 1) {
      const victim = `alloc-1-${1 + (kill % WORKERS)}`;
      const sections = await until(`${victim} owns sections`, 30_000, async () => {
        const owned = await cluster.sectionsOf(victim, await cluster.leader());
        return owned.length > 0 ? owned : undefined;
      });
      const fromNs = history.nowNs();
      process.kill(workerPid(victim), 'SIGKILL');
      const answers = await Promise.all(sections.map((section) => workload.next(BigInt(section * UIDS_PER_SECTION + 50), 15_000)));
      expect(answers.filter((seq) => typeof seq !== 'bigint')).to.deep.equal([]);
      backMs.push((history.nowNs() - fromNs) / 1e6);
      // Until it was started again and has a share.
      await pause(3_000);
    }
    backMs.sort((one, other) => one - other);
    console.log(
      `      worker killed with kill -9, ${KILLS} times: its sections serve elsewhere after ${backMs.map((ms) => Math.round(ms)).join(', ')} ms`,
    );
    expect(backMs.at(-1)).to.be.below(BACK_WITHIN_MS);
  });

  it('stops its workers when it is killed itself', async () => {
    const pids = Array.from({ length: WORKERS }, (_, at) => workerPid(`alloc-1-${at + 1}`));
    await cluster.kill('alloc-1');
    await until('the workers are gone', 10_000, () => pids.every((pid) => !isAlive(pid)) || undefined);
    await cluster.start('alloc-1');
  });

  it('gave every number once and in order, in all of it', async () => {
    await workload.stop();
    const last = await Promise.all(uids.map((uid) => workload.next(uid, 15_000)));
    expect(last.filter((seq) => typeof seq !== 'bigint')).to.deep.equal([]);
    const { violations } = checkHistory(history.operations);
    expect(violations.length, showViolations(violations)).to.equal(0);
  });

  /** As the log of the supervisor and its workers has it last. */
  function workerPid(name: string): number {
    const lines = readFileSync(cluster.logOf('alloc-1'), 'utf8').split('\n');
    const starts = lines.filter((line) => line.includes('"processReady"') && line.includes(`"node":"${name}"`));
    return (JSON.parse(starts.at(-1)!) as { pid: number }).pid;
  }
});
