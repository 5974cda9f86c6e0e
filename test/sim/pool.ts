import { Worker } from 'node:worker_threads';
import type { RunSummary } from './summary.js';

export interface PoolOptions {
  readonly first: number;
  /** How many seeds at most. */
  readonly count: number;
  /** No seed begins after so many minutes. */
  readonly minutes?: number | undefined;
  readonly workerCount: number;
  /** Returns whether that is enough: no seed begins after it. */
  readonly onSummary: (summary: RunSummary) => boolean;
}

type Answer = { readonly summary: RunSummary } | { readonly seed: number; readonly crash: string };

/** Runs seeds [first, first + count) on so many threads. Rejects when a run throws what it should not. */
export async function runSeeds({ first, count, minutes, workerCount, onSummary }: PoolOptions): Promise<void> {
  const endAtMs = minutes === undefined ? Number.POSITIVE_INFINITY : performance.now() + minutes * 60_000;
  let next = first;
  let isEnough = false;
  const take = (): number | undefined => (!isEnough && next < first + count && performance.now() < endAtMs ? next++ : undefined);
  const heard = (summary: RunSummary): void => {
    if (onSummary(summary)) isEnough = true;
  };
  await Promise.all(Array.from({ length: Math.min(workerCount, count) }, () => work(take, heard)));
}

function work(take: () => number | undefined, onSummary: (summary: RunSummary) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: 'seeds', resourceLimits: { maxYoungGenerationSizeMb: 64 } });
    const step = (): void => {
      const seed = take();
      if (seed === undefined) void worker.terminate().then(() => resolve(), reject);
      else worker.postMessage(seed);
    };
    worker.on('message', (answer: Answer) => {
      if ('crash' in answer) return reject(new Error(`seed ${answer.seed}: ${answer.crash}`));
      onSummary(answer.summary);
      step();
    });
    worker.on('error', reject);
    step();
  });
}
