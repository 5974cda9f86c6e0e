import { expect } from 'chai';
import fc from 'fast-check';
import { planAssignment, planRebalance } from '../../../src/arbiter/plan.js';
import type { Move, Situation } from '../../../src/arbiter/view.js';
import { SeededRandom } from '../seeded-random.js';
import { candidate, countsAfter, holdings, incarnation, ownersAfter, viewOf } from './fixture.js';

const [A, B, C] = [candidate('a1'), candidate('a2'), candidate('a3')];
const [a, b, c] = [A.incarnation, B.incarnation, C.incarnation];

describe('plan of an assignment', () => {
  it('deals a fresh set out evenly, in one run each', () => {
    const situation = given({ allocs: [A, B, C], held: holdings([42_950, undefined]), living: [a, b, c] });
    expect(planAssignment(situation).map(({ firstSection, sectionCount, to }) => `${firstSection}+${sectionCount} ${to.id}`)).to.deep.equal([
      '0+14317 a1',
      '14317+14317 a2',
      '28634+14316 a3',
    ]);
  });

  for (const [sections, allocs] of [
    [4, 3],
    [43, 10],
    [2, 3],
    [42_950, 300],
  ] as const) {
    it(`gives ${sections} sections to ${allocs} so that no two differ by more than one`, () => {
      const candidates = Array.from({ length: allocs }, (_, index) => candidate(`a${String(index).padStart(3, '0')}`));
      const situation = given({ allocs: candidates, held: holdings([sections, undefined]), living: candidates.map(({ incarnation: run }) => run) });
      const counts = Object.values(countsAfter(situation.view, planAssignment(situation)));
      expect(Math.max(...counts) - Math.min(...counts)).to.be.at.most(1);
      expect(planRebalance(given({ allocs: candidates, held: situation.view.holdings, living: [] }))).to.deep.equal([]);
    });
  }

  it('moves what an expired owner held, and not one section more', () => {
    const held = holdings([10, a], [10, b], [10, c]);
    const situation = given({ allocs: [A, B, C], held, living: [a, c], expired: [b] });
    const moves = planAssignment(situation);
    expect(movedBy(moves)).to.deep.equal(range(10, 20));
    expect(countsAfter(situation.view, moves)).to.deep.equal({ a1: 15, a2: 0, a3: 15 });
  });

  it('fills those who have least first', () => {
    const held = holdings([10, a], [2, b], [6, undefined]);
    const situation = given({ allocs: [A, B, C], held, living: [a, b, c] });
    expect(countsAfter(situation.view, planAssignment(situation))).to.deep.equal({ a1: 10, a2: 4, a3: 4 });
  });

  it('leaves the sections of a run that was superseded until its own wait is over', () => {
    const old = incarnation('a1', 0);
    const held = holdings([5, old], [5, b]);
    expect(planAssignment(given({ allocs: [A, B], held, living: [a, b] }))).to.deep.equal([]);
    expect(movedBy(planAssignment(given({ allocs: [A, B], held, living: [a, b], expired: [old] })))).to.deep.equal(range(0, 5));
  });

  it('gives nothing to the silent: without anybody alive nothing moves', () => {
    const held = holdings([5, a], [5, undefined]);
    expect(planAssignment(given({ allocs: [A, B], held, living: [], expired: [a] }))).to.deep.equal([]);
    const only = planAssignment(given({ allocs: [A, B, C], held, living: [b], expired: [a] }));
    expect(new Set(only.map(({ to }) => to.id))).to.deep.equal(new Set(['a2']));
  });

  it('does nothing when everybody keeps what he has', () => {
    expect(planAssignment(given({ allocs: [A, B], held: holdings([9, a], [1, b]), living: [a, b] }))).to.deep.equal([]);
  });

  it('gives every orphan away exactly once, to the living, and moves nothing else, whatever the situation', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const situation = randomSituation(seed);
        const moves = planAssignment(situation);
        const { view, living, expired } = situation;
        const orphans = view.holdings.flatMap(({ firstSection, sectionCount, holder }) =>
          holder === undefined || expired.has(holder) ? range(firstSection, firstSection + sectionCount) : [],
        );
        expect(movedBy(moves)).to.deep.equal(living.size === 0 ? [] : orphans);
        for (const { to } of moves) expect(living.has(to.incarnation)).to.equal(true);
        expect(planAssignment(situation), 'the same view makes the same plan').to.deep.equal(moves);
        expectLevel(situation, moves);
      }),
      { numRuns: 500 },
    );
  });

  it('takes no time that an operator would see, at 2^32 uids and 300 AllocSvrs', () => {
    const candidates = Array.from({ length: 300 }, (_, index) => candidate(`a${index}`));
    const held = holdings(...Array.from({ length: 42_950 }, (_, index) => [1, candidates[index % 300]!.incarnation] as const));
    const expired = candidates.slice(0, 100).map(({ incarnation: run }) => run);
    const situation = given({ allocs: candidates, held, living: candidates.slice(100).map(({ incarnation: run }) => run), expired });
    const startMs = performance.now();
    planAssignment(situation);
    expect(performance.now() - startMs).to.be.below(1_000);
  });
});

describe('plan of a rebalance', () => {
  it('levels the owners with as few moves as there are, in long runs', () => {
    const situation = given({ allocs: [A, B, C], held: holdings([30, a], [30, b]), living: [a, b, c] });
    const moves = planRebalance(situation);
    expect(countsAfter(situation.view, moves)).to.deep.equal({ a1: 20, a2: 20, a3: 20 });
    expect(moves.map(({ firstSection, sectionCount, to }) => [firstSection, sectionCount, to.id])).to.deep.equal([
      [20, 10, 'a3'],
      [50, 10, 'a3'],
    ]);
  });

  it('gives a section to everybody when there are few of them', () => {
    const situation = given({ allocs: [A, B, C], held: holdings([2, a], [2, b]), living: [a, b, c] });
    expect(countsAfter(situation.view, planRebalance(situation))).to.deep.equal({ a1: 2, a2: 1, a3: 1 });
  });

  for (const [counts, isWorthIt] of [
    [[105, 100], false],
    [[110, 100], false],
    [[112, 100], true],
    [[2, 1], false],
    [[3, 1], true],
  ] as const) {
    it(`${isWorthIt ? 'moves' : 'leaves'} ${counts.join(' and ')}: a tenth of a share is not worth a pause`, () => {
      const situation = given({ allocs: [A, B], held: holdings([counts[0], a], [counts[1], b]), living: [a, b] });
      expect(planRebalance(situation).length > 0).to.equal(isWorthIt);
    });
  }

  it('waits while something is missing, silent or on its way', () => {
    const allocs = [A, B, C];
    expect(planRebalance(given({ allocs, held: holdings([30, a], [30, b], [1, undefined]), living: [a, b, c] })), 'an orphan').to.deep.equal([]);
    expect(planRebalance(given({ allocs, held: holdings([30, a], [30, b]), living: [a, c] })), 'a silent owner').to.deep.equal([]);
    expect(planRebalance(given({ allocs, held: holdings([30, a], [30, b, 'moving']), living: [a, b, c] })), 'a planned move').to.deep.equal([]);
    expect(planRebalance(given({ allocs: [A], held: holdings([30, a]), living: [a] })), 'nobody to share with').to.deep.equal([]);
  });

  it('bounds what is on its way at the same time', () => {
    const situation = given({ allocs: [A, B], held: holdings([50_000, a]), living: [a, b] });
    expect(movedBy(planRebalance(situation)).length).to.equal(20_000);
  });

  it('takes only from those who have more than their share, ends level, and then rests', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const { view } = randomSituation(seed);
        const living = view.allocs.map((each) => each.incarnation);
        const held = view.holdings.map((each, index) => ({ ...each, holder: living[index % living.length]! }));
        const situation = given({ allocs: view.allocs, held, living });
        const moves = planRebalance(situation);
        const before = countsAfter(situation.view, []);
        const after = countsAfter(situation.view, moves);
        const values = Object.values(after);
        if (moves.length > 0) expect(Math.max(...values) - Math.min(...values)).to.be.at.most(1);
        const least = Object.keys(before).reduce((sum, id) => sum + Math.max(0, after[id]! - before[id]!), 0);
        expect(movedBy(moves).length, 'nothing travels in a circle').to.equal(least);
        const next = given({ allocs: view.allocs, held: asHoldings(ownersAfter(situation.view, moves), view.allocs), living });
        expect(planRebalance(next)).to.deep.equal([]);
      }),
      { numRuns: 300 },
    );
  });
});

interface Given {
  readonly allocs: Situation['view']['allocs'];
  readonly held: Situation['view']['holdings'];
  readonly living: readonly (typeof a)[];
  readonly expired?: readonly (typeof a)[];
}

function given({ allocs, held, living, expired = [] }: Given): Situation {
  return { view: viewOf(allocs, held), living: new Set(living), expired: new Set(expired), loads: new Map() };
}

function randomSituation(seed: number): Situation {
  const random = new SeededRandom(seed);
  const allocs = Array.from({ length: 1 + random.below(6) }, (_, index) => candidate(`a${index}`));
  const runs = [...allocs.map(({ incarnation: run }) => run), incarnation('a0', 0), undefined];
  const held = holdings(...Array.from({ length: 1 + random.below(20) }, () => [1 + random.below(30), random.pick(runs)] as const));
  const expired = runs.filter((run) => run !== undefined && random.chance(0.3)) as (typeof a)[];
  const living = allocs.map(({ incarnation: run }) => run).filter((run) => !expired.includes(run) && random.chance(0.8));
  return given({ allocs, held, living, expired });
}

/** Nobody who got something has more than one above anybody else. */
function expectLevel({ view, living, expired }: Situation, moves: readonly Move[]): void {
  const ids = view.allocs.filter(({ incarnation: run }) => living.has(run)).map(({ id }) => id);
  const held = view.holdings.filter(({ holder }) => holder !== undefined && !expired.has(holder));
  const before = countsAfter({ ...view, holdings: held }, []);
  const after = countsAfter(view, moves);
  const fewest = Math.min(...ids.map((id) => after[id]!));
  for (const id of ids) if (after[id]! > before[id]!) expect(after[id]! - fewest).to.be.at.most(1);
}

function movedBy(moves: readonly Move[]): readonly number[] {
  return moves.flatMap(({ firstSection, sectionCount }) => range(firstSection, firstSection + sectionCount)).sort((one, other) => one - other);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, offset) => from + offset);
}

function asHoldings(owners: readonly string[], allocs: Situation['view']['allocs']): Situation['view']['holdings'] {
  return holdings(...owners.map((id) => [1, allocs.find((each) => each.id === id)?.incarnation] as const));
}
