import { Worker } from 'node:worker_threads';
import type { Finding, Report, RunOptions } from './loop.js';
import { INPUT_BYTES_MAX } from './mutate.js';
import { removeScratch } from './scratch.js';
import type { Outcome } from './target.js';

/** One input takes no longer, in ms, or it is a hang. Far above the slowest: a machine may be busy. */
export const HANG_LIMIT_MS = 15_000;
const LOOK_EVERY_MS = 100;
/** Heap of the thread that feeds. Beyond it V8 ends the thread, and that is a finding. */
const HEAP_MAX_MIB = 512;

export interface Shared {
  /** Inputs begun; length of the present one; its number. */
  readonly counters: Int32Array;
  readonly bytes: Uint8Array;
}

export type ToWorker =
  | ({ readonly type: 'run'; readonly target: string } & RunOptions)
  | { readonly type: 'replay'; readonly target: string; readonly input: Uint8Array };
export type FromWorker = { readonly type: 'ready' } | { readonly type: 'done'; readonly result: Report | Finding | Outcome };

/** Runs targets in a thread of its own, one after the other, and reports the input that hangs or ends that thread. */
export class Watchdog {
  readonly #hangLimitMs: number;
  readonly #shared: Shared = {
    counters: new Int32Array(new SharedArrayBuffer(12)),
    bytes: new Uint8Array(new SharedArrayBuffer(INPUT_BYTES_MAX)),
  };
  #worker: Worker | undefined;

  constructor({ hangLimitMs = HANG_LIMIT_MS } = {}) {
    this.#hangLimitMs = hangLimitMs;
  }

  /** Never rejects for what a target does. */
  async run(target: string, options: RunOptions): Promise<Report> {
    const beganMs = performance.now();
    const result = await this.#do({ type: 'run', target, ...options });
    if (typeof result === 'object' && 'outcomes' in result) return result;
    if (typeof result === 'string') throw new Error(result);
    const finding = { ...result, seed: options.seed };
    const seconds = (performance.now() - beganMs) / 1_000;
    const none = { acceptedCount: 0, outcomes: new Map<string, number>(), slowestMs: 0, growthBytes: 0 };
    return { target, seed: options.seed, inputs: finding.number, seconds, ...none, findings: [finding] };
  }

  async replay(target: string, input: Uint8Array): Promise<Outcome | Finding> {
    const result = await this.#do({ type: 'replay', target, input });
    if (typeof result === 'object' && 'outcomes' in result) throw new Error('a replay is no run');
    return result;
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
    removeScratch();
  }

  async #do(job: ToWorker): Promise<Report | Finding | Outcome> {
    const worker = this.#worker ?? (await this.#start());
    const result = await new Promise<Report | Finding | Outcome>((resolve) => {
      const end = (what: Report | Finding | Outcome): void => {
        clearInterval(timer);
        worker.off('message', onMessage).off('error', onError).off('exit', onExit);
        resolve(what);
      };
      const onMessage = (message: FromWorker): void => {
        if (message.type === 'done') end(message.result);
      };
      const onError = (error: Error): void => {
        const isMemory = 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
        end(this.#finding(job.target, isMemory ? 'memory' : 'error', error.stack ?? String(error)));
      };
      const onExit = (code: number): void => end(this.#finding(job.target, 'died', `the thread ended with code ${code}`));
      const timer = this.#watch(() => end(this.#finding(job.target, 'hang', `no answer for ${this.#hangLimitMs} ms`)));
      worker.on('message', onMessage).on('error', onError).on('exit', onExit).postMessage(job);
    });
    if (isLost(result)) await this.close();
    return result;
  }

  async #start(): Promise<Worker> {
    const worker = new Worker(new URL('worker.js', import.meta.url), {
      workerData: this.#shared,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX_MIB },
    });
    this.#worker = worker;
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    return worker;
  }

  /** Calls `onHang` once no input was begun for the limit. */
  #watch(onHang: () => void): NodeJS.Timeout {
    const { counters } = this.#shared;
    let [seen, sinceMs] = [Atomics.load(counters, 0), performance.now()];
    return setInterval(() => {
      const now = Atomics.load(counters, 0);
      if (now !== seen) [seen, sinceMs] = [now, performance.now()];
      else if (performance.now() - sinceMs > this.#hangLimitMs) onHang();
    }, LOOK_EVERY_MS);
  }

  /** With the input that was begun last. */
  #finding(target: string, kind: Finding['kind'], what: string): Finding {
    const { counters, bytes } = this.#shared;
    const input = Uint8Array.from(bytes.subarray(0, Atomics.load(counters, 1)));
    return { target, seed: 0, number: Atomics.load(counters, 2), kind, input, what };
  }
}

/** After a hang the thread never comes back, after an error that nobody caught it is gone, and memory that it leaks stays. */
function isLost(result: Report | Finding | Outcome): boolean {
  if (typeof result === 'string') return false;
  return 'outcomes' in result ? result.findings.some(({ kind }) => kind !== 'error') : result.kind !== 'error' || result.number > 0;
}
