import { percentile } from '../../load.js';
import { cpuMicrosOfSystem } from '../system.js';
import type { Figures } from '../figures.js';
import type { Driver } from './driver.js';

/** Calls that one measurement has room for; those after it are counted, and their latency is not looked at. */
const LATENCIES_MAX = 1 << 24;

export interface ClosedLoad {
  readonly callers: number;
  /** Runs before anything is counted. */
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Processes of the server. */
  readonly pids: readonly number[];
}

/** Every caller waits for its number before it asks for the next one: the same loop for all systems. Rejects with the first failure. */
export async function closedLoop(driver: Driver, draw: () => number, load: ClosedLoad): Promise<Figures> {
  const latenciesMs = new Float64Array(LATENCIES_MAX);
  let callCount = 0;
  let edgeMs = performance.now() + load.warmUpMs;
  let begun: Reading | undefined;
  let ended: Reading | undefined;
  /** Called once at the beginning of what is measured, and once at its end. */
  const crossEdge = (): void => {
    if (begun === undefined) {
      callCount = 0;
      begun = read(load.pids);
      edgeMs = begun.atMs + load.measureMs;
    } else {
      ended ??= read(load.pids);
    }
  };
  const caller = async (): Promise<void> => {
    for (let startMs = performance.now(); ; ) {
      await driver.call(draw);
      const endMs = performance.now();
      if (ended !== undefined) return;
      latenciesMs[callCount] = endMs - startMs;
      callCount += 1;
      if (endMs >= edgeMs) crossEdge();
      startMs = endMs;
    }
  };
  await Promise.all(Array.from({ length: load.callers }, caller));
  if (begun === undefined || ended === undefined) throw new Error('a load ends after both edges');
  const sorted = latenciesMs.subarray(0, Math.min(callCount, LATENCIES_MAX)).sort();
  const opCount = callCount * driver.opsPerCall;
  return {
    opsPerSecond: opCount / ((ended.atMs - begun.atMs) / 1_000),
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    p999Ms: percentile(sorted, 0.999),
    serverCpuUs: (ended.serverUs - begun.serverUs) / opCount,
    clientCpuUs: (ended.clientUs - begun.clientUs) / opCount,
    opCount,
  };
}

interface Reading {
  readonly atMs: number;
  readonly serverUs: number;
  readonly clientUs: number;
}

export function read(pids: readonly number[]): Reading {
  const { user, system } = process.cpuUsage();
  return { serverUs: cpuMicrosOfSystem({ pids }), clientUs: user + system, atMs: performance.now() };
}
