import { planAssignment, planLevelling } from '../../src/arbiter/plan.js';
import { DEFAULT_RAISE_AHEAD_MS, Preallocator } from '../../src/alloc/preallocator.js';
import { SectionAllocator } from '../../src/alloc/section-allocator.js';
import { systemClock } from '../../src/base/clock.js';
import { DEFAULT_LEASE_TERMS, DEFAULT_RENEW_EVERY_MS, waitMsOf } from '../../src/model/lease.js';
import { type Slot, toEpoch, toSectionId, toSeq, type Seq } from '../../src/model/ids.js';
import { diffTables, patchTable } from '../../src/model/routing-delta.js';
import { RoutingIndex, type RoutingTable } from '../../src/model/routing.js';
import { deltaToWire, tableToWire } from '../../src/rpc/codec.js';
import { RoutingDelta, RoutingTable as TableMessage } from '../../src/rpc/gen/seqsvr/v1/common.js';
import { recordOf } from '../../src/store/records.js';
import { ScaledSet } from './set.js';

const ALLOCS = 300;
const RUNS = 21;
/** Numbers a second of the hottest uid of a section, for the raises. */
const HOT_RATES = [1, 10, 100, 1_000];

const goals: string[] = [];

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[values.length >> 1] ?? 0;
}

/** The median of RUNS runs, in ms. */
function timed(act: () => unknown): number {
  return median(
    Array.from({ length: RUNS }, () => {
      const startMs = performance.now();
      act();
      return performance.now() - startMs;
    }),
  );
}

function line(what: string, value: string): void {
  console.log(`  ${what.padEnd(68)} ${value}`);
}

function goal(what: string, isMet: boolean, value: string): void {
  goals.push(`${isMet ? 'PASS' : 'MISS'}  ${what}: ${value}`);
}

const bytes = (count: number): string => (count < 10_000 ? `${count} B` : `${(count / 1024).toFixed(1)} KiB`);
const ms = (time: number): string => `${time.toFixed(2)} ms`;
const encodedTable = (table: RoutingTable): number => TableMessage.encode(tableToWire(table)).finish().length;

function tableOf(set: ScaledSet): RoutingTable {
  const table = set.state.table();
  if (table === undefined) throw new Error('no table');
  return table;
}

function stateBytes(set: ScaledSet): number {
  return set.state.keys().reduce((sum, key) => sum + key.length + (recordOf(set.state, key).value?.length ?? 0), 0);
}

/** Everything about one AllocSvr that dies. */
function failover(title: string, set: ScaledSet): void {
  console.log(`\n${title}`);
  const before = tableOf(set);
  const [dead] = set.callers;
  if (dead === undefined) throw new Error('nobody is there');
  line('routing table, whole', `${bytes(encodedTable(before))} in ${before.runs.length} runs`);
  line('state of a StoreSvr, all records', bytes(stateBytes(set)));
  const situation = set.situation([dead]);
  const plannerMs = timed(() => planAssignment(situation));
  const rebalanceMs = timed(() => planLevelling(set.situation()));
  const { moves } = planAssignment(situation);
  const sections = moves.reduce((sum, { sectionCount }) => sum + sectionCount, 0);
  line(`planner: ${sections} sections of a dead AllocSvr to the others`, ms(plannerMs));
  line('planner: is everything level, with the view made anew', ms(rebalanceMs));
  const startMs = performance.now();
  const { entryBytes, recordBytes } = set.assign(moves);
  const applyMs = performance.now() - startMs;
  line('its log entry, and the records that it changes', `${bytes(entryBytes)}, ${bytes(recordBytes)}; applied in ${ms(applyMs)}`);
  const after = tableOf(set);
  const delta = diffTables(before, after);
  if (delta === undefined) throw new Error('no delta');
  const deltaBytes = RoutingDelta.encode(deltaToWire(delta)).finish().length;
  const diffMs = timed(() => diffTables(before, after));
  const patchMs = timed(() => {
    const patched = patchTable(before, delta);
    if (patched === undefined) throw new Error('the delta does not fit');
    return new RoutingIndex(patched);
  });
  line('delta for clients that have the table before', `${bytes(deltaBytes)}; made in ${ms(diffMs)}, taken in by a client in ${ms(patchMs)}`);
  const waitMs = waitMsOf(DEFAULT_LEASE_TERMS);
  const workMs = plannerMs + applyMs + diffMs;
  line(
    'time to reassign, without disk and network: the wait, and the work',
    `${waitMs} ms + ${ms(workMs)}; 0 ms + ${ms(workMs)} when its supervisor saw it die`,
  );
  goal(`planner, ${title}`, plannerMs < 100 && rebalanceMs < 100, `${ms(plannerMs)} and ${ms(rebalanceMs)} (goal: under 100 ms)`);
  goal(`delta for one dead node, ${title}`, deltaBytes < 4_096, `${bytes(deltaBytes)} (goal: under 4 KB)`);
}

/** How often one section raises when its hottest uid takes `rate` numbers a second, by the real preallocator. */
function raisesPerSecond(rate: number): number {
  const prealloc = new Preallocator({ raiseBy: 10_000n, aheadMs: DEFAULT_RAISE_AHEAD_MS, trueMax: toSeq(0n), nowMs: 0 });
  let maxSeq = 10_000n;
  let raises = 0;
  const hours = 4;
  for (let second = 1; second <= hours * 3_600; second += 1) {
    const trueMax = toSeq(BigInt(rate * second));
    prealloc.sample({ trueMax, nowMs: second * 1_000 });
    const to = prealloc.target({ trueMax, maxSeq: maxSeq as Seq, needed: trueMax });
    if (to === undefined) continue;
    maxSeq = to;
    raises += 1;
  }
  return raises / (hours * 3_600);
}

function steadyState(set: ScaledSet): void {
  const { length: sectionCount } = set.state.sections;
  console.log('\nat rest and under load');
  line('lease renewals', `${(ALLOCS * 1_000) / DEFAULT_RENEW_EVERY_MS} a second, one quorum round for all that come together`);
  for (const rate of HOT_RATES) {
    const perSection = raisesPerSecond(rate);
    line(
      `raises of max_seq, the hottest uid of every section at ${rate} numbers/s`,
      `${(perSection * sectionCount).toFixed(0)} a second, ${(1 / perSection).toFixed(0)} s apart in a section`,
    );
  }
  // The first one is dead by now.
  const [, caller] = set.callers;
  if (caller === undefined) throw new Error('nobody is there');
  const owned = set.state
    .windowsOf(caller)
    .flatMap(({ firstSection, sectionCount: count, epoch, maxSeq }) =>
      Array.from({ length: count }, (_, at) => ({ section: toSectionId(firstSection + at), epoch: toEpoch(epoch), to: toSeq(maxSeq + 10_000n) })),
    );
  const startMs = performance.now();
  const { entryBytes } = set.apply({ type: 'raise', ...caller, raises: owned });
  line(`one entry that raises all ${owned.length} sections of an AllocSvr`, `${bytes(entryBytes)}, applied in ${ms(performance.now() - startMs)}`);
}

/** What it takes to begin to serve a section whose 100,000 uids were never asked for. */
function sectionLoad(): void {
  const clock = systemClock;
  const raiser = { due: () => undefined, active: () => undefined };
  const open = (): SectionAllocator => {
    const allocator = new SectionAllocator({
      section: toSectionId(0),
      epoch: toEpoch(2),
      uidCount: 100_000,
      base: toSeq(1_000n),
      maxSeq: toSeq(11_000n),
      raiseBy: 10_000n,
      clock,
      raiser,
    });
    allocator.take(99_999 as Slot, 1);
    return allocator;
  };
  const loadMs = timed(open);
  line(
    'a section of 100,000 untouched uids: opened, and its first number taken',
    `${loadMs.toFixed(3)} ms, memory for ${open().residentUidCount} uids`,
  );
  goal('a section of 100,000 untouched uids loads', loadMs < 1, `${loadMs.toFixed(3)} ms (goal: under 1 ms)`);
}

console.log(`2^32 uids, ${ALLOCS} AllocSvrs, 3 StoreSvrs: the real planner, codec and state machine, no network, no disk`);
const fresh = new ScaledSet(ALLOCS);
console.log(`${fresh.state.sections.length} sections of 100,000 uids`);
fresh.dealOut();
failover('as it is dealt out: neighbours together', fresh);
const scattered = new ScaledSet(ALLOCS);
scattered.scatter(1);
failover('as bad as it gets: every section with somebody else than its neighbour', scattered);
steadyState(fresh);
sectionLoad();
console.log(`\n${goals.join('\n')}`);
process.exitCode = goals.some((text) => text.startsWith('MISS')) ? 1 : 0;
