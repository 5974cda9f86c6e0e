import { parentPort, workerData } from 'node:worker_threads';
import { drawOptions } from './options.js';
import { simulate } from './run.js';
import { summaryOf } from './summary.js';

/** One seed in so many is run twice: it must come out the same. */
export const TWICE_EVERY_SEEDS = 100;

/** Takes seeds from its parent, one at a time, and answers each with what came of it. */
function serve(): void {
  // Stacks of errors that a run expects cost a tenth of its time; a replay of one seed has them.
  Error.stackTraceLimit = 0;
  parentPort?.on('message', (seed: number) => {
    runSeed(seed).then(
      (summary) => parentPort?.postMessage({ summary }),
      (error: unknown) => parentPort?.postMessage({ seed, crash: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
}

async function runSeed(seed: number) {
  const summary = summaryOf(await simulate(drawOptions(seed)));
  if (seed % TWICE_EVERY_SEEDS !== 0 || summary.failure !== undefined) return summary;
  const again = await simulate(drawOptions(seed));
  if (again.hash === summary.hash) return summary;
  const why = `seed ${seed} is not deterministic: its events hash to ${summary.hash}, and the second time to ${again.hash}`;
  const { options, schedule, recent } = again;
  return { ...summary, failure: { violations: [{ kind: 'bug' as const, why, atMs: 0 }], options, schedule, recent } };
}

if (workerData === 'seeds') serve();
