import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import type { Observer } from '../base/observe.js';
import type { InstallBatch, RaftEvent, RaftStorage, StateMachine, StorageBatch } from './ports.js';
import type { AppendWork } from './ready.js';
import type { ConfState, Entry, HardState, Index } from './types.js';

/** Applied entries whose state writes wait for an append to ride on; beyond it they are written alone. */
const UNSAVED_APPLIES_MAX = 1_000;

interface WriterOptions {
  readonly storage: RaftStorage;
  readonly machine: Pick<StateMachine<unknown>, 'takeWrites' | 'parseSnapshot'>;
  readonly clock: Clock;
  readonly observe: Observer<RaftEvent>;
  readonly appliedIndex: Index;
  /** Everything in these works is on disk. Called in the order of the pushes; a work with a snapshot comes alone. */
  readonly onWritten: (works: readonly AppendWork[]) => void;
  readonly onFatal: (error: unknown) => void;
}

/** What is applied in memory. */
interface Applied {
  readonly index: Index;
  readonly confState: ConfState;
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
  #applied: Applied | undefined;
  #savedAppliedIndex: Index;
  /** What is applied must not wait for an append. */
  #isUrgent = false;
  #compactTo: Index | undefined;
  #isWriting = false;
  /** When the write under way began. */
  #sinceMs: number | undefined;
  #isStopping = false;
  #isHalted = false;
  #onIdle: () => void = () => undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
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

  /**
   * `isUrgent`: it goes to the disk now. Who restarts counts its votes among the members that it has on disk, so that a change of them
   * must not wait until something else is written: the members that it ended may be gone by then.
   */
  applied(applied: Applied, { isUrgent = false } = {}): void {
    this.#applied = applied;
    this.#isUrgent ||= isUrgent;
  }

  /** The log up to `index` is no longer needed; it goes with the next write. At most `savedAppliedIndex`. */
  compact(index: Index): void {
    this.#compactTo = index;
  }

  /** What the disk holds of what was applied. */
  get savedAppliedIndex(): Index {
    return this.#savedAppliedIndex;
  }

  /** How long the write under way has taken so far, in ms; 0: none is. */
  get stalledMs(): number {
    return this.#sinceMs === undefined ? 0 : this.#options.clock.nowMs() - this.#sinceMs;
  }

  /** Starts a write if there is reason for one and none is under way. */
  kick(): void {
    if (this.isDue && !this.#isWriting && !this.#isStopping) void this.#run();
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
    if (this.#unsavedApplies > 0 || this.#lazyHardState !== undefined) await this.#options.storage.write(this.#batchOf([]));
  }

  /** There is something to write. */
  get isDue(): boolean {
    return this.#queue.length > 0 || this.#mustSave;
  }

  /** What is applied goes to the disk, whether or not there is anything to append. */
  get #mustSave(): boolean {
    return this.#unsavedApplies >= UNSAVED_APPLIES_MAX || this.#isUrgent || this.#compactTo !== undefined;
  }

  get #unsavedApplies(): number {
    return this.#applied === undefined ? 0 : this.#applied.index - this.#savedAppliedIndex;
  }

  async #run(): Promise<void> {
    this.#isWriting = true;
    try {
      while (this.isDue) {
        const works = this.#takeWorks();
        if (works[0]?.snapshot !== undefined) await this.#install(works[0], works[0].snapshot);
        else if (this.#needsDisk(works)) await this.#write(this.#batchOf(works));
        // Nothing is under way here, so all that these replies speak of is on disk already.
        else this.#lazyHardState ??= works.findLast((work) => work.hardState !== undefined)?.hardState;
        this.#options.onWritten(works);
        if (this.#isStopping) break;
      }
    } catch (error) {
      // Never retried: a disk that failed once may acknowledge what it lost (DESIGN 3.6).
      this.halt();
      this.#options.onFatal(error);
    }
    this.#isWriting = false;
    this.#onIdle();
  }

  /** Everything that waits, but a snapshot takes the place of all before it, so it goes alone. */
  #takeWorks(): readonly AppendWork[] {
    const at = this.#queue.findIndex(({ snapshot }) => snapshot !== undefined);
    const count = at === -1 ? this.#queue.length : Math.max(at, 1);
    return this.#queue.splice(0, count);
  }

  async #write(batch: StorageBatch): Promise<void> {
    await this.#timed(batch.entries.length, () => this.#options.storage.write(batch));
  }

  async #install(work: AppendWork, { index, term, confState, data }: NonNullable<AppendWork['snapshot']>): Promise<void> {
    const state = this.#options.machine.parseSnapshot(data);
    const { hardState } = work;
    assert(state !== undefined, 'a snapshot was read once before it was taken');
    assert(hardState !== undefined && hardState.commitIndex >= index, 'what a snapshot holds is committed');
    const batch: InstallBatch = { index, term, confState, state, hardState: { ...hardState, commitIndex: index } };
    await this.#timed(0, () => this.#options.storage.install(batch));
    // What was applied before belongs to a state that is no longer there.
    this.#applied = undefined;
    this.#savedAppliedIndex = index;
    this.#compactTo = undefined;
    this.#isUrgent = false;
    if (work.entries.length > 0) await this.#write(this.#batchOf([work]));
  }

  async #timed(entryCount: number, write: () => Promise<void>): Promise<void> {
    const { clock, observe } = this.#options;
    const startMs = clock.nowMs();
    this.#sinceMs = startMs;
    await write();
    this.#sinceMs = undefined;
    observe({ type: 'written', entryCount, tookMs: clock.nowMs() - startMs });
  }

  #needsDisk(works: readonly AppendWork[]): boolean {
    return works.some(({ mustSync }) => mustSync) || this.#mustSave;
  }

  #batchOf(works: readonly AppendWork[]): StorageBatch {
    const hardState = this.#lazyHardState ?? works.findLast((work) => work.hardState !== undefined)?.hardState;
    this.#lazyHardState = undefined;
    const compactTo = this.#compactTo;
    this.#compactTo = undefined;
    this.#isUrgent = false;
    const applied = this.#unsavedApplies > 0 ? this.#applied : undefined;
    if (applied !== undefined) this.#savedAppliedIndex = applied.index;
    return {
      entries: joined(works),
      hardState,
      applied: applied && { ...applied, writes: this.#options.machine.takeWrites() },
      compactTo,
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
