import type { Clock } from '../base/clock.js';
import type { AllocId, Epoch, SectionId } from '../model/ids.js';
import type { SealedCounters } from './sealed-counters.js';
import type { SectionAllocator } from './section-allocator.js';

/** A sealed owner serves its counters for so long after the next epoch began, in ms (DESIGN 3.2). */
const KEEP_MS = 1_000;
/** One message carries about this much, in bytes. */
const CHUNK_BYTES = 64 * 1024;

/** What the successor asks for. */
export interface Pull {
  readonly allocId: AllocId;
  readonly sections: readonly { readonly section: SectionId; readonly epoch: Epoch; readonly has: ReadonlyMap<number, Uint8Array> }[];
}

export interface Chunk {
  readonly pages: readonly { readonly section: SectionId; readonly page: number; readonly bytes: Uint8Array }[];
  readonly sealed: readonly SealedCounters[];
  readonly refused: readonly SectionId[];
}

/** Where the chunks of one pull go. */
export interface Sink {
  /** Resolves when there is room for more. */
  write(chunk: Chunk): Promise<void>;
  isCancelled(): boolean;
}

interface Kept {
  readonly sealed: SealedCounters;
  readonly isRestored: boolean;
  /** Somebody has all of it. */
  isFetched: boolean;
  /** The table has the section in a later epoch. */
  isClaimed: boolean;
}

export interface HandoffSourceOptions {
  readonly clock: Clock;
  /** The allocator of a section that this incarnation has, sealed ones included. */
  readonly allocatorOf: (section: SectionId) => SectionAllocator | undefined;
  /** A planned move takes the section to this AllocSvr. */
  readonly isLeavingTo: (section: SectionId, allocId: AllocId) => boolean;
  /** Seals all of them in this very turn, and begins to release them. */
  readonly seal: (allocators: readonly SectionAllocator[]) => void;
  /** Something is not kept any more. */
  readonly onForgotten: () => void;
}

/**
 * The owner's side of a hand-off (DESIGN 3.2): counters are copied while they are still served; then, in one turn, all of one
 * pull are sealed, and what changed meanwhile follows with the digest. What is sealed is kept for a while, for a successor
 * whose stream broke, and so is what a former run of this AllocSvr left in its file.
 */
export class HandoffSource {
  readonly #options: HandoffSourceOptions;
  readonly #kept = new Map<SectionId, Kept>();

  constructor(options: HandoffSourceOptions) {
    this.#options = options;
  }

  /** What this run sealed and nobody has fetched to its end: somebody may still come for it. */
  get unfetched(): SealedCounters[] {
    return this.#keptOnes(({ isFetched, isRestored }) => !isFetched && !isRestored);
  }

  /** What must outlive this process: as long as nobody has the next epoch, whoever fetched it may be about to stop as well. */
  get unclaimed(): SealedCounters[] {
    return this.#keptOnes(({ isFetched, isClaimed }) => !isFetched || !isClaimed);
  }

  /** What a former run left behind, and is still kept. */
  get restoredCount(): number {
    return [...this.#kept.values()].filter(({ isRestored }) => isRestored).length;
  }

  /** What was sealed, or what a former run left behind: whoever opens the next epoch may have it, so it is kept until one has. */
  keep(sealed: SealedCounters, { isRestored = false } = {}): void {
    this.#kept.set(sealed.section, { sealed, isRestored, isFetched: false, isClaimed: false });
  }

  /** The epochs of a newer table: once the next one has begun, its opener has KEEP_MS to fetch what it misses. */
  adopted(epochOf: (section: SectionId) => Epoch): void {
    for (const [section, kept] of this.#kept) {
      if (kept.isClaimed || epochOf(section) <= kept.sealed.epoch) continue;
      kept.isClaimed = true;
      this.#options.clock.after(KEEP_MS, () => {
        if (this.#kept.get(section) !== kept) return;
        this.#kept.delete(section);
        this.#options.onForgotten();
      });
    }
  }

  /** What this very AllocSvr may install by itself: it sealed it, or a former run of it did. */
  take(section: SectionId, epoch: Epoch): SealedCounters | undefined {
    const sealed = this.#kept.get(section)?.sealed;
    return sealed?.epoch === epoch ? sealed : undefined;
  }

  /** Only what has a digest can be handed over. */
  #keptOnes(isWanted: (kept: Kept) => boolean): SealedCounters[] {
    const wanted = [...this.#kept.values()].filter(isWanted);
    return wanted.map(({ sealed }) => sealed).filter(({ digest }) => digest !== undefined);
  }

  async pull({ allocId, sections }: Pull, sink: Sink): Promise<void> {
    const live: { readonly allocator: SectionAllocator; readonly sent: Map<number, Uint8Array> }[] = [];
    const refused: SectionId[] = [];
    for (const { section, epoch, has } of sections) {
      const kept = this.take(section, epoch);
      const allocator = this.#options.allocatorOf(section);
      if (kept !== undefined) await this.#send(sink, kept, has);
      else if (allocator?.epoch === epoch && allocator.isOpen && this.#options.isLeavingTo(section, allocId))
        live.push({ allocator, sent: new Map(has) });
      else refused.push(section);
    }
    if (refused.length > 0) await sink.write({ pages: [], sealed: [], refused });
    // Still served: what changes after it was sent is sent again below.
    for (const { allocator, sent } of live) await this.#sendPages(sink, allocator.section, allocator.counters, sent);
    if (sink.isCancelled() || live.length === 0) return;
    // Checked again after the waits: the move may have been called off, or the section lost.
    const leaving = live.filter(({ allocator }) => allocator.isOpen && this.#options.isLeavingTo(allocator.section, allocId));
    // One turn, no wait in it: after it nothing of these epochs leaves, and what is sent now is what the digest says.
    this.#options.seal(leaving.map(({ allocator }) => allocator));
    for (const { allocator, sent } of leaving) await this.#send(sink, allocator.sealedCounters(), sent);
    const lost = live.filter((each) => !leaving.includes(each)).map(({ allocator }) => allocator.section);
    if (lost.length > 0) await sink.write({ pages: [], sealed: [], refused: lost });
  }

  async #send(sink: Sink, sealed: SealedCounters, sent: ReadonlyMap<number, Uint8Array>): Promise<void> {
    await this.#sendPages(sink, sealed.section, sealed, new Map(sent));
    await sink.write({ pages: [], sealed: [sealed], refused: [] });
    const kept = this.#kept.get(sealed.section);
    if (kept?.sealed === sealed && !sink.isCancelled()) kept.isFetched = true;
  }

  /** Those whose content is not what was sent before; notes what it sends. Between two messages everybody else gets a turn. */
  async #sendPages(
    sink: Sink,
    section: SectionId,
    counters: Pick<SealedCounters, 'touchedPages' | 'copyPage' | 'hashOf'>,
    sent: Map<number, Uint8Array>,
  ): Promise<void> {
    let pages: { section: SectionId; page: number; bytes: Uint8Array }[] = [];
    let sizeBytes = 0;
    for (const page of counters.touchedPages()) {
      if (isSame(sent.get(page), counters.hashOf(page))) continue;
      const { bytes, hash } = counters.copyPage(page);
      sent.set(page, hash);
      pages.push({ section, page, bytes });
      sizeBytes += bytes.length;
      if (sizeBytes < CHUNK_BYTES) continue;
      await sink.write({ pages, sealed: [], refused: [] });
      if (sink.isCancelled()) return;
      [pages, sizeBytes] = [[], 0];
      await new Promise<void>((resolve) => this.#options.clock.defer(resolve));
    }
    if (pages.length > 0) await sink.write({ pages, sealed: [], refused: [] });
  }
}

function isSame(one: Uint8Array | undefined, other: Uint8Array): boolean {
  return one === other || (one !== undefined && Buffer.compare(one, other) === 0);
}
