import { expect } from 'chai';
import { planAssignment, planDrain, planLevelling, planRebalance } from '../../../src/arbiter/plan.js';
import { DEFAULT_POLICY } from '../../../src/model/policy.js';
import { SeededRandom } from '../seeded-random.js';
import { candidate, countsAfter, type Given, holdings, incarnation, situationOf, told } from './fixture.js';

const all = [candidate('p1'), candidate('p2'), candidate('s1'), candidate('s2')];
const [P, Q, S, T] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0], (typeof all)[0]];
const [p, q, s, t] = [P.incarnation, Q.incarnation, S.incarnation, T.incarnation];
const policy = { ...DEFAULT_POLICY, placement: 'primary-standby' as const, standbys: [S.id, T.id] };
const taken = (given: Given): string => {
  const { moves, reason } = planAssignment(situationOf({ allocs: all, policy, ...given }));
  return `${told(moves)}: ${reason}`;
};

describe('plan: primary-standby', () => {
  it('deals a fresh set to the primaries alone', () => {
    const situation = situationOf({ allocs: all, policy, held: holdings([10, undefined]) });
    expect(countsAfter(situation.view, planAssignment(situation).moves)).to.deep.equal({ p1: 5, p2: 5, s1: 0, s2: 0 });
  });

  it('lets one standby take over all that a primary had, and the other primary nothing', () => {
    expect(taken({ held: holdings([3, p], [4, q], [3, p]), expired: [p] })).to.equal('0+3 s1 7+3 s1: standby takes over: s1; lease over: p1');
    expect(taken({ held: holdings([3, p], [4, q]), allocs: [Q, S, T], expired: [p], dead: new Set([p]) })).to.equal(
      '0+3 s1: standby takes over: s1; reported dead: p1',
    );
  });

  it('gives two primaries that are lost together to two standbys', () => {
    expect(taken({ held: holdings([3, p], [4, q]), expired: [p, q] })).to.equal('0+3 s1 3+4 s2: standby takes over: s1, s2; lease over: p1, p2');
  });

  it('gives a primary that came back before its former lease was over its own sections', () => {
    const newer = candidate('p1', 2);
    expect(taken({ held: holdings([3, p], [4, q]), allocs: [newer, Q, S, T], expired: [p] })).to.equal('0+3 p1: former runs are over');
    expect(newer.incarnation).to.not.equal(p);
  });

  it('shares among the primaries what no standby can take, and what a standby loses', () => {
    expect(taken({ held: holdings([3, p], [4, q]), living: [q], silent: [p], expired: [p] })).to.equal('0+3 p2: lease over: p1');
    expect(taken({ held: holdings([3, s], [4, q], [3, p]), living: [p, q, t], expired: [s] })).to.equal('0+2 p1 2+1 p2: lease over: s1');
  });

  it('gives everything to one standby when no primary lives', () => {
    expect(taken({ held: holdings([3, undefined], [4, s]), living: [s, t] })).to.equal('0+3 s1: sections without an owner');
  });

  it('moves what a draining primary has to the other primaries, and to one standby when there is none', () => {
    const drained = (allocs: Given['allocs']): string =>
      told(planDrain(situationOf({ allocs: allocs ?? [], draining: [P], policy, held: holdings([4, p]) })).moves);
    expect(drained([Q, S, T])).to.equal('0+4 p2');
    expect(drained([S, T])).to.equal('0+4 s1');
  });

  it('gives nothing back by itself, and all of it, level, when an operator wants it', () => {
    const situation = situationOf({ allocs: all, policy, held: holdings([5, s], [5, q], [2, t]) });
    expect(planRebalance(situation).moves).to.deep.equal([]);
    expect(countsAfter(situation.view, planLevelling(situation))).to.deep.equal({ p1: 6, p2: 6, s1: 0, s2: 0 });
    const even = situationOf({ allocs: all, policy, held: holdings([5, s], [5, q]) });
    expect(told(planLevelling(even)), 'not one section more than that').to.equal('0+5 p1');
  });

  it('never gives a standby anything but what a lost primary had, while a primary lives', () => {
    for (let seed = 0; seed < 300; seed += 1) {
      const random = new SeededRandom(seed);
      const runs = [p, q, s, t, incarnation('p1', 0), undefined];
      const held = holdings(...Array.from({ length: 1 + random.below(8) }, () => [1 + random.below(5), random.pick(runs)] as const));
      const expired = runs.filter((run) => run !== undefined && random.chance(0.4)) as (typeof p)[];
      const situation = situationOf({ allocs: all, policy: { ...policy, silentShareMaxPercent: 100 }, held, expired });
      const primariesLive = [p, q].some((run) => !expired.includes(run));
      for (const { firstSection, to } of planAssignment(situation).moves) {
        if (!policy.standbys.includes(to.id) || !primariesLive) continue;
        const holding = held.find((each) => firstSection < each.firstSection + each.sectionCount)!;
        expect(['p1', 'p2'], `seed ${seed}`).to.include(holding.holderId);
      }
    }
  });
});
