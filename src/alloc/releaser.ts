import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { sleep } from '../base/clock.js';
import { optional, SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import { backoffMs, type Random } from '../base/random.js';
import { appendRun } from '../model/window.js';
import { RELEASES_PER_REQUEST_MAX } from '../rpc/limits.js';
import type { Assignment, ReleasedRun, ReleaseOutcome, StoreCall } from '../store/client.js';
import type { AllocEvent } from './events.js';
import { Notices } from './notices.js';
import type { SectionAllocator } from './section-allocator.js';

/** The whole budget of one request, in ms; after it the identical request is sent again. */
const REQUEST_TIMEOUT_MS = 1_000;
const RETRY_BASE_MS = 50;
const RETRY_MAX_MS = 500;

export interface ReleaserOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly observe: Observer<AllocEvent>;
  readonly release: (releases: readonly ReleasedRun[], call: StoreCall) => Promise<ReleaseOutcome>;
  readonly load: (call: StoreCall) => Promise<Assignment>;
  readonly onReleased: () => void;
  /** Some were refused: `assignment` is the newest table, and the sealed sections were these. */
  readonly onRefused: (assignment: Assignment, sealed: readonly SectionAllocator[]) => void;
  readonly onError: (error: SeqError) => void;
}

/** Gives sealed sections back, a few large requests one after another, until each is answered. */
export class Releaser {
  readonly #options: ReleaserOptions;
  readonly #failures: Notices;
  readonly #abort = new AbortController();
  #waiting: SectionAllocator[] = [];
  #running: Promise<void> | undefined;

  constructor(options: ReleaserOptions) {
    this.#options = options;
    this.#failures = new Notices({ clock: options.clock });
  }

  /** All of them sealed: their true maximum no longer changes, so every retry repeats the same values. */
  release(sealed: readonly SectionAllocator[]): void {
    if (sealed.length === 0) return;
    for (const allocator of sealed) assert(!allocator.isOpen, 'only a sealed section is released');
    this.#waiting.push(...sealed);
    this.#running ??= this.#run();
  }

  /** Resolves when everything that was to be released is answered, or after stop(). */
  async idle(): Promise<void> {
    await this.#running;
  }

  stop(): void {
    this.#abort.abort(new SeqError('CLOSED', 'the AllocSvr stops'));
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#abort.signal.aborted) {
      // A section takes at most one run, so this many sections always fit one request.
      const batch = this.#waiting.splice(0, RELEASES_PER_REQUEST_MAX);
      const releases = toRuns(batch);
      // Once the table has taken them all from us, whatever became of the release, there is nothing left to ask.
      const isOver = (): boolean => batch.every(({ isLost }) => isLost);
      const outcome = await this.#insist((call) => this.#options.release(releases, call), isOver);
      if (outcome === undefined) continue;
      this.#options.observe({ type: 'sectionsReleased', ...outcome });
      if (outcome.refusedCount === 0) {
        this.#options.onReleased();
        continue;
      }
      // A repeat of a release that got through is refused too: only the table tells what became of it.
      const assignment = await this.#insist((call) => this.#options.load(call), isOver);
      if (assignment !== undefined) this.#options.onRefused(assignment, batch);
    }
    this.#running = undefined;
  }

  /** Asks the very same until there is an answer; undefined after stop(), or when `isOver` says that none is needed. */
  async #insist<Answer>(ask: (call: StoreCall) => Promise<Answer>, isOver: () => boolean): Promise<Answer | undefined> {
    const { clock, random, observe, onError } = this.#options;
    const { signal } = this.#abort;
    for (let attempt = 0; !signal.aborted && !isOver(); attempt++) {
      try {
        const answer = await ask({ timeoutMs: REQUEST_TIMEOUT_MS, signal });
        this.#failures.seriesEnded();
        return answer;
      } catch (error) {
        if (!SeqError.is(error)) throw error;
        if (signal.aborted) break;
        this.#failures.tell((leftOutCount) => observe({ type: 'releaseFailed', error, leftOutCount }));
        onError(error);
      }
      await sleep(clock, backoffMs(random, { attempt, baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS }), signal);
    }
    return undefined;
  }
}

/** Neighbouring sections with the same epoch and true maximum share one run, when they hand over no counters. */
export function toRuns(sealed: readonly SectionAllocator[]): ReleasedRun[] {
  const runs: ReleasedRun[] = [];
  for (const { section, epoch, trueMax, digest } of [...sealed].sort((one, other) => one.section - other.section)) {
    const run = { firstSection: section, sectionCount: 1, epoch, trueMax, ...optional('digest', digest) };
    // A digest is that of one section.
    appendRun(
      runs,
      run,
      (last, next) => last.epoch === next.epoch && last.trueMax === next.trueMax && last.digest === undefined && next.digest === undefined,
    );
  }
  return runs;
}
