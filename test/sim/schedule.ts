import { SeededRandom } from '../unit/seeded-random.js';
import type { Fault } from './fault-kinds.js';
import type { SimOptions } from './options.js';

/** The faults of a run, in order, each with dice of its own. */
export function drawSchedule(options: SimOptions): readonly Fault[] {
  const random = new SeededRandom(options.seed ^ 0xfa17);
  const faults: Fault[] = [];
  if (options.faults.length === 0) return faults;
  for (let atMs = 0; ; ) {
    atMs += -Math.log(1 - random.below(1_000_000) / 1_000_000) * options.faultEveryMs;
    if (atMs > options.safetyMs) return faults;
    faults.push({ atMs: Math.floor(atMs), kind: random.pick(options.faults), dice: random.below(2 ** 31) });
  }
}
