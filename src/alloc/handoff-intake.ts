import type { Clock } from '../base/clock.js';
import { sleep } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { backoffMs, type Random } from '../base/random.js';
import type { Epoch, SectionId } from '../model/ids.js';
import type { Handoff, IncomingRun } from '../model/window.js';
import type { SealedCounters } from './sealed-counters.js';
import { type EndMark, Stage } from './stage.js';

/** Sections of one pull: they are sealed together, so fewer make the pause of each shorter. */
const SECTIONS_PER_PULL = 32;
/** How long a section whose owner has gone may wait for its counters, in ms; then it begins at what the owner stated (DESIGN 3.2). */
export const INSTALL_LIMIT_MS = 1_000;
/** The longest that one stream may take, in ms: an owner that hangs must not hold up others for ever. */
const PULL_LIMIT_MS = 10_000;
const RETRY_BASE_MS = 20;
const RETRY_MAX_MS = 250;

/** One section of a pull. */
export interface Wanted {
  readonly section: SectionId;
  readonly epoch: Epoch;
  /** Hashes of the pages that are here already. */
  readonly has: ReadonlyMap<number, Uint8Array>;
}

export interface PulledPage {
  readonly section: SectionId;
  readonly page: number;
  readonly bytes: Uint8Array;
}

export interface PulledSeal extends EndMark {
  readonly section: SectionId;
}

export interface PullHandlers {
  onPages(pages: readonly PulledPage[]): void;
  onSealed(seals: readonly PulledSeal[]): void;
}

/** Opens one stream to the owner at `address`; resolves when it has ended, rejects with a SeqError when it broke. */
export type PullCounters = (address: string, wanted: readonly Wanted[], handlers: PullHandlers, signal: AbortSignal) => Promise<void>;

export interface HandoffIntakeOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly pull: PullCounters;
  /** How many slots a section has. */
  readonly uidCountOf: (section: SectionId) => number;
  /** A stream broke: told for the log. */
  readonly onBroken: (address: string, error: SeqError) => void;
}

/**
 * The successor's side of a hand-off (DESIGN 3.2): copies the counters of sections that are to come, one stream an owner, and
 * gives out what was copied only if it has the digest that was committed. That digest is all that is believed.
 */
export class HandoffIntake {
  readonly #options: HandoffIntakeOptions;
  readonly #staged = new Map<SectionId, Stage>();
  /** Sections that should be here, by the address of who has them. */
  #coming = new Map<string, readonly { readonly section: SectionId; readonly epoch: Epoch }[]>();
  readonly #pulling = new Map<string, Promise<void>>();
  readonly #stopped = new AbortController();

  constructor(options: HandoffIntakeOptions) {
    this.#options = options;
  }

  /** The sections that planned moves are to bring, by the newest table. What else was copied is forgotten, unless `isAwaited`. */
  expect(incoming: readonly IncomingRun[], isAwaited: (section: SectionId) => boolean): void {
    const coming = new Map<string, { section: SectionId; epoch: Epoch }[]>();
    const wanted = new Map<SectionId, Epoch>();
    for (const { firstSection, sectionCount, epoch, fromAddress } of incoming) {
      const list = coming.get(fromAddress) ?? [];
      coming.set(fromAddress, list);
      for (let section: number = firstSection; section < firstSection + sectionCount; section += 1) {
        list.push({ section: section as SectionId, epoch });
        wanted.set(section as SectionId, epoch);
      }
    }
    this.#coming = coming;
    for (const [section, { epoch }] of this.#staged) if (wanted.get(section) !== epoch && !isAwaited(section)) this.#staged.delete(section);
    for (const address of coming.keys()) this.#start(address);
  }

  /**
   * The counters that were committed as `handoff`, or undefined when they are not to be had within INSTALL_LIMIT_MS: then the
   * section begins at its base, for good. What was copied is forgotten either way.
   */
  async take(section: SectionId, handoff: Handoff, fromAddress: string | undefined): Promise<SealedCounters | undefined> {
    const { clock, random } = this.#options;
    const deadlineMs = clock.nowMs() + INSTALL_LIMIT_MS;
    try {
      for (let attempt = 0; !this.#stopped.signal.aborted; attempt += 1) {
        const ready = this.#ready(section, handoff);
        if (ready !== undefined) return ready;
        // Sealed, and yet not what was committed: what came is worth nothing.
        if (this.#isSealed(section, handoff.epoch)) this.#staged.delete(section);
        const leftMs = deadlineMs - clock.nowMs();
        if (leftMs <= 0 || fromAddress === undefined) return undefined;
        // Not at once: whoever sends what is worth nothing must not be asked without a break.
        const pauseMs = attempt === 0 ? 0 : backoffMs(random, { attempt, baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS });
        if (attempt > 0) await sleep(clock, Math.min(leftMs, pauseMs), this.#stopped.signal);
        await this.#fetch(fromAddress, section, handoff, { attempt, leftMs: leftMs - pauseMs });
      }
      return undefined;
    } finally {
      this.#staged.delete(section);
    }
  }

  stop(): void {
    this.#stopped.abort(new SeqError('CLOSED', 'the AllocSvr stops'));
  }

  /** The digest is all that lets counters in: where they come from proves nothing. */
  #ready(section: SectionId, { epoch, digest }: Handoff): SealedCounters | undefined {
    const staged = this.#staged.get(section);
    return staged?.epoch === epoch && staged.isWhole && staged.digest === digest ? staged : undefined;
  }

  /** Waits for the stream that is under way, or opens another one, for one section whose owner has released it. */
  async #fetch(address: string, section: SectionId, { epoch }: Handoff, { attempt, leftMs }: { attempt: number; leftMs: number }): Promise<void> {
    const { clock } = this.#options;
    const limit = new AbortController();
    const cancel = clock.after(leftMs, () => limit.abort());
    try {
      const running = this.#pulling.get(address);
      if (running !== undefined && attempt === 0) await Promise.race([running, sleep(clock, leftMs, limit.signal)]);
      else await this.#pullOnce(address, [{ section, epoch }], AbortSignal.any([limit.signal, this.#stopped.signal]));
    } finally {
      cancel();
    }
  }

  #start(address: string): void {
    if (this.#pulling.has(address) || this.#stopped.signal.aborted) return;
    const running = this.#pullAll(address).finally(() => this.#pulling.delete(address));
    this.#pulling.set(address, running);
  }

  /** Batch after batch, until nothing more is to come from there; a batch that broke is tried again. */
  async #pullAll(address: string): Promise<void> {
    const { clock, random } = this.#options;
    for (let attempt = 0; !this.#stopped.signal.aborted; ) {
      const missing = (this.#coming.get(address) ?? []).filter(({ section, epoch }) => !this.#isSealed(section, epoch));
      if (missing.length === 0) return;
      const isFine = await this.#pullOnce(address, missing.slice(0, SECTIONS_PER_PULL), this.#stopped.signal);
      const isDone = isFine && missing.slice(0, SECTIONS_PER_PULL).every(({ section, epoch }) => this.#isSealed(section, epoch));
      attempt = isDone ? 0 : attempt + 1;
      if (!isDone) await sleep(clock, backoffMs(random, { attempt, baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS }), this.#stopped.signal);
    }
  }

  #isSealed(section: SectionId, epoch: Epoch): boolean {
    const staged = this.#staged.get(section);
    return staged?.epoch === epoch && staged.isWhole;
  }

  /** One stream. False when it broke; what came of it is kept. */
  async #pullOnce(
    address: string,
    sections: readonly { readonly section: SectionId; readonly epoch: Epoch }[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const wanted = sections.map(({ section, epoch }) => ({ section, epoch, has: this.#hashesOf(section, epoch) }));
    const asked = new Map(sections.map(({ section, epoch }) => [section, epoch]));
    const limit = new AbortController();
    const cancel = this.#options.clock.after(PULL_LIMIT_MS, () => limit.abort());
    try {
      await this.#options.pull(
        address,
        wanted,
        {
          onPages: (pages) => {
            for (const page of pages) this.#stage(page, asked.get(page.section));
          },
          onSealed: (seals) => {
            for (const seal of seals) this.#end(seal, asked.get(seal.section));
          },
        },
        AbortSignal.any([signal, limit.signal]),
      );
      return true;
    } catch (error) {
      if (!SeqError.is(error)) throw error;
      if (!signal.aborted) this.#options.onBroken(address, error);
      return false;
    } finally {
      cancel();
    }
  }

  /** Throws PROTOCOL for a page that was not asked for, or that the section cannot have: memory stays bounded. */
  #stage(page: PulledPage, epoch: Epoch | undefined): void {
    if (epoch === undefined) throw new SeqError('PROTOCOL', `a page of section ${page.section} came and was not asked for`);
    this.#at(page.section, epoch, (stage) => stage.add(page));
  }

  /** Throws PROTOCOL for an end that does not go with what came before it. */
  #end(seal: PulledSeal, epoch: Epoch | undefined): void {
    if (epoch === undefined) throw new SeqError('PROTOCOL', `the end of section ${seal.section} came and was not asked for`);
    this.#at(seal.section, epoch, (stage) => stage.end(seal));
  }

  /** What broke a rule is dropped: it begins anew. */
  #at(section: SectionId, epoch: Epoch, act: (stage: Stage) => void): void {
    const known = this.#staged.get(section);
    const stage = known?.epoch === epoch ? known : new Stage({ section, epoch, uidCount: this.#options.uidCountOf(section) });
    this.#staged.set(section, stage);
    try {
      act(stage);
    } catch (error) {
      this.#staged.delete(section);
      throw error;
    }
  }

  #hashesOf(section: SectionId, epoch: Epoch): ReadonlyMap<number, Uint8Array> {
    const staged = this.#staged.get(section);
    return new Map(staged?.epoch === epoch ? [...staged.touchedPages()].map((page) => [page, staged.hashOf(page)]) : []);
  }
}
