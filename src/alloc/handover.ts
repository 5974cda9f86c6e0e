import type { Clock } from '../base/clock.js';
import type { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import type { Random } from '../base/random.js';
import type { AllocId, Epoch, SectionId } from '../model/ids.js';
import type { WindowRun } from '../model/window.js';
import type { Assignment } from '../store/client.js';
import { digestOfPages, pageFrom } from './counter-digest.js';
import type { CounterPages } from './counters.js';
import type { AllocEvent } from './events.js';
import { HandoffIntake, type PullCounters } from './handoff-intake.js';
import { HandoffSource } from './handoff-source.js';
import { Notices } from './notices.js';
import type { OwnedSections } from './owned-sections.js';
import type { SealedCounters } from './sealed-counters.js';
import type { SectionAllocator } from './section-allocator.js';

export interface HandoverOptions {
  readonly id: AllocId;
  readonly clock: Clock;
  readonly random: Random;
  readonly observe: Observer<AllocEvent>;
  readonly sections: OwnedSections;
  readonly pull: PullCounters;
  readonly uidCountOf: (section: SectionId) => number;
  /** Seals all of them in this very turn, and begins to release them. */
  readonly seal: (allocators: readonly SectionAllocator[]) => void;
  /** Nothing of what a former run left behind is of use any more. */
  readonly onRestoredUsedUp: () => void;
}

/** Counters that change hands, both ways, for one incarnation (DESIGN 3.2). */
export class Handover {
  readonly source: HandoffSource;
  readonly #options: HandoverOptions;
  readonly #intake: HandoffIntake;
  #hasRestored = false;
  #isStopped = false;
  readonly #installing = new Map<SectionId, { readonly epoch: number; readonly done: Promise<void> }>();

  constructor(options: HandoverOptions) {
    const { clock, random, sections, pull, uidCountOf, observe } = options;
    this.#options = options;
    const broken = new Notices({ clock });
    this.source = new HandoffSource({
      clock,
      allocatorOf: (section) => sections.get(section),
      isLeavingTo: (section, allocId) => sections.isLeavingTo(section, allocId),
      seal: (allocators) => {
        if (allocators.length > 0) options.seal(allocators);
      },
      onForgotten: () => this.#checkRestored(),
    });
    this.#intake = new HandoffIntake({
      clock,
      random,
      pull,
      uidCountOf,
      onBroken: (address: string, error: SeqError) => broken.tell((leftOutCount) => observe({ type: 'handoffBroken', address, error, leftOutCount })),
    });
  }

  /** What a former run of this AllocSvr left behind. */
  restore(saved: readonly SealedCounters[]): void {
    for (const sealed of saved) this.source.keep(sealed, { isRestored: true });
    this.#hasRestored = saved.length > 0;
  }

  /** A newer table was adopted, which has each section in this epoch. */
  adopted({ incoming }: Assignment, epochOf: (section: SectionId) => Epoch): void {
    this.source.adopted(epochOf);
    const { sections } = this.#options;
    for (const section of sections.awaitedOnes()) this.#begin(section);
    this.#intake.expect(incoming, (section) => sections.awaited(section) !== undefined);
  }

  /** Resolves once the section's counters are installed, or it was found that they never will be; undefined: nothing is awaited. */
  installing(section: SectionId): Promise<void> | undefined {
    return this.#installing.get(section)?.done;
  }

  stop(): void {
    this.#isStopped = true;
    this.#intake.stop();
  }

  #checkRestored(): void {
    if (!this.#hasRestored || this.source.restoredCount > 0) return;
    this.#hasRestored = false;
    this.#options.onRestoredUsedUp();
  }

  #begin(section: SectionId): void {
    const run = this.#options.sections.awaited(section);
    if (run === undefined || this.#installing.get(section)?.epoch === run.epoch) return;
    const done = this.#install(section, run).finally(() => {
      if (this.#installing.get(section)?.epoch === run.epoch) this.#installing.delete(section);
    });
    this.#installing.set(section, { epoch: run.epoch, done });
  }

  async #install(section: SectionId, { epoch, handoff }: WindowRun): Promise<void> {
    if (handoff === undefined) return;
    const { clock, sections, observe, id } = this.#options;
    const startMs = clock.nowMs();
    const own = this.source.take(section, handoff.epoch);
    const counters =
      handoff.from === id ? this.#ownCounters(section, own, handoff.digest) : await this.#intake.take(section, handoff, handoff.fromAddress);
    if (this.#isStopped) return;
    // Refused when the epoch is over, or was opened meanwhile: foreign counters come before the first answer or never.
    if (!sections.install(section, epoch, counters)) return;
    const tookMs = clock.nowMs() - startMs;
    if (counters === undefined) observe({ type: 'handoffFellBack', section, epoch, from: handoff.from, tookMs });
    else observe({ type: 'handoffInstalled', section, epoch, from: handoff.from, pageCount: counters.pages.size, tookMs });
  }

  /** An old copy of the file has another digest than the one that was committed. */
  #ownCounters(section: SectionId, own: SealedCounters | undefined, digest: string): CounterPages | undefined {
    if (own === undefined) return undefined;
    const pages = own.pages().flatMap(({ index, bytes }) => {
      const page = pageFrom(bytes);
      return page === undefined ? [] : [[index, page] as const];
    });
    const counters = { defaultSeq: own.defaultSeq, pages: new Map(pages) };
    return digestOfPages(counters, this.#options.uidCountOf(section)) === digest ? counters : undefined;
  }
}
