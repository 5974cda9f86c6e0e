import { SeqError } from '../base/errors.js';

/** What a cluster should hold at one of the loads, for `seqctl check perf`. */
export interface Levels {
  readonly load: string;
  /** Numbers a second. */
  readonly rate: number;
}

/** Reached of what is offered, at least. */
const REACHED_MIN = 0.95;
/** Latencies at most, in ms: the article's p99.9 and what it implies. */
const P50_MAX_MS = 1;
const P999_MAX_MS = 3;
const LONGEST_MAX_MS = 50;

export const LOADS: Readonly<Record<string, number>> = { s: 1_000, m: 20_000, l: 100_000, xl: 500_000 };

/** Throws INVALID_ARGUMENT with the value and the rule. */
export function parseLoad(load: string): Levels {
  const rate = Object.hasOwn(LOADS, load) ? LOADS[load] : undefined;
  if (rate === undefined) throw new SeqError('INVALID_ARGUMENT', `--load must be one of ${Object.keys(LOADS).join(', ')}, got '${load}'`);
  return { load, rate };
}

interface Measured {
  readonly reachedPerSecond: number;
  readonly callCount: number;
  readonly failedCount: number;
  readonly violationCount: number;
  readonly latencyMs: { readonly p50: number; readonly p999: number; readonly max: number };
}

export interface Check {
  readonly name: string;
  readonly isPassed: boolean;
  readonly figure: string;
  readonly rule: string;
}

export interface PerfVerdict {
  readonly load: string;
  readonly isPassed: boolean;
  readonly checks: readonly Check[];
}

/** Pure. */
export function judge({ reachedPerSecond, callCount, failedCount, violationCount, latencyMs }: Measured, { load, rate }: Levels): PerfVerdict {
  const atMost = (name: string, ms: number, maxMs: number): Check => ({
    name,
    isPassed: callCount > failedCount && ms <= maxMs,
    figure: `${ms} ms`,
    rule: `at most ${maxMs} ms`,
  });
  const checks: Check[] = [
    {
      name: 'throughput',
      isPassed: reachedPerSecond >= rate * REACHED_MIN,
      figure: `${reachedPerSecond.toLocaleString('en-US')}/s`,
      rule: `at least ${REACHED_MIN * 100} % of ${rate.toLocaleString('en-US')}/s`,
    },
    atMost('p50', latencyMs.p50, P50_MAX_MS),
    atMost('p99.9', latencyMs.p999, P999_MAX_MS),
    atMost('slowest', latencyMs.max, LONGEST_MAX_MS),
    { name: 'failed', isPassed: failedCount === 0, figure: String(failedCount), rule: '0' },
    { name: 'order', isPassed: violationCount === 0, figure: `${violationCount} violations`, rule: '0' },
  ];
  return { load, isPassed: checks.every(({ isPassed }) => isPassed), checks };
}

export function perfText({ load, isPassed, checks }: PerfVerdict): string {
  const lines = checks.map((check) => `${check.isPassed ? 'PASS' : 'FAIL'}   ${check.name.padEnd(10)}   ${check.figure.padEnd(14)}   ${check.rule}`);
  return `${[...lines, `${isPassed ? 'PASS' : 'FAIL'}   load ${load}`].join('\n')}\n`;
}
