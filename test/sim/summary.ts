import type { Fault } from './fault-kinds.js';
import type { SimOptions } from './options.js';
import type { Violation } from './oracles.js';
import type { SimResult } from './run.js';

/** What is kept of one run: enough to count it, and to tell a failure. */
export interface RunSummary {
  readonly seed: number;
  readonly hash: string;
  readonly simulatedMs: number;
  readonly eventCount: number;
  readonly operationCount: number;
  readonly answeredCount: number;
  readonly situations: readonly (readonly [string, number])[];
  readonly failure: Failure | undefined;
}

export interface Failure {
  readonly violations: readonly Violation[];
  readonly options: SimOptions;
  readonly schedule: readonly Fault[];
  readonly recent: readonly string[];
}

export function summaryOf(result: SimResult): RunSummary {
  const { options, hash, simulatedMs, eventCount, operationCount, answeredCount, violations, schedule, recent } = result;
  return {
    seed: options.seed,
    hash,
    simulatedMs,
    eventCount,
    operationCount,
    answeredCount,
    situations: [...result.situations],
    failure: violations.length === 0 ? undefined : { violations, options, schedule, recent },
  };
}
