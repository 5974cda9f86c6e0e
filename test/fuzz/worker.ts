import { parentPort, workerData } from 'node:worker_threads';
import { fuzz, type OnInput, replay, textOf } from './loop.js';
import { planted } from './planted.js';
import { targets } from './targets.js';
import type { FromWorker, Shared, ToWorker } from './watchdog.js';

/** The thread that feeds: whatever an input does to it, its watchdog lives. */
const { counters, bytes } = workerData as Shared;

/** In memory that the watchdog sees, also when this thread never comes back. */
const onInput: OnInput = (input, number) => {
  bytes.set(input.subarray(0, bytes.length));
  Atomics.store(counters, 1, Math.min(input.length, bytes.length));
  Atomics.store(counters, 2, number);
  Atomics.add(counters, 0, 1);
};

parentPort?.on('message', (job: ToWorker) => {
  const target = [...targets, ...planted].find(({ name }) => name === job.target);
  if (target === undefined) return say({ type: 'done', result: `there is no target ${job.target}` });
  const work = job.type === 'run' ? fuzz(target, job, onInput) : replay(target, job.input, onInput);
  void work.then(
    (result) => say({ type: 'done', result }),
    (error: unknown) => say({ type: 'done', result: `the fuzzer itself failed: ${textOf(error)}` }),
  );
});
say({ type: 'ready' });

function say(message: FromWorker): void {
  parentPort?.postMessage(message);
}
