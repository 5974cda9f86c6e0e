import { expect } from 'chai';
import { brakeOf } from '../../../src/arbiter/brake.js';
import { nextStep, type Step } from '../../../src/arbiter/decide.js';
import { planAssignment, planDrain, planRebalance } from '../../../src/arbiter/plan.js';
import type { ClusterView, Move, Situation } from '../../../src/arbiter/view.js';
import { DEFAULT_POLICY } from '../../../src/model/policy.js';
import { SeededRandom } from '../seeded-random.js';
import { candidate, countsAfter, holdings, incarnation, viewOf } from './fixture.js';

const [A, B, C, D] = [candidate('a1'), candidate('a2'), candidate('a3'), candidate('a4')];
const [a, b, c, d] = [A.incarnation, B.incarnation, C.incarnation, D.incarnation];
type Run = typeof a;

function situation(
  held: ClusterView['holdings'],
  more: Partial<ClusterView> & { living?: readonly Run[]; expired?: readonly Run[]; loads?: Situation['loads'] } = {},
): Situation {
  const { living = [a, b, c, d], expired = [], loads = new Map(), ...view } = more;
  return { view: viewOf(view.allocs ?? [A, B, C, D], held, view), living: new Set(living), expired: new Set(expired), loads };
}

const told = (moves: readonly Move[]): string =>
  moves.map(({ firstSection, sectionCount, to }) => `${firstSection}+${sectionCount} ${to.id}`).join(' ');
const step = (given: Situation, { isQuiet = true, isStuck = false } = {}): Step => nextStep(given, { isQuiet, isStuck });
const reasonOf = (given: Situation): string => {
  const next = step(given);
  return next.kind === 'none' ? 'none' : next.kind === 'held' ? `held: ${next.why}` : `${next.kind} ${told(next.moves)}: ${next.reason}`;
};

describe('arbiter: the next step', () => {
  it('gives away what a run that was seen to end had, and says so', () => {
    const held = holdings([4, a], [4, b]);
    expect(reasonOf(situation(held, { allocs: [B], living: [b], expired: [a], dead: new Set([a]) }))).to.equal('assign 0+4 a2: reported dead: a1');
  });

  it('moves what a draining one has to the others, a bounded number at a time, and never to it', () => {
    const policy = { ...DEFAULT_POLICY, movesInFlightMax: 6 };
    const given = situation(holdings([10, a], [10, b], [10, c]), { allocs: [B, C], draining: [A], policy });
    expect(reasonOf(given)).to.equal('planMove 0+3 a2 3+3 a3: draining: a1');
    const moving = situation(holdings([4, a, 'moving'], [6, a], [10, b], [10, c]), {
      allocs: [B, C],
      draining: [A],
      policy,
      living: [a, b, c, incarnation('zz')],
    });
    expect(told(planDrain(moving)), 'four are on their way').to.equal('4+1 a2 5+1 a3');
  });

  it('leaves a draining one what it has while nobody can take it, and gives up on one that is silent only by its lease', () => {
    expect(reasonOf(situation(holdings([10, a]), { allocs: [], draining: [A] }))).to.equal('none');
    expect(reasonOf(situation(holdings([10, a]), { allocs: [B], draining: [A], living: [b] }))).to.equal('none');
  });

  it('calls a move off when whom it goes to is silent, and when none gets on', () => {
    const held = holdings([4, a, 'moving'], [4, b]);
    expect(reasonOf(situation(held, { allocs: [A, B] }))).to.equal('planMove 0+4 a1: called off: whom the sections were to go to is silent');
    const stuck = situation(held, { allocs: [A, B], living: [a, b, incarnation('zz')] });
    expect(step(stuck)).to.deep.equal({ kind: 'none' });
    expect(step(stuck, { isStuck: true })).to.include({ kind: 'planMove' });
  });

  it('does nothing by itself while it is paused, not even a takeover', () => {
    const policy = { ...DEFAULT_POLICY, isPaused: true };
    expect(reasonOf(situation(holdings([4, undefined]), { policy }))).to.equal('held: paused by an operator');
  });

  it('gives sections that wait for their heir back to it, and spreads the rest', () => {
    const held = holdings([3, undefined], [3, undefined], [3, undefined]).map((run, at) => ({ ...run, heir: [B.id, A.id, undefined][at] }));
    expect(told(planAssignment(situation(held, { allocs: [A, B], living: [a, b] })))).to.equal('0+3 a2 3+3 a1 6+2 a1 8+1 a2');
    expect(told(planAssignment(situation(held, { allocs: [A, B], living: [b] }))), 'an heir that is not there').to.equal('0+3 a2 3+3 a2 6+3 a2');
  });
});

describe('arbiter: the brake', () => {
  const policy = DEFAULT_POLICY;
  const held = holdings([4, a], [4, b], [4, c], [4, d]);

  it('moves nothing when more than the share is silent, and says who', () => {
    const given = situation(held, { policy, living: [d], expired: [a, b, c] });
    expect(reasonOf(given)).to.include('held: 3 of 4 AllocSvrs with sections are silent (a1, a2, a3)');
  });

  it('lets half of them go, and a single one however large its share', () => {
    expect(reasonOf(situation(held, { policy, living: [c, d], expired: [a, b] }))).to.match(/^assign .*: lease over: a1, a2$/);
    expect(reasonOf(situation(holdings([4, a]), { policy, living: [b], expired: [a] }))).to.match(/^assign /);
  });

  it('does not count those that were seen to end, nor those that run anew', () => {
    expect(brakeOf(situation(held, { policy, living: [d], expired: [a, b, c], dead: new Set([a, b]) }))).to.equal(undefined);
    const newer = [candidate('a1', 2), candidate('a2', 2), candidate('a3', 2), D];
    const living = newer.map(({ incarnation: run }) => run);
    expect(brakeOf(situation(held, { policy, allocs: newer, living, expired: [a, b, c] }))).to.equal(undefined);
  });

  it('is off at 100 percent', () => {
    expect(reasonOf(situation(held, { policy: { ...policy, silentShareMaxPercent: 100 }, living: [d], expired: [a, b, c] }))).to.match(/^assign /);
  });
});

describe('arbiter: primary-standby', () => {
  const policy = { ...DEFAULT_POLICY, placement: 'primary-standby' as const, standbys: [C.id, D.id] };

  it('deals a fresh set to the primaries alone', () => {
    expect(
      countsAfter({ allocs: [A, B, C, D], holdings: holdings([10, undefined]) }, planAssignment(situation(holdings([10, undefined]), { policy }))),
    ).to.deep.equal({
      a1: 5,
      a2: 5,
      a3: 0,
      a4: 0,
    });
  });

  it('lets one standby take over all that a primary had', () => {
    const held = holdings([3, a], [4, b], [3, a]);
    expect(reasonOf(situation(held, { policy, living: [b, c, d], expired: [a] }))).to.equal(
      'assign 0+3 a3 7+3 a3: lease over: a standby takes over, a1',
    );
    const second = holdings([3, c], [4, b], [3, c]);
    expect(told(planAssignment(situation(second, { policy, living: [c, d], expired: [b] }))), 'the one that has nothing').to.equal('3+4 a4');
  });

  it('gives nothing back by itself, and all of it when an operator wants it', () => {
    const given = situation(holdings([5, c], [5, b]), { policy });
    expect(planRebalance(given)).to.deep.equal([]);
    expect(told(planRebalance(given, { isForced: true }))).to.equal('0+5 a1');
  });
});

describe('arbiter: load', () => {
  it('levels what sections weigh and not only their number', () => {
    const loads = new Map([
      [0, 1_000],
      [1, 1_000],
    ]);
    const given = situation(holdings([10, a], [10, b]), { allocs: [A, B], living: [a, b], loads });
    const moves = planRebalance(given);
    expect(told(moves)).to.not.equal('');
    const weightOf = (id: string): number =>
      [...Array(20).keys()].reduce((sum, section) => {
        const owner =
          moves.find(({ firstSection, sectionCount }) => section >= firstSection && section < firstSection + sectionCount)?.to.id ??
          (section < 10 ? 'a1' : 'a2');
        return sum + (owner === id ? 1 + (loads.get(section) ?? 0) / 100 : 0);
      }, 0);
    expect(Math.abs(weightOf('a1') - weightOf('a2'))).to.be.at.most(11);
  });

  it('deals every orphan once, is the same each time, and rests after it, whatever the loads', () => {
    for (let seed = 0; seed < 300; seed += 1) {
      const random = new SeededRandom(seed);
      const count = 5 + random.below(60);
      const loads = new Map(Array.from({ length: random.below(count) }, () => [random.below(count), random.below(500)] as const));
      const owners = Array.from({ length: count }, () => random.pick([a, b, c, undefined]));
      const given = situation(holdings(...owners.map((owner) => [1, owner] as const)), { allocs: [A, B, C], living: [a, b, c], loads });
      const moves = planAssignment(given);
      const dealt = moves.flatMap(({ firstSection, sectionCount }) => Array.from({ length: sectionCount }, (_, at) => firstSection + at));
      expect(dealt).to.deep.equal(owners.flatMap((owner, section) => (owner === undefined ? [section] : [])));
      expect(planAssignment(given)).to.deep.equal(moves);
    }
  });

  it('plans 42,950 sections in pieces among 300 AllocSvrs with loads', () => {
    const allocs = Array.from({ length: 300 }, (_, index) => candidate(`b${String(index).padStart(3, '0')}`));
    const held = holdings(...Array.from({ length: 42_950 }, (_, index) => [1, allocs[index % 300]!.incarnation] as const));
    const loads = new Map(Array.from({ length: 42_950 }, (_, index) => [index, index % 97] as const));
    const living = allocs.slice(1).map(({ incarnation: run }) => run);
    const given = situation(held, { allocs, living, expired: [allocs[0]!.incarnation], loads });
    expect(planAssignment(given).reduce((sum, { sectionCount }) => sum + sectionCount, 0)).to.equal(144);
  });
});
