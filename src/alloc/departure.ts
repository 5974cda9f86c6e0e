import type { Clock } from '../base/clock.js';
import { sleep } from '../base/clock.js';
import { messageOf, SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import type { Assignment, Draining, StoreCall } from '../store/client.js';
import type { AdoptionWaits } from './adoption-waits.js';
import type { AllocEvent } from './events.js';
import { INSTALL_LIMIT_MS } from './handoff-intake.js';
import type { HandoffSource } from './handoff-source.js';
import type { OwnedSections } from './owned-sections.js';
import type { SavedCounters } from './handover.js';
import type { SealedCounters } from './sealed-counters.js';
import type { SectionAllocator } from './section-allocator.js';

/** How often the store is asked how things stand, in ms, when no table tells. */
const ASK_EVERY_MS = 200;
/** What sealing, saving and releasing what is left takes at the end, in ms. */
const LEAVE_MS = 2_000;
const LOOK_EVERY_MS = 20;
/** How long one answer of the store is waited for, in ms: longer than an election. */
const TELL_LIMIT_MS = 3_000;

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
  /** Seals all of them in this very turn, and keeps their counters for whoever comes. */
  readonly seal: (allocators: readonly SectionAllocator[]) => void;
  /** Gives sealed sections back; resolves when that is answered. */
  readonly release: (sealed: readonly SectionAllocator[]) => Promise<void>;
  readonly source: Pick<HandoffSource, 'unfetched' | 'unclaimed'>;
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
    const { clock, stopped, sections, onLeaving, seal, release, source } = this.#options;
    const outlook = await this.#handOverAll(giveUpMs);
    // What is still coming in would be lost for the few ms that it takes.
    for (let leftMs = INSTALL_LIMIT_MS; leftMs > 0 && sections.awaitedOnes().length > 0 && !stopped.aborted; leftMs -= LOOK_EVERY_MS)
      await sleep(clock, LOOK_EVERY_MS, stopped);
    if (stopped.aborted) return;
    onLeaving();
    const allocators = sections.openOnes();
    // All in this turn, before anything is written: what is saved is what is released.
    seal(allocators);
    const isSaved = await this.#save(source.unclaimed);
    // With nobody to fetch them and nowhere to keep them, a digest would only make somebody wait for nothing.
    if (!isSaved && outlook !== 'successors') for (const allocator of allocators) allocator.withholdCounters();
    const released = release(allocators);
    // A store that could not be told is not waited for to the end.
    await (outlook === 'unknown' ? Promise.race([released, sleep(clock, LEAVE_MS, stopped)]) : released);
    // Who has just taken over may still be fetching.
    if (outlook !== 'successors') return;
    while (source.unfetched.length > 0 && !stopped.aborted) await sleep(clock, LOOK_EVERY_MS, stopped);
  }

  /** What is to become of what is left: others may still take it, nobody can, or the store could not be told. */
  async #handOverAll(giveUpMs: number): Promise<'successors' | 'nobody' | 'unknown'> {
    const { clock, stopped, sections, adoptions, drain, adopt, observe } = this.#options;
    let outlook: 'successors' | 'unknown' = 'unknown';
    while (!stopped.aborted) {
      const leftMs = giveUpMs - clock.nowMs();
      if (leftMs <= 0) break;
      try {
        // What was granted before the store took note comes back with the answer.
        const { assignment, successorCount } = await drain({ timeoutMs: Math.min(leftMs, TELL_LIMIT_MS), signal: stopped });
        adopt(assignment);
        if (successorCount === 0) return 'nobody';
        outlook = 'successors';
      } catch (error) {
        if (!SeqError.is(error)) throw error;
        if (!stopped.aborted) observe({ type: 'drainFailed', error });
        // Nobody took note: what we have can be given back all the same, or else waits for the lease. Once told, it goes on.
        if (outlook === 'unknown') break;
      }
      if (sections.count === 0) break;
      await adoptions.next(Math.min(ASK_EVERY_MS, leftMs));
      if (sections.count === 0) break;
    }
    return outlook;
  }

  /** Synced before the release says the digest: a digest without counters would only make somebody wait for them. */
  async #save(sealed: readonly SealedCounters[]): Promise<boolean> {
    const { saved, observe, clusterId } = this.#options;
    const cluster = clusterId();
    if (sealed.length === 0 || cluster === undefined) return true;
    const sectionCount = sealed.length;
    if (saved === undefined) {
      observe({ type: 'countersNotSaved', sectionCount, why: 'there is no dataDir to save them in' });
      return false;
    }
    try {
      observe({ type: 'countersSaved', sectionCount, bytes: await saved.save(sealed, cluster) });
      return true;
    } catch (error) {
      observe({ type: 'countersNotSaved', sectionCount, why: messageOf(error) });
      return false;
    }
  }
}
