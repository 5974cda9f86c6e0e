import { expect } from 'chai';
import fc from 'fast-check';
import { CALLS_PER_WEIGHT } from '../../../src/arbiter/pieces.js';
import { planLevelling, planRebalance } from '../../../src/arbiter/plan.js';
import type { Situation } from '../../../src/arbiter/situation.js';
import { DEFAULT_POLICY } from '../../../src/model/policy.js';
import { SeededRandom } from '../seeded-random.js';
import { afterMoves, candidate, countsAfter, holdings, movedBy, ownersAfter, range, situationOf, told } from './fixture.js';

const [A, B, C] = [candidate('a1'), candidate('a2'), candidate('a3')];
const [a, b, c] = [A.incarnation, B.incarnation, C.incarnation];

describe('plan of a rebalance', () => {
  it('levels the owners with as few moves as there are, in long runs', () => {
    const situation = situationOf({ allocs: [A, B, C], held: holdings([30, a], [30, b]) });
    const { moves, reason, isPart } = planRebalance(situation);
    expect(countsAfter(situation.view, moves)).to.deep.equal({ a1: 20, a2: 20, a3: 20 });
    expect(told(moves)).to.equal('20+10 a3 50+10 a3');
    expect([reason, isPart]).to.deep.equal(['spread evenly', false]);
  });

  it('gives a section to everybody when there are few of them', () => {
    const situation = situationOf({ allocs: [A, B, C], held: holdings([2, a], [2, b]) });
    expect(countsAfter(situation.view, planRebalance(situation).moves)).to.deep.equal({ a1: 2, a2: 1, a3: 1 });
  });

  for (const [counts, isWorthIt] of [
    [[105, 100], false],
    [[110, 100], false],
    [[112, 100], true],
    [[2, 1], false],
    [[3, 1], true],
  ] as const) {
    it(`${isWorthIt ? 'moves' : 'leaves'} ${counts.join(' and ')}: a tenth of a share is not worth a pause`, () => {
      const situation = situationOf({ allocs: [A, B], held: holdings([counts[0], a], [counts[1], b]) });
      expect(planRebalance(situation).moves.length > 0).to.equal(isWorthIt);
    });
  }

  it('levels differences of two for an operator, and not of one', () => {
    const of = (one: number, other: number) => situationOf({ allocs: [A, B], held: holdings([one, a], [other, b]) });
    expect(told(planLevelling(of(102, 100)))).to.equal('101+1 a2');
    expect(planLevelling(of(101, 100))).to.deep.equal([]);
  });

  it('waits while a section has no living owner, or nobody is there to share with', () => {
    const allocs = [A, B, C];
    expect(planRebalance(situationOf({ allocs, held: holdings([30, a], [30, b], [1, undefined]) })).moves, 'an orphan').to.deep.equal([]);
    expect(planRebalance(situationOf({ allocs, held: holdings([30, a], [30, b]), living: [a, c] })).moves, 'a silent owner').to.deep.equal([]);
    expect(planRebalance(situationOf({ allocs: [A], held: holdings([30, a]) })).moves, 'alone').to.deep.equal([]);
  });

  it('counts sections on their way where they go, and does not turn them round', () => {
    const situation = situationOf({ allocs: [A, B, C], held: holdings([20, a], [10, a, c], [30, b]) });
    expect(told(planRebalance(situation).moves)).to.equal('50+10 a3');
  });

  it('has at most so many on their way at once, and the next ones once half of them are through', () => {
    const policy = { ...DEFAULT_POLICY, movesInFlightMax: 10 };
    type Runs = readonly (readonly [number, typeof a, typeof a] | readonly [number, typeof a])[];
    const of = (...held: Runs) => planRebalance(situationOf({ allocs: [A, B], policy, held: holdings(...held) }));
    expect([told(of([100, a]).moves), of([100, a]).isPart]).to.deep.equal(['50+10 a2', true]);
    expect([of([50, a], [6, a, b], [44, a]).moves, of([50, a], [6, a, b], [44, a]).isPart]).to.deep.equal([[], true]);
    expect(told(of([50, a], [5, b], [5, a, b], [40, a]).moves)).to.equal('60+5 a2');
  });

  it('takes only from those who have more than their share, ends level, and then rests', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const random = new SeededRandom(seed);
        const situation = randomSituation(random, []);
        const { moves } = planRebalance(situation);
        expectOnce(situation, moves);
        const before = countsAfter(situation.view, []);
        const after = countsAfter(situation.view, moves);
        const values = Object.values(after);
        if (moves.length > 0) expect(Math.max(...values) - Math.min(...values)).to.be.at.most(1);
        // Whoever has too much gives, or whoever has too little gets: the larger of the two sums has to move.
        const [floor, ceil] = [Math.floor, Math.ceil].map((round) => round(values.reduce((sum, count) => sum + count, 0) / values.length)) as [
          number,
          number,
        ];
        const tooMuch = Object.values(before).reduce((sum, count) => sum + Math.max(0, count - ceil), 0);
        const tooLittle = Object.values(before).reduce((sum, count) => sum + Math.max(0, floor - count), 0);
        if (moves.length > 0) expect(movedBy(moves).length, 'as few as there are').to.equal(Math.max(tooMuch, tooLittle));
        expect(planRebalance(afterMoves(situation, moves)).moves).to.deep.equal([]);
      }),
      { numRuns: 400 },
    );
  });

  it('moves no section twice in batches, and never more than at once', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const random = new SeededRandom(seed);
        const policy = { ...DEFAULT_POLICY, movesInFlightMax: 1 + random.below(20) };
        const whole = randomSituation(random, []);
        let given: Situation = { ...whole, view: { ...whole.view, policy } };
        const moved: number[] = [];
        for (let batch = planRebalance(given); batch.moves.length > 0; batch = planRebalance(given)) {
          expect(movedBy(batch.moves).length).to.be.at.most(policy.movesInFlightMax);
          moved.push(...movedBy(batch.moves));
          given = afterMoves(given, batch.moves);
        }
        expect(new Set(moved).size).to.equal(moved.length);
        expect(moved.length).to.be.at.most(movedBy(planLevelling(whole)).length);
      }),
      { numRuns: 200 },
    );
  });
});

describe('plan of a rebalance: loads', () => {
  const hot = 10 * CALLS_PER_WEIGHT;

  it('levels what sections weigh and not only their number, by the few that weigh most', () => {
    const situation = situationOf({
      allocs: [A, B],
      held: holdings([10, a], [10, b]),
      loads: [
        [0, hot],
        [1, hot],
      ],
    });
    expect(told(planRebalance(situation).moves)).to.equal('1+1 a2');
  });

  it('moves nothing for a load that is spread already, and nothing that would only trade places', () => {
    const held = holdings([10, a], [10, b]);
    const spread = [0, 10].map((section) => [section, hot] as const);
    expect(planRebalance(situationOf({ allocs: [A, B], held, loads: spread })).moves).to.deep.equal([]);
    const one = situationOf({ allocs: [A, B], held: holdings([1, a], [1, b]), loads: [[0, hot]] });
    expect(planRebalance(one).moves).to.deep.equal([]);
  });

  it('leaves the owner of a section that outweighs all others with it alone', () => {
    const situation = situationOf({ allocs: [A, B, C], held: holdings([10, a], [10, b], [10, c]), loads: [[3, 1_000 * CALLS_PER_WEIGHT]] });
    expect(planRebalance(situation).moves, 'it would hardly notice').to.deep.equal([]);
    expect(countsAfter(situation.view, planLevelling(situation))).to.deep.equal({ a1: 1, a2: 15, a3: 14 });
  });

  it('never makes the heaviest heavier, moves each section once, and rests after it, whatever the loads', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const random = new SeededRandom(seed);
        const loads = range(0, random.below(100)).map((section) => [section, random.below(random.pick([50, 2_000, 100_000]))] as const);
        const situation = randomSituation(random, loads);
        const { moves } = planRebalance(situation);
        expectOnce(situation, moves);
        const heaviest = (owners: readonly string[]): number => Math.max(...weightsBy(owners, situation.loads).values());
        expect(heaviest(ownersAfter(situation.view, moves))).to.be.at.most(heaviest(ownersAfter(situation.view, [])));
        expect(planRebalance(afterMoves(situation, moves)).moves).to.deep.equal([]);
      }),
      { numRuns: 400 },
    );
  });
});

function randomSituation(random: SeededRandom, loads: readonly (readonly [number, number])[]): Situation {
  const allocs = Array.from({ length: 2 + random.below(6) }, (_, index) => candidate(`a${index}`, 1, random.pick(['', 'x', 'y'])));
  const owners = allocs.map(({ incarnation: run }) => run).filter((_, index) => index === 0 || random.chance(0.8));
  const held = holdings(...Array.from({ length: 1 + random.below(20) }, () => [1 + random.below(30), random.pick(owners)] as const));
  return situationOf({ allocs, held, loads });
}

function expectOnce({ view }: Situation, moves: Parameters<typeof movedBy>[0]): void {
  const sections = movedBy(moves);
  expect(new Set(sections).size).to.equal(sections.length);
  const before = ownersAfter(view, []);
  for (const { firstSection, to } of moves) expect(before[firstSection], 'a move goes somewhere else').to.not.equal(to.id);
}

function weightsBy(owners: readonly string[], loads: Situation['loads']): Map<string, number> {
  const weights = new Map<string, number>();
  for (const [section, owner] of owners.entries()) {
    const callsPerSecond = [...loads].find(([loaded]) => loaded === section)?.[1] ?? 0;
    weights.set(owner, (weights.get(owner) ?? 0) + 1 + Math.round(callsPerSecond / CALLS_PER_WEIGHT));
  }
  return weights;
}
