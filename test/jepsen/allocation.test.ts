import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../src/base/clock.js';
import { SeqClient, SeqError } from '../../src/client/client.js';
import type { SectionId } from '../../src/model/ids.js';
import { waitMsOf } from '../../src/model/lease.js';
import { type Channel, GrpcChannel } from '../../src/rpc/channel.js';
import { SeqServiceService } from '../../src/rpc/gen/seqsvr/v1/seq.js';
import { checkHistory, showViolations } from '../../src/verify/check-history.js';
import { TestCluster } from './cluster.js';
import { History } from './history.js';
import { Network, type Way } from './network.js';
import { pause, until } from './until.js';
import { Workload } from './workload.js';

const SECTIONS = 30;
const UIDS_PER_SECTION = 100;
const ALLOCS = ['alloc-1', 'alloc-2', 'alloc-3'];
const [VICTIM] = ALLOCS as [string];
/** Shorter than what users get, so that many leases end in little time; the arithmetic between the figures is the same. */
const LEASE = { leaseMs: 1_500, driftPpm: 10_000, marginMs: 100 };
const WORKERS = 6;
const QUEUED = 200;
const CLIENTS = 1_000;
/** What a cut may cost beyond the arbiter's wait, in ms: a stream that is cut one way is noticed by its silence. */
const CUT_GRACE_MS = 12_000;
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';

/**
 * One cluster in network namespaces, and everything that can befall the owner of a section: it is paused, cut off, its
 * clock jumps, its leader dies in the middle. All calls together must be a history of a correct sequence service.
 */
describe('sections whose owner is in trouble', function () {
  this.timeout(180_000);
  this.bail(true);
  const uids = Array.from({ length: SECTIONS * 2 }, (_, at) => BigInt(Math.floor(at / 2) * UIDS_PER_SECTION + (at % 2) * (UIDS_PER_SECTION - 1)));
  const history = new History();
  let network: Network;
  let cluster: TestCluster;
  let workload: Workload;
  let clocks: string;
  let hasFailed = false;

  before(async function () {
    const why = Network.whyNot();
    if (why !== undefined) {
      console.log(`      ${why}`);
      this.skip();
    }
    clocks = mkdtempSync(join(tmpdir(), 'seqsvr-clocks-'));
    network = Network.create(['stores', ...ALLOCS]);
    const geometry = { firstUid: 0, lastUid: SECTIONS * UIDS_PER_SECTION - 1, uidsPerSection: UIDS_PER_SECTION };
    const times = { lease: `${LEASE.leaseMs}ms`, election: '300ms', heartbeat: '60ms' };
    cluster = await TestCluster.start({
      placeOf: (name) => {
        const place = ALLOCS.includes(name) ? name : 'stores';
        return { host: network.hostOf(place), prefix: network.prefixOf(place), env: name === VICTIM ? fakeClock(name) : {} };
      },
      storeConfig: { geometry, raiseBy: 2_000, ...times },
      allocConfig: { renewEvery: '300ms' },
    });
    workload = await Workload.start({ endpoints: cluster.endpoints, uids, history, workers: WORKERS, seed: 7 });
    await until('the load flows', 60_000, () => history.operations.length > 300 || undefined);
    workload.expectFaults();
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
    network?.dispose();
    if (clocks !== undefined) rmSync(clocks, { recursive: true });
  });

  it('answers none of the requests that waited in a paused owner for two leases', async () => {
    const sections = await cluster.sectionsOf(VICTIM, 'alloc-2');
    const channel = new GrpcChannel({ address: cluster.addressOf(VICTIM), clock: systemClock });
    await channel.call(SeqServiceService.next, requestFor(sections[0]!), { timeoutMs: 5_000 });
    cluster.signal(VICTIM, 'SIGSTOP');
    const queued = Array.from({ length: QUEUED }, (_, at) => queue(channel, sections[at % sections.length]!));
    await pause(LEASE.leaseMs * 2);
    await untilServed(sections, 0);
    cluster.signal(VICTIM, 'SIGCONT');
    const codes = await Promise.all(queued);
    channel.close();
    const servedLate = codes.filter((code) => code === 'served').length;
    console.log(`      ${QUEUED} requests waited in a paused owner, ${servedLate} of them were served late; ${countsOf(codes)}`);
    expect(servedLate).to.equal(0);
    await cluster.untilServing();
  });

  const cuts: readonly (readonly [string, readonly (readonly [peer: string, way: Way])[]])[] = [
    ['from the stores, both ways', [['stores', 'both']]],
    ['from the stores, on the way in', [['stores', 'in']]],
    ['from the stores, on the way out', [['stores', 'out']]],
    ['from its clients, both ways', [['outside', 'both']]],
    ['from its clients, on the way in', [['outside', 'in']]],
    ['from its clients, on the way out', [['outside', 'out']]],
    [
      'from everybody',
      [
        ['stores', 'both'],
        ['outside', 'both'],
      ],
    ],
  ];
  for (const [what, peers] of cuts) {
    it(`goes on after its owner was cut off ${what}`, async () => {
      const sections = await cluster.sectionsOf(VICTIM, 'alloc-2');
      expect(sections).not.to.deep.equal([]);
      const fromNs = history.nowNs();
      for (const [peer, way] of peers) network.cut(VICTIM, peer, way);
      const losesLease = peers.some(([peer]) => peer === 'stores');
      if (losesLease) {
        await until('its sections went to others', waitMsOf(LEASE) + CUT_GRACE_MS, async () =>
          (await cluster.sectionsOf(VICTIM, 'alloc-2')).length === 0 ? true : undefined,
        );
        const backMs = await untilServed(sections, fromNs);
        console.log(`      ${sections.length} sections of an owner cut off ${what} serve again after ${backMs} ms`);
      } else await pause(LEASE.leaseMs * 2);
      network.heal(VICTIM);
      await untilServed(sections, fromNs);
      await cluster.untilServing();
    });
  }

  it('waits a whole wait when the leader dies right before it would assign, and serves again', async () => {
    const sections = await cluster.sectionsOf(VICTIM, 'alloc-2');
    const fromNs = history.nowNs();
    await cluster.kill(VICTIM);
    const leader = await cluster.leader();
    // The decision is under way, or about to be.
    await pause(waitMsOf(LEASE) - 300);
    await cluster.kill(leader);
    const backMs = await untilServed(sections, fromNs);
    console.log(`      AllocSvr and, in the middle of the assignment, the leader killed: ${sections.length} sections serve again after ${backMs} ms`);
    await cluster.startAll();
  });

  for (const [what, seconds] of [
    ['an hour forward', 3_600],
    ['an hour back', -3_600],
  ] as const) {
    it(`serves on when the wall clock of an owner jumps ${what}`, async function () {
      if (!existsSync(FAKETIME)) {
        console.log('      skipped: the clock of a process cannot be faked here (package faketime)');
        this.skip();
      }
      const [section] = await cluster.sectionsOf(VICTIM, 'alloc-2');
      const fromNs = history.nowNs();
      writeFileSync(clockFile(VICTIM), offset(seconds));
      await pause(LEASE.leaseMs * 2);
      const backMs = await untilServed([section!], fromNs);
      expect(await cluster.sectionsOf(VICTIM, 'alloc-2'), 'it kept them').to.include(section);
      writeFileSync(clockFile(VICTIM), offset(0));
      await pause(LEASE.leaseMs);
      await cluster.untilServing();
      console.log(`      the wall clock of an owner jumped ${what}: its section answered within ${backMs} ms`);
    });
  }

  it(`lets ${CLIENTS} clients with the oldest table through a failover`, async () => {
    const clients = Array.from({ length: CLIENTS }, () => SeqClient.lazy({ endpoints: cluster.endpoints, timeoutMs: 30_000 }));
    const callAll = (): Promise<readonly (bigint | SeqError)[]> =>
      Promise.all(clients.map((client, at) => recorded(client, uids[at % uids.length]!)));
    // They connect a hundred at a time: what is looked at is the failover.
    for (let at = 0; at < CLIENTS; at += 100) {
      const first = await Promise.all(clients.slice(at, at + 100).map((client, index) => recorded(client, uids[(at + index) % uids.length]!)));
      expect(first.filter((seq) => typeof seq !== 'bigint')).to.deep.equal([]);
    }
    await cluster.kill(VICTIM);
    const fromNs = history.nowNs();
    const answers = await callAll();
    const tookMs = Math.round((history.nowNs() - fromNs) / 1e6);
    console.log(`      ${CLIENTS} clients called through a failover: all answered after ${tookMs} ms`);
    expect(answers.filter((seq) => typeof seq !== 'bigint')).to.deep.equal([]);
    await Promise.all(clients.map((client) => client.close()));
    await cluster.startAll();
  });

  it('gave every number once and in order, in all of it', async () => {
    await workload.stop();
    const last = await Promise.all(uids.map((uid) => workload.next(uid, 10_000)));
    expect(last.filter((seq) => typeof seq !== 'bigint')).to.deep.equal([]);
    expect(history.openCount).to.equal(0);
    const { violations, answeredCount, unknownCount } = checkHistory(history.operations);
    const count = (kind: string): number => violations.filter((violation) => violation.kind === kind).length;
    console.log(
      `      ${history.operations.length} operations: ${answeredCount} answered, ${unknownCount} with an unknown outcome; ` +
        `uniqueness violated ${count('uniqueness')} times, order ${count('order')} times`,
    );
    expect(violations.length, showViolations(violations)).to.equal(0);
  });

  function requestFor(section: SectionId) {
    const uid = BigInt(section * UIDS_PER_SECTION + 1);
    return { uid, count: 1, floor: 0n, strict: false };
  }

  /** One call that goes to the paused owner itself, recorded like all others. */
  async function queue(channel: Channel, section: SectionId): Promise<string> {
    const request = requestFor(section);
    const pending = history.begin({ client: 'queued', call: 'next', uid: request.uid, count: 1 });
    try {
      const { first, last } = await channel.call(SeqServiceService.next, request, { timeoutMs: 30_000 });
      pending.numbers(first, last);
      return 'served';
    } catch (error) {
      pending.failed(error);
      return SeqError.is(error) ? error.code : 'bug';
    }
  }

  async function recorded(client: SeqClient, uid: bigint): Promise<bigint | SeqError> {
    const pending = history.begin({ client: 'one of many', call: 'next', uid, count: 1 });
    try {
      const seq = await client.next(uid);
      pending.numbers(seq, seq);
      return seq;
    } catch (error) {
      pending.failed(error);
      if (SeqError.is(error)) return error;
      throw error;
    }
  }

  /** Milliseconds since `fromNs` until every one of the sections answered. */
  async function untilServed(sections: readonly SectionId[], fromNs: number): Promise<number> {
    const answers = await Promise.all(sections.map((section) => workload.next(BigInt(section * UIDS_PER_SECTION + 50), 40_000)));
    expect(answers.filter((seq) => typeof seq !== 'bigint')).to.deep.equal([]);
    return Math.round((history.nowNs() - fromNs) / 1e6);
  }

  function clockFile(name: string): string {
    return join(clocks, name);
  }

  function fakeClock(name: string): Record<string, string> {
    if (!existsSync(FAKETIME)) return {};
    writeFileSync(clockFile(name), offset(0));
    const steady = { DONT_FAKE_MONOTONIC: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
    return { LD_PRELOAD: FAKETIME, FAKETIME_TIMESTAMP_FILE: clockFile(name), FAKETIME_NO_CACHE: '1', ...steady };
  }
});

function offset(seconds: number): string {
  return `${seconds < 0 ? '' : '+'}${seconds}\n`;
}

function countsOf(codes: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1);
  return [...counts].map(([code, count]) => `${code} ${count}`).join(', ');
}
