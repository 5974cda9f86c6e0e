import { parseArgs } from 'node:util';
import { messageOf } from '../../src/base/errors.js';
import type { Attack } from './attack.js';
import { ATTACKS } from './attacks/all.js';
import { NEWCOMER_MAX_MS, P99_MAX_MS, RSS_MAX_MIB, siege, type SiegeReport } from './siege.js';

const SECONDS = 10;
const QUICK_SECONDS = 3;
const USAGE = `usage: npm run test:security [-- --only NAME[,NAME...] --seconds S --quick --list]

One attack after the other, each on a fresh AllocSvr with its store, while a good client takes numbers. The exit code is 1 unless in each
the AllocSvr stays within ${RSS_MAX_MIB} MiB, the good client's p99 within ${P99_MAX_MS} ms and its numbers right, none of its calls fails,
a new client has a number within ${NEWCOMER_MAX_MS} ms, and nothing ends.
  --only       names of attacks, with commas between
  --seconds S  how long the good client is measured in each; ${SECONDS} unless given
  --quick      ${QUICK_SECONDS} s each
  --list       names the attacks`;

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      seconds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const attacks = chosen(values.only);
  if (values.list) {
    for (const { name, what } of attacks) console.log(`${name.padEnd(24)} ${what}`);
    return 0;
  }
  const seconds = values.seconds === undefined ? (values.quick ? QUICK_SECONDS : SECONDS) : Number(values.seconds);
  if (!(seconds >= 1 && seconds <= 600)) throw new Error(`--seconds must be in [1, 600], got ${values.seconds}`);
  console.log(HEAD);
  let failedCount = 0;
  for (const attack of attacks) {
    const report = await siege(attack, { durationMs: seconds * 1_000 });
    console.log(lineOf(report));
    for (const problem of report.problems) console.log(`    ${problem}`);
    if (report.problems.length > 0) failedCount += 1;
  }
  console.log(`${attacks.length - failedCount} passed, ${failedCount} failed`);
  return failedCount === 0 ? 0 : 1;
}

function chosen(only: string | undefined): readonly Attack[] {
  if (only === undefined) return ATTACKS;
  return only.split(',').map((name) => {
    const attack = ATTACKS.find((one) => one.name === name);
    if (attack === undefined) throw new Error(`no attack is called '${name}'; there are ${ATTACKS.map((one) => one.name).join(', ')}`);
    return attack;
  });
}

const COLUMNS = [24, 9, 8, 8, 8, 9, 10] as const;
const columns = (cells: readonly string[]): string =>
  cells.map((cell, at) => (at === 0 ? cell.padEnd(COLUMNS[0]) : cell.padStart(COLUMNS[at] ?? 0))).join('');
const HEAD = `${columns(['attack', 'RSS MiB', 'p50 ms', 'p99 ms', 'max ms', 'calls', 'newcomer'])}  verdict  what the abuser saw`;

function lineOf({ attack, rssMib, good, newcomerMs, tally, problems }: SiegeReport): string {
  const { latency } = good.figures;
  const times = [latency.percentileMs(0.5), latency.percentileMs(0.99), latency.maxMs].map((ms) => ms.toFixed(1));
  const cells = columns([attack, rssMib.toFixed(0), ...times, String(latency.count), `${newcomerMs.toFixed(0)} ms`]);
  const seen = Object.entries(tally).map(([what, count]) => `${count} ${what}`);
  return `${cells}  ${problems.length === 0 ? 'PASS   ' : 'FAIL   '}  ${seen.join(', ')}`;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(messageOf(error));
  console.error('npm run test:security -- --help says what there is');
  process.exitCode = 2;
}
