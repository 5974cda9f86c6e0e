import { bench, group, summary } from 'mitata';
import { planAssignment, planRebalance } from '../../../src/arbiter/plan.js';
import { candidate, holdings, situationOf } from '../../unit/arbiter/fixture.js';
import { sink } from './sink.js';

const SECTIONS = 42_950;
const ALLOCS = 300;

/** Plans over a set of the article's size; the baseline deals the same sections in turn, one object for each, and looks at nothing. */
export function planner(): void {
  const allocs = Array.from({ length: ALLOCS }, (_, index) => candidate(`a${String(index).padStart(3, '0')}`));
  const each = Math.floor(SECTIONS / ALLOCS);
  const fresh = situationOf({ allocs, held: holdings([SECTIONS, undefined]) });
  const [first] = allocs;
  const owned = holdings(...allocs.map(({ incarnation }) => [each, incarnation] as const));
  const oneDead = situationOf({ allocs, held: owned, expired: first === undefined ? [] : [first.incarnation] });
  const level = situationOf({ allocs, held: owned });
  group(`plans for ${SECTIONS} sections and ${ALLOCS} AllocSvrs`, () => {
    summary(() => {
      bench('dealt in turn', () => sink(Array.from({ length: SECTIONS }, (_, section) => ({ section, to: allocs[section % ALLOCS] })))).baseline(
        true,
      );
      bench('a fresh set', () => sink(planAssignment(fresh)));
      bench('one AllocSvr lost', () => sink(planAssignment(oneDead)));
      bench('nothing to rebalance', () => sink(planRebalance(level)));
    });
  });
}
