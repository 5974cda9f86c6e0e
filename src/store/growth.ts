/** Between two looks, in ms: a raise lifts a section by about a minute of its traffic at once, so a shorter look would see only lumps. */
export const LOOK_EVERY_MS = 60_000;

/** How fast numbers were used up, as far as a node has seen. */
export interface Growth {
  /** Numbers a second by which maxSeq of the busiest section grew, in its busiest minute. */
  readonly maxSeqPerSecond: number;
  /** For how long it was looked, in ms. */
  readonly observedMs: number;
}

/** What a section looks like to the meter. */
interface Measured {
  readonly maxSeq: bigint;
}

/** Remembers the fastest growth of any section. A backup tells it along, so that whoever restores it knows what may have been handed out since. */
export class GrowthMeter {
  #before: readonly Measured[] = [];
  #beforeMs = 0;
  #startedMs: number | undefined;
  #peakPerSecond = 0;

  /** Called often; looks when it is time. The sections are values that never change, so holding on to them is a copy. */
  look(sections: readonly Measured[], nowMs: number): void {
    const tookMs = nowMs - this.#beforeMs;
    // Another length: the cluster was founded meanwhile, or never.
    if (this.#startedMs !== undefined && sections.length === this.#before.length) {
      if (tookMs < LOOK_EVERY_MS) return;
      // Up, for a rate that is told too low is a danger.
      this.#peakPerSecond = Math.max(this.#peakPerSecond, Math.ceil((this.#fastest(sections) * 1000) / tookMs));
    } else if (sections.length > 0) this.#startedMs = nowMs;
    this.#before = [...sections];
    this.#beforeMs = nowMs;
  }

  /** Undefined before the first whole look. */
  get seen(): Growth | undefined {
    if (this.#startedMs === undefined || this.#beforeMs === this.#startedMs) return undefined;
    return { maxSeqPerSecond: this.#peakPerSecond, observedMs: Math.round(this.#beforeMs - this.#startedMs) };
  }

  #fastest(sections: readonly Measured[]): number {
    let most = 0n;
    for (const [at, section] of sections.entries()) {
      const before = this.#before[at];
      // A release may lower it.
      if (before === undefined || before === section || section.maxSeq <= before.maxSeq) continue;
      const grown = section.maxSeq - before.maxSeq;
      if (grown > most) most = grown;
    }
    return Number(most);
  }
}
