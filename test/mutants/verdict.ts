import { CPU_BUDGET_S } from './child.js';
import type { Mutant } from './mutant.js';
import { testsOf, type TestRun } from './run-tests.js';

/**
 * How a mutant fared. `missed`: the test that is to notice it did not. `broken`: the run proves nothing, for the code did not even
 * load, or a test failed in a way that no rule has to do with.
 */
export interface Verdict {
  readonly type: 'found' | 'missed' | 'broken';
  /** What the test said, or why there is nothing to say. */
  readonly how: string;
  /** It was found by a test that ran into its own time limit. */
  readonly isByTimeLimit: boolean;
  readonly cpuSeconds: number;
}

/** What a program says that was cut up, not one that breaks a rule. */
const CUT_UP = /^(SyntaxError|ReferenceError)\b/;

/** A test that hangs counts only when it failed at its own time limit; being killed at the end of the budget is a miss. */
export function verdictOf({ test }: Pick<Mutant, 'test'>, run: TestRun): Verdict {
  const { cpuSeconds } = run;
  const named = testsOf(test, run);
  const failed = named.find(({ state }) => state === 'failed');
  const isByTimeLimit = failed?.isTimeLimit === true;
  const verdict = (type: Verdict['type'], how: string): Verdict => ({ type, how, isByTimeLimit, cpuSeconds });
  if (run.isOverBudget) return verdict('missed', `nothing failed within ${CPU_BUDGET_S} CPU seconds`);
  if (failed !== undefined) return verdict(CUT_UP.test(failed.why) ? 'broken' : 'found', failed.why.split('\n')[0] ?? '');
  return named.length === 0 ? verdict('broken', `no test ran: ${run.output.slice(-300)}`) : verdict('missed', `${named.length} tests passed`);
}

/** Of the build without any mutant: why this detector is worth nothing; undefined when its tests are there and pass. */
export function troubleWith({ test }: Pick<Mutant, 'test'>, run: TestRun): string | undefined {
  const named = testsOf(test, run);
  if (named.length === 0) return 'no test of this name ran';
  const bad = named.find(({ state }) => state !== 'passed');
  return bad && `${bad.state} without any mutant: ${bad.title} ${bad.why}`;
}
