import type { Clock } from '../base/clock.js';
import { sleep } from '../base/clock.js';
import { messageOf, SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import type { Assignment, Draining, StoreCall } from '../store/client.js';
import type { AdoptionWaits } from './adoption-waits.js';
import type { AllocEvent } from './events.js';
import type { OwnedSections } from './owned-sections.js';
import type { SavedCounters } from './ownership.js';
import type { SealedCounters } from './sealed-counters.js';
import type { SectionAllocator } from './section-allocator.js';

/** How often the store is asked how things stand, in ms, when no table tells. */
const ASK_EVERY_MS = 200;
/** What sealing, saving and releasing what is left takes at the end, in ms. */
const LEAVE_MS = 2_000;
const LOOK_EVERY_MS = 20;

export interface DepartureOptions {
  readonly clock: Clock;
  readonly stopped: AbortSignal;
  readonly observe: Observer<AllocEvent>;
  readonly sections: OwnedSections;
  readonly adoptions: AdoptionWaits;
  readonly saved: SavedCounters | undefined;
  readonly clusterId: () => string | undefined;
  readonly drain: (call: StoreCall) => Promise<Draining>;
  readonly adopt: (assignment: Assignment) => void;
  /** Nothing is served after it. */
  readonly onLeaving: () => void;
  /** Gives sealed sections back; resolves when that is answered. */
  readonly release: (sealed: readonly SectionAllocator[]) => Promise<void>;
  /** Sections whose counters are still kept for their successors. */
  readonly keptCount: () => number;
}

/**
 * A clean stop: the store is told that this incarnation is about to stop, so that it gets nothing more; it serves on while its
 * sections are moved to others. When nobody is there to take them, or time runs out, what is left is sealed, saved and released.
 */
export class Departure {
  readonly #options: DepartureOptions;

  constructor(options: DepartureOptions) {
    this.#options = options;
  }

  /** Resolves when everything is answered, or after `withinMs`. */
  async run(withinMs: number): Promise<void> {
    const { clock, stopped } = this.#options;
    const giveUpMs = clock.nowMs() + withinMs - Math.min(LEAVE_MS, withinMs / 2);
    await Promise.race([this.#leave(giveUpMs), sleep(clock, withinMs, stopped)]);
  }

  async #leave(giveUpMs: number): Promise<void> {
    const { clock, stopped, sections, saved, onLeaving, release, keptCount } = this.#options;
    await this.#handOverAll(giveUpMs);
    onLeaving();
    const allocators = sections.openOnes();
    // All in this turn, before anything is written: what is saved is what is released.
    for (const allocator of allocators) allocator.seal({ handsOver: saved !== undefined });
    await this.#save(allocators.filter(({ digest }) => digest !== undefined).map((allocator) => allocator.sealedCounters()));
    await release(allocators);
    // Who has just taken over may still be fetching.
    while (keptCount() > 0 && clock.nowMs() < giveUpMs + LEAVE_MS / 2 && !stopped.aborted) await sleep(clock, LOOK_EVERY_MS, stopped);
  }

  async #handOverAll(giveUpMs: number): Promise<void> {
    const { clock, stopped, sections, adoptions, drain, adopt, observe } = this.#options;
    while (!stopped.aborted) {
      const leftMs = giveUpMs - clock.nowMs();
      if (leftMs <= 0) return;
      try {
        // What was granted before the store took note comes back with the answer.
        const { assignment, successorCount } = await drain({ timeoutMs: leftMs, signal: stopped });
        adopt(assignment);
        if (successorCount === 0 || sections.count === 0) return;
      } catch (error) {
        if (!SeqError.is(error)) throw error;
        // Nobody took note: what we have can be given back all the same, or else waits for the lease.
        if (!stopped.aborted) observe({ type: 'drainFailed', error });
        return;
      }
      await adoptions.next(Math.min(ASK_EVERY_MS, leftMs));
      if (sections.count === 0) return;
    }
  }

  /** Synced before the release says the digest: a digest without counters would only make somebody wait for them. */
  async #save(sealed: readonly SealedCounters[]): Promise<void> {
    const { saved, observe, clusterId } = this.#options;
    const cluster = clusterId();
    if (saved === undefined || cluster === undefined) return;
    try {
      const bytes = await saved.save(sealed, cluster);
      observe({ type: 'countersSaved', sectionCount: sealed.length, bytes });
    } catch (error) {
      observe({ type: 'countersRefused', why: `the counters could not be saved: ${messageOf(error)}` });
    }
  }
}
