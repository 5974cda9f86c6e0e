// The spec reporter, ended by one plain line that a script can read: `N passed, N failed`, and `, N skipped` if any.
import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

/** How long something may keep the process alive after the last test, in ms, before that is called a leak. */
const LINGER_LIMIT_MS = 15_000;

export default class Reporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures, pending } = this.stats;
      const line = `${passes} passed, ${failures} failed${pending > 0 ? `, ${pending} skipped` : ''}`;
      // The reporters' own copy: a test that timed out may still hold console.log.
      Mocha.reporters.Base.consoleLog(line);
      const mark = process.env['SEQSVR_TEST_SUMMARY'];
      if (mark !== undefined) writeFileSync(mark, line);
      endLingering();
    });
  }
}

/** A test that leaves a socket or a timer behind would hang a build for ever: say what it is and fail instead. */
function endLingering() {
  const timer = setTimeout(() => {
    console.error(`the tests ended, but something keeps the process alive: ${process.getActiveResourcesInfo().join(', ')}`);
    // mocha sets the code to its count of failures while the process exits; the later listener wins.
    process.on('exit', () => {
      process.exitCode = 1;
    });
    process.exit();
  }, LINGER_LIMIT_MS);
  timer.unref();
}
