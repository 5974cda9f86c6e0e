import { type Clock, every, systemClock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import { type StopSignal, Stopper } from '../base/stop.js';
import { SeqClient } from '../client/client.js';
import { quietGrpc } from '../rpc/server.js';
import { wireOf } from './dial.js';
import { type BenchClient, NextCalls, NextManyCalls } from './bench-calls.js';
import { EXIT } from './exit.js';
import { knock } from './knock.js';
import { LoadFigures, type LoadOptions, runLoad } from './load.js';
import type { Voices } from './member-session.js';
import { Monotony } from './monotony.js';
import type { ConnectionArgs } from './options.js';
import { print } from './output.js';
import { judge, type Levels, perfText } from './perf.js';
import { confirm } from './terminal.js';

/** How often a terminal shows how far it is, in ms. */
const PROGRESS_EVERY_MS = 1_000;
/** Uids of all calls that are under way in an open loop, at most, but for a single call that has more. */
const UIDS_UNDER_WAY_MAX = 100_000;
/** Calls under way in an open loop, at most: the client takes twice as many for one set. */
export const CALLS_UNDER_WAY_MAX = 10_000;
/** How many uids are asked for when nobody says so, if there are as many. */
const UIDS_DEFAULT = 100_000;

/** What is asked of the cluster, checked. */
export interface BenchArgs extends ConnectionArgs {
  /** Calls a second; 0: as fast as the callers go. */
  readonly rate: number;
  readonly callers: number;
  /** Drawn from the first so many. Undefined: UIDS_DEFAULT, or all when there are fewer. */
  readonly uids: number | undefined;
  /** At the same rate before anything is measured: then the program is compiled and connected. The order is checked from the beginning. */
  readonly warmUpMs: number;
  readonly durationMs: number;
  /** Uids in one call; 1: next(), more: nextMany(). */
  readonly many: number;
  readonly strict: boolean;
  readonly isConfirmed: boolean;
}

export type BenchReport = ReturnType<typeof reportOf>;

/** `seqctl bench`: takes numbers as fast as it is told to, and says how that went. Exit code 1 when a number was not above one before. */
export async function bench(args: BenchArgs, voices: Voices): Promise<number> {
  const report = await load(args, voices, 'bench');
  print(voices.output, args.output, { kind: 'Bench', body: report, table: benchText(report) });
  if (report.violationCount > 0) return EXIT.failed;
  return report.isInterrupted ? EXIT.interrupted : EXIT.ok;
}

/** `seqctl check perf`: the same at one of a few rates, with a verdict. Exit code 1 when it fails. */
export async function checkPerf(args: BenchArgs, levels: Levels, voices: Voices): Promise<number> {
  const report = await load(args, voices, 'check perf');
  const verdict = judge(report, levels);
  print(voices.output, args.output, { kind: 'PerformanceCheck', body: { ...verdict, bench: report }, table: perfText(verdict) });
  if (report.isInterrupted) return EXIT.interrupted;
  return verdict.isPassed ? EXIT.ok : EXIT.failed;
}

async function load(args: BenchArgs, voices: Voices, word: string): Promise<BenchReport> {
  const { uids, warmUpMs, durationMs } = args;
  const consequence = `takes numbers of up to ${count(uids ?? UIDS_DEFAULT)} uids for good, for ${(warmUpMs + durationMs) / 1_000} s`;
  await confirm({ consequence, word, isConfirmed: args.isConfirmed, flag: '--yes' }, voices);
  quietGrpc();
  await knock(args, systemClock);
  await using client = await SeqClient.connect({ endpoints: args.endpoints, timeoutMs: args.timeoutMs, wire: wireOf(args), strict: args.strict });
  const { first, last } = client.status().uids ?? { first: 0n, last: 0n };
  const uidCount = uids ?? Math.min(UIDS_DEFAULT, Number(last - first + 1n));
  if (BigInt(uidCount) > last - first + 1n)
    throw new SeqError('INVALID_ARGUMENT', `--uids must be at most ${last - first + 1n}, the uids of this cluster, got ${uidCount}`);
  const stop = new Stopper();
  // The first Ctrl-C ends the load and lets the report be printed; a second one ends the program.
  const onInterrupt = (): void => stop.abort(undefined);
  process.once('SIGINT', onInterrupt);
  try {
    return await runBench({ client, uids: { first, count: uidCount }, args, voices, stop, clock: systemClock });
  } finally {
    process.removeListener('SIGINT', onInterrupt);
  }
}

/** The load itself, on any client. */
export async function runBench({ client, uids, args, voices, stop, clock }: BenchOptions): Promise<BenchReport> {
  const monotony = new Monotony({ firstUid: uids.first, uidCount: uids.count });
  const { rate, callers, many, warmUpMs, durationMs } = args;
  const placeCount = rate === 0 ? callers : Math.min(CALLS_UNDER_WAY_MAX, Math.ceil(UIDS_UNDER_WAY_MAX / many));
  const callsOptions = { client, firstUid: uids.first, uidCount: uids.count, monotony, random: systemRandom, placeCount };
  const calls: LoadOptions['calls'] = many === 1 ? new NextCalls(callsOptions) : new NextManyCalls(callsOptions, many);
  const load = { clock, calls, ratePerSecond: rate, placeCount, stop };
  if (warmUpMs > 0) await runLoad({ ...load, durationMs: warmUpMs }, new LoadFigures());
  const figures = new LoadFigures();
  const tell = (): void => voices.output.talk(progressLine(figures, many));
  const endProgress = voices.terminal.isWatched ? every(clock, PROGRESS_EVERY_MS, tell) : () => undefined;
  try {
    await runLoad({ ...load, durationMs }, figures);
  } finally {
    endProgress();
  }
  return reportOf(args, { figures, monotony, uidCount: uids.count, isInterrupted: stop.aborted });
}

export interface BenchOptions {
  readonly client: BenchClient;
  readonly uids: { readonly first: bigint; readonly count: number };
  readonly args: BenchArgs;
  readonly voices: Voices;
  readonly stop: StopSignal;
  readonly clock: Clock;
}

interface Found {
  readonly figures: LoadFigures;
  readonly monotony: Monotony;
  readonly uidCount: number;
  readonly isInterrupted: boolean;
}

function reportOf({ rate, callers, many, strict, warmUpMs, durationMs }: BenchArgs, { figures, monotony, uidCount, isInterrupted }: Found) {
  const { latency, failures, failedCount, lateCount, unmadeCount, tookMs, callsPerSecond } = figures;
  return {
    offeredPerSecond: rate === 0 ? undefined : rate * many,
    reachedPerSecond: Math.round(callsPerSecond * many),
    callers: rate === 0 ? callers : undefined,
    uids: uidCount,
    many,
    strict,
    warmUpMs,
    durationMs,
    tookMs: Math.round(tookMs),
    callCount: latency.count + failedCount,
    failedCount,
    failures: Object.fromEntries(failures),
    lateCount,
    unmadeCount,
    latencyMs: {
      p50: rounded(latency.percentileMs(0.5)),
      p90: rounded(latency.percentileMs(0.9)),
      p99: rounded(latency.percentileMs(0.99)),
      p999: rounded(latency.percentileMs(0.999)),
      max: rounded(latency.maxMs),
    },
    violationCount: monotony.violationCount,
    violations: monotony.named,
    isInterrupted,
  };
}

/** What a person reads. */
export function benchText(report: BenchReport): string {
  const { offeredPerSecond, reachedPerSecond, callCount, failedCount, failures, lateCount, unmadeCount, latencyMs, violationCount, violations } =
    report;
  const offered = offeredPerSecond === undefined ? '' : ` of ${count(offeredPerSecond)} offered`;
  const lines = [
    `numbers/s   ${count(reachedPerSecond)}${offered}`,
    `latency     p50 ${latencyMs.p50} ms, p90 ${latencyMs.p90} ms, p99 ${latencyMs.p99} ms, p99.9 ${latencyMs.p999} ms, max ${latencyMs.max} ms`,
    `calls       ${count(callCount)} in ${(report.tookMs / 1_000).toFixed(1)} s, ${count(failedCount)} failed${codesOf(failures)}`,
  ];
  if (lateCount > 0) lines.push(`late        ${count(lateCount)} calls had to wait for others to end before they could be made`);
  if (unmadeCount > 0) lines.push(`not made    ${count(unmadeCount)} calls that were due: too far behind when the time was over`);
  if (report.isInterrupted) lines.push('interrupted before its time');
  if (violationCount === 0) lines.push('order       every number was above all whose calls had returned before');
  else lines.push(`VIOLATED    ${count(violationCount)} numbers came twice, or were not above one whose call had returned before`);
  for (const { uid, seq, after } of violations) lines.push(`            uid ${uid}: ${seq} after ${after}`);
  return `${lines.join('\n')}\n`;
}

function progressLine({ tookMs, latency, failedCount, callsPerSecond }: LoadFigures, many: number): string {
  const failed = failedCount === 0 ? '' : `, ${count(failedCount)} failed`;
  return `${(tookMs / 1_000).toFixed(0)} s: ${count(Math.round(callsPerSecond * many))} numbers/s, p99 ${rounded(latency.percentileMs(0.99))} ms${failed}`;
}

function codesOf(failures: Readonly<Record<string, number>>): string {
  const codes = Object.entries(failures).map(([code, failed]) => `${code} ${count(failed)}`);
  return codes.length === 0 ? '' : ` (${codes.join(', ')})`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
