import { spreadOf } from '../figures.js';
import { verdictsOf } from './goals.js';
import { ratioOf, type Results, type Row, spreadOfRow } from './results.js';
import type { Work } from './figures.js';
import { aligned, showFixed, showNumber, showSpread } from './show.js';

const COLUMNS = [
  'work',
  'system',
  'ops/s',
  'p50 ms',
  'p99 ms',
  'p99.9 ms',
  'server us/op',
  'client us/op',
  'server MiB',
  'ours: ops/s x',
  'ours: CPU x',
];
const OPEN_COLUMNS = ['open loop', 'system', 'done/s', 'p50 ms', 'p99 ms', 'p99.9 ms', 'longest ms', 'raises', 'waits for a raise'];
const SCALE_COLUMNS = ['scaling', 'size', 'ops/s', 'StoreSvr entries/s', 'rate / 10,000'];
const WORKER_COLUMNS = ['workers of one host', 'load', 'ops/s', 'p99 ms', 'AllocSvrs us/op', 'StoreSvrs us/op', 'busiest does'];
/** What each work is, for people. */
const WORDS: Readonly<Record<Work, string>> = {
  next: 'next(), 256 callers',
  frames: 'frames of 256, 16 at once',
  unary: 'unary Next, 64 callers',
  commit: 'one commit a number, 256 callers',
};

/** The one table, and whether each goal was reached. */
export function report(results: Results): string {
  const { measurements, openLoops, scalings } = results;
  const rows = uniqueRows(measurements);
  const blocks = [
    rows.length === 0 ? [] : [...aligned([COLUMNS, ...rows.map((row) => cellsOf(results, row))], 2), ...idleLines(results)],
    openLoops.length === 0 ? [] : aligned([OPEN_COLUMNS, ...openRows(results)], 2),
    scalings.length === 0 ? [] : aligned([SCALE_COLUMNS, ...scaleRows(results)], 1),
    results.workerRuns.length === 0 ? [] : aligned([WORKER_COLUMNS, ...workerRows(results)], 2),
    goalLines(results),
  ];
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

function idleLines({ idle }: Results): readonly string[] {
  if (idle === undefined) return [];
  const ms = (value: number): string => `${showNumber(value, 1)} ms/s`;
  return [
    `in every figure of ours, what it takes with nothing to do: AllocSvr ${ms(idle.allocMsPerSecond)}, StoreSvrs ${ms(idle.storesMsPerSecond)} of a processor`,
  ];
}

function uniqueRows(measurements: readonly Row[]): readonly Row[] {
  const rows = new Map(measurements.map(({ work, system }) => [`${work} ${system}`, { work, system }]));
  const works = Object.keys(WORDS);
  // In order of the kinds of work; within one as they were measured first, ours before all others.
  const rank = ({ work, system }: Row): number => works.indexOf(work) * 2 + (system === 'ours' ? 0 : 1);
  return [...rows.values()].sort((one, other) => rank(one) - rank(other) || one.system.localeCompare(other.system));
}

function cellsOf({ measurements }: Results, row: Row): readonly string[] {
  const of = (figure: Parameters<typeof spreadOfRow>[2], digits: number): string => showSpread(spreadOfRow(measurements, row, figure), digits);
  const middle = (figure: Parameters<typeof spreadOfRow>[2], digits: number): string => {
    const spread = spreadOfRow(measurements, row, figure);
    return spread === undefined ? '-' : showFixed(spread.median, digits);
  };
  const ours: Row = { work: row.work === 'commit' ? 'next' : row.work, system: 'ours' };
  const ratio = (figure: 'opsPerSecond' | 'serverCpuUs'): string =>
    row.system === 'ours' ? '' : showSpread(ratioOf(measurements, figure, ours, row), figure === 'opsPerSecond' ? 2 : 3);
  return [
    WORDS[row.work],
    row.system,
    of('opsPerSecond', 0),
    middle('p50Ms', 3),
    middle('p99Ms', 3),
    middle('p999Ms', 3),
    of('serverCpuUs', 3),
    middle('clientCpuUs', 3),
    middle('residentMiB', 0),
    ratio('opsPerSecond'),
    ratio('serverCpuUs'),
  ];
}

function openRows({ openLoops }: Results): readonly (readonly string[])[] {
  return openLoops.map(({ system, targetPerSecond, opsPerSecond, p50Ms, p99Ms, p999Ms, maxMs, raises, advanceWaits }) => [
    `${showNumber(targetPerSecond, 0)}/s`,
    system,
    showNumber(opsPerSecond, 0),
    ...[p50Ms, p99Ms, p999Ms, maxMs].map((ms) => showFixed(ms, 3)),
    showNumber(raises, 0),
    showNumber(advanceWaits, 0),
  ]);
}

function scaleRows({ scalings }: Results): readonly (readonly string[])[] {
  const keys = new Map(scalings.map(({ dimension, size }) => [`${dimension} ${size}`, { dimension, size }]));
  return [...keys.values()].map(({ dimension, size }) => {
    const own = scalings.filter((one) => one.dimension === dimension && one.size === size);
    const rate = spreadOf(own.map(({ opsPerSecond }) => opsPerSecond));
    const entries = spreadOf(own.map(({ entriesPerSecond }) => entriesPerSecond));
    return [dimension, showNumber(size, 0), showSpread(rate, 0), showSpread(entries, 1), showFixed((rate?.median ?? Number.NaN) / 10_000, 1)];
  });
}

function workerRows({ workerRuns }: Results): readonly (readonly string[])[] {
  const keys = new Map(workerRuns.map(({ workers, work }) => [`${work} ${workers}`, { workers, work }]));
  return [...keys.values()].map(({ workers, work }) => {
    const own = workerRuns.filter((one) => one.workers === workers && one.work === work);
    const of = (figure: 'opsPerSecond' | 'p99Ms' | 'allocCpuUs' | 'storesCpuUs' | 'busiestShare', digits: number): string =>
      showSpread(spreadOf(own.map((one) => one[figure])), digits);
    return [String(workers), WORDS[work], of('opsPerSecond', 0), of('p99Ms', 2), of('allocCpuUs', 3), of('storesCpuUs', 3), of('busiestShare', 2)];
  });
}

function goalLines(results: Results): readonly string[] {
  const word = (isReached: boolean | undefined): string => (isReached === undefined ? 'not measured' : isReached ? 'PASS' : 'FAIL');
  const rows = verdictsOf(results).map(({ goal, words, target, figure, isReached }) => [String(goal), word(isReached), words, figure, target]);
  return aligned([['goal', '', '', 'figure', 'target'], ...rows], 5);
}
