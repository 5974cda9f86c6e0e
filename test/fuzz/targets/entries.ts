import { encodeConfChange } from '../../../src/raft/conf-change.js';
import type { Entry } from '../../../src/raft/types.js';
import type { SeededRandom } from '../../unit/seeded-random.js';
import { changeOf } from '../../unit/raft/test-node.js';
import { noise } from '../mutate.js';

/** One to five neighbouring entries as a log could have them. */
export function entriesOf(random: SeededRandom): Entry[] {
  const first = random.pick([1, 2, 1000, 2 ** 32, 2 ** 47]);
  let term = random.pick([1, 2, 2 ** 32]);
  return Array.from({ length: 1 + random.below(5) }, (_, offset): Entry => {
    term += random.below(2);
    const isChange = random.chance(0.2);
    const data = isChange ? encodeConfChange(changeOf(random.pick(['v4', 'l5', 'r3', 'v4 r3', '']))) : noise(random, random.below(40));
    return { index: first + offset, term, type: isChange ? 'confChange' : 'normal', data };
  });
}
