import type { Clock } from '../../src/base/clock.js';
import { encodePage, slotCountOf } from '../../src/alloc/counter-page.js';
import { hashPage } from '../../src/alloc/counter-digest.js';
import type { CounterPages } from '../../src/alloc/counters.js';
import { OwnedSections } from '../../src/alloc/owned-sections.js';
import { SectionAllocator } from '../../src/alloc/section-allocator.js';
import { type Slot, toEpoch, toSectionId, toSeq } from '../../src/model/ids.js';
import type { WindowRun } from '../../src/model/window.js';
import type { Bounds } from './bounds.js';
import { Interner, Memo } from './interner.js';
import type { Mutant } from './mutants.js';
import { type WindowValue, windowRunOf } from './store-values.js';

/** The counters of one section. */
export interface CountersValue {
  readonly defaultSeq: number;
  /** curSeq of each uid. */
  readonly cur: readonly number[];
  readonly trueMax: number;
  readonly maxSeq: number;
}

/** Counters that were sealed, or copied. */
export interface KeptValue {
  readonly epoch: number;
  readonly counters: CountersValue;
}

/** What one run has of one section. */
export interface MemoryValue {
  readonly window: WindowValue | null;
  /** The highest epoch that it opened. */
  readonly opened: number;
  readonly allocator: { readonly epoch: number; readonly isSealed: boolean; readonly counters: CountersValue } | null;
  /** Of a mutant alone: counters that should be gone. */
  readonly former?: CountersValue;
}

const NOTHING: MemoryValue = { window: null, opened: 0, allocator: null };
const SECTION = toSectionId(0);

const STOPPED: Clock = {
  nowMs: () => 0,
  now: () => ({ monoMs: 0, wallMs: 0, uptimeMs: 0 }),
  wallMs: () => 0,
  after: () => () => undefined,
  defer: () => undefined,
};
const RAISER = { due: () => undefined, active: () => undefined };

interface Made {
  readonly sections: OwnedSections;
  readonly allocator: SectionAllocator | undefined;
}

/**
 * What runs have of sections, and the REAL OwnedSections, SectionAllocator and SectionCounters over it: each step runs once
 * for each value, on objects that are made anew from it. Failed asserts of theirs are found as violations.
 */
export class Memories {
  readonly values = new Interner<MemoryValue>(NOTHING);
  readonly kept = new Interner<KeptValue | null>(null);
  readonly #uidCount: number;
  readonly #raiseBy: bigint;
  readonly #numbers = new Memo<number>();
  readonly #taken = new Memo<{ readonly memory: number; readonly seq: number } | undefined>();
  readonly #digests = new Memo<string | undefined>();

  readonly #mutant: Mutant | undefined;

  constructor({ uids, raiseBy }: Bounds, mutant?: Mutant) {
    this.#mutant = mutant;
    this.#uidCount = uids;
    this.#raiseBy = BigInt(raiseBy);
  }

  /** A table came, with this window or none; what may be opened is. -1: it gives an epoch whose memory was given up. */
  adopt(memory: number, window: WindowValue | null): number {
    return this.#numbers.get(`adopt ${memory} ${JSON.stringify(window)}`, () => {
      const { sections } = this.#make(memory);
      const { refused } = sections.adopt(window === null ? [] : [windowRunOf(window)]);
      if (refused !== undefined) return -1;
      const before = this.values.valueOf(memory);
      const adopted = this.#read(sections, sections.get(SECTION), window, before.opened);
      return this.#mutant === undefined ? adopted : this.#spoil(before, this.values.valueOf(adopted), window);
    });
  }

  /** One number for a uid; undefined: the window is used up. */
  take(memory: number, uid: number): { readonly memory: number; readonly seq: number } | undefined {
    return this.#taken.get(memory * 16 + uid, () => {
      const { sections, allocator } = this.#make(memory);
      const seq = allocator?.take(uid as Slot, 1);
      if (seq === undefined) return undefined;
      const { window, opened } = this.values.valueOf(memory);
      return { memory: this.#read(sections, allocator, window, opened), seq: Number(seq) };
    });
  }

  /** What the next raise asks for; 0: none is due. */
  raiseDue(memory: number): number {
    return this.#numbers.get(`due ${memory}`, () => Number(this.#make(memory).allocator?.takeRaise() ?? 0n));
  }

  /** A raise was answered. */
  raised(memory: number, epoch: number, maxSeq: number): number {
    const { allocator: known } = this.values.valueOf(memory);
    if (known?.epoch !== epoch) return memory;
    return this.#numbers.get(`raised ${memory} ${maxSeq}`, () => {
      const { sections, allocator } = this.#make(memory);
      allocator?.raised(toSeq(BigInt(maxSeq)));
      const { window, opened } = this.values.valueOf(memory);
      return this.#read(sections, allocator, window, opened);
    });
  }

  seal(memory: number): number {
    return this.#numbers.get(`seal ${memory}`, () => {
      const { sections, allocator } = this.#make(memory);
      allocator?.seal({ handsOver: true });
      const { window, opened } = this.values.valueOf(memory);
      return this.#read(sections, allocator, window, opened);
    });
  }

  /** Counters for the epoch that awaits them, or none for good; the same number: it was refused. */
  install(memory: number, kept: number): number {
    return this.#numbers.get(`install ${memory} ${kept}`, () => {
      const { sections } = this.#make(memory);
      const { window, opened } = this.values.valueOf(memory);
      const counters = this.kept.valueOf(kept)?.counters;
      const isDone = sections.install(SECTION, toEpoch(window?.epoch ?? 0), counters && this.#pagesOf(counters));
      return isDone ? this.#read(sections, sections.get(SECTION), window, opened) : memory;
    });
  }

  /** The section is ours, and waits for counters or for giving them up. */
  isAwaited(memory: number): boolean {
    return this.#numbers.get(`awaited ${memory}`, () => (this.#make(memory).sections.awaited(SECTION) === undefined ? 0 : 1)) === 1;
  }

  isOpen(memory: number): boolean {
    const { allocator } = this.values.valueOf(memory);
    return allocator !== null && !allocator.isSealed;
  }

  /** The digest that a release says of them, or a whole copy has. */
  digestOf(kept: number): string | undefined {
    return this.#digests.get(kept, () => {
      const value = this.kept.valueOf(kept);
      if (value === null) return undefined;
      const allocator = this.#allocatorOf(value);
      allocator.seal({ handsOver: true });
      return allocator.digest;
    });
  }

  keptOf(memory: number): number {
    const { allocator } = this.values.valueOf(memory);
    if (allocator === null) return 0;
    return this.kept.numberOf({ epoch: allocator.epoch, counters: allocator.counters });
  }

  /** Of mutants that open an epoch with other counters than those that it begins with. */
  #spoil(before: MemoryValue, after: MemoryValue, window: WindowValue | null): number {
    const { allocator } = after;
    const former = before.allocator?.counters ?? before.former;
    if (this.#mutant === 'former-memory') {
      const isFresh = allocator !== null && before.allocator?.epoch !== allocator.epoch;
      const kept = former === undefined ? {} : { former };
      if (isFresh && former !== undefined)
        return this.values.numberOf({ ...after, ...kept, allocator: { ...allocator, counters: { ...former, maxSeq: allocator.counters.maxSeq } } });
      return this.values.numberOf({ ...after, ...kept });
    }
    if (this.#mutant === 'open-twice' && allocator !== null && !allocator.isSealed && window !== null) {
      const { base } = window;
      const counters = { defaultSeq: base, cur: allocator.counters.cur.map(() => base), trueMax: base, maxSeq: window.maxSeq };
      return this.values.numberOf({ ...after, allocator: { ...allocator, counters } });
    }
    return this.values.numberOf(after);
  }

  #make(memory: number): Made {
    const { window, opened, allocator: known } = this.values.valueOf(memory);
    let installing: SectionAllocator | undefined;
    const sections = new OwnedSections({ open: (run, _, installed) => installing ?? this.#open(run, installed) });
    if (opened > 0) {
      installing = known === null ? undefined : this.#allocatorOf(known);
      sections.adopt([{ ...PLAIN, epoch: toEpoch(opened) }]);
      sections.get(SECTION);
      if (known?.isSealed) installing?.seal({ handsOver: true });
    }
    const allocator = installing;
    installing = undefined;
    if (known === null && opened > 0) sections.adopt([]);
    sections.adopt(window === null ? [] : [windowRunOf(window)]);
    return { sections, allocator };
  }

  #open({ epoch, base, maxSeq }: WindowRun, installed: CounterPages | undefined): SectionAllocator {
    const rest = { uidCount: this.#uidCount, raiseBy: this.#raiseBy, clock: STOPPED, raiser: RAISER };
    return new SectionAllocator({ ...rest, section: SECTION, epoch, base, maxSeq, installed });
  }

  /** Counters as they were: all numbers up to trueMax are "installed", so nothing has to be handed out again. */
  #allocatorOf({ epoch, counters }: KeptValue): SectionAllocator {
    const { trueMax, maxSeq } = counters;
    const window = { ...PLAIN, epoch: toEpoch(epoch), base: toSeq(BigInt(trueMax)), maxSeq: toSeq(BigInt(maxSeq)) };
    return this.#open(window, this.#pagesOf(counters));
  }

  #pagesOf({ defaultSeq, cur }: CountersValue): CounterPages {
    const isTouched = cur.some((seq) => seq > defaultSeq);
    const seq = toSeq(BigInt(defaultSeq));
    const distances = Uint32Array.from(cur, (each) => each - defaultSeq).subarray(0, slotCountOf({ uidCount: this.#uidCount, page: 0 }));
    const bytes = encodePage(distances);
    return {
      defaultSeq: seq,
      touchedPages: () => (isTouched ? [0] : []),
      copyPage: () => ({ bytes, hash: hashPage(bytes) }),
    };
  }

  #read(sections: OwnedSections, allocator: SectionAllocator | undefined, window: WindowValue | null, openedBefore: number): number {
    const opened = Math.max(openedBefore, allocator?.epoch ?? 0);
    // Once an epoch is open, the window only says whether it is to leave: so values that act alike are one.
    const isOpened = window !== null && window.epoch <= opened;
    const known = sections.get(SECTION);
    return this.values.numberOf({
      window: isOpened ? { epoch: window.epoch, base: 0, maxSeq: 0, next: window.next, handoff: null } : window,
      opened,
      allocator: known === undefined ? null : { epoch: known.epoch, isSealed: !known.isOpen, counters: this.#countersOf(known) },
    });
  }

  #countersOf(allocator: SectionAllocator): CountersValue {
    return {
      defaultSeq: Number(allocator.counters.defaultSeq),
      cur: Array.from({ length: this.#uidCount }, (_, uid) => Number(allocator.current(uid as Slot).seq)),
      trueMax: Number(allocator.trueMax),
      maxSeq: Number(allocator.maxSeq),
    };
  }
}

const PLAIN: WindowRun = { firstSection: SECTION, sectionCount: 1, epoch: toEpoch(0), base: toSeq(0n), maxSeq: toSeq(0n), leaving: false };
