import type { Incarnation } from '../model/ids.js';
import type { LoadMap } from './view.js';

/** Sections that one report may name; what is beyond is left out. */
const SECTIONS_PER_REPORT_MAX = 1_000;

export interface SectionLoad {
  readonly section: number;
  readonly callsPerSecond: number;
}

/** How busy sections are, as their owners last said under this leader. Kept in memory: a new leader learns it anew with the renewals. */
export class Loads {
  readonly #reports = new Map<Incarnation, readonly SectionLoad[]>();

  note(incarnation: Incarnation, report: readonly SectionLoad[]): void {
    this.#reports.set(incarnation, report.slice(0, SECTIONS_PER_REPORT_MAX));
  }

  callsPerSecond(incarnation: Incarnation): number {
    return (this.#reports.get(incarnation) ?? []).reduce((sum, { callsPerSecond }) => sum + callsPerSecond, 0);
  }

  keepOnly(incarnations: ReadonlySet<Incarnation>): void {
    for (const incarnation of this.#reports.keys()) if (!incarnations.has(incarnation)) this.#reports.delete(incarnation);
  }

  get map(): LoadMap {
    return new Map([...this.#reports.values()].flat().map(({ section, callsPerSecond }) => [section, callsPerSecond]));
  }
}
