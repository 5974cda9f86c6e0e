import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import type { SectionId } from '../../src/model/ids.js';
import { DEFAULT_LEASE_TERMS } from '../../src/model/lease.js';
import { projectRoot } from '../project-root.js';
import { checkHistory, showViolations } from '../../src/verify/check-history.js';
import { TestCluster } from './cluster.js';
import type { Operation } from '../../src/verify/operation.js';
import { History } from './history.js';
import { pause, until } from './until.js';
import { summaryOf, Workload } from './workload.js';

const SECTIONS = 30;
const UIDS_PER_SECTION = 100;
/** Small, so that windows are raised many times under this load; the rest of the configuration is what users get. */
const RAISE_BY = 2_000;
const WORKERS = 8;
/** The load before the first fault must be one. */
const QUIET_COUNT_MIN = 500;
const BACK_WITHIN_MS = DEFAULT_LEASE_TERMS.leaseMs + 500;

/**
 * Six real processes under load, and one story from start to end: each test goes on where the one before stopped.
 * Every call is recorded, and all of them together must be a history of a correct sequence service.
 */
describe('a real cluster of three StoreSvr and three AllocSvr', function () {
  this.timeout(120_000);
  // Later chapters mean nothing after one that failed.
  this.bail(true);
  const uids = Array.from({ length: SECTIONS * 2 }, (_, at) => BigInt(Math.floor(at / 2) * UIDS_PER_SECTION + (at % 2) * (UIDS_PER_SECTION - 1)));
  const history = new History();
  let cluster: TestCluster;
  let workload: Workload;
  let hasFailed = false;

  before(async () => {
    const geometry = { firstUid: 0, lastUid: SECTIONS * UIDS_PER_SECTION - 1, uidsPerSection: UIDS_PER_SECTION };
    cluster = await TestCluster.start({ storeConfig: { geometry, raiseBy: RAISE_BY } });
    workload = await Workload.start({ endpoints: cluster.endpoints, uids, history, workers: WORKERS, seed: 42 });
  });

  afterEach(function () {
    if (this.currentTest?.state !== 'failed') return;
    hasFailed = true;
    console.error(cluster.lastWords());
    console.error(showViolations(checkHistory(history.operations).violations));
    history.save(cluster.path('history.jsonl'));
  });

  after(async () => {
    await workload?.close();
    await cluster?.dispose({ keep: hasFailed });
  });

  it('serves every uid, all AllocSvrs sharing the sections', async () => {
    await until(`${QUIET_COUNT_MIN} calls came back`, 60_000, () => history.operations.length >= QUIET_COUNT_MIN || undefined);
    expect(history.operations.filter(({ outcome }) => outcome.type === 'refused' || outcome.type === 'unknown')).to.deep.equal([]);
    const shares = await Promise.all(cluster.allocNames.map((name) => cluster.sectionsOf(name, name)));
    expect(shares.map(({ length }) => length)).to.deep.equal([10, 10, 10]);
  });

  it('answers seqctl', async () => {
    const first = await seqctl('seq', 'next', '42', '-o', 'json');
    const second = await seqctl('seq', 'next', '42', '-o', 'json');
    const current = await seqctl('seq', 'current', '42', '-o', 'json');
    expect([first['uid'], second['uid']]).to.deep.equal(['42', '42']);
    expect(first['seq']).to.match(/^[1-9]\d*$/);
    expect(BigInt(second['seq'] as string) > BigInt(first['seq'] as string)).to.equal(true);
    expect(current).to.include({ seq: second['seq'], exact: true });
  });

  it('fails no next while the StoreSvr leader is killed and another one is elected', async () => {
    workload.expectFaults();
    const leader = await cluster.leader();
    const fromNs = history.nowNs();
    await cluster.kill(leader);
    const next = await cluster.leader();
    const electedMs = Math.round((history.nowNs() - fromNs) / 1e6);
    // Long enough for leases and windows that the old leader left to run out, were there no new one.
    await pause(DEFAULT_LEASE_TERMS.leaseMs + 2_000);
    const { count, failed, longestMs } = summaryOf(history.operations, { fromNs, toNs: history.nowNs() });
    console.log(
      `      StoreSvr leader killed: another one leads after ${electedMs} ms; ${count} next, ${failed.length} failed, longest ${longestMs} ms`,
    );
    expect(next).not.to.equal(leader);
    expect(failed).to.deep.equal([]);
    expect(count).to.be.above(QUIET_COUNT_MIN);
    await cluster.start(leader);
    await untilAgreed();
  });

  it(`serves the sections of a killed AllocSvr again within leaseMs + 500 ms`, async () => {
    const [victim = '', teller = ''] = cluster.allocNames;
    const sections = await cluster.sectionsOf(victim, teller);
    const fromNs = history.nowNs();
    await cluster.kill(victim);
    const backMs = await Promise.all(sections.map((section) => timeUntilServed(section, fromNs)));
    const worstMs = Math.round(Math.max(...backMs));
    const isElsewhere = ({ uid }: Operation): boolean => !sections.includes(sectionOf(uid));
    const elsewhere = summaryOf(history.operations.filter(isElsewhere), { fromNs, toNs: history.nowNs() });
    console.log(`      AllocSvr killed: its ${sections.length} sections serve again after ${worstMs} ms (allowed: ${BACK_WITHIN_MS})`);
    console.log(`      meanwhile in the other sections: ${elsewhere.count} next, ${elsewhere.failed.length} failed`);
    expect(sections).not.to.deep.equal([]);
    expect(worstMs).to.be.at.most(BACK_WITHIN_MS);
    expect(elsewhere.failed).to.deep.equal([]);
    await cluster.start(victim);
    await cluster.untilServing();
  });

  it('goes on above every number handed out before, after kill -9 of everything', async () => {
    const before = highestSeen();
    await cluster.killAll();
    await cluster.startAll();
    await expectAllAbove(before);
  });

  it('goes on above every number handed out before, after a clean stop of everything', async () => {
    const before = highestSeen();
    const ends = await cluster.stopAll();
    expect([...ends]).to.deep.equal([...ends.keys()].map((name) => [name, 0]));
    await cluster.startAll();
    await expectAllAbove(before);
  });

  it('gave every number once and in order, in all of it', async () => {
    await workload.stop();
    // Run validity: the last call on every uid succeeds once all faults are healed.
    const last = await Promise.all(uids.map((uid) => workload.next(uid, 10_000)));
    expect(last.filter((seq) => typeof seq !== 'bigint')).to.deep.equal([]);
    expect(history.openCount).to.equal(0);
    const { violations, answeredCount, unknownCount } = checkHistory(history.operations);
    console.log(`      ${history.operations.length} operations: ${answeredCount} answered, ${unknownCount} with an unknown outcome`);
    expect(violations.length, showViolations(violations)).to.equal(0);
    await untilAgreed();
  });

  function sectionOf(uid: bigint): SectionId {
    return Number(uid / BigInt(UIDS_PER_SECTION)) as SectionId;
  }

  /** Milliseconds from `fromNs` until a call on a uid of the section came back. */
  async function timeUntilServed(section: SectionId, fromNs: number): Promise<number> {
    const seq = await workload.next(BigInt(section * UIDS_PER_SECTION + 50), 15_000);
    expect(seq, `section ${section}`).to.be.a('bigint');
    return (history.nowNs() - fromNs) / 1e6;
  }

  function highestSeen(): ReadonlyMap<bigint, bigint> {
    const highest = new Map<bigint, bigint>();
    for (const { uid, outcome } of history.operations) {
      if (outcome.type === 'numbers' && outcome.last > (highest.get(uid) ?? 0n)) highest.set(uid, outcome.last);
    }
    return highest;
  }

  async function expectAllAbove(before: ReadonlyMap<bigint, bigint>): Promise<void> {
    for (const uid of uids) {
      const seq = await workload.next(uid, 15_000);
      expect(seq, `uid ${uid}`).to.be.a('bigint');
      expect((seq as bigint) > (before.get(uid) ?? 0n), `uid ${uid}: ${String(seq)} after ${before.get(uid)}`).to.equal(true);
    }
  }

  /** Invariant 6: replicas that applied the same index hold the same state. Polls until all three are at the same index. */
  async function untilAgreed(): Promise<void> {
    const hashes = await until('all StoreSvrs are at the same index', 30_000, async () => {
      const statuses = await Promise.all(cluster.storeNames.map((name) => cluster.storeStatus(name)));
      const isLevel = new Set(statuses.map(({ appliedIndex }) => appliedIndex)).size === 1;
      return isLevel ? statuses.map(({ stateHash }) => stateHash) : undefined;
    });
    expect(new Set(hashes).size, hashes.join(' ')).to.equal(1);
  }

  async function seqctl(...args: string[]): Promise<Record<string, unknown>> {
    const program = join(projectRoot, 'dist', 'src', 'cli', 'main.js');
    const { stdout } = await promisify(execFile)(process.execPath, [program, ...args, '--endpoints', cluster.endpoints.join(',')]);
    return JSON.parse(stdout) as Record<string, unknown>;
  }
});
