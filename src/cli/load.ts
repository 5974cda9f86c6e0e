import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { Histogram } from '../base/histogram.js';
import type { StopSignal } from '../base/stop.js';
import { openLoop } from './open-loop.js';

/** What a load makes. A call has a place while it is under way, so that what belongs to it can lie in arrays: nothing is allocated for it here. */
export interface Calls<Answer> {
  /** Begins a call. Rejects with a SeqError; anything else ends the load. */
  begin(place: number): Promise<Answer>;
  /** Looks at what came. Throws a SeqError when the call failed after all. */
  came(place: number, answer: Answer): void;
}

export interface LoadOptions<Answer = unknown> {
  readonly clock: Clock;
  readonly calls: Calls<Answer>;
  /** Calls a second. 0: a closed loop, in which each place makes its next call when its last one has ended. */
  readonly ratePerSecond: number;
  /** Calls under way at most. What is due beyond it in an open loop waits for one to end, and its time counts all the same. */
  readonly placeCount: number;
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
  /** Calls that were due while all places were taken: they were made late. */
  lateCount = 0;
  /** Calls that were due and not made in time nor in the overtime after it. */
  unmadeCount = 0;
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

  /** Throws what is not a SeqError: a bug is no figure. */
  failed(error: unknown): void {
    if (!(error instanceof SeqError)) throw error;
    this.failures.set(error.code, (this.failures.get(error.code) ?? 0) + 1);
  }
}

/** Makes calls until the time is over, and waits for those under way. `figures` can be read at any time. */
export async function runLoad<Answer>(options: LoadOptions<Answer>, figures: LoadFigures): Promise<void> {
  const startMs = options.clock.nowMs();
  await (options.ratePerSecond === 0 ? closedLoop(options, figures, startMs) : openLoop(options, figures, startMs));
  figures.tookMs = options.clock.nowMs() - startMs;
}

async function closedLoop<Answer>(options: LoadOptions<Answer>, figures: LoadFigures, startMs: number): Promise<void> {
  const { clock, calls, placeCount, durationMs, stop } = options;
  let hasBug = false;
  const caller = async (place: number): Promise<void> => {
    for (let begunMs = clock.nowMs(); begunMs - startMs < durationMs && !stop.aborted && !hasBug; ) {
      let isDone = false;
      try {
        calls.came(place, await calls.begin(place));
        isDone = true;
      } catch (error) {
        hasBug ||= !SeqError.is(error);
        figures.failed(error);
        // What fails at once would keep the event loop from everything else, an interrupt included.
        await new Promise<void>((resolve) => clock.defer(resolve));
      }
      const nowMs = clock.nowMs();
      if (isDone) figures.latency.record(nowMs - begunMs);
      figures.tookMs = nowMs - startMs;
      begunMs = nowMs;
    }
  };
  await Promise.all(Array.from({ length: placeCount }, (_, place) => caller(place)));
}
