import { expect } from 'chai';
import fc from 'fast-check';
import { planAssignment } from '../../../src/arbiter/plan.js';
import type { Situation } from '../../../src/arbiter/situation.js';
import type { Move } from '../../../src/arbiter/view.js';
import { DEFAULT_POLICY } from '../../../src/model/policy.js';
import { SeededRandom } from '../seeded-random.js';
import { candidate, countsAfter, holdings, incarnation, movedBy, ownersAfter, range, situationOf, told } from './fixture.js';

const [A, B, C] = [candidate('a1'), candidate('a2'), candidate('a3')];
const [a, b, c] = [A.incarnation, B.incarnation, C.incarnation];
const planned = (situation: Situation): readonly Move[] => planAssignment(situation).moves;

describe('plan of an assignment', () => {
  it('deals a fresh set out evenly, in one run each', () => {
    const situation = situationOf({ allocs: [A, B, C], held: holdings([42_950, undefined]) });
    expect(told(planned(situation))).to.equal('0+14317 a1 14317+14317 a2 28634+14316 a3');
  });

  for (const [sections, allocs] of [
    [4, 3],
    [43, 10],
    [2, 3],
    [42_950, 300],
  ] as const) {
    it(`gives ${sections} sections to ${allocs} so that no two differ by more than one`, () => {
      const candidates = Array.from({ length: allocs }, (_, index) => candidate(`a${String(index).padStart(3, '0')}`));
      const situation = situationOf({ allocs: candidates, held: holdings([sections, undefined]) });
      const counts = Object.values(countsAfter(situation.view, planned(situation)));
      expect(Math.max(...counts) - Math.min(...counts)).to.be.at.most(1);
    });
  }

  it('moves what an expired owner held, and not one section more', () => {
    const situation = situationOf({ allocs: [A, B, C], held: holdings([10, a], [10, b], [10, c]), expired: [b] });
    expect(movedBy(planned(situation))).to.deep.equal(range(10, 20));
    expect(countsAfter(situation.view, planned(situation))).to.deep.equal({ a1: 15, a2: 0, a3: 15 });
  });

  it('fills those who have least first, and counts what is on its way to somebody as his', () => {
    const situation = situationOf({ allocs: [A, B, C], held: holdings([10, a], [2, b], [6, undefined]) });
    expect(countsAfter(situation.view, planned(situation))).to.deep.equal({ a1: 10, a2: 4, a3: 4 });
    const moving = situationOf({ allocs: [A, B, C], held: holdings([10, a], [4, a, c], [6, undefined]) });
    expect(told(planned(moving))).to.equal('14+5 a2 19+1 a3');
  });

  it('leaves the sections of a run that was superseded until its own wait is over', () => {
    const old = incarnation('a1', 0);
    const held = holdings([5, old], [5, b]);
    expect(planned(situationOf({ allocs: [A, B], held }))).to.deep.equal([]);
    expect(movedBy(planned(situationOf({ allocs: [A, B], held, expired: [old] })))).to.deep.equal(range(0, 5));
  });

  it('gives nothing to the silent: without anybody alive nothing moves', () => {
    const held = holdings([5, a], [5, undefined]);
    expect(planned(situationOf({ allocs: [A, B], held, living: [], expired: [a] }))).to.deep.equal([]);
    const only = planned(situationOf({ allocs: [A, B, C], held, living: [b], expired: [a] }));
    expect(told(only)).to.equal('0+10 a2');
  });

  it('gives nothing to one that is about to stop', () => {
    expect(told(planned(situationOf({ allocs: [B], draining: [A], held: holdings([4, undefined]) })))).to.equal('0+4 a2');
    expect(planned(situationOf({ allocs: [], draining: [A], held: holdings([4, undefined]) }))).to.deep.equal([]);
  });

  it('says why, in words that are counted, and whom it concerns', () => {
    const held = holdings([2, a], [2, b], [2, undefined]);
    const reasonOf = (more: Parameters<typeof situationOf>[0]): string => planAssignment(situationOf(more)).reason;
    expect(reasonOf({ allocs: [B, C], held, expired: [a], dead: new Set([a]) })).to.equal('reported dead: a1; sections without an owner');
    expect(reasonOf({ allocs: [A, B, C], held, expired: [a, b] })).to.equal('lease over: a1, a2; sections without an owner');
    expect(reasonOf({ allocs: [candidate('a1', 2), B], held, expired: [a] })).to.equal('former runs are over; sections without an owner');
    const many = Array.from({ length: 13 }, (_, index) => candidate(`b${10 + index}`));
    const lost = many.map(({ incarnation: run }) => run);
    expect(reasonOf({ allocs: [A, ...many], held: holdings(...lost.map((run) => [1, run] as const)), expired: lost })).to.match(
      /^lease over: b10, .*, b19 and 3 more$/,
    );
  });

  it('names the runs that it takes from, and only those: the others may go on renewing', () => {
    const held = holdings([2, a], [2, b], [2, undefined]);
    expect([...planAssignment(situationOf({ allocs: [B, C], held, expired: [a], dead: new Set([a]) })).from]).to.deep.equal([a]);
    const awaited = situationOf({ allocs: [A, B], held: holdings([2, a]).map((run) => ({ ...run })), living: [], expired: [a] });
    expect([...planAssignment(awaited).from], 'nobody can take it').to.deep.equal([]);
  });

  it('gives orphans away exactly once, to the living, and moves nothing else, whatever the situation', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const situation = randomSituation(seed);
        const moves = planned(situation);
        const { view, living, expired } = situation;
        const orphans = view.holdings.flatMap(({ firstSection, sectionCount, holder }) =>
          holder === undefined || expired.has(holder) ? range(firstSection, firstSection + sectionCount) : [],
        );
        const takers = view.allocs.filter(({ incarnation: run }) => living.has(run));
        expect(movedBy(moves)).to.deep.equal(takers.length === 0 ? [] : orphans);
        for (const { to } of moves) expect(takers.map(({ id }) => id)).to.include(to.id);
        expect(planned(situation), 'the same view makes the same plan').to.deep.equal(moves);
        if (situation.loads.size === 0) expectLevel(situation, moves);
      }),
      { numRuns: 500 },
    );
  });
});

describe('plan of an assignment: heirs', () => {
  const held = holdings([3, undefined], [3, undefined], [3, undefined]).map((run, at) => ({ ...run, heir: [B.id, A.id, undefined][at] }));

  it('gives sections whose counters somebody has back to it, and spreads the rest', () => {
    expect(told(planned(situationOf({ allocs: [A, B], held })))).to.equal('0+3 a2 3+3 a1 6+2 a1 8+1 a2'.replace('3+3 a1 6+2 a1', '3+5 a1'));
  });

  it('keeps them for one that is not there yet, while that is waited for', () => {
    const given = { allocs: [A, B], held, living: [b] };
    expect(told(planned(situationOf({ ...given, awaitsHeirs: true })))).to.equal('0+3 a2 6+3 a2');
    expect(told(planned(situationOf(given)))).to.equal('0+9 a2');
  });

  it('does not wait for one that is about to stop and still hands over, but for one that has gone', () => {
    const given = { allocs: [B], draining: [A], awaitsHeirs: true, living: [a, b] };
    const handing = [...holdings([2, undefined], [2, a])].map((run, at) => ({ ...run, heir: at === 0 ? A.id : undefined }));
    expect(told(planned(situationOf({ ...given, held: handing })))).to.equal('0+2 a2');
    expect(planned(situationOf({ ...given, held: handing.slice(0, 1) }))).to.deep.equal([]);
  });

  it('gives them back before a fresh set has settled: they are not fresh', () => {
    expect(told(planned(situationOf({ allocs: [A, B], held, isSettled: false })))).to.equal('0+3 a2 3+3 a1');
  });
});

describe('plan of an assignment: zones', () => {
  const zoned = (id: string, zone: string) => candidate(id, 1, zone);

  it('gives each zone what its number of living AllocSvrs asks for, the odd ones too', () => {
    const allocs = [zoned('a1', 'x'), zoned('a2', 'x'), zoned('a3', 'x'), zoned('a4', 'y'), zoned('a5', 'y'), zoned('a6', 'y')];
    const counts = countsAfter(situationOf({ allocs, held: [] }).view, []);
    expect(Object.keys(counts)).to.have.length(6);
    const situation = situationOf({ allocs, held: holdings([22, undefined]) });
    const after = countsAfter(situation.view, planned(situation));
    expect([after['a1']! + after['a2']! + after['a3']!, after['a4']! + after['a5']! + after['a6']!]).to.deep.equal([11, 11]);
  });

  it('spreads a dead zone over all others', () => {
    const allocs = [zoned('a1', 'x'), zoned('a2', 'y'), zoned('a3', 'z')];
    const situation = situationOf({ allocs, held: holdings([9, a], [9, b], [9, c]), expired: [a] });
    expect(countsAfter(situation.view, planned(situation))).to.deep.equal({ a1: 0, a2: 14, a3: 13 });
  });

  it('prefers the least loaded zone among the least loaded', () => {
    const allocs = [zoned('a1', 'x'), zoned('a2', 'x'), zoned('a3', 'y'), zoned('a4', 'y')];
    const situation = situationOf({ allocs, held: holdings([9, a], [1, undefined]) });
    expect(told(planned(situation))).to.equal('9+1 a3');
  });
});

describe('plan of an assignment: the brake and the pause of a fresh set', () => {
  const D = candidate('a4');
  const d = D.incarnation;
  const policy = { ...DEFAULT_POLICY };
  const allocs = [A, B, C, D];

  it('takes nothing from the silent while the brake is on, but gives away what nobody comes back to', () => {
    const old = incarnation('a4', 0);
    const dead = incarnation('a5');
    const held = holdings([2, a], [2, b], [2, c], [2, old], [2, dead], [2, undefined]);
    const situation = situationOf({ allocs, held, policy, expired: [a, b, c, old, dead], dead: new Set([dead]), living: [d] });
    expect(told(planned(situation))).to.equal('6+6 a4');
    expect([...planAssignment(situation).from]).to.have.members([old, dead]);
  });

  it('keeps what nobody ever had until the set has settled', () => {
    expect(planned(situationOf({ allocs, held: holdings([4, undefined]), isSettled: false }))).to.deep.equal([]);
  });
});

function randomSituation(seed: number): Situation {
  const random = new SeededRandom(seed);
  const all = Array.from({ length: 1 + random.below(6) }, (_, index) => candidate(`a${index}`, 1, random.pick(['', 'x', 'y'])));
  const runs = [...all.map(({ incarnation: run }) => run), incarnation('a0', 0), undefined];
  const held = holdings(...Array.from({ length: 1 + random.below(20) }, () => [1 + random.below(30), random.pick(runs)] as const));
  const expired = runs.filter((run) => run !== undefined && random.chance(0.3)) as (typeof a)[];
  const living = all.map(({ incarnation: run }) => run).filter((run) => !expired.includes(run) && random.chance(0.8));
  const draining = all.filter(() => random.chance(0.2));
  const loads = random.chance(0.5) ? range(0, random.below(40)).map((section) => [section, random.below(5_000)] as const) : [];
  return situationOf({ allocs: all.filter((each) => !draining.includes(each)), draining, held, living, expired, loads });
}

/** Nobody who got something has more than one above anybody else. */
function expectLevel({ view, living, expired }: Situation, moves: readonly Move[]): void {
  const ids = view.allocs.filter(({ incarnation: run }) => living.has(run)).map(({ id }) => id);
  const held = view.holdings.map((holding) =>
    holding.holder !== undefined && expired.has(holding.holder) ? { ...holding, holder: undefined } : holding,
  );
  const before = ownersAfter({ ...view, holdings: held }, []);
  const after = ownersAfter(view, moves);
  const count = (owners: readonly string[], id: string): number => owners.filter((owner) => owner === id).length;
  const fewest = Math.min(...ids.map((id) => count(after, id)));
  for (const id of ids) if (count(after, id) > count(before, id)) expect(count(after, id) - fewest).to.be.at.most(1);
}
