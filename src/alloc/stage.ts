import { assert } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import type { Epoch, SectionId, Seq } from '../model/ids.js';
import { type CounterPage, digestOf, hashPage } from './counter-digest.js';
import { checkPage, SLOTS_PER_PAGE, slotCountOf } from './counter-page.js';
import type { SealedCounters } from './sealed-counters.js';

/** The end of a section's counters, as somebody else says it. */
export interface EndMark {
  readonly epoch: Epoch;
  readonly defaultSeq: Seq;
  readonly trueMax: Seq;
  readonly digest: string | undefined;
}

interface StagedPage extends CounterPage {
  /** The largest distance from the default on it. */
  readonly most: bigint;
}

/**
 * The counters of one section and epoch as they come in from somebody else, an AllocSvr or a file: nothing of it is
 * believed. Pages replace each other until the end mark; with it the whole must have the digest that the mark says.
 * That this is the digest which the table has is for whoever installs it to check.
 */
export class Stage implements SealedCounters {
  readonly section: SectionId;
  readonly epoch: Epoch;
  readonly uidCount: number;
  readonly #pages = new Map<number, StagedPage>();
  #end: EndMark | undefined;

  constructor(options: { readonly section: SectionId; readonly epoch: Epoch; readonly uidCount: number }) {
    this.section = options.section;
    this.epoch = options.epoch;
    this.uidCount = options.uidCount;
  }

  /** The end mark came: nothing changes any more. */
  get isWhole(): boolean {
    return this.#end !== undefined;
  }

  get defaultSeq(): Seq {
    return this.#ended.defaultSeq;
  }

  get trueMax(): Seq {
    return this.#ended.trueMax;
  }

  get digest(): string | undefined {
    return this.#ended.digest;
  }

  /** A page, or a later state of one. Throws PROTOCOL. */
  add({ page, bytes: given }: { readonly page: number; readonly bytes: Uint8Array }): void {
    if (this.#end !== undefined) throw this.#protocol(`page ${page} after its end`);
    const slotCount = slotCountOf({ uidCount: this.uidCount, page });
    if (slotCount === 0) throw this.#protocol(`page ${page} of ${Math.ceil(this.uidCount / SLOTS_PER_PAGE)}`);
    const most = checkPage(given, slotCount);
    // A copy of its own: what came may be a part of a much larger buffer.
    const bytes = Uint8Array.from(given);
    this.#pages.set(page, { bytes, hash: hashPage(bytes), most });
  }

  /** The end mark. Throws PROTOCOL unless it goes with the pages. */
  end(mark: EndMark): void {
    const { defaultSeq, trueMax, digest } = mark;
    if (mark.epoch !== this.epoch) throw this.#protocol(`the end of epoch ${mark.epoch}`);
    const most = [...this.#pages.values()].reduce((sum, page) => (page.most > sum ? page.most : sum), 0n);
    if (defaultSeq + most > trueMax) throw this.#protocol(`a counter ${defaultSeq + most} above its true maximum ${trueMax}`);
    const pages = [...this.#pages].sort(([one], [other]) => one - other);
    const found =
      pages.length === 0 ? undefined : digestOf({ defaultSeq, uidCount: this.uidCount, hashes: pages.map(([page, { hash }]) => [page, hash]) });
    if (found !== digest) throw this.#protocol(`counters with digest ${found ?? 'none'} instead of ${digest ?? 'none'}`);
    this.#end = mark;
  }

  *touchedPages(): Generator<number> {
    yield* [...this.#pages.keys()].sort((one, other) => one - other);
  }

  copyPage(page: number): CounterPage {
    const known = this.#pages.get(page);
    assert(known !== undefined, 'only a page that came is copied');
    return known;
  }

  hashOf(page: number): Uint8Array {
    return this.copyPage(page).hash;
  }

  get #ended(): EndMark {
    assert(this.#end !== undefined, 'counters count only when they are whole');
    return this.#end;
  }

  #protocol(what: string): SeqError {
    return new SeqError('PROTOCOL', `for section ${this.section} at epoch ${this.epoch} came ${what}`);
  }
}
