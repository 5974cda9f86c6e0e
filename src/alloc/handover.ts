import type { Clock } from '../base/clock.js';
import type { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import type { Random } from '../base/random.js';
import type { AllocId, Epoch, SectionId } from '../model/ids.js';
import type { WindowRun } from '../model/window.js';
import type { Assignment } from '../store/client.js';
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
  /** Where counters go on a clean stop with nobody to take over. Undefined: nowhere, and uids jump then. */
  readonly saved: SavedCounters | undefined;
}

/** A place for counters that survives the process. */
export interface SavedCounters {
  /** On disk when it resolves. Returns how many bytes it is. Rejects when it could not be written. */
  save(sealed: readonly SealedCounters[], clusterId: string): Promise<number>;
  /** What a former run left, or why it cannot be believed. */
  load(whose: {
    readonly clusterId: string;
    readonly uidCountOf: (section: SectionId) => number;
  }): Promise<readonly SealedCounters[] | { readonly refused: string }>;
  /** They are of no more use. Returns why they could not be removed. */
  remove(): Promise<string | undefined>;
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

  /** Finds what a former run of this AllocSvr left behind: the digest in the table decides whether it counts. */
  async findCounters(clusterId: string): Promise<void> {
    const { saved, observe, uidCountOf } = this.#options;
    const found = (await saved?.load({ clusterId, uidCountOf })) ?? [];
    if ('refused' in found) return observe({ type: 'countersRefused', why: found.refused });
    if (found.length === 0) return;
    observe({ type: 'countersFound', sectionCount: found.length });
    for (const sealed of found) this.source.keep(sealed, { isRestored: true });
    this.#hasRestored = true;
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
    void this.#removeCounters();
  }

  /** An old copy does no harm, for no table has its digests any more; but it is of no use either. */
  async #removeCounters(): Promise<void> {
    const why = await this.#options.saved?.remove();
    if (why !== undefined) this.#options.observe({ type: 'countersRefused', why });
  }

  #begin(section: SectionId): void {
    const run = this.#options.sections.awaited(section);
    if (run === undefined || this.#installing.get(section)?.epoch === run.epoch) return;
    const done = this.#install(section, run).finally(() => {
      if (this.#installing.get(section)?.epoch === run.epoch) this.#installing.delete(section);
    });
    this.#installing.set(section, { epoch: run.epoch, done });
  }

  async #install(section: SectionId, { epoch, base, handoff }: WindowRun): Promise<void> {
    if (handoff === undefined) return;
    const { clock, sections, observe, id } = this.#options;
    const startMs = clock.nowMs();
    const own = this.source.take(section, handoff.epoch);
    // An old copy of the file has another digest than the one that was committed.
    const ours = own?.digest === handoff.digest ? own : undefined;
    const found = handoff.from === id ? ours : await this.#intake.take(section, handoff, handoff.fromAddress);
    // The digest does not say how far they reach. Above `base` lie the numbers of this epoch.
    const counters = found !== undefined && found.trueMax <= base ? found : undefined;
    if (this.#isStopped) return;
    // Refused when the epoch is over, or was opened meanwhile: foreign counters come before the first answer or never.
    if (!sections.install(section, epoch, counters)) return;
    const tookMs = clock.nowMs() - startMs;
    if (counters === undefined) observe({ type: 'handoffFellBack', section, epoch, from: handoff.from, tookMs });
    else observe({ type: 'handoffInstalled', section, epoch, from: handoff.from, pageCount: [...counters.touchedPages()].length, tookMs });
  }
}
