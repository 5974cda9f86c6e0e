import type { Clock } from '../base/clock.js';
import { every } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import { backoffMs, type Random } from '../base/random.js';
import type { Seq } from '../model/ids.js';
import { RAISES_PER_REQUEST_MAX } from '../rpc/limits.js';
import type { RaiseItem, RaiseOutcome, SectionLoad, StoreCall } from '../store/client.js';
import type { AllocEvent } from './events.js';
import { hottest } from './load.js';
import { Notices } from './notices.js';
import type { RaiseDesk, SectionAllocator } from './section-allocator.js';

/** Requests on their way at once; each section is in at most one of them. */
const REQUESTS_MAX = 4;
/** The whole budget of one request, in ms; after it the same raises are asked again. */
const REQUEST_TIMEOUT_MS = 2_000;
const RETRY_BASE_MS = 50;
const RETRY_MAX_MS = 1_000;
/** A refused section asks again after this time at the earliest, in ms. */
const REFUSED_RETRY_MS = 500;
/** How often the rates are measured, and the hottest sections found, in ms. */
const SAMPLE_EVERY_MS = 1_000;

interface Asked {
  readonly allocator: SectionAllocator;
  readonly to: Seq;
}

export interface RaiserOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly observe: Observer<AllocEvent>;
  readonly raise: (raises: readonly RaiseItem[], call: StoreCall) => Promise<readonly RaiseOutcome[]>;
  /** A request, or one raise in it, failed or was refused with this. */
  readonly onError: (error: SeqError) => void;
  /** The store says that a section is not ours: the table may be old. */
  readonly onNotOwner: () => void;
}

/**
 * Carries out the raises that allocators want: all that became due in one turn travel in one request. An allocator
 * asks again only after its answer, so the queue never holds more than one entry a section.
 */
export class Raiser implements RaiseDesk {
  readonly #options: RaiserOptions;
  readonly #clock: Clock;
  readonly #due = new Set<SectionAllocator>();
  /** Those that are called; the rates of the others are 0 and cost nothing. */
  readonly #active = new Set<SectionAllocator>();
  readonly #abort = new AbortController();
  readonly #failures: Notices;
  readonly #stopSampling: () => void;
  #loads: readonly SectionLoad[] = [];
  #isScheduled = false;
  #requestCount = 0;
  #failureCount = 0;

  constructor(options: RaiserOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#failures = new Notices({ clock: options.clock });
    this.#stopSampling = every(options.clock, SAMPLE_EVERY_MS, () => {
      for (const allocator of this.#active) if (!allocator.sample()) this.#active.delete(allocator);
      this.#loads = hottest(this.#active);
    });
  }

  /** This allocator's raise is due; it is asked for its number at the end of the turn. */
  due(allocator: SectionAllocator): void {
    if (this.#abort.signal.aborted) return;
    this.#due.add(allocator);
    this.#schedule();
  }

  /** Calls a second to the hottest sections, as of the last second. */
  get loads(): readonly SectionLoad[] {
    return this.#loads;
  }

  /** This allocator is called: its rate is measured once a second as long as it does. */
  active(allocator: SectionAllocator): void {
    if (!this.#abort.signal.aborted) this.#active.add(allocator);
  }

  stop(): void {
    this.#abort.abort(new SeqError('CLOSED', 'the AllocSvr stops'));
    this.#stopSampling();
    this.#due.clear();
    this.#active.clear();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#due.size === 0 || this.#requestCount >= REQUESTS_MAX) return;
    this.#isScheduled = true;
    this.#clock.defer(() => {
      this.#isScheduled = false;
      const batch = this.#takeBatch();
      // What does not fit this request goes with the next one.
      this.#schedule();
      if (batch.length > 0) void this.#send(batch);
    });
  }

  #takeBatch(): Asked[] {
    const batch: Asked[] = [];
    for (const allocator of this.#due) {
      if (batch.length === RAISES_PER_REQUEST_MAX) break;
      this.#due.delete(allocator);
      const to = allocator.takeRaise();
      if (to !== undefined) batch.push({ allocator, to });
    }
    return batch;
  }

  async #send(batch: readonly Asked[]): Promise<void> {
    const { signal } = this.#abort;
    const sentAtMs = this.#clock.nowMs();
    this.#requestCount += 1;
    try {
      const raises = batch.map(({ allocator: { section, epoch }, to }) => ({ section, epoch, to }));
      const outcomes = await this.#options.raise(raises, { timeoutMs: REQUEST_TIMEOUT_MS, signal });
      this.#failureCount = 0;
      this.#failures.seriesEnded();
      this.#settle(batch, outcomes, this.#clock.nowMs() - sentAtMs);
    } catch (error) {
      if (!SeqError.is(error)) throw error;
      if (!signal.aborted) this.#retryLater(batch, error);
    } finally {
      this.#requestCount -= 1;
      this.#schedule();
    }
  }

  #settle(batch: readonly Asked[], outcomes: readonly RaiseOutcome[], tookMs: number): void {
    const refused: SectionAllocator[] = [];
    for (const [index, { allocator }] of batch.entries()) {
      const outcome = outcomes[index];
      if (outcome?.type === 'raised') {
        allocator.raised(outcome.maxSeq);
        this.#options.observe({ type: 'maxSeqRaised', section: allocator.section, epoch: allocator.epoch, maxSeq: outcome.maxSeq, tookMs });
      } else if (outcome !== undefined && allocator.isOpen) {
        refused.push(allocator);
        this.#refuse(allocator, outcome.error);
      }
    }
    if (refused.length > 0) this.#resumeAfter(REFUSED_RETRY_MS, refused);
  }

  #refuse(allocator: SectionAllocator, error: SeqError): void {
    const { section, epoch } = allocator;
    this.#options.observe({ type: 'raiseRefused', section, epoch, error });
    this.#options.onError(error);
    // Not ours, or so it seems: who waits is told by the table that comes. Any other refusal is the answer itself.
    if (error.code === 'NOT_OWNER') this.#options.onNotOwner();
    allocator.raiseRefused(error.retryable ? undefined : error.with({ definite: true }));
  }

  /** The outcome is unknown, so nothing is assumed: the identical raises are asked again, and max() makes that harmless. */
  #retryLater(batch: readonly Asked[], error: SeqError): void {
    const allocators = batch.map(({ allocator }) => allocator);
    for (const allocator of allocators) allocator.raiseFailed();
    const delayMs = backoffMs(this.#options.random, { attempt: this.#failureCount++, baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS });
    this.#resumeAfter(delayMs, allocators);
    this.#failures.tell((leftOutCount) => this.#options.observe({ type: 'raiseFailed', sectionCount: batch.length, error, leftOutCount }));
    this.#options.onError(error);
  }

  #resumeAfter(delayMs: number, allocators: readonly SectionAllocator[]): void {
    this.#clock.after(delayMs, () => {
      for (const allocator of allocators) allocator.resumeRaising();
    });
  }
}
