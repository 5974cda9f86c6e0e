import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/base/errors.js';
import { SeededRandom } from '../unit/seeded-random.js';
import { machineLimits, NEMESES } from './nemesis/all.js';
import type { Nemesis } from './nemesis/nemesis.js';
import { runOnce, type RunReport } from './run.js';

const USAGE = `npm run jepsen -- [--seed S] [--seconds T] [--nemesis LIST] [--campaign N] [--stores 3|5] [--allocs N] [--loopback] [--out DIR]

One run, or with --campaign N runs over the nemeses of the list in turn. A run that fails, or proves nothing, makes the exit code 1.
  --seed       of all choices; a campaign takes the N seeds from here on. Default: from the clock, and printed
  --seconds    how long faults go on in each run. Default 30
  --nemesis    names with commas between, or 'all': ${NEMESES.map(({ name }) => name).join(', ')}. Default all
  --loopback   no network namespaces, but proxies on loopback
  --help       this
  --out        folder for histories and reports, one folder for each run. Default: kept only of runs that fail`;

/** The command itself. Returns its exit code. */
async function main(args: readonly string[]): Promise<number> {
  const options = parse(args);
  if (options.isHelpWanted) {
    console.log(USAGE);
    return 0;
  }
  const whyNot = machineLimits();
  const noNamespaces = options.isLoopback ? 'as asked for' : whyNot('namespaces');
  if (noNamespaces !== undefined) console.log(`on loopback, with proxies: ${noNamespaces}`);
  const able = options.nemeses.filter(({ name, needs }) => {
    const why = needs.map((need) => (need === 'namespaces' ? noNamespaces : whyNot(need))).find((reason) => reason !== undefined);
    if (why !== undefined) console.log(`${name} is left out: ${why}`);
    return why === undefined;
  });
  if (able.length === 0) throw new Error('none of these nemeses can be played here');
  // A run under way heals and removes what it made.
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interruption.abort());
  const reports: RunReport[] = [];
  for (let number = 0; number < options.runs && !interruption.signal.aborted; number += 1) {
    const seed = options.seed + number;
    const nemeses = options.isCampaign ? [able[number % able.length] as Nemesis] : able;
    const sizes = new SeededRandom(seed);
    const stores = options.stores ?? (sizes.chance(0.25) ? 5 : 3);
    const allocs = options.allocs ?? 2 + sizes.below(3);
    const out = options.out === undefined ? undefined : join(options.out, `${nemeses.length === 1 ? nemeses[0]?.name : 'mixed'}-${seed}`);
    const inNamespaces = noNamespaces === undefined;
    const report = await runOnce({ seed, seconds: options.seconds, nemeses, stores, allocs, inNamespaces, out, signal: interruption.signal });
    reports.push(report);
    console.log(lineOf(report));
    for (const problem of report.problems) console.log(`    ${problem}`);
  }
  console.log(tableOf(reports));
  return reports.every(({ verdict }) => verdict === 'valid') ? 0 : 1;
}

function parse(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      seconds: { type: 'string', default: '30' },
      nemesis: { type: 'string', default: 'all' },
      campaign: { type: 'string' },
      stores: { type: 'string' },
      allocs: { type: 'string' },
      loopback: { type: 'boolean', default: false },
      out: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const whole = (name: string, text: string, [min, max]: readonly [number, number]): number => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < min || value > max)
      throw new Error(`--${name} must be a whole number in [${min}, ${max}], got ${text}`);
    return value;
  };
  const optional = (name: 'stores' | 'allocs', range: readonly [number, number]) => {
    const text = values[name];
    return text === undefined ? undefined : whole(name, text, range);
  };
  const nemeses =
    values.nemesis === 'all'
      ? NEMESES
      : values.nemesis.split(',').map((name) => {
          const found = NEMESES.find((nemesis) => nemesis.name === name);
          if (found === undefined) throw new Error(`no nemesis is called ${name}`);
          return found;
        });
  return {
    seed: whole('seed', values.seed ?? String(Math.floor(Date.now() / 1000) % 1_000_000), [0, 2 ** 31]),
    seconds: whole('seconds', values.seconds, [1, 86_400]),
    nemeses,
    isCampaign: values.campaign !== undefined,
    runs: whole('campaign', values.campaign ?? '1', [1, 100_000]),
    stores: optional('stores', [1, 5]),
    allocs: optional('allocs', [1, 8]),
    isLoopback: values.loopback,
    out: values.out,
    isHelpWanted: values.help,
  };
}

/** One line a run. */
function lineOf(report: RunReport): string {
  const { verdict, seed, nemeses, stores, allocs, operations, answered, unknown, setMapCalls, strikes, endings } = report;
  const proven = strikes.filter(({ proof }) => proof !== undefined).length;
  return (
    `${verdict === 'valid' ? 'ok' : verdict.toUpperCase()} seed ${seed} ${nemeses.length > 3 ? 'mixed' : nemeses.join(',')} ${stores}S+${allocs}A: ` +
    `${operations} operations (${answered} answered, ${unknown} unknown), ${setMapCalls} compare-and-set calls, ` +
    `${proven} of ${strikes.length} faults proven, ${endings.length} ended by themselves${report.out === undefined ? '' : `, ${report.out}`}`
  );
}

/** By nemesis: runs, operations, faults and verdicts. */
function tableOf(reports: readonly RunReport[]): string {
  const rows = new Map<string, { runs: Set<RunReport>; faults: number; proven: number }>();
  for (const report of reports) {
    for (const { nemesis, proof } of report.strikes) {
      const row = rows.get(nemesis) ?? { runs: new Set(), faults: 0, proven: 0 };
      rows.set(nemesis, row);
      row.runs.add(report);
      row.faults += 1;
      row.proven += proof === undefined ? 0 : 1;
    }
  }
  const cells = [...rows].map(([name, { runs, faults, proven }]) => [name, ...sums([...runs], proven, faults)]);
  const proven = [...rows.values()].reduce((sum, row) => sum + row.proven, 0);
  const faults = [...rows.values()].reduce((sum, row) => sum + row.faults, 0);
  const all = [
    ['nemesis', 'runs', 'operations', 'cas calls', 'faults proven', 'valid', 'violation', 'invalid'],
    ...cells,
    ['all', ...sums(reports, proven, faults)],
  ];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  '))
    .join('\n');
}

function sums(runs: readonly RunReport[], proven: number, faults: number): readonly string[] {
  const count = (of: RunReport['verdict']): string => String(runs.filter(({ verdict }) => verdict === of).length);
  const operations = runs.reduce((sum, run) => sum + run.operations, 0);
  const calls = runs.reduce((sum, run) => sum + run.setMapCalls, 0);
  return [String(runs.length), String(operations), String(calls), `${proven}/${faults}`, count('valid'), count('violation'), count('invalid')];
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(`${messageOf(error)}\n\n${USAGE}`);
    process.exit(2);
  },
);
