import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import type { Observer } from '../base/observe.js';
import type { AppendWork } from './core.js';
import type { RaftEvent, RaftStorage, StateMachine, StorageBatch } from './ports.js';
import type { Entry, HardState, Index } from './types.js';

/** Applied entries whose state writes wait for an append to ride on; beyond it they are written alone. */
const UNSAVED_APPLIES_MAX = 1_000;

interface WriterOptions {
  readonly storage: RaftStorage;
  readonly machine: Pick<StateMachine<unknown>, 'takeWrites'>;
  readonly clock: Clock;
  readonly observe: Observer<RaftEvent>;
  readonly appliedIndex: Index;
  /** Everything in these works is on disk. Called in the order of the pushes. */
  readonly onWritten: (works: readonly AppendWork[]) => void;
  readonly onFatal: (error: unknown) => void;
}

/**
 * The one ordered writer: at most one write is under way, and all work that came meanwhile makes the next one (group
 * commit). What was applied rides along with its applied index; alone it is not worth a sync, for the log can repeat it.
 */
export class Writer {
  readonly #options: WriterOptions;
  #queue: AppendWork[] = [];
  /** A hard state with nothing but a new commit index, newer than any in the queue: rides on the next write. */
  #lazyHardState: HardState | undefined;
  #appliedIndex: Index;
  #savedAppliedIndex: Index;
  #isWriting = false;
  #isStopping = false;
  #isHalted = false;
  #onIdle: () => void = () => undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#appliedIndex = options.appliedIndex;
    this.#savedAppliedIndex = options.appliedIndex;
  }

  push(work: AppendWork): void {
    if (!work.mustSync && work.replies.length === 0 && work.ack === undefined) {
      this.#lazyHardState = work.hardState;
      return;
    }
    if (work.hardState !== undefined) this.#lazyHardState = undefined;
    this.#queue.push(work);
  }

  applied(index: Index): void {
    this.#appliedIndex = index;
  }

  /** Starts a write if there is reason for one and none is under way. */
  kick(): void {
    const isDue = this.#queue.length > 0 || this.#appliedIndex - this.#savedAppliedIndex >= UNSAVED_APPLIES_MAX;
    if (isDue && !this.#isWriting && !this.#isStopping) void this.#write();
  }

  /** Something is broken: no write begins after this, not even the last one of `stop`. */
  halt(): void {
    this.#isStopping = true;
    this.#isHalted = true;
  }

  /** Finishes the write under way, then saves what is applied; resolves when the disk is quiet. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.#isWriting) await new Promise<void>((resolve) => (this.#onIdle = resolve));
    if (this.#isHalted) return;
    if (this.#appliedIndex > this.#savedAppliedIndex || this.#lazyHardState !== undefined) await this.#options.storage.write(this.#batchOf([]));
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    const { clock, observe, storage, onWritten, onFatal } = this.#options;
    try {
      while (this.#queue.length > 0 || this.#appliedIndex - this.#savedAppliedIndex >= UNSAVED_APPLIES_MAX) {
        const works = this.#queue;
        this.#queue = [];
        if (!this.#needsDisk(works)) {
          // Nothing is under way here, so all that these replies speak of is on disk already.
          this.#lazyHardState ??= works.findLast((work) => work.hardState !== undefined)?.hardState;
          onWritten(works);
          if (this.#isStopping) break;
          continue;
        }
        const batch = this.#batchOf(works);
        const startMs = clock.nowMs();
        await storage.write(batch);
        observe({ type: 'written', entryCount: batch.entries.length, tookMs: clock.nowMs() - startMs });
        onWritten(works);
        if (this.#isStopping) break;
      }
    } catch (error) {
      // Never retried: a disk that failed once may acknowledge what it lost (DESIGN 3.6).
      this.halt();
      onFatal(error);
    }
    this.#isWriting = false;
    this.#onIdle();
  }

  #needsDisk(works: readonly AppendWork[]): boolean {
    return works.some(({ mustSync }) => mustSync) || this.#appliedIndex - this.#savedAppliedIndex >= UNSAVED_APPLIES_MAX;
  }

  #batchOf(works: readonly AppendWork[]): StorageBatch {
    const hardState = this.#lazyHardState ?? works.findLast((work) => work.hardState !== undefined)?.hardState;
    this.#lazyHardState = undefined;
    const isNew = this.#appliedIndex > this.#savedAppliedIndex;
    this.#savedAppliedIndex = this.#appliedIndex;
    return {
      entries: joined(works),
      hardState,
      applied: isNew ? { index: this.#appliedIndex, writes: this.#options.machine.takeWrites() } : undefined,
    };
  }
}

/** Entries of several appends as one run; a later append may replace the end of an earlier one. */
function joined(works: readonly AppendWork[]): readonly Entry[] {
  let all: Entry[] = [];
  for (const { entries } of works) {
    const first = entries[0];
    if (first === undefined) continue;
    const start = all[0]?.index ?? first.index;
    assert(first.index <= start + all.length, 'appends are contiguous');
    all = first.index <= start ? [...entries] : [...all.slice(0, first.index - start), ...entries];
  }
  return all;
}
