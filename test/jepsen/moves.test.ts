import { expect } from 'chai';
import { systemClock } from '../../src/base/clock.js';
import { SeqClient } from '../../src/client/client.js';
import type { SectionId } from '../../src/model/ids.js';
import { DEFAULT_POLICY } from '../../src/model/policy.js';
import { type Channel, GrpcChannel } from '../../src/rpc/channel.js';
import { PlacementServiceService } from '../../src/rpc/gen/seqsvr/v1/placement.js';
import { checkHistory, showViolations } from '../../src/verify/check-history.js';
import { TestCluster } from './cluster.js';
import { History } from './history.js';
import { failedOf, jumpedOf, latencyMs, type Sample, Steady } from './steady.js';
import { pause, until } from './until.js';

const SECTIONS = 15;
const UIDS_PER_SECTION = 1_000;
const UIDS_EACH = 2;
const CLIENTS = 3;
const MOVES = 200;
/** The goal is 50 ms at the 99th percentile, printed below; a busy machine is not a broken one, so the test only fails far from it. */
const UNAVAILABLE_MAX_MS = 5_000;
const QUIET_MS = 3_000;
const STRICT_CALLERS = 32;
const STRICT_ROUNDS = 4;
const STRICT_ROUND_MS = 1_000;

/**
 * Everything that is planned: moves, a clean change of the leader, a rolling restart, a clean stop. One writer a uid calls
 * all the time; none of its calls may fail, and none of its counters may skip a number.
 */
describe('a real cluster under load, and what its operators plan', function () {
  this.timeout(180_000);
  this.bail(true);
  const uids = Array.from({ length: SECTIONS * UIDS_EACH }, (_, at) => BigInt((at % SECTIONS) * UIDS_PER_SECTION + Math.floor(at / SECTIONS) * 700));
  const history = new History();
  let cluster: TestCluster;
  let steady: Steady;
  let leader: Channel | undefined;
  let hasFailed = false;

  before(async () => {
    const geometry = { firstUid: 0, lastUid: SECTIONS * UIDS_PER_SECTION - 1, uidsPerSection: UIDS_PER_SECTION };
    cluster = await TestCluster.start({ storeConfig: { geometry, raiseBy: 2_000 } });
    steady = await Steady.start({ endpoints: cluster.endpoints, uids, history, clients: CLIENTS });
    await pause(QUIET_MS);
  });

  afterEach(function () {
    if (this.currentTest?.state !== 'failed') return;
    hasFailed = true;
    console.error(cluster.lastWords());
    for (const { uid, error } of failedOf(steady.samples).slice(0, 5)) console.error(`uid ${uid}: ${error}`);
  });

  after(async () => {
    await steady?.stop();
    leader?.close();
    await cluster?.dispose({ keep: hasFailed });
  });

  it(`moves sections, ${MOVES} of them one by one, and nobody notices`, async () => {
    // Or it would level what the test puts out of level.
    await pauseArbiter(true);
    const fromNs = history.nowNs();
    const [pausesMs, besideMs]: [number[], number[]] = [[], []];
    for (let move = 0; move < MOVES; move += 1) {
      const section = (move % SECTIONS) as SectionId;
      const sentNs = history.nowNs();
      await moveTo(section, await otherThanOwner(section));
      const around = await settled(section, sentNs);
      pausesMs.push(longestMs(around.filter(isOf(section))));
      // What this machine does to a section that stays where it is, in the very same time.
      besideMs.push(longestMs(around.filter(isOf(((section + Math.floor(SECTIONS / 2)) % SECTIONS) as SectionId))));
    }
    const [moved, beside] = [pausesOf(pausesMs), pausesOf(besideMs)];
    const samples = steady.within(fromNs, history.nowNs());
    const [failed, jumped] = [failedOf(samples), jumpedOf(samples)];
    console.log(
      `      ${MOVES} planned moves: a section does not answer for ${shown(moved.median)} ms (median), ${shown(moved.p99)} ms (p99), ` +
        `${shown(moved.most)} ms at most; one that stays, meanwhile, for ${shown(beside.median)}, ${shown(beside.p99)} and ${shown(beside.most)} ms; ` +
        `${samples.length} calls, ${failed.length} failed, ${jumped.size} uids jumped`,
    );
    expect(failed).to.deep.equal([]);
    expect([...jumped]).to.deep.equal([]);
    expect(moved.p99).to.be.below(UNAVAILABLE_MAX_MS);
  });

  it('gives a section back and forth as fast as it can, and every counter goes on', async () => {
    const fromNs = history.nowNs();
    const section = 5 as SectionId;
    const home = await ownerOf(section);
    for (let turn = 0; turn < 20; turn += 1) await moveTo(section, turn % 2 === 0 ? await otherThanOwner(section) : home);
    await settled(section, history.nowNs());
    await pauseArbiter(false);
    const samples = steady.within(fromNs, history.nowNs());
    expect([failedOf(samples), [...jumpedOf(samples)]]).to.deep.equal([[], []]);
  });

  it('says what STRICT costs, beside the same calls without it', async () => {
    const client = await SeqClient.connect({ endpoints: cluster.endpoints });
    const latencies = { plain: [] as number[], strict: [] as number[] };
    try {
      for (let round = 0; round < STRICT_ROUNDS; round += 1)
        for (const mode of ['plain', 'strict'] as const) latencies[mode].push(...(await callersFor(client, STRICT_ROUND_MS, mode === 'strict')));
    } finally {
      await client.close();
    }
    const [plain, strict] = [figuresOf(latencies.plain), figuresOf(latencies.strict)];
    console.log(
      `      ${STRICT_CALLERS} callers, ${STRICT_ROUNDS} rounds each in turn: plain ${plain.perSecond} next/s, p50 ${shown(plain.p50)} ms, p99 ${shown(plain.p99)} ms; ` +
        `STRICT ${strict.perSecond} next/s, p50 ${shown(strict.p50)} ms, p99 ${shown(strict.p99)} ms: ${(plain.perSecond / strict.perSecond).toFixed(2)} x fewer, ` +
        `p50 ${(strict.p50 / plain.p50).toFixed(2)} x as long`,
    );
    expect(strict.perSecond).to.be.above(0);
  });

  it('loses its StoreSvr leader, and no call fails or is slower for it', async () => {
    const quiet = await stretch(async () => pause(QUIET_MS));
    const lossy = await stretch(async () => {
      const leader = await cluster.leader();
      await cluster.kill(leader);
      await cluster.leader();
      await pause(QUIET_MS);
      await cluster.start(leader);
    });
    const share = 0.999;
    console.log(
      `      StoreSvr leader killed: ${lossy.length} calls, ${failedOf(lossy).length} failed; p99.9 of next ${shown(latencyMs(lossy, share))} ms, ` +
        `${shown(latencyMs(quiet, share))} ms before, in ${quiet.length} calls`,
    );
    expect(failedOf(lossy)).to.deep.equal([]);
  });

  it('restarts every process of it, one after another', async () => {
    const samples = await stretch(async () => {
      for (const name of [...cluster.allocNames, ...cluster.storeNames]) {
        expect(await cluster.stop(name), name).to.equal(0);
        await cluster.start(name);
        await cluster.leader();
        await cluster.untilServing();
      }
    });
    const [failed, jumped] = [failedOf(samples), jumpedOf(samples)];
    console.log(
      `      rolling restart of ${cluster.storeNames.length} + ${cluster.allocNames.length} processes: ${samples.length} calls, ${failed.length} failed, ` +
        `${jumped.size} uids jumped; longest call ${shown(longestMs(samples))} ms`,
    );
    expect(failed).to.deep.equal([]);
    expect([...jumped]).to.deep.equal([]);
  });

  it('stops as a whole, and goes on where it was', async () => {
    const before = steady.samples.length;
    await steady.stop();
    const last = new Map(steady.samples.map(({ uid, seq }) => [uid, seq ?? 0n]));
    const ends = await cluster.stopAll();
    expect([...ends].filter(([, code]) => code !== 0)).to.deep.equal([]);
    await cluster.startAll();
    steady = await Steady.start({ endpoints: cluster.endpoints, uids, history, clients: CLIENTS });
    await until('every uid was called', 20_000, () => new Set(steady.samples.map(({ uid }) => uid)).size === uids.length || undefined);
    const jumped = uids.filter((uid) => steady.samples.find((sample) => sample.uid === uid)?.seq !== last.get(uid)! + 1n);
    console.log(`      clean stop and start of everything after ${before} calls: ${jumped.length} of ${uids.length} uids jumped`);
    expect(jumped).to.deep.equal([]);
  });

  it('gave every number once and in order, in all of it', async () => {
    await steady.stop();
    const { violations, answeredCount } = checkHistory(history.operations);
    console.log(`      ${answeredCount} operations checked`);
    expect(violations.length, showViolations(violations)).to.equal(0);
  });

  /** Callers that call `next` on uids of their own, one call at a time, for a while. Returns how long each call took, in ms. */
  async function callersFor(client: SeqClient, forMs: number, strict: boolean): Promise<number[]> {
    const latencies: number[] = [];
    const endMs = performance.now() + forMs;
    const call = async (caller: number): Promise<void> => {
      while (performance.now() < endMs) {
        const startMs = performance.now();
        await client.next(BigInt((caller % SECTIONS) * UIDS_PER_SECTION + 900), { strict });
        latencies.push(performance.now() - startMs);
      }
    };
    await Promise.all(Array.from({ length: STRICT_CALLERS }, (_, caller) => call(caller)));
    return latencies;
  }

  async function stretch(act: () => Promise<void>): Promise<readonly Sample[]> {
    const fromNs = history.nowNs();
    await act();
    return steady.within(fromNs, history.nowNs());
  }

  /** Waits until the section has answered again after what was just done to it; all samples since `fromNs`. */
  async function settled(section: SectionId, fromNs: number): Promise<readonly Sample[]> {
    const doneNs = history.nowNs();
    await until(`section ${section} answers`, 20_000, () => {
      const later = steady.samples.slice(-2_000).filter((sample) => isOf(section)(sample) && sample.fromNs > doneNs && sample.seq !== undefined);
      return new Set(later.map(({ uid }) => uid)).size === UIDS_EACH || undefined;
    });
    return steady.within(fromNs, history.nowNs());
  }

  /** Asks the leader; what it costs to find it is not what is measured, so it is remembered. */
  async function askLeader<Answer>(what: string, ask: (channel: Channel) => Promise<Answer>): Promise<Answer> {
    return until(what, 20_000, async () => {
      leader ??= new GrpcChannel({ address: cluster.addressOf(await cluster.leader()), clock: systemClock });
      try {
        return await ask(leader);
      } catch (error) {
        leader.close();
        leader = undefined;
        throw error;
      }
    });
  }

  async function pauseArbiter(isPaused: boolean): Promise<void> {
    const policy = { ...DEFAULT_POLICY, standbys: [], isPaused };
    await askLeader('the policy is set', (channel) =>
      channel.call(PlacementServiceService.setPolicy, { policy, reason: 'test' }, { timeoutMs: 5_000 }),
    );
  }

  /** Plans the move and waits until it is done. */
  async function moveTo(section: SectionId, toAllocId: string): Promise<void> {
    const request = { firstSection: section, sectionCount: 1, toAllocId, isDryRun: false, reason: 'test' };
    await askLeader(`section ${section} moves to ${toAllocId}`, (channel) =>
      channel.call(PlacementServiceService.moveSections, request, { timeoutMs: 5_000 }),
    );
    await until(`section ${section} has moved to ${toAllocId}`, 20_000, async () => (await ownerOf(section)) === toAllocId || undefined);
  }

  async function ownerOf(section: SectionId): Promise<string> {
    const { sections } = await askLeader('sections', (channel) =>
      channel.call(PlacementServiceService.listSections, { allocId: '' }, { timeoutMs: 5_000 }),
    );
    const run = sections.find(({ firstSection, sectionCount }) => section >= firstSection && section < firstSection + sectionCount);
    return run?.allocId ?? '';
  }

  async function otherThanOwner(section: SectionId): Promise<string> {
    const owner = await ownerOf(section);
    return cluster.allocNames.find((name) => name !== owner)!;
  }
});

function isOf(section: SectionId): (sample: Sample) => boolean {
  return ({ uid }) => Number(uid / BigInt(UIDS_PER_SECTION)) === section;
}

function pausesOf(pausesMs: readonly number[]): { readonly median: number; readonly p99: number; readonly most: number } {
  const sorted = [...pausesMs].sort((one, other) => one - other);
  const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? 0;
  return { median: at(0.5), p99: at(0.99), most: at(1) };
}

/** The longest that one of these calls took: for so long its section did not answer. */
function longestMs(samples: readonly Sample[]): number {
  return latencyMs(samples, 1);
}

function figuresOf(latencies: readonly number[]): { readonly perSecond: number; readonly p50: number; readonly p99: number } {
  const sorted = [...latencies].sort((one, other) => one - other);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { perSecond: Math.round((sorted.length * 1_000) / (STRICT_ROUNDS * STRICT_ROUND_MS)), p50: at(0.5), p99: at(0.99) };
}

function shown(ms: number): string {
  return ms.toFixed(1);
}
