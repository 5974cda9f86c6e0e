import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { SeqClient } from '../../src/client/client.js';
import { checkHistory, showViolations } from '../../src/verify/check-history.js';
import { type Ran, TestCluster } from './cluster.js';
import { History } from './history.js';
import { Workload } from './workload.js';

const SECTIONS = 6;
const UIDS_PER_SECTION = 100;

/** Backups of real clusters by the commands that operators have, under load. */
describe('seqctl snapshot against a real cluster under load', function () {
  this.timeout(120_000);
  this.bail(true);
  const uids = Array.from({ length: SECTIONS }, (_, at) => BigInt(at * UIDS_PER_SECTION + 1));
  const history = new History();
  let cluster: TestCluster;
  let workload: Workload;
  let hasFailed = false;

  before(async () => {
    const geometry = { firstUid: 0, lastUid: SECTIONS * UIDS_PER_SECTION - 1, uidsPerSection: UIDS_PER_SECTION };
    cluster = await TestCluster.start({ allocs: 2, storeConfig: { geometry } });
    workload = await Workload.start({ endpoints: cluster.endpoints, uids, history, workers: 2, seed: 7 });
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

  it('saves what the leader has, while numbers are handed out, and says that it is whole', async () => {
    const file = cluster.path('a.snap');
    const saved = await ok('snapshot', 'save', file, '--endpoints', cluster.storeEndpoints);
    expect(saved['clusterId']).to.equal(cluster.clusterId);
    const status = await ok('snapshot', 'status', file);
    expect(status).to.deep.include({ clusterId: cluster.clusterId, index: saved['index'], sections: SECTIONS, sectionsUsed: SECTIONS, allocs: 2 });
    expect(status['members']).to.deep.equal([...cluster.storeNames]);
    expect(BigInt(String(status['maxSeq'])) > 0n).to.equal(true);
    expect((await ok('snapshot', 'verify', file))['verdict']).to.equal('OK');
  });

  it('holds what was done before it was asked for', async () => {
    const { lastIndex } = await cluster.storeStatus(await cluster.leader());
    const saved = await ok('snapshot', 'save', cluster.path('b.snap'), '--endpoints', cluster.endpoints.join(','));
    expect(Number(saved['index'])).to.be.at.least(Number(lastIndex));
  });

  it('never writes over a file, and needs a leader', async () => {
    const again = await seqctl('snapshot', 'save', cluster.path('a.snap'), '--endpoints', cluster.storeEndpoints);
    expect([again.code, again.stderr.includes('is there already')], again.stderr).to.deep.equal([5, true]);
    const nobody = await seqctl('snapshot', 'save', cluster.path('c.snap'), '--endpoints', '127.0.0.1:1', '--timeout', '1s');
    expect([nobody.code, existsSync(cluster.path('c.snap'))], nobody.stderr).to.deep.equal([3, false]);
  });

  it('says what is wrong with a file that is not as it was written, and with one that is none', async () => {
    const whole = readFileSync(cluster.path('a.snap'));
    const flipped = Buffer.from(whole);
    flipped[whole.length >> 1]! ^= 1;
    for (const [bytes, code, why] of [
      [whole.subarray(0, -1), 1, 'SnapshotDamageError'],
      [flipped, 1, 'SnapshotDamageError'],
      [Buffer.alloc(200), 2, 'is no snapshot'],
    ] as const) {
      writeFileSync(cluster.path('bad.snap'), bytes);
      for (const command of ['status', 'verify']) {
        const ran = await seqctl('snapshot', command, cluster.path('bad.snap'));
        expect([ran.code, ran.stderr.includes(why)], ran.stderr).to.deep.equal([code, true]);
      }
    }
  });

  it('is saved on a schedule, of which the newest good ones stay', async () => {
    const folder = cluster.path('backups');
    mkdirSync(folder);
    const schedule = ['snapshot', 'schedule', '--dir', folder, '--keep', '2', '--metrics-file', cluster.path('backup.prom')];
    const ran = await cluster.runInterrupted(9_000, ...schedule, '--every', '1s', '--endpoints', cluster.storeEndpoints);
    expect(ran.code, ran.stderr).to.equal(0);
    expect(ran.stderr).to.contain('removed 1 old');
    const { snapshots, isFresh } = await ok('snapshot', 'list', folder, '--max-age', '5m');
    expect([isFresh, (snapshots as { state: string }[]).map(({ state }) => state)]).to.deep.equal([true, ['good', 'good']]);
    expect(readFileSync(cluster.path('backup.prom'), 'utf8')).to.match(/^seqsvr_backup_taken_timestamp_seconds [1-9]\d+$/m);

    const stale = await seqctl('snapshot', 'list', folder, '--max-age', '1ms');
    expect([stale.code, stale.stderr.includes('old, more than')], stale.stderr).to.deep.equal([4, true]);
    const failed = await seqctl(...schedule, '--every', '1s', '--once', '--endpoints', '127.0.0.1:1', '--timeout', '1s');
    expect([failed.code, failed.stderr.includes('backup failed')], failed.stderr).to.deep.equal([4, true]);
  });

  async function ok(...args: readonly string[]): Promise<Record<string, unknown>> {
    const ran = await seqctl(...args, '-o', 'json');
    expect(ran.code, `${args.join(' ')}: ${ran.stderr}`).to.equal(0);
    return JSON.parse(ran.stdout) as Record<string, unknown>;
  }

  function seqctl(...args: readonly string[]): Promise<Ran> {
    return cluster.run(...args);
  }
});

/** One history from before the snapshot to after the restore: whatever is handed out twice, or out of order, shows. */
describe('a cluster that is backed up, destroyed and restored', function () {
  this.timeout(180_000);
  this.bail(true);
  const uids = Array.from({ length: SECTIONS }, (_, at) => BigInt(at * UIDS_PER_SECTION + 1));
  const geometry = { firstUid: 0, lastUid: SECTIONS * UIDS_PER_SECTION - 1, uidsPerSection: UIDS_PER_SECTION };
  const history = new History();
  const clusters: TestCluster[] = [];
  let hasFailed = false;

  afterEach(function () {
    if (this.currentTest?.state !== 'failed') return;
    hasFailed = true;
    for (const cluster of clusters) console.error(cluster.lastWords());
  });

  after(async () => {
    for (const cluster of clusters) await cluster.dispose({ keep: hasFailed });
  });

  it('goes on under another id, twice, with a bump that was worked out and one that was given', async () => {
    const first = await TestCluster.start({ allocs: 2, storeConfig: { geometry } });
    clusters.push(first);
    await load(first, 1);
    const snapshot = first.path('a.snap');
    await ok(first, 'snapshot', 'save', snapshot, '--endpoints', first.storeEndpoints);
    const { maxSeq } = await ok(first, 'snapshot', 'status', snapshot);
    await load(first, 2);
    const highest = await takeBeyond(first, BigInt(String(maxSeq)));

    const second = await prepared();
    const restore = ['snapshot', 'restore', snapshot, '--config', second.configOf('store-1'), '--data-dir', second.path('restored')];
    const unasked = await second.run(...restore, '--confirm', second.clusterId);
    expect([unasked.code, unasked.stderr.includes('would be handed out again')], unasked.stderr).to.deep.equal([5, true]);
    const living = await second.run(...restore, '--bump', 'auto', '--confirm', second.clusterId);
    expect([living.code, living.stderr.includes('the old cluster lives')], living.stderr).to.deep.equal([5, true]);
    await first.killAll();
    const unconfirmed = await second.run(...restore, '--bump', 'auto');
    expect([unconfirmed.code, unconfirmed.stderr.includes('nobody is here to confirm it')], unconfirmed.stderr).to.deep.equal([5, true]);
    expect(existsSync(second.path('restored'))).to.equal(false);

    const { bump } = await bringUp(second, [...restore, '--bump', 'auto', '--confirm', second.clusterId]);
    expect(BigInt(String(maxSeq)) + BigInt(String(bump)) > highest, 'above everything that was handed out').to.equal(true);
    await load(second, 3);
    await ok(second, 'snapshot', 'save', second.path('b.snap'), '--endpoints', second.storeEndpoints);
    await second.killAll();

    const third = await prepared();
    const again = ['snapshot', 'restore', second.path('b.snap'), '--config', third.configOf('store-1'), '--data-dir', third.path('restored')];
    await bringUp(third, [...again, '--bump', '5000000', '--confirm', third.clusterId]);
    await load(third, 4);
    const decisions = JSON.stringify(await ok(third, 'arbiter', 'history', '--endpoints', third.storeEndpoints));
    expect(decisions).to.contain(`from a snapshot of cluster ${second.clusterId}`);

    const { violations, isValid, answeredCount } = checkHistory(history.operations);
    expect(isValid, showViolations(violations, 5)).to.equal(true);
    console.log(`      ${answeredCount} calls answered before, between and after; auto bump ${String(bump)}`);
  });

  async function prepared(): Promise<TestCluster> {
    const cluster = await TestCluster.prepare({ allocs: 2, storeConfig: { geometry } });
    clusters.push(cluster);
    return cluster;
  }

  async function bringUp(cluster: TestCluster, restore: readonly string[]): Promise<Record<string, unknown>> {
    const report = await ok(cluster, ...restore);
    for (const name of cluster.storeNames) renameSync(`${cluster.path('restored')}/${name}`, cluster.dataDirOf(name));
    await cluster.startAll();
    return report;
  }

  async function load(cluster: TestCluster, seed: number): Promise<void> {
    const workload = await Workload.start({ endpoints: cluster.endpoints, uids, history, workers: 3, seed, advancePercent: 2 });
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await workload.stop();
    await workload.close();
  }

  /** Until a restore without a bump would begin below what was handed out. Returns the highest number. */
  async function takeBeyond(cluster: TestCluster, maxSeq: bigint): Promise<bigint> {
    const client = await SeqClient.connect({ endpoints: cluster.endpoints });
    try {
      for (;;) {
        const pending = history.begin({ client: 'beyond', call: 'next', uid: uids[0]!, count: 100_000 });
        const { first, last } = await client.nextRange(uids[0]!, 100_000);
        pending.numbers(first, last);
        if (last > maxSeq + 100_000n) return last;
      }
    } finally {
      await client.close();
    }
  }

  async function ok(cluster: TestCluster, ...args: readonly string[]): Promise<Record<string, unknown>> {
    const ran = await cluster.run(...args, '-o', 'json');
    expect(ran.code, `${args.join(' ')}: ${ran.stderr}`).to.equal(0);
    return JSON.parse(ran.stdout) as Record<string, unknown>;
  }
});
