import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { StoreStatus } from '../../src/rpc/gen/seqsvr/v1/admin.js';
import { TestCluster } from './cluster.js';
import { StoreLoad } from './store-load.js';
import { pause, until } from './until.js';

const SECTIONS = 3_000;
/** So small that a member that was away for a moment needs a snapshot. */
const KEEP_LOG_ENTRIES = 50;
const WORKERS = 4;
const SETTLE_LIMIT_MS = 30_000;
const KILLS_DURING_INSTALL = 5;
/** How LevelDB's log is laid out: blocks, and in them records with a header each. */
const LEVEL_BLOCK_BYTES = 32_768;
const LEVEL_HEADER_BYTES = 7;
/** More than the last batches take, which the marker may lag behind. */
const DAMAGED_BYTES_MIN = 8_192;

/**
 * Real StoreSvr processes under load while their group changes, one story from start to end. Every acknowledged raise
 * must be there at the end, and all replicas must be the same.
 */
describe('a real group of StoreSvr whose members change under load', function () {
  this.timeout(120_000);
  this.bail(true);
  let cluster: TestCluster;
  let load: StoreLoad;
  let hasFailed = false;

  before(async () => {
    const geometry = { firstUid: 0, lastUid: SECTIONS * 100 - 1, uidsPerSection: 100 };
    cluster = await TestCluster.startStores({ storeConfig: { geometry, keepLogEntries: KEEP_LOG_ENTRIES } });
    load = await StoreLoad.start({ endpoints: cluster.storeNames.map((name) => cluster.addressOf(name)), seed: 7, workers: WORKERS });
  });

  afterEach(function () {
    if (this.currentTest?.state !== 'failed') return;
    hasFailed = true;
    console.error(cluster.lastWords());
  });

  after(async () => {
    await load?.stop();
    load?.close();
    await cluster?.dispose({ keep: hasFailed });
  });

  it('grows from three to five voters, each a learner first', async () => {
    for (const name of ['store-4', 'store-5']) {
      const address = await cluster.startJoiner(name);
      await seqctl('member', 'add', name, address);
    }
    expect(await voters()).to.deep.equal(['store-1', 'store-2', 'store-3', 'store-4', 'store-5']);
    await load.untilMore(200);
  });

  it('shrinks from five to three, and tells whoever is removed, which then stops', async () => {
    const leader = await cluster.leader();
    const removed = ['store-3', 'store-4', 'store-5'].filter((name) => name !== leader).slice(0, 2);
    for (const name of removed) {
      await seqctl('member', 'remove', name, '--yes');
      expect(await cluster.ended(name, SETTLE_LIMIT_MS), `${name} ends`).to.be.a('number');
    }
    expect(await voters()).to.have.length(3);
    await load.untilMore(200);
    await untilAgreed();
  });

  it('replaces the leader by another machine in one joint change', async () => {
    const leader = await cluster.leader();
    const address = await cluster.startJoiner('store-6');
    await seqctl('member', 'replace', leader, 'store-6', address, '--yes');
    expect(await voters())
      .to.include('store-6')
      .and.not.to.include(leader);
    await cluster.ended(leader, SETTLE_LIMIT_MS);
    expect(await cluster.leader()).not.to.equal(leader);
    await load.untilMore(200);
    await untilAgreed();
  });

  it('hands leadership to whom an operator names', async () => {
    const [target = ''] = await followers();
    await seqctl('leader', 'transfer', target);
    expect(await cluster.leader()).to.equal(target);
    await load.untilMore(200);
  });

  it('waits for nobody who is slow, and has it again when it wakes up', async () => {
    const [slow = ''] = await followers();
    cluster.signal(slow, 'SIGSTOP');
    await load.untilMore(1_000);
    cluster.signal(slow, 'SIGCONT');
    await untilAgreed();
  });

  it('gives a snapshot to a member that was away past compaction', async () => {
    const [away = ''] = await followers();
    const { lastIndex } = await cluster.storeStatus(away);
    await cluster.kill(away);
    await untilCompactedPast(lastIndex);
    await cluster.start(away);
    await until(`${away} has got a snapshot`, SETTLE_LIMIT_MS, async () => (await cluster.storeStatus(away)).firstIndex > lastIndex || undefined);
    await untilAgreed();
  });

  it(`survives kill -9 at any moment of a snapshot, ${KILLS_DURING_INSTALL} times in a row`, async () => {
    const [victim = ''] = await followers();
    const { lastIndex } = await cluster.storeStatus(victim);
    await cluster.kill(victim);
    await untilCompactedPast(lastIndex);
    for (let kill = 0; kill < KILLS_DURING_INSTALL; kill += 1) {
      await cluster.start(victim);
      await pause(kill * 60);
      await cluster.kill(victim);
    }
    await cluster.start(victim);
    await untilAgreed();
  });

  it('refuses a removal that would lose the quorum', async () => {
    const [dead = '', alive = ''] = await followers();
    await cluster.kill(dead);
    await pause(2_000);
    const { code, stderr } = await cluster.run('member', 'remove', alive, '--yes', '--endpoints', cluster.storeEndpoints);
    expect(code, stderr).to.equal(5);
    await cluster.start(dead);
    await untilAgreed();
  });

  it('lets a damaged directory count for nothing, until one command makes it a new member', async () => {
    const [victim = ''] = await followers();
    const before = (await member(victim)).nodeUuid;
    const folder = join(cluster.dataDirOf(victim), 'db');
    await until('there is enough to damage', SETTLE_LIMIT_MS, () => statSync(newestLogOf(folder)).size > 2 * DAMAGED_BYTES_MIN || undefined);
    await cluster.kill(victim);
    await load.untilMore(100);
    flipABit(folder);
    await cluster.start(victim);
    const status = await cluster.storeStatus(victim);
    expect(status.quarantine?.reason).to.be.a('string').that.is.not.empty;
    await load.untilMore(200);
    await seqctl('member', 'replace', victim, '--yes');
    const after = await member(victim);
    expect(after.role).to.equal('voter');
    expect(after.nodeUuid).not.to.equal(before);
    await load.untilMore(200);
    await untilAgreed();
  });

  it('does not let an old copy of a directory vote as the node it was', async () => {
    const [victim = ''] = await followers();
    const { nodeUuid } = await member(victim);
    await cluster.kill(victim);
    const copy = cluster.path('old-copy');
    cpSync(cluster.dataDirOf(victim), copy, { recursive: true });
    await cluster.start(victim);
    await load.untilMore(300);
    await untilAgreed();
    await cluster.kill(victim);
    rmSync(cluster.dataDirOf(victim), { recursive: true });
    cpSync(copy, cluster.dataDirOf(victim), { recursive: true });
    // It comes up as the node it was, and must find out by itself that it is not.
    await cluster.start(victim).catch(() => undefined);
    await until('the old copy counts for nothing', SETTLE_LIMIT_MS, async () => {
      if (!cluster.isRunning(victim)) await cluster.start(victim).catch(() => undefined);
      return (await cluster.storeStatus(victim)).quarantine !== undefined || undefined;
    });
    await seqctl('member', 'replace', victim, '--yes');
    expect((await member(victim)).nodeUuid).not.to.equal(nodeUuid);
    await untilAgreed();
  });

  it('has lost no acknowledged raise, and all replicas are the same', async () => {
    await load.untilMore(200);
    await load.stop();
    await untilAgreed();
    console.log(`      ${load.count} raises acknowledged, ${load.failures.length} failed`);
    expect(await load.lost()).to.deep.equal([]);
    expect(load.failures).to.deep.equal([]);
  });

  it('makes a new cluster of one when the majority is lost for good, above everything that was acknowledged', async () => {
    const survivor = await cluster.leader();
    await cluster.killAll();
    const { stdout } = await cluster.run('store', 'recover', '--force-new-cluster', '--config', cluster.configOf(survivor));
    expect(stdout, 'not without the typed word').to.equal('');
    const args = ['--config', cluster.configOf(survivor), '--confirm', cluster.clusterId, '-o', 'json'];
    const recovered = await cluster.run('store', 'recover', '--force-new-cluster', ...args);
    expect(recovered.code, recovered.stderr).to.equal(0);
    await cluster.start(survivor);
    const next = await StoreLoad.start({ endpoints: [cluster.addressOf(survivor)], seed: 8, workers: 2 });
    expect(await next.notAbove(load.acknowledged)).to.deep.equal([]);
    await next.untilMore(50);
    await next.stop();
    expect(next.failures).to.deep.equal([]);
    next.close();
    expect(await voters()).to.deep.equal([survivor]);
  });

  /** Runs a command that must work, and says what it said when it does not. */
  async function seqctl(...args: readonly string[]): Promise<void> {
    const { code, stdout, stderr } = await cluster.run(...args, '--endpoints', cluster.storeEndpoints);
    expect(code, `seqctl ${args.join(' ')}\n${stdout}${stderr}`).to.equal(0);
  }

  async function leaderStatus(): Promise<StoreStatus> {
    return cluster.storeStatus(await cluster.leader());
  }

  async function voters(): Promise<string[]> {
    const { members } = await leaderStatus();
    return members
      .filter(({ role }) => role === 'voter')
      .map(({ name }) => name)
      .sort();
  }

  async function member(name: string) {
    const found = (await leaderStatus()).members.find((candidate) => candidate.name === name);
    return found ?? expect.fail(`no member is called ${name}`);
  }

  async function followers(): Promise<string[]> {
    const leader = await cluster.leader();
    return (await voters()).filter((name) => name !== leader);
  }

  async function untilCompactedPast(index: bigint): Promise<void> {
    await until(`the leader has no entry ${index} any more`, 60_000, async () => (await leaderStatus()).firstIndex > index + 1n || undefined);
  }

  /** All members hold the same at the same place. Under load the places differ most of the time. */
  async function untilAgreed(): Promise<void> {
    await until('all members agree', SETTLE_LIMIT_MS, async () => {
      const names = await voters();
      const statuses = await Promise.all(names.map((name) => cluster.storeStatus(name)));
      const indexes = new Set(statuses.map(({ appliedIndex }) => appliedIndex));
      const hashes = new Set(statuses.map(({ stateHash }) => stateHash));
      if (indexes.size > 1) return undefined;
      expect(hashes.size, 'state hashes at one index').to.equal(1);
      return true;
    });
  }
});

/**
 * Of LevelDB's newest log, in the first record of the last block that has some length: LevelDB drops the rest of a block whose checksum is
 * wrong, so the end of the Raft log is gone. What stood further ahead may have been compacted away since, and then its loss is none.
 */
function flipABit(folder: string): void {
  const path = newestLogOf(folder);
  const bytes = readFileSync(path);
  const block = Math.max(0, Math.floor((bytes.length - DAMAGED_BYTES_MIN) / LEVEL_BLOCK_BYTES)) * LEVEL_BLOCK_BYTES;
  const at = block + LEVEL_HEADER_BYTES + 1;
  expect(bytes.length, path).to.be.above(at);
  bytes[at] = (bytes[at] ?? 0) ^ 4;
  writeFileSync(path, bytes);
}

function newestLogOf(folder: string): string {
  const logs = readdirSync(folder).filter((file) => file.endsWith('.log'));
  const numbers = logs.map((file) => Number.parseInt(file, 10));
  return join(folder, logs[numbers.indexOf(Math.max(...numbers))] ?? expect.fail('LevelDB has a log'));
}
