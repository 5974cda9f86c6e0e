import { appendFileSync } from 'node:fs';
import Mocha from 'mocha';
import { messageOf } from '../../src/base/errors.js';

/** How one test ended. */
export interface TestEnd {
  /** Absolute path of its built file. */
  readonly file: string;
  readonly title: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  /** What it failed with: name and message of the error. */
  readonly why: string;
  /** It failed because its own time limit was over. */
  readonly isTimeLimit: boolean;
}

/** A line of JSON for each test, as soon as it has ended: what was said stays when the process is killed. Mocha wants a default export. */
export default function jsonLines(runner: Mocha.Runner): void {
  const { EVENT_TEST_PASS, EVENT_TEST_FAIL, EVENT_TEST_PENDING } = Mocha.Runner.constants;
  runner.on(EVENT_TEST_PASS, (test) => tell(test, 'passed'));
  runner.on(EVENT_TEST_PENDING, (test) => tell(test, 'skipped'));
  runner.on(EVENT_TEST_FAIL, (test, error: unknown) => tell(test, 'failed', error));
}

function tell(test: Mocha.Runnable, state: TestEnd['state'], error?: unknown): void {
  const why = error instanceof Error ? `${error.name}: ${error.message}` : error === undefined ? '' : messageOf(error);
  const isTimeLimit = error instanceof Error && 'code' in error && error.code === 'ERR_MOCHA_TIMEOUT';
  const end: TestEnd = { file: test.file ?? '', title: test.fullTitle(), state, why, isTimeLimit };
  appendFileSync(process.env['SEQSVR_TESTS_FILE'] ?? '', `${JSON.stringify(end)}\n`);
}
