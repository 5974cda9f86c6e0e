import { expect } from 'chai';
import { checkHistory, showViolations } from '../../src/verify/check-history.js';
import { type Ran, TestCluster } from './cluster.js';
import { History } from './history.js';
import { pause, until } from './until.js';
import { Workload } from './workload.js';

const SECTIONS = 12;
const UIDS_PER_SECTION = 100;
const LAST_UID = SECTIONS * UIDS_PER_SECTION - 1;
/** Longer than a takeover after a lease takes. */
const TAKEOVER_MS = 5_000;

/** The first uids are for seqctl bench alone: what it takes is in no history, and a checked `current` would see it. */
const BENCH_UIDS = 50;
/** A program has begun its load by then. */
const INTERRUPT_AFTER_MS = 4_000;

/** What operators do, by the commands that they have: one story on real processes under load, and a second set beside it. */
describe('seqctl against real clusters under load', function () {
  this.timeout(120_000);
  this.bail(true);
  const uids = Array.from({ length: SECTIONS }, (_, at) => BigInt(at * UIDS_PER_SECTION + BENCH_UIDS));
  const history = new History();
  let cluster: TestCluster;
  let west: TestCluster;
  let workload: Workload;
  let hasFailed = false;

  before(async () => {
    const geometry = { firstUid: 0, lastUid: LAST_UID, uidsPerSection: UIDS_PER_SECTION };
    const second = { firstUid: LAST_UID + 1, lastUid: LAST_UID + 300, uidsPerSection: UIDS_PER_SECTION };
    [cluster, west] = await Promise.all([
      TestCluster.start({ stores: 1, storeConfig: { geometry } }),
      TestCluster.start({ stores: 1, allocs: 1, storeConfig: { geometry: second } }),
    ]);
    // So few that no section is called 50 times a second: then all weigh the same, and a third of them is a third of the load.
    workload = await Workload.start({ endpoints: cluster.endpoints, uids, history, workers: 2, seed: 4 });
  });

  afterEach(function () {
    if (this.currentTest?.state !== 'failed') return;
    hasFailed = true;
    console.error(cluster.lastWords());
  });

  after(async () => {
    await workload?.close();
    await cluster?.dispose({ keep: hasFailed });
    await west?.dispose({ keep: hasFailed });
  });

  it('moves sections by hand, shown before and done after, while the arbiter is paused', async () => {
    await ok('arbiter', 'pause', '--reason', 'a move by hand');
    const before = await ownersOf();
    const target = before[0] === 'alloc-2' ? 'alloc-1' : 'alloc-2';
    const planned = await ok('section', 'move', '0..2', '--to', target, '--plan');
    expect(planned['state']).to.equal('planned');
    expect(await ownersOf()).to.deep.equal(before);
    const refused = await seqctl('section', 'move', '0..2', '--to', target);
    expect([refused.code, refused.stderr.includes('give --yes to mean it')], refused.stderr).to.deep.equal([5, true]);
    const moved = await ok('section', 'move', '0..2', '--to', target, '--yes', '--reason', 'to see');
    expect(moved['state']).to.equal('done');
    expect((await ownersOf()).slice(0, 3)).to.deep.equal([target, target, target]);
    expect((await ok('section', 'show', '1'))['section']).to.deep.include({ alloc: target, firstUid: '100', lastUid: '199', next: '' });
  });

  it('gives nothing away while it is paused, not even what a dead AllocSvr had, and all of it once it is resumed', async () => {
    workload.expectFaults();
    const victim = (await ownersOf())[SECTIONS - 1]!;
    const fromNs = history.nowNs();
    await cluster.kill(victim);
    await pause(TAKEOVER_MS);
    expect(await ownersOf()).to.include(victim);
    expect((await ok('arbiter', 'status'))['heldBackBy']).to.include('paused');
    await ok('arbiter', 'resume');
    await until('nobody waits for the dead one', TAKEOVER_MS, async () => !(await ownersOf()).includes(victim) || undefined);
    console.log(
      `      paused for ${Math.round((history.nowNs() - fromNs) / 1e6)} ms with ${victim} dead; its sections served elsewhere after the resume`,
    );
    await cluster.start(victim);
  });

  it('spreads evenly on demand, empties an AllocSvr and lets it come back', async () => {
    await ok('section', 'rebalance', '--yes');
    const counts = async (): Promise<number[]> => (await allocs()).map(({ sections }) => sections);
    await until('each has its third', 20_000, async () => (await counts()).every((count) => count === SECTIONS / 3) || undefined);
    expect((await ok('section', 'rebalance', '--plan'))['moves']).to.deep.equal([]);
    const drained = (await ok('alloc', 'drain', 'alloc-1', '--reason', 'maintenance'))['alloc'];
    expect(drained).to.deep.include({ name: 'alloc-1', state: 'draining', sections: 0 });
    expect(await ownersOf()).not.to.include('alloc-1');
    await ok('alloc', 'resume', 'alloc-1');
    await until('alloc-1 has its third again', 20_000, async () => (await counts()).every((count) => count === SECTIONS / 3) || undefined);
  });

  it('lets a standby idle, and lengthens the lease, each with a dry run before', async () => {
    const flags = ['--placement', 'primary-standby', '--standby', 'alloc-3'];
    await ok('policy', 'set', ...flags, '--dry-run');
    expect((await ok('policy', 'show'))['policy']).to.deep.include({ placement: 'balanced', standbys: [] });
    await ok('policy', 'set', ...flags);
    await ok('section', 'rebalance', '--yes', '--reason', 'it has become a standby');
    await until('the standby idles', 20_000, async () => !(await ownersOf()).includes('alloc-3') || undefined);
    await ok('policy', 'set', '--placement', 'balanced');
    expect((await ok('lease', 'set', '--lease', '5s'))['lease']).to.deep.include({ leaseMs: 5000, waitMs: 5202 });
    const short = await seqctl('lease', 'set', '--lease', '1500ms');
    expect([short.code, short.stderr.includes('1500ms <= 2 x 1000ms')], short.stderr).to.deep.equal([2, true]);
  });

  it('tells all of it in the history, with time, term, version and reason', async () => {
    const records = (await ok('arbiter', 'history', '--limit', '500'))['records'] as { kind: string; reason: string; time: string }[];
    const reasons = records.map(({ kind, reason }) => `${kind}: ${reason}`);
    for (const wanted of [
      'setPolicy: operator: pause: a move by hand',
      'planMove: operator: to see',
      'setPolicy: operator: resume',
      'drain: operator: drain alloc-1: maintenance',
      'resume: operator: resume alloc-1',
      'setLease: operator: lease 5s',
    ]) {
      expect(
        reasons.some((reason) => reason.startsWith(wanted)),
        `${wanted} in\n${reasons.join('\n')}`,
      ).to.equal(true);
    }
    expect(records.every(({ time }) => /^\d{4}-\d\d-\d\dT/.test(time))).to.equal(true);
  });

  it('takes out an AllocSvr that does not come back', async () => {
    await ok('alloc', 'drain', 'alloc-3');
    await cluster.stop('alloc-3');
    expect((await seqctl('alloc', 'remove', 'alloc-3')).code).to.equal(5);
    await ok('alloc', 'remove', 'alloc-3', '--yes');
    expect((await ok('alloc', 'remove', 'alloc-3', '--yes'))['name']).to.equal('alloc-3');
    expect((await allocs()).map(({ name }) => name)).to.deep.equal(['alloc-1', 'alloc-2']);
  });

  it('takes numbers at a rate while everything goes on, and says how that went', async () => {
    const bench = await ok('bench', '--rate', '500', '--duration', '2s', '--uids', String(BENCH_UIDS), '--yes');
    expect(bench).to.include({ violationCount: 0, failedCount: 0, callCount: 1_000, uids: BENCH_UIDS });
    const refused = await seqctl('bench', '--duration', '1s');
    expect([refused.code, refused.stderr.includes('give --yes to mean it')], refused.stderr).to.deep.equal([5, true]);
    const check = await seqctl('check', 'perf', '--load', 's', '--duration', '2s', '--uids', String(BENCH_UIDS), '--yes');
    expect([0, 1], check.stdout).to.include(check.code);
    const { checks } = JSON.parse(check.stdout) as { readonly checks: readonly { readonly name: string; readonly isPassed: boolean }[] };
    expect(checks.filter(({ isPassed }) => isPassed).map(({ name }) => name)).to.include.members(['failed', 'order']);
  });

  it('ends its load early for a Ctrl-C, and prints the report of what there is', async () => {
    const args = ['bench', '--rate', '200', '--warm-up', '0s', '--duration', '1h', '--uids', String(BENCH_UIDS), '--yes', '-o', 'json'];
    const { code, stdout, stderr } = await cluster.runInterrupted(INTERRUPT_AFTER_MS, ...args, '--endpoints', cluster.storeEndpoints);
    expect(code, stderr).to.equal(130);
    const report = JSON.parse(stdout) as { readonly callCount: number };
    expect(report).to.include({ kind: 'Bench', isInterrupted: true, violationCount: 0, failedCount: 0 });
    expect(report.callCount).to.be.above(0);
  });

  it('enters a second set, copies the map to it, and completes what could not be reached', async () => {
    const seeds = west.addressOf('store-1');
    expect((await seqctl('set', 'add', 'west', '--seeds', seeds)).code).to.equal(5);
    const added = await ok('set', 'add', 'west', '--seeds', seeds, '--yes');
    expect(added).to.deep.include({ version: 1, home: 'main' });
    for (const endpoints of [cluster.storeEndpoints, seeds]) {
      const { stdout } = await cluster.run('set', 'list', '-o', 'json', '--endpoints', endpoints);
      expect((JSON.parse(stdout) as { sets: { name: string }[] }).sets.map(({ name }) => name)).to.deep.equal(['main', 'west']);
    }
    // From the other set, too: its map names the home set.
    const again = await cluster.run('set', 'add', 'west', '--seeds', `${seeds},${west.addressOf('alloc-1')}`, '--yes', '--endpoints', seeds);
    expect(again.code, again.stderr).to.equal(0);
    await west.kill('store-1');
    const repeated = await seqctl('set', 'list');
    expect(JSON.parse(repeated.stdout)).to.include({ version: 2 });
    await west.start('store-1');
  });

  it('cost no call a number: every one was given once and in order', async () => {
    await workload.stop();
    const last = await Promise.all(uids.map((uid) => workload.next(uid, 15_000)));
    expect(last.filter((seq) => typeof seq !== 'bigint')).to.deep.equal([]);
    const { violations, answeredCount } = checkHistory(history.operations);
    console.log(`      ${answeredCount} operations checked`);
    expect(violations.length, showViolations(violations)).to.equal(0);
  });

  function seqctl(...args: readonly string[]): Promise<Ran> {
    return cluster.run(...args, '-o', 'json', '--endpoints', cluster.storeEndpoints);
  }

  /** What a command that must succeed printed. */
  async function ok(...args: readonly string[]): Promise<Record<string, unknown>> {
    const { code, stdout, stderr } = await seqctl(...args);
    expect(code, `${args.join(' ')}: ${stderr}`).to.equal(0);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  async function allocs(): Promise<readonly { name: string; sections: number }[]> {
    return (await ok('alloc', 'list'))['allocs'] as { name: string; sections: number }[];
  }

  /** The owner of each section. */
  async function ownersOf(): Promise<string[]> {
    const sections = (await ok('section', 'list'))['sections'] as { firstSection: number; lastSection: number; alloc: string }[];
    return sections.flatMap(({ firstSection, lastSection, alloc }) => Array.from({ length: lastSection - firstSection + 1 }, () => alloc));
  }
});
