import { type Spread, spreadOf } from '../figures.js';
import { ratioOf, type Results, type Row } from './results.js';
import { showNumber, showSpread } from './show.js';

/** What became of one goal. `isReached` undefined: what it speaks of was not measured. */
export interface Verdict {
  readonly goal: number;
  readonly words: string;
  readonly target: string;
  readonly figure: string;
  readonly isReached: boolean | undefined;
}

const OURS: Row = { work: 'next', system: 'ours' };
const IOREDIS: Row = { work: 'next', system: 'ioredis everysec' };
const FRAMES: Row = { work: 'frames', system: 'ours' };
const REDIS_C: Row = { work: 'frames', system: 'redis-benchmark everysec' };
const UNARY: Row = { work: 'unary', system: 'ours' };
const ECHO: Row = { work: 'unary', system: 'grpc-js echo' };
const ETCD: Row = { work: 'commit', system: 'etcd' };
const POSTGRES: Row = { work: 'commit', system: 'postgres' };

const RATES = [20_000, 100_000, 500_000];
/** A rate is held when this share of it was done. */
const HELD = 0.99;
const P50_MAX_MS = 0.1;
const P999_MAX_MS = 3;
const SAMPLE_MAX_MS = 50;
const BYTES_PER_UID_MAX = 4.2;
/** What a section itself costs, over its 100,000 uids: a uid by itself is to cost nothing. */
const UNTOUCHED_BYTES_MAX = 0.1;
const TAKEOVER_MAX_MS = 0.1;
const SCALE_SPREAD_MAX = 1.1;
/** The article's: how far one raise lifts a section. */
const RAISE_BY = 10_000;
/** Entries a second that have nothing to do with numbers, such as a decision of the arbiter. */
const ENTRIES_IDLE = 5;

/** The nine goals of the project, judged by medians of ratios within one run. */
export function verdictsOf(results: Results): readonly Verdict[] {
  const { measurements } = results;
  const atLeast = (goal: number, words: string, bound: number, ratio: Spread | undefined): Verdict => ({
    goal,
    words,
    target: `>= ${showNumber(bound, 2)} x`,
    figure: showRatio(ratio),
    isReached: ratio === undefined ? undefined : ratio.median >= bound,
  });
  const atMost = (goal: number, words: string, bound: number, ratio: Spread | undefined): Verdict => ({
    goal,
    words,
    target: `<= ${showNumber(bound, 3)} x`,
    figure: showRatio(ratio),
    isReached: ratio === undefined ? undefined : ratio.median <= bound,
  });
  return [
    atLeast(1, "next(): operations/s over ioredis'", 8, ratioOf(measurements, 'opsPerSecond', OURS, IOREDIS)),
    atMost(1, "next(): p99 over ioredis'", 1, ratioOf(measurements, 'p99Ms', OURS, IOREDIS)),
    atMost(2, "next(): server CPU over redis-server's", 1 / 4, ratioOf(measurements, 'serverCpuUs', OURS, IOREDIS)),
    atLeast(3, "frames of 256: operations/s over redis' C client", 8, ratioOf(measurements, 'opsPerSecond', FRAMES, REDIS_C)),
    atMost(3, "frames of 256: server CPU over redis-server's", 1 / 8, ratioOf(measurements, 'serverCpuUs', FRAMES, REDIS_C)),
    atMost(4, "unary Next: server CPU over a bare echo's", 1.1, ratioOf(measurements, 'serverCpuUs', UNARY, ECHO)),
    atLeast(5, "next(): operations/s over etcd's compare-and-set", 500, ratioOf(measurements, 'opsPerSecond', OURS, ETCD)),
    atLeast(5, "next(): operations/s over PostgreSQL's UPDATE", 50, ratioOf(measurements, 'opsPerSecond', OURS, POSTGRES)),
    ...RATES.flatMap((rate) => openVerdicts(results, rate)),
    memoryVerdict(results),
    ...takeoverVerdicts(results),
    scaleVerdict(results, 'uids'),
    scaleVerdict(results, 'sections'),
    entriesVerdict(results),
    waitsVerdict(results),
  ];
}

function openVerdicts({ openLoops }: Results, rate: number): Verdict[] {
  const find = (system: string) => openLoops.find((one) => one.system === system && one.targetPerSecond === rate);
  const ours = find('ours');
  const ioredis = find('ioredis everysec');
  const at = `open loop at ${showNumber(rate, 0)}/s`;
  const own: Verdict = {
    goal: 6,
    words: `${at}: p50, p99.9, longest`,
    target: `<= ${P50_MAX_MS} ms, <= ${P999_MAX_MS} ms, <= ${SAMPLE_MAX_MS} ms`,
    figure: ours === undefined ? '' : [ours.p50Ms, ours.p999Ms, ours.maxMs].map((ms) => `${showNumber(ms, 3)} ms`).join(', ') + heldText(ours),
    isReached: ours === undefined ? undefined : isHeld(ours) && ours.p50Ms <= P50_MAX_MS && ours.p999Ms <= P999_MAX_MS && ours.maxMs <= SAMPLE_MAX_MS,
  };
  // What ioredis does not hold is nothing to be measured by.
  if (ours === undefined || ioredis === undefined || !isHeld(ioredis)) return [own];
  const ratio = ours.p999Ms / ioredis.p999Ms;
  const against = {
    goal: 6,
    words: `${at}: p99.9 over ioredis'`,
    target: '<= 0.25 x',
    figure: `${showNumber(ratio, 3)} x`,
    isReached: ratio <= 1 / 4,
  };
  return [own, against];
}

function isHeld({ opsPerSecond, targetPerSecond }: { readonly opsPerSecond: number; readonly targetPerSecond: number }): boolean {
  return opsPerSecond >= targetPerSecond * HELD;
}

function heldText(one: { readonly opsPerSecond: number; readonly targetPerSecond: number }): string {
  return isHeld(one) ? '' : ` (not held: ${showNumber(one.opsPerSecond, 0)}/s)`;
}

function memoryVerdict({ memory }: Results): Verdict {
  return {
    goal: 7,
    words: 'memory for each touched uid',
    target: `<= ${BYTES_PER_UID_MAX} bytes`,
    figure:
      memory === undefined
        ? ''
        : `${showNumber(memory.bytesPerUid, 2)} bytes (resident: ${showNumber(memory.residentBytesPerUid, 2)}), over ${showNumber(memory.touchedUids, 0)} uids`,
    isReached: memory === undefined ? undefined : memory.bytesPerUid <= BYTES_PER_UID_MAX,
  };
}

function takeoverVerdicts({ takeover }: Results): Verdict[] {
  const sections = takeover === undefined ? '' : showNumber(takeover.sections, 0);
  return [
    {
      goal: 7,
      words: 'memory for each untouched uid of an open section',
      target: `<= ${UNTOUCHED_BYTES_MAX} bytes`,
      figure: takeover === undefined ? '' : `${showNumber(takeover.bytesPerUid, 3)} bytes, over ${sections} sections`,
      isReached: takeover === undefined ? undefined : takeover.bytesPerUid <= UNTOUCHED_BYTES_MAX,
    },
    {
      goal: 7,
      words: 'takeover of a section of untouched uids',
      target: `< ${TAKEOVER_MAX_MS} ms`,
      figure: takeover === undefined ? '' : `${showNumber(takeover.medianMs, 4)} ms, the slowest of ${sections} ${showNumber(takeover.maxMs, 3)} ms`,
      isReached: takeover === undefined ? undefined : takeover.medianMs < TAKEOVER_MAX_MS,
    },
  ];
}

/** By the median of each size: the fastest over the slowest. */
function scaleVerdict({ scalings }: Results, dimension: 'uids' | 'sections'): Verdict {
  const own = scalings.filter((one) => one.dimension === dimension);
  const sizes = [...new Set(own.map(({ size }) => size))];
  const medians = sizes.flatMap((size) => spreadOf(own.filter((one) => one.size === size).map(({ opsPerSecond }) => opsPerSecond))?.median ?? []);
  const ratio = Math.max(...medians) / Math.min(...medians);
  return {
    goal: 8,
    words: `operations/s for ${sizes.map((size) => showNumber(size, 0)).join(', ')} ${dimension}: most over least`,
    target: `<= ${showNumber(SCALE_SPREAD_MAX, 2)} x`,
    figure: medians.length < 2 ? '' : `${showNumber(ratio, 2)} x`,
    isReached: medians.length < 2 ? undefined : ratio <= SCALE_SPREAD_MAX,
  };
}

function entriesVerdict({ scalings }: Results): Verdict {
  const over = scalings.map(({ entriesPerSecond, opsPerSecond }) => entriesPerSecond - opsPerSecond / RAISE_BY);
  const most = Math.max(...scalings.map(({ entriesPerSecond }) => entriesPerSecond));
  return {
    goal: 8,
    words: 'StoreSvr entries/s follow rate / raiseBy',
    target: `<= rate / ${showNumber(RAISE_BY, 0)} + ${ENTRIES_IDLE}`,
    figure: over.length === 0 ? '' : `${showNumber(most, 1)}/s at most, ${showNumber(Math.max(...over), 1)} over rate / raiseBy`,
    isReached: over.length === 0 ? undefined : Math.max(...over) <= ENTRIES_IDLE,
  };
}

function waitsVerdict({ openLoops }: Results): Verdict {
  const waits = openLoops.filter(({ system }) => system === 'ours').reduce((sum, { advanceWaits }) => sum + advanceWaits, 0);
  const isMeasured = openLoops.some(({ system }) => system === 'ours');
  return {
    goal: 9,
    words: "calls that waited for a raise in goal 6's run",
    target: '0',
    figure: isMeasured ? showNumber(waits, 0) : '',
    isReached: isMeasured ? waits === 0 : undefined,
  };
}

function showRatio(ratio: Spread | undefined): string {
  return ratio === undefined ? '' : `${showSpread(ratio, 3)} x`;
}
