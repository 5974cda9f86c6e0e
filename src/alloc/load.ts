import { LOADS_MAX } from '../rpc/limits.js';
import type { SectionLoad } from '../store/client.js';

/** How fast the rate forgets, in ms: a burst of a moment must not move sections about. */
const RECENT_MS = 10_000;

/** Calls a second to one section, over the last seconds. Pure: the time is an argument, in ms of one monotonic clock. */
export class CallRate {
  #perMs = 0;
  #sampledAtMs: number;

  constructor(nowMs: number) {
    this.#sampledAtMs = nowMs;
  }

  get perSecond(): number {
    return this.#perMs * 1000;
  }

  /** After a rest: what came before it is long past, and the rest does not count. */
  begin(nowMs: number): void {
    this.#perMs *= Math.exp((this.#sampledAtMs - nowMs) / RECENT_MS);
    this.#sampledAtMs = nowMs;
  }

  /** `calls`: those since the last time. */
  sample({ calls, nowMs }: { readonly calls: number; readonly nowMs: number }): void {
    const passedMs = nowMs - this.#sampledAtMs;
    if (passedMs <= 0) return;
    this.#perMs += (calls / passedMs - this.#perMs) * (1 - Math.exp(-passedMs / RECENT_MS));
    this.#sampledAtMs = nowMs;
  }
}

/** The loads that a renewal carries: those of the hottest sections, at most LOADS_MAX; whoever is not named counts as idle. */
export function hottest(sections: Iterable<Pick<SectionLoad, 'section' | 'callsPerSecond'>>): SectionLoad[] {
  const loads: SectionLoad[] = [];
  for (const { section, callsPerSecond } of sections) {
    const rounded = Math.min(Math.round(callsPerSecond), 2 ** 32 - 1);
    if (rounded > 0) loads.push({ section, callsPerSecond: rounded });
  }
  if (loads.length <= LOADS_MAX) return loads;
  return loads.sort((one, other) => other.callsPerSecond - one.callsPerSecond || one.section - other.section).slice(0, LOADS_MAX);
}
