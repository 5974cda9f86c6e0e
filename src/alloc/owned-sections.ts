import { assert } from '../base/assert.js';
import type { Epoch, SectionId } from '../model/ids.js';
import type { WindowRun } from '../model/window.js';
import type { SectionAllocator } from './section-allocator.js';

export interface Adoption {
  readonly openedCount: number;
  readonly lostCount: number;
  /** Open sections that are wanted elsewhere: seal and release them. */
  readonly leaving: readonly SectionAllocator[];
  /** The first section that the table gives us although its epoch was opened and given up before; it stays closed. */
  readonly refused: { readonly section: SectionId; readonly epoch: Epoch } | undefined;
}

/**
 * The allocators of one incarnation: which sections it has, at which epoch.
 *
 * Rule: an incarnation opens a (section, epoch) at most once. Memory that was lost is never made again from `base`,
 * for numbers above base have left; and memory of an old epoch never comes back (A -> B -> A).
 */
export class OwnedSections {
  readonly #open: (run: WindowRun, section: SectionId) => SectionAllocator;
  readonly #allocators = new Map<SectionId, SectionAllocator>();
  /** The highest epoch ever opened, by section. Epochs only grow, so one number tells all. At most one entry a section. */
  readonly #openedEpochs = new Map<SectionId, Epoch>();

  /** `open` makes the allocator of one section of the run. */
  constructor(options: { readonly open: (run: WindowRun, section: SectionId) => SectionAllocator }) {
    this.#open = options.open;
  }

  get(section: SectionId): SectionAllocator | undefined {
    return this.#allocators.get(section);
  }

  values(): IterableIterator<SectionAllocator> {
    return this.#allocators.values();
  }

  get count(): number {
    return this.#allocators.size;
  }

  /** Makes the sections those of `windows`, which the newest table came with. */
  adopt(windows: readonly WindowRun[]): Adoption {
    const named = new Set<SectionId>();
    const leaving: SectionAllocator[] = [];
    let openedCount = 0;
    let lostCount = 0;
    let refused: Adoption['refused'];
    for (const run of windows) {
      for (let index = 0; index < run.sectionCount; index++) {
        const section = (run.firstSection + index) as SectionId;
        named.add(section);
        const result = this.#adoptOne(run, section);
        if (result === 'refused') refused ??= { section, epoch: run.epoch };
        if (result === 'opened' || result === 'replaced') openedCount += 1;
        if (result === 'replaced') lostCount += 1;
        const allocator = this.#allocators.get(section);
        if (run.leaving && allocator?.isOpen) leaving.push(allocator);
      }
    }
    for (const [section, allocator] of this.#allocators) {
      if (named.has(section)) continue;
      this.#lose(allocator);
      lostCount += 1;
    }
    return { openedCount, lostCount, leaving, refused };
  }

  #adoptOne(run: WindowRun, section: SectionId): 'kept' | 'opened' | 'replaced' | 'refused' {
    const before = this.#allocators.get(section);
    if (before?.epoch === run.epoch) {
      before.learnMaxSeq(run.maxSeq);
      return 'kept';
    }
    if (before !== undefined) {
      assert(before.epoch < run.epoch, 'Within a generation, `epoch` and `routingVersion` never go back');
      this.#lose(before);
    }
    if ((this.#openedEpochs.get(section) ?? 0) >= run.epoch) return 'refused';
    this.#openedEpochs.set(section, run.epoch);
    this.#allocators.set(section, this.#open(run, section));
    return before === undefined ? 'opened' : 'replaced';
  }

  #lose(allocator: SectionAllocator): void {
    this.#allocators.delete(allocator.section);
    allocator.lose();
  }
}
