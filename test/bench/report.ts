import { type Goal, GOALS, isReached, type Measurement, ratioOf, type Spread, spreadOf } from './figures.js';

const COLUMNS = ['system', 'callers', 'commits/s (min-max)', 'p50 ms (min-max)', 'p99 ms (min-max)', 'syncs/commit'];

/** The one table, the ratios below it, and a line for each goal. */
export function report(all: readonly Measurement[]): string {
  const callerCounts = [...new Set(all.map(({ callers }) => callers))];
  const systems = ['ours', 'floor', 'etcd'].filter((system) => all.some((one) => one.system === system));
  const rows = callerCounts.flatMap((callers) => systems.map((system) => rowOf(all, system, callers)));
  const ratios = callerCounts.flatMap((callers) => systems.filter((system) => system !== 'ours').map((against) => ratioRowOf(all, callers, against)));
  return [
    ...aligned([COLUMNS, ...rows]),
    '',
    ...aligned([['ours /', 'callers', 'commits/s (min-max)', 'p50 (min-max)', 'p99 (min-max)'], ...ratios]),
    '',
    ...GOALS.map((goal) => goalLine(goal, ratioOf(all, goal))),
  ].join('\n');
}

function rowOf(all: readonly Measurement[], system: string, callers: number): readonly string[] {
  const cells = all.filter((one) => one.system === system && one.callers === callers);
  const of = (pick: (cell: Measurement) => number, digits: number): string => showSpread(spreadOf(cells.map(pick)), digits);
  return [
    system,
    String(callers),
    of((cell) => cell.commitsPerSecond, 0),
    of((cell) => cell.p50Ms, 2),
    of((cell) => cell.p99Ms, 2),
    show(spreadOf(cells.map((cell) => cell.syncsPerCommit))?.median, 3),
  ];
}

function ratioRowOf(all: readonly Measurement[], callers: number, against: string): readonly string[] {
  const of = (figure: 'commitsPerSecond' | 'p50Ms' | 'p99Ms'): string => showSpread(ratioOf(all, { figure, callers, against }), 2);
  return [against, String(callers), of('commitsPerSecond'), of('p50Ms'), of('p99Ms')];
}

function goalLine(goal: Goal, ratio: Spread | undefined): string {
  const verdict = { true: 'PASS', false: 'MISS', undefined: 'SKIP' }[`${isReached(goal, ratio)}`];
  return `${verdict}  ${goal.words}: ${ratio === undefined ? `${goal.against} was not measured` : showSpread(ratio, 2)}`;
}

function showSpread(spread: Spread | undefined, digits: number): string {
  return spread === undefined ? '-' : `${show(spread.median, digits)} (${show(spread.min, digits)}-${show(spread.max, digits)})`;
}

function show(value: number | undefined, digits: number): string {
  return value === undefined ? '-' : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
