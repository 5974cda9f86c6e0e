import type { LoadFigures, LoadOptions } from './load.js';

/** An open loop sleeps only when nothing is due for longer than this, in ms: a timer may be late by as much. */
const SLEEP_MIN_MS = 2;
/** It looks so often, in ms, whether it is to stop. */
const SLEEP_MAX_MS = 100;
/** So long after its time an open loop that fell behind goes on with what is due, in ms. The rest is not made, and counted. */
export const OVERTIME_MAX_MS = 5_000;

/** Calls that are due at a fixed rate, whatever became of those before. Resolves when all have ended. */
export function openLoop<Answer>(options: LoadOptions<Answer>, figures: LoadFigures, startMs: number): Promise<void> {
  return new Promise((resolve, reject) => new OpenLoop(options, figures, { startMs, resolve, reject }).turn());
}

interface Run {
  readonly startMs: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Every turn of the event loop makes the calls that have become due; no call has a timer, a closure or an object of its own. */
class OpenLoop<Answer> {
  readonly #options: LoadOptions<Answer>;
  readonly #figures: LoadFigures;
  readonly #run: Run;
  readonly #perMs: number;
  /** When the call of a place was due. */
  readonly #dueMs: Float64Array;
  /** Places that no call has, the first `#freeCount`. */
  readonly #free: Uint32Array;
  #freeCount: number;
  /** What is done with the outcome of a place's call: made on its first, for all of them. */
  readonly #onCame: ((answer: Answer) => void)[] = [];
  readonly #onFailed: ((error: unknown) => void)[] = [];
  /** Calls to be made in all; it shrinks when the load ends early. */
  #count: number;
  #made = 0;
  #ended = 0;
  /** Up to which call it is known whether it is late. */
  #lateUpTo = 0;

  constructor(options: LoadOptions<Answer>, figures: LoadFigures, run: Run) {
    const { ratePerSecond, durationMs, placeCount } = options;
    this.#options = options;
    this.#figures = figures;
    this.#run = run;
    this.#perMs = ratePerSecond / 1_000;
    this.#count = Math.max(1, Math.round(durationMs * this.#perMs));
    this.#dueMs = new Float64Array(placeCount);
    this.#free = Uint32Array.from({ length: placeCount }, (_, at) => placeCount - 1 - at);
    this.#freeCount = placeCount;
  }

  readonly turn = (): void => {
    const { clock, durationMs, stop } = this.#options;
    const nowMs = clock.nowMs();
    const sinceMs = nowMs - this.#run.startMs;
    const due = Math.min(this.#count, Math.floor(sinceMs * this.#perMs) + 1);
    if (stop.aborted) this.#count = this.#made;
    while (this.#made < Math.min(due, this.#count) && this.#freeCount > 0) this.#make();
    if (this.#made < this.#count) this.#noteLate(due);
    if (this.#made < this.#count && sinceMs > durationMs + OVERTIME_MAX_MS) {
      this.#figures.unmadeCount = this.#count - this.#made;
      this.#count = this.#made;
    }
    if (this.#made === this.#count) return this.#endIfOver();
    const restMs = this.#run.startMs + this.#made / this.#perMs - nowMs;
    if (restMs > SLEEP_MIN_MS) clock.after(Math.min(restMs - SLEEP_MIN_MS / 2, SLEEP_MAX_MS), this.turn);
    else clock.defer(this.turn);
  };

  #make(): void {
    this.#freeCount -= 1;
    const place = this.#free[this.#freeCount] ?? 0;
    this.#dueMs[place] = this.#run.startMs + this.#made / this.#perMs;
    this.#made += 1;
    const onCame = (this.#onCame[place] ??= (answer) => this.#came(place, answer));
    const onFailed = (this.#onFailed[place] ??= (error) => this.#failed(place, error));
    this.#options.calls.begin(place).then(onCame, onFailed);
  }

  #came(place: number, answer: Answer): void {
    try {
      this.#options.calls.came(place, answer);
    } catch (error) {
      return this.#failed(place, error);
    }
    const nowMs = this.#options.clock.nowMs();
    this.#figures.latency.record(nowMs - (this.#dueMs[place] ?? nowMs));
    this.#end(place, nowMs);
  }

  #failed(place: number, error: unknown): void {
    try {
      this.#figures.failed(error);
    } catch (bug) {
      this.#count = this.#made;
      return this.#run.reject(bug);
    }
    this.#end(place, this.#options.clock.nowMs());
  }

  #end(place: number, nowMs: number): void {
    this.#figures.tookMs = nowMs - this.#run.startMs;
    this.#free[this.#freeCount] = place;
    this.#freeCount += 1;
    this.#ended += 1;
    this.#endIfOver();
  }

  #endIfOver(): void {
    if (this.#ended === this.#count) this.#run.resolve();
  }

  #noteLate(due: number): void {
    const from = Math.max(this.#made, this.#lateUpTo);
    if (due <= from) return;
    this.#figures.lateCount += due - from;
    this.#lateUpTo = due;
  }
}
