import { assert } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import type { AllocId, Epoch, SectionId } from '../model/ids.js';
import type { WindowRun } from '../model/window.js';
import type { CounterPages } from './counters.js';
import type { SectionAllocator } from './section-allocator.js';

export interface Adoption {
  /** How many allocators there were whose epoch is over. */
  readonly lostCount: number;
  /** A section that the windows give us although its epoch was opened and given up before; it stays closed. */
  readonly refused: { readonly section: SectionId; readonly epoch: Epoch } | undefined;
}

/**
 * The sections of one incarnation, and the allocators of those that were ever asked for: one that nobody asks for costs
 * no memory and no time, so that taking over thousands takes no longer than reading the table.
 *
 * Rule: an incarnation opens a (section, epoch) at most once. Memory that was lost is never made again from `base`,
 * for numbers above base have left; and memory of an old epoch never comes back (A -> B -> A).
 */
export class OwnedSections {
  readonly #open: (run: WindowRun, section: SectionId, installed: CounterPages | undefined) => SectionAllocator;
  /** In section order, as the newest table gave them. */
  #windows: readonly WindowRun[] = [];
  readonly #allocators = new Map<SectionId, SectionAllocator>();
  /** The same by section, as far as the highest one that was asked for: a third of what the map costs. */
  readonly #bySection: (SectionAllocator | undefined)[] = [];
  /** The highest epoch ever opened, by section: epochs only grow, so one number tells all. At most one entry a section. */
  readonly #openedEpochs = new Map<SectionId, Epoch>();

  /** `open` makes the allocator of one section of a run, with the counters that were handed over, if any. */
  constructor(options: { readonly open: (run: WindowRun, section: SectionId, installed: CounterPages | undefined) => SectionAllocator }) {
    this.#open = options.open;
  }

  /** The allocator of a section that we own, sealed ones included; opens it on the first call. */
  get(section: SectionId): SectionAllocator | undefined {
    return this.#allocators.get(section) ?? this.#openAt(section);
  }

  /** As get(), of a section that was asked for before; undefined for any other. */
  at(section: SectionId): SectionAllocator | undefined {
    return section < this.#bySection.length ? this.#bySection[section] : undefined;
  }

  /** A section whose counters are to be installed before anything else; undefined when there is none, or they were, or never will be. */
  awaited(section: SectionId): WindowRun | undefined {
    const run = runAt(this.#windows, section);
    return run?.handoff !== undefined && run.handoff.epoch === run.epoch - 1 && !this.#isOpened(section, run.epoch) ? run : undefined;
  }

  /** Every section that awaits its counters. */
  awaitedOnes(): SectionId[] {
    return this.#windows.flatMap(({ firstSection, sectionCount, handoff }) =>
      handoff === undefined ? [] : range(firstSection, sectionCount).filter((section) => this.awaited(section) !== undefined),
    );
  }

  /**
   * Opens a section that awaited its counters: with them, or without for good. Does nothing when the epoch is no longer ours, or
   * was opened meanwhile: an epoch is opened once.
   */
  install(section: SectionId, epoch: Epoch, installed: CounterPages | undefined): boolean {
    const run = this.awaited(section);
    if (run?.epoch !== epoch) return false;
    this.#openWith(run, section, installed);
    return true;
  }

  /** The allocators that exist: of sections that were asked for. */
  values(): IterableIterator<SectionAllocator> {
    return this.#allocators.values();
  }

  /** Sections that we own, asked for or not. */
  get count(): number {
    return this.#windows.reduce((sum, { sectionCount }) => sum + sectionCount, 0);
  }

  /** A planned move takes the section to this AllocSvr. */
  isLeavingTo(section: SectionId, allocId: AllocId): boolean {
    const run = runAt(this.#windows, section);
    return run?.leaving === true && run.next === allocId;
  }

  /** The allocators of all open sections that we own. Opens those that were not asked for yet. */
  openOnes(windows = this.#windows): SectionAllocator[] {
    const all: SectionAllocator[] = [];
    for (const { firstSection, sectionCount } of windows) {
      for (let index = 0; index < sectionCount; index++) {
        const allocator = this.get((firstSection + index) as SectionId);
        if (allocator?.isOpen) all.push(allocator);
      }
    }
    return all;
  }

  /** Throws PROTOCOL when a section would go back to an epoch before the one that is open here: within a generation none does. */
  check(windows: readonly WindowRun[]): void {
    for (const [section, { epoch }] of this.#allocators) {
      const run = runAt(windows, section);
      if (run !== undefined && run.epoch < epoch)
        throw new SeqError('PROTOCOL', `a window for section ${section} at epoch ${run.epoch}, and it is open at epoch ${epoch}`);
    }
  }

  /** Makes the sections those of `windows`, which the newest table came with, in section order; check() took them. */
  adopt(windows: readonly WindowRun[]): Adoption {
    this.#windows = windows;
    let lostCount = 0;
    for (const [section, allocator] of this.#allocators) {
      const run = runAt(windows, section);
      if (run?.epoch === allocator.epoch) {
        allocator.learnMaxSeq(run.maxSeq);
        continue;
      }
      assert(run === undefined || run.epoch > allocator.epoch, 'Within a generation, `epoch` and `routingVersion` never go back');
      this.#set(section, undefined);
      allocator.lose();
      lostCount += 1;
    }
    return { lostCount, refused: this.#firstGivenUp() };
  }

  #openAt(section: SectionId): SectionAllocator | undefined {
    const run = runAt(this.#windows, section);
    if (run === undefined || this.#isOpened(section, run.epoch) || this.awaited(section) !== undefined) return undefined;
    return this.#openWith(run, section, undefined);
  }

  #isOpened(section: SectionId, epoch: Epoch): boolean {
    return (this.#openedEpochs.get(section) ?? 0) >= epoch;
  }

  #openWith(run: WindowRun, section: SectionId, installed: CounterPages | undefined): SectionAllocator {
    this.#openedEpochs.set(section, run.epoch);
    const allocator = this.#open(run, section, installed);
    this.#set(section, allocator);
    return allocator;
  }

  #set(section: SectionId, allocator: SectionAllocator | undefined): void {
    if (allocator === undefined) this.#allocators.delete(section);
    else this.#allocators.set(section, allocator);
    while (this.#bySection.length <= section) this.#bySection.push(undefined);
    this.#bySection[section] = allocator;
  }

  #firstGivenUp(): Adoption['refused'] {
    for (const [section, epoch] of this.#openedEpochs) {
      const run = runAt(this.#windows, section);
      if (run !== undefined && run.epoch <= epoch && !this.#allocators.has(section)) return { section, epoch };
    }
    return undefined;
  }
}

function range(first: SectionId, count: number): SectionId[] {
  return Array.from({ length: count }, (_, at) => (first + at) as SectionId);
}

/** The run that holds the section: binary search, for the runs lie in section order. */
export function runAt(windows: readonly WindowRun[], section: SectionId): WindowRun | undefined {
  let low = 0;
  let high = windows.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const run = windows[middle];
    assert(run !== undefined, 'the middle lies between the ends');
    if (section < run.firstSection) high = middle - 1;
    else if (section >= run.firstSection + run.sectionCount) low = middle + 1;
    else return run;
  }
  return undefined;
}
