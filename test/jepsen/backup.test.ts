import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
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

  async function ok(...args: readonly string[]): Promise<Record<string, unknown>> {
    const ran = await seqctl(...args, '-o', 'json');
    expect(ran.code, `${args.join(' ')}: ${ran.stderr}`).to.equal(0);
    return JSON.parse(ran.stdout) as Record<string, unknown>;
  }

  function seqctl(...args: readonly string[]): Promise<Ran> {
    return cluster.run(...args);
  }
});
