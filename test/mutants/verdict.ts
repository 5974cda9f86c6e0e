import { CPU_BUDGET_S } from './child.js';
import type { Mutant } from './mutant.js';
import { testsOf, type TestRun } from './run-tests.js';

/**
 * How a mutant fared. `missed`: the test that is to notice it did not. `broken`: the run proves nothing, for the code did not even
 * load, or a test failed in a way that no rule has to do with.
 */
export interface Verdict {
  readonly type: 'found' | 'missed' | 'broken';
  /** By what it was found, or why it was not. */
  readonly how: string;
  readonly cpuSeconds: number;
}

/** What a program says that was cut up, not one that breaks a rule. */
const CUT_UP = /^(SyntaxError|ReferenceError)\b/;

/** A test that hangs counts only when it failed at its own time limit; being killed at the end of the budget is a miss. */
export function verdictOf({ test }: Pick<Mutant, 'test'>, run: TestRun): Verdict {
  const { cpuSeconds } = run;
  const named = testsOf(test, run);
  const failed = named.find(({ state }) => state === 'failed');
  if (run.isOverBudget) return { type: 'missed', how: `nothing failed within ${CPU_BUDGET_S} CPU seconds`, cpuSeconds };
  if (failed !== undefined && CUT_UP.test(failed.why)) return { type: 'broken', how: failed.why, cpuSeconds };
  if (failed !== undefined) return { type: 'found', how: failed.isTimeLimit ? 'its time limit' : 'an assertion', cpuSeconds };
  if (named.length === 0) return { type: 'broken', how: `no test ran: ${run.output.slice(-300)}`, cpuSeconds };
  return { type: 'missed', how: `${named.length} tests passed`, cpuSeconds };
}

/** Of the build without any mutant: why this detector is worth nothing; undefined when its tests are there and pass. */
export function troubleWith({ test }: Pick<Mutant, 'test'>, run: TestRun): string | undefined {
  const named = testsOf(test, run);
  if (named.length === 0) return 'no test of this name ran';
  const bad = named.find(({ state }) => state !== 'passed');
  return bad && `${bad.state} without any mutant: ${bad.title} ${bad.why}`;
}
