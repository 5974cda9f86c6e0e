import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { Histogram } from '../base/histogram.js';
import type { StopSignal } from '../base/stop.js';

/** Calls under way in an open loop; what is due beyond it waits for one to end, and its time counts all the same. */
export const UNDER_WAY_MAX = 10_000;
/** An open loop sleeps only when nothing is due for longer than this, in ms: a timer may be late by as much. */
const SLEEP_MIN_MS = 2;

export interface LoadOptions {
  readonly clock: Clock;
  /** Makes one call. Rejects with a SeqError; anything else ends the load. */
  readonly call: () => Promise<void>;
  /** Calls a second. 0: each of `callers` makes the next one when its last one has ended. */
  readonly ratePerSecond: number;
  readonly callers: number;
  readonly durationMs: number;
  /** Ends it before its time. */
  readonly stop: StopSignal;
}

/** What a load came to. */
export class LoadFigures {
  /** Of calls that succeeded. In an open loop from the moment at which a call was due: a stall counts for all that it kept waiting. */
  readonly latency = new Histogram();
  /** By code. */
  readonly failures = new Map<string, number>();
  /** Calls that were due while UNDER_WAY_MAX were under way: they were made late. */
  lateCount = 0;
  /** From the beginning to the end of the last call, in ms. */
  tookMs = 0;

  get failedCount(): number {
    let count = 0;
    for (const each of this.failures.values()) count += each;
    return count;
  }

  get callsPerSecond(): number {
    return this.tookMs === 0 ? 0 : this.latency.count / (this.tookMs / 1_000);
  }

  failed(error: unknown): void {
    if (!(error instanceof SeqError)) throw error;
    this.failures.set(error.code, (this.failures.get(error.code) ?? 0) + 1);
  }
}

/** Makes calls until the time is over, and waits for those under way. `figures` can be read at any time. */
export async function runLoad(options: LoadOptions, figures: LoadFigures): Promise<void> {
  const { clock, ratePerSecond } = options;
  const startMs = clock.nowMs();
  await (ratePerSecond === 0 ? closedLoop(options, figures, startMs) : openLoop(options, figures, startMs));
  figures.tookMs = clock.nowMs() - startMs;
}

async function closedLoop({ clock, call, callers, durationMs, stop }: LoadOptions, figures: LoadFigures, startMs: number): Promise<void> {
  const caller = async (): Promise<void> => {
    for (let begunMs = clock.nowMs(); begunMs - startMs < durationMs && !stop.aborted; ) {
      let isDone = true;
      try {
        await call();
      } catch (error) {
        isDone = false;
        figures.failed(error);
      }
      const nowMs = clock.nowMs();
      if (isDone) figures.latency.record(nowMs - begunMs);
      figures.tookMs = nowMs - startMs;
      begunMs = nowMs;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

/** Every turn of the event loop makes the calls that have become due; no call has a timer of its own. */
function openLoop({ clock, call, ratePerSecond, durationMs, stop }: LoadOptions, figures: LoadFigures, startMs: number): Promise<void> {
  const everyMs = 1_000 / ratePerSecond;
  let count = Math.ceil(durationMs / everyMs);
  let made = 0;
  let ended = 0;
  let lateUpTo = 0;
  return new Promise((resolve, reject) => {
    const end = (): void => {
      ended += 1;
      if (ended === count) resolve();
    };
    const make = (dueMs: number): void => {
      call().then(
        () => {
          const nowMs = clock.nowMs();
          figures.latency.record(nowMs - dueMs);
          figures.tookMs = nowMs - startMs;
          end();
        },
        (error: unknown) => {
          try {
            figures.failed(error);
            end();
          } catch (bug) {
            count = made;
            reject(bug);
          }
        },
      );
    };
    const turn = (): void => {
      const nowMs = clock.nowMs();
      const due = Math.min(count, Math.floor((nowMs - startMs) / everyMs) + 1);
      while (made < due && made - ended < UNDER_WAY_MAX && !stop.aborted) {
        const dueMs = startMs + made * everyMs;
        made += 1;
        make(dueMs);
      }
      if (due > made) {
        figures.lateCount += due - Math.max(made, lateUpTo);
        lateUpTo = due;
      }
      if (stop.aborted) count = made;
      if (made === count) return ended === count ? resolve() : undefined;
      const restMs = startMs + made * everyMs - nowMs;
      if (restMs > SLEEP_MIN_MS) clock.after(Math.min(restMs - SLEEP_MIN_MS / 2, 100), turn);
      else clock.defer(turn);
    };
    turn();
  });
}
