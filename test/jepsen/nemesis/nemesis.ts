import type { SeededRandom } from '../../unit/seeded-random.js';
import type { Need, World } from '../world.js';

/** What one strike did. */
export interface Strike {
  /** For people: to whom, what, for how long. */
  readonly what: string;
  /** What shows that it really happened; undefined: it did not. */
  readonly proof: string | undefined;
}

/** One kind of trouble. */
export interface Nemesis {
  readonly name: string;
  readonly needs: readonly Need[];
  /** Once: it does harm, waits, and heals what it did. Every choice comes from `random`, so that a seed replays. */
  strike(world: World, random: SeededRandom): Promise<Strike>;
}
