import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Figures } from '../figures.js';
import { cpuMicrosOfSystem } from '../system.js';
import type { RedisSystem } from './redis.js';

const CONNECTIONS = 16;
const KEYS = 1_000_000;
const RUN_LIMIT_MS = 120_000;
/** How many it does to find out how many it does in a second. */
const TRIAL_OPS = 200_000;

export interface BenchmarkOptions {
  readonly program: string;
  readonly pipeline: number;
  readonly seconds: number;
}

/** Redis' own C client at 16 connections, each with `pipeline` INCRs of random keys under way. */
export async function runRedisBenchmark(system: RedisSystem, { program, pipeline, seconds }: BenchmarkOptions): Promise<Figures> {
  const { opsPerSecond: trial } = await run(program, system.port, pipeline, TRIAL_OPS);
  const opCount = Math.max(TRIAL_OPS, Math.round(trial * seconds));
  const before = cpuMicrosOfSystem(system);
  const outcome = await run(program, system.port, pipeline, opCount);
  return { ...outcome, opCount, serverCpuUs: (cpuMicrosOfSystem(system) - before) / opCount, clientCpuUs: Number.NaN };
}

async function run(program: string, port: number, pipeline: number, opCount: number): Promise<BenchmarkOutput> {
  const flags = { '-p': port, '-c': CONNECTIONS, '-P': pipeline, '-r': KEYS, '-n': opCount, '--precision': 3 };
  const args = Object.entries(flags).flatMap(([flag, value]) => [flag, String(value)]);
  const { stdout } = await promisify(execFile)(program, [...args, 'incr', 'uid:__rand_int__'], { timeout: RUN_LIMIT_MS });
  return parseBenchmark(stdout);
}

type BenchmarkOutput = Pick<Figures, 'opsPerSecond' | 'p50Ms' | 'p99Ms' | 'p999Ms'>;

/** Reads what redis-benchmark prints. Throws when a figure is not there. */
export function parseBenchmark(text: string): BenchmarkOutput {
  const rate = /throughput summary: ([\d.]+) requests per second/.exec(text)?.[1];
  const steps = [...text.matchAll(/^([\d.]+)% <= ([\d.]+) milliseconds \(cumulative count/gm)].map(([, percent, ms]) => ({
    share: Number(percent) / 100,
    ms: Number(ms),
  }));
  const at = (share: number): number | undefined => steps.find((step) => step.share >= share)?.ms;
  const [p50Ms, p99Ms, p999Ms] = [at(0.5), at(0.99), at(0.999)];
  if (rate === undefined || p50Ms === undefined || p99Ms === undefined || p999Ms === undefined) {
    throw new Error(`redis-benchmark did not say how fast it was: ${text.slice(-500)}`);
  }
  return { opsPerSecond: Number(rate), p50Ms, p99Ms, p999Ms };
}
