import type { Incarnation, SectionId } from '../model/ids.js';
import type { LoadMap } from './view.js';

/** How often a section is called, as its owner measured it. */
export interface SectionLoad {
  readonly section: SectionId;
  readonly callsPerSecond: number;
}

/** Sections of one report that are looked at: its sender names the hottest ones. */
export const LOADS_PER_REPORT_MAX = 1_000;
/** Sections whose load is kept; what is reported beyond counts as idle. */
export const LOADED_SECTIONS_MAX = 100_000;
/** Half of a change counts after this time, in ms: placement follows how a day goes, not how a second does. */
const HALF_LIFE_MS = 20_000;
/** Below this a section that is no longer reported counts as idle, in calls per second. */
const IDLE_BELOW = 1;

interface Entry {
  readonly by: Incarnation;
  readonly callsPerSecond: number;
  readonly atMs: number;
}

/**
 * How busy sections are, as renewals report it, smoothed. It lives in the leader's memory only: placement can do without
 * it, and a new leader knows it again after one renewal of each.
 */
export class Loads {
  readonly #entries = new Map<SectionId, Entry>();
  /** Sections that each run reported and nobody else since. */
  readonly #sectionsOf = new Map<Incarnation, Set<SectionId>>();

  /** Calls per second of each section that has any. */
  get map(): LoadMap {
    return new Map([...this.#entries].map(([section, { callsPerSecond }]) => [section, callsPerSecond]));
  }

  /** Sum over the sections that this run reported. */
  callsPerSecond(incarnation: Incarnation): number {
    let sum = 0;
    for (const section of this.#sectionsOf.get(incarnation) ?? []) sum += this.#entries.get(section)?.callsPerSecond ?? 0;
    return sum;
  }

  /** All that this run has to say: a section that it no longer names cools down. */
  note(by: Incarnation, report: readonly SectionLoad[], nowMs: number): void {
    const named = new Map(
      report
        .slice(0, LOADS_PER_REPORT_MAX)
        .flatMap(({ section, callsPerSecond }) => (callsPerSecond > 0 ? [[section, callsPerSecond] as const] : [])),
    );
    for (const section of this.#sectionsOf.get(by) ?? []) if (!named.has(section)) this.#cool(section, nowMs);
    for (const [section, callsPerSecond] of named) this.#set(section, { by, callsPerSecond, atMs: nowMs });
  }

  /** Forgets what other runs than these reported. */
  keepOnly(incarnations: ReadonlySet<Incarnation>): void {
    for (const [incarnation, sections] of this.#sectionsOf) {
      if (incarnations.has(incarnation)) continue;
      for (const section of sections) this.#entries.delete(section);
      this.#sectionsOf.delete(incarnation);
    }
  }

  #set(section: SectionId, entry: Entry): void {
    const known = this.#entries.get(section);
    if (known === undefined && this.#entries.size >= LOADED_SECTIONS_MAX) return;
    this.#entries.set(section, known === undefined ? entry : smoothed(known, entry));
    // A section that has moved takes its load along.
    if (known !== undefined && known.by !== entry.by) this.#sectionsOf.get(known.by)?.delete(section);
    const own = this.#sectionsOf.get(entry.by);
    if (own === undefined) this.#sectionsOf.set(entry.by, new Set([section]));
    else own.add(section);
  }

  #cool(section: SectionId, nowMs: number): void {
    const known = this.#entries.get(section);
    if (known === undefined) return;
    const entry = smoothed(known, { by: known.by, callsPerSecond: 0, atMs: nowMs });
    if (entry.callsPerSecond >= IDLE_BELOW) {
      this.#entries.set(section, entry);
      return;
    }
    this.#entries.delete(section);
    this.#sectionsOf.get(known.by)?.delete(section);
  }
}

function smoothed(before: Entry, now: Entry): Entry {
  const kept = 2 ** (-Math.max(0, now.atMs - before.atMs) / HALF_LIFE_MS);
  return { ...now, callsPerSecond: before.callsPerSecond * kept + now.callsPerSecond * (1 - kept) };
}
