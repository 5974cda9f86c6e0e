import { percentile } from '../../load.js';
import type { Driver } from './driver.js';

export interface OpenLoad {
  readonly ratePerSecond: number;
  /** Measured; `warmUpSeconds` at the same rate come before. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

export interface OpenFigures {
  /** What came back within the time, and not what was asked for. */
  readonly opsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** Calls under way, beyond which those that are due wait for one to come back: their latency counts all the same. */
const UNDER_WAY_MAX = 4_096;
/** So far behind at the end, what is still due is not asked for any more: the rate was not held. */
const LATE_MAX_MS = 2_000;

/**
 * Calls that are due at a fixed rate, whatever became of those before. Latency counts from when a call was due: a system that stalls
 * pays for every call that it kept from being made. Rejects with the first failure.
 */
export function openLoop(driver: Driver, draw: () => number, { ratePerSecond, seconds, warmUpSeconds }: OpenLoad): Promise<OpenFigures> {
  const perMs = ratePerSecond / 1_000;
  const warmUpCount = Math.round(ratePerSecond * warmUpSeconds);
  let count = warmUpCount + Math.round(ratePerSecond * seconds);
  const latenciesMs = new Float32Array(count - warmUpCount);
  const startMs = performance.now();
  const measuredFromMs = startMs + warmUpSeconds * 1_000;
  let [sent, settled, measured] = [0, 0, 0];
  return new Promise((resolve, reject) => {
    let isOver = false;
    const fail = (error: Error): void => {
      isOver = true;
      reject(error);
    };
    const send = (place: number): void => {
      const dueMs = startMs + place / perMs;
      driver.call(draw).then(() => {
        const atMs = performance.now();
        settled += 1;
        if (place >= warmUpCount) {
          latenciesMs[measured] = atMs - dueMs;
          measured += 1;
        }
        if (settled === count) resolve(figuresOf(latenciesMs.subarray(0, measured).sort(), atMs - measuredFromMs));
      }, fail);
    };
    // Every turn of the event loop asks for what has become due; a timer would be late by a millisecond.
    const turn = (): void => {
      const nowMs = performance.now();
      const due = Math.min(count, Math.floor((nowMs - startMs) * perMs) + 1);
      while (sent < due && sent - settled < UNDER_WAY_MAX) {
        send(sent);
        sent += 1;
      }
      if (nowMs > measuredFromMs + seconds * 1_000 + LATE_MAX_MS) count = sent;
      if (sent < count && !isOver) setImmediate(turn);
    };
    turn();
  });
}

function figuresOf(sorted: Float32Array, tookMs: number): OpenFigures {
  return {
    opsPerSecond: sorted.length / (tookMs / 1_000),
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    p999Ms: percentile(sorted, 0.999),
    maxMs: percentile(sorted, 1),
  };
}
