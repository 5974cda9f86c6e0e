import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { projectRoot } from '../project-root.js';
import type { Fault } from './fault-kinds.js';
import { drawOptions, type SimOptions } from './options.js';
import { runSeeds } from './pool.js';
import { simulate, type SimResult } from './run.js';
import { shrink } from './shrink.js';
import { neverReached, Tally } from './tally.js';
import type { Failure } from './summary.js';

const USAGE = `npm run sim -- --seed S [--log] [--no-shrink] [--save FILE] one seed, with the end of its trace
npm run sim -- --file FILE                                 a seed that was saved, with its options and faults
npm run sim -- --seeds N [--first S] [--minutes M] [--workers W] [--fail-fast] [--nightly]
                                                           many seeds; --nightly fails when a situation was never reached
npm run sim -- --speed                                     simulated hours per CPU-minute of 5 StoreSvr, 4 AllocSvr, 20 clients`;

/** What was asked for cannot be done as it is. */
class UsageError extends Error {}

/** Events shown of a failure. */
const RECENT_SHOWN = 40;

const TIMED_SEEDS = 12;
const TIMED: Partial<SimOptions> = {
  storeCount: 5,
  allocCount: 4,
  clientCount: 20,
  sectionCount: 8,
  uidsPerSection: 1_000,
  uidCount: 40,
  callsPerSecond: 0.3,
  raiseBy: 10_000,
  raiseAheadMs: 60_000,
  leaseMs: 3_000,
  driftPpm: 10_000,
  marginMs: 100,
  renewEveryMs: 500,
  skewPpm: 5_000,
  heartbeatMs: 100,
  electionMinMs: 500,
  keepLogEntries: 200,
  safetyMs: 180_000,
  isBeyondDrift: false,
  isPrimaryStandby: false,
};

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    first: { type: 'string', default: '1' },
    minutes: { type: 'string' },
    workers: { type: 'string' },
    file: { type: 'string' },
    save: { type: 'string' },
    'no-shrink': { type: 'boolean', default: false },
    log: { type: 'boolean', default: false },
    'fail-fast': { type: 'boolean', default: false },
    nightly: { type: 'boolean', default: false },
    speed: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    if (values.seed !== undefined) return await replay(drawOptions(whole(values.seed, 'seed')), undefined);
    if (values.file !== undefined) return await replayFile(values.file);
    if (values.speed) return await speed();
    if (values.seeds !== undefined || values.minutes !== undefined) return await many();
    console.log(USAGE);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n${USAGE}`);
    return 2;
  }
}

async function many(): Promise<number> {
  const tally = new Tally();
  const failed: { readonly seed: number; readonly failure: Failure }[] = [];
  const before = process.cpuUsage();
  await runSeeds({
    first: whole(values.first, 'first'),
    count: values.seeds === undefined ? Number.MAX_SAFE_INTEGER : whole(values.seeds, 'seeds'),
    minutes: values.minutes === undefined ? undefined : whole(values.minutes, 'minutes'),
    workerCount: values.workers === undefined ? availableParallelism() : whole(values.workers, 'workers'),
    onSummary: (summary) => {
      tally.add(summary);
      const { seed, failure } = summary;
      if (failure === undefined) return false;
      failed.push({ seed, failure });
      for (const { kind, why } of failure.violations.slice(0, 1)) console.log(`seed ${seed}: ${kind}: ${why.split('\n')[0]}`);
      return values['fail-fast'];
    },
  });
  const { user, system } = process.cpuUsage(before);
  console.log(tally.show((user + system) / 60e6));
  for (const [place, { failure }] of failed.slice(0, 3).entries()) await tell(failure, place === 0);
  const missed = values.nightly ? neverReached(tally.situations) : [];
  for (const name of missed) console.log(`never reached: ${name}`);
  return failed.length === 0 && missed.length === 0 ? 0 : 1;
}

async function replay(options: SimOptions, schedule: readonly Fault[] | undefined): Promise<number> {
  const result = await simulate(options, schedule, values.log ? (line) => console.log(line) : undefined);
  show(result);
  if (result.violations.length === 0) return 0;
  await tell({ ...result });
  return 1;
}

function replayFile(file: string): Promise<number> {
  const { options, schedule } = JSON.parse(readFileSync(file, 'utf8')) as { options: SimOptions; schedule: readonly Fault[] };
  return replay(options, schedule);
}

function show({ options, hash, simulatedMs, eventCount, operationCount, answeredCount, situations }: SimResult): void {
  console.log(`seed ${options.seed}: ${JSON.stringify(options)}`);
  const words = [...situations].sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, count]) => `${name} ${count}`);
  console.log(`reached: ${words.join(', ')}`);
  console.log(
    `${(simulatedMs / 1000).toFixed(0)} s simulated, ${eventCount} events, ${operationCount} operations, ${answeredCount} answered, hash ${hash}`,
  );
}

/** Everything that is needed to go after it: what broke, where, with which options and faults, and how to see it again. */
async function tell({ violations, options, schedule, recent }: Failure, isFirst = true): Promise<void> {
  console.log(`\nFAILED seed ${options.seed} at commit ${commit()}`);
  console.log(recent.slice(-RECENT_SHOWN).join('\n'));
  for (const { kind, why, atMs } of violations) console.log(`${kind} at ${atMs.toFixed(3)} ms: ${why}`);
  console.log(`options: ${JSON.stringify(options)}`);
  console.log(`again: npm run sim -- ${values.file === undefined ? `--seed ${options.seed}` : `--file ${values.file}`}`);
  const [first] = violations;
  if (values['no-shrink'] || values['fail-fast'] || !isFirst || first === undefined) return;
  Error.stackTraceLimit = 0;
  const kept = await shrink(options, schedule, first.kind);
  console.log(`shrunk from ${schedule.length} to ${kept.length} faults: ${JSON.stringify(kept)}`);
  if (values.save === undefined) return;
  writeFileSync(values.save, `${JSON.stringify({ why: first.why.split('\n')[0], options, schedule: kept }, undefined, 1)}\n`);
  console.log(`saved: npm run sim -- --file ${values.save}`);
}

/** 5 StoreSvr, 4 AllocSvr, 20 clients; with the product's own timing, and with everything five times as slow: then less happens in an hour. */
async function speed(): Promise<number> {
  Error.stackTraceLimit = 0;
  const own = await timed(TIMED);
  console.log(`the product's own timing: ${own.words}`);
  const slow = await timed({ ...TIMED, leaseMs: 15_000, renewEveryMs: 2_500, heartbeatMs: 500, electionMinMs: 2_500, callsPerSecond: 0.06 });
  console.log(`all of it five times as slow: ${slow.words}`);
  return own.failureCount + slow.failureCount === 0 ? 0 : 1;
}

async function timed(options: Partial<SimOptions>): Promise<{ readonly words: string; readonly failureCount: number }> {
  const tally = new Tally();
  let cpuUs = 0;
  for (let seed = 1; seed <= TIMED_SEEDS; seed++) {
    const before = process.cpuUsage();
    const { situations, violations, ...result } = await simulate(drawOptions(seed, options));
    const { user, system } = process.cpuUsage(before);
    // The first two are for the compiler.
    if (seed <= 2) continue;
    cpuUs += user + system;
    tally.add({ ...result, seed, situations: [...situations], failure: violations.length === 0 ? undefined : { ...result, violations } });
  }
  return { words: tally.rate(cpuUs / 60e6), failureCount: tally.failureCount };
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: projectRoot, encoding: 'utf8' }).trim();
  } catch (error) {
    return `unknown (${error instanceof Error ? error.message : String(error)})`;
  }
}

function whole(text: string, what: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new UsageError(`--${what} must be a whole number, got ${text}`);
}
