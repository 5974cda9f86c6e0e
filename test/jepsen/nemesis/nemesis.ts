import type { SeededRandom } from '../../unit/seeded-random.js';
import type { Need, World } from '../world.js';

/** What one strike did. */
export interface Strike {
  /** For people: to whom, what, for how long. */
  readonly what: string;
  /** What shows that it really happened; undefined: it did not. */
  readonly proof: string | undefined;
}

/** A strike showed that a guarantee does not hold. Everything else that a strike throws only makes the run invalid. */
export class BrokenGuarantee extends Error {
  override readonly name = 'BrokenGuarantee';
}

/** One kind of trouble. */
export interface Nemesis {
  readonly name: string;
  readonly needs: readonly Need[];
  /** Once: it does harm, waits, and heals what it did. Every choice comes from `random`, so that a seed replays. */
  strike(world: World, random: SeededRandom): Promise<Strike>;
}
