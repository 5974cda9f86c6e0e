import { type Spread, spreadOf } from '../figures.js';
import type { Figures, Measurement, Work } from './figures.js';

/** One rate of an open loop: latency counts from when a call was due, not from when it could be sent. */
export interface OpenLoop {
  readonly system: string;
  readonly targetPerSecond: number;
  readonly opsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** Calls that found a window empty and waited for the stores; NaN for others than ours. */
  readonly advanceWaits: number;
  /** Raises that were committed meanwhile; NaN for others than ours. */
  readonly raises: number;
}

/** What the work grows by, and what it comes to. */
export interface Scaling {
  readonly dimension: 'uids' | 'sections';
  readonly size: number;
  readonly round: number;
  readonly opsPerSecond: number;
  /** Committed in the StoreSvrs' log while it ran. */
  readonly entriesPerSecond: number;
}

export interface Memory {
  readonly touchedUids: number;
  /** In use after a collection of garbage, less that before the uids were touched. */
  readonly bytesPerUid: number;
  /** The same of resident memory. */
  readonly residentBytesPerUid: number;
}

export interface Takeover {
  readonly sections: number;
  readonly medianMs: number;
  readonly maxMs: number;
  /** Of sections that are open and in which nobody was touched. */
  readonly bytesPerUid: number;
}

/** What our cluster takes while nobody asks for anything, in ms of processor time a second: a part of every figure of ours. */
export interface Idle {
  readonly allocMsPerSecond: number;
  /** Of all StoreSvrs together. */
  readonly storesMsPerSecond: number;
}

/** A host of several AllocSvrs under one supervisor, and one load on it. */
export interface WorkerRun {
  readonly workers: number;
  readonly work: 'next' | 'frames';
  readonly round: number;
  readonly opsPerSecond: number;
  readonly p99Ms: number;
  /** Time on a processor for each operation, of all processes of the host: AllocSvrs and supervisor. */
  readonly allocCpuUs: number;
  /** Of all StoreSvrs together. */
  readonly storesCpuUs: number;
  /** The part of the AllocSvrs' time that the busiest of them took: 1 / workers when they share evenly. */
  readonly busiestShare: number;
}

/** Everything that one run measured. */
export interface Results {
  readonly measurements: readonly Measurement[];
  readonly openLoops: readonly OpenLoop[];
  readonly scalings: readonly Scaling[];
  readonly memory: Memory | undefined;
  readonly takeover: Takeover | undefined;
  readonly idle: Idle | undefined;
  readonly workerRuns: readonly WorkerRun[];
}

/** A row of the table. */
export interface Row {
  readonly work: Work;
  readonly system: string;
}

export function spreadOfRow(
  measurements: readonly Measurement[],
  row: Row,
  figure: keyof Measurement & (keyof Figures | 'residentMiB'),
): Spread | undefined {
  return spreadOf(
    measurements
      .filter((one) => isOf(one, row))
      .map((one) => one[figure])
      .filter(Number.isFinite),
  );
}

/** One row divided by another, round by round: the machine was the same for both. Undefined when one of them was not measured. */
export function ratioOf(measurements: readonly Measurement[], figure: keyof Figures, over: Row, under: Row): Spread | undefined {
  return spreadOf(
    measurements
      .filter((one) => isOf(one, over))
      .flatMap((one) => {
        const other = measurements.find((candidate) => isOf(candidate, under) && candidate.round === one.round);
        const ratio = other === undefined ? Number.NaN : one[figure] / other[figure];
        return Number.isFinite(ratio) ? [ratio] : [];
      }),
  );
}

function isOf({ work, system }: Row, row: Row): boolean {
  return work === row.work && system === row.system;
}
