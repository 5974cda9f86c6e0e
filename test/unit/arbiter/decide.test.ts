import { expect } from 'chai';
import { nextStep, outlookOf } from '../../../src/arbiter/decide.js';
import { DEFAULT_POLICY } from '../../../src/model/policy.js';
import { SeededRandom } from '../seeded-random.js';
import { candidate, type Given, holdings, movedBy, situationOf, told } from './fixture.js';

const [A, B, C, D] = [candidate('a1'), candidate('a2'), candidate('a3'), candidate('a4')];
const [a, b, c, d] = [A.incarnation, B.incarnation, C.incarnation, D.incarnation];

function sayStep(given: Given, { isQuiet = true, isStuck = false } = {}): string {
  const { step, heldBy } = nextStep(situationOf(given), { isQuiet, isStuck });
  const what = step.kind === 'none' ? 'none' : `${step.kind} ${told(step.moves)}: ${step.reason}`;
  return heldBy === undefined ? what : `${what} (held: ${heldBy})`;
}

describe('arbiter: the next step', () => {
  it('gives away what a run that was seen to end had, before everything else', () => {
    const held = holdings([4, a], [40, b], [4, c]);
    expect(sayStep({ held, allocs: [B, C], expired: [a], dead: new Set([a]) })).to.equal('assign 0+4 a3: reported dead: a1');
  });

  it('moves what a draining one has to the others, a bounded number at a time, and never to it', () => {
    const policy = { ...DEFAULT_POLICY, movesInFlightMax: 6 };
    const given = { held: holdings([10, a], [10, b], [10, c]), allocs: [B, C], draining: [A], policy };
    expect(sayStep(given)).to.equal('planMove 0+3 a2 3+3 a3: draining: a1');
    const halfDone = holdings([3, a, b], [3, c], [4, a], [10, b], [10, c]);
    expect(sayStep({ ...given, held: halfDone }, { isQuiet: false }), 'three are on their way').to.equal('planMove 6+2 a2 8+1 a3: draining: a1');
    expect(sayStep({ ...given, held: holdings([4, a, b], [6, a], [10, b], [10, c]) }), 'four are').to.equal('none');
  });

  it('levels the others only once everything of a draining one is under way', () => {
    const given = { allocs: [B, C], draining: [A], policy: DEFAULT_POLICY };
    expect(sayStep({ ...given, held: holdings([1, a], [20, b]) })).to.equal('planMove 0+1 a3: draining: a1');
    expect(sayStep({ ...given, held: holdings([1, a, c], [20, b]) })).to.equal('planMove 12+9 a3: spread evenly');
  });

  it('leaves a draining one what it has while nobody can take it, and gives up on one that is silent only by its lease', () => {
    expect(sayStep({ held: holdings([10, a]), allocs: [], draining: [A] })).to.equal('none');
    expect(sayStep({ held: holdings([10, a]), allocs: [B], draining: [A], living: [b] })).to.equal('none');
  });

  it('calls a move off when whom it goes to is lost, and not for a moment of silence', () => {
    const gone = candidate('a9').incarnation;
    expect(sayStep({ held: holdings([4, a, gone], [4, b]), allocs: [A, B] })).to.equal(
      'planMove 0+4 a1: called off: whom the sections were to go to is lost',
    );
    expect(
      sayStep({ held: holdings([4, a, c], [4, b]), allocs: [A, B, C], living: [a, b] }, { isQuiet: false }),
      'a new leader has not heard it yet',
    ).to.equal('none');
    expect(sayStep({ held: holdings([4, a, c], [4, b]), allocs: [A, B, C], living: [a, b], expired: [c] })).to.match(/^planMove 0\+4 a1: called off/);
  });

  it('takes what was on its way from a draining one to somebody who is lost to another', () => {
    const gone = candidate('a9').incarnation;
    expect(sayStep({ held: holdings([4, a, gone], [4, b]), allocs: [B], draining: [A] })).to.equal('planMove 0+4 a2: draining: a1');
  });

  it('calls everything off when nothing gets on', () => {
    const given = { held: holdings([4, a, b], [4, b]), allocs: [A, B] };
    expect(sayStep(given, { isQuiet: false })).to.equal('none');
    expect(sayStep(given, { isStuck: true })).to.equal('planMove 0+4 a1: called off: planned moves do not get on');
  });

  it('spreads evenly only when all is quiet', () => {
    const given = { held: holdings([10, a]), allocs: [A, B] };
    expect(sayStep(given, { isQuiet: false })).to.equal('none');
    expect(sayStep(given)).to.equal('planMove 5+5 a2: spread evenly');
  });

  it('does nothing by itself while it is paused, not even a takeover, but tells what it would do', () => {
    const policy = { ...DEFAULT_POLICY, isPaused: true };
    const given = { held: holdings([4, a], [4, b]), allocs: [A, B], policy, expired: [a] };
    expect(sayStep(given)).to.equal('none (held: paused by an operator)');
    const { step, heldBy } = outlookOf(situationOf(given));
    expect([step.kind, heldBy]).to.deep.equal(['assign', 'paused by an operator']);
  });

  it('covers each section at most once and gives nothing to the dead, the draining or the silent, whatever is on its way', () => {
    for (let seed = 0; seed < 500; seed += 1) {
      const random = new SeededRandom(seed);
      const all = [A, B, C, D];
      const draining = all.filter(() => random.chance(0.2));
      const allocs = all.filter((each) => !draining.includes(each));
      const expired = [a, b, c, d].filter(() => random.chance(0.2));
      const dead = new Set(expired.filter(() => random.chance(0.5)));
      const living = [a, b, c, d].filter((run) => !expired.includes(run) && random.chance(0.9));
      const owners = [a, b, c, d, undefined];
      const held = holdings(
        ...Array.from({ length: 1 + random.below(12) }, () => {
          const owner = random.pick(owners);
          const next = owner !== undefined && random.chance(0.3) ? random.pick([a, b, c, d]) : undefined;
          return next === undefined ? ([1 + random.below(9), owner] as const) : ([1 + random.below(9), owner, next] as const);
        }),
      );
      const policy = { ...DEFAULT_POLICY, movesInFlightMax: 1 + random.below(30) };
      const live = allocs.filter(({ incarnation: run }) => !dead.has(run));
      const situation = situationOf({ held, allocs: live, draining, expired, dead, living, policy });
      const { step } = nextStep(situation, { isQuiet: true, isStuck: random.chance(0.1) });
      if (step.kind === 'none') continue;
      const sections = movedBy(step.moves);
      expect(new Set(sections).size, `seed ${seed}`).to.equal(sections.length);
      for (const { to } of step.moves) {
        expect(living, `seed ${seed}`).to.include(to.incarnation);
        expect(
          live.map(({ id }) => id),
          `seed ${seed}`,
        ).to.include(to.id);
      }
      const under = held.reduce((sum, { next, sectionCount }) => sum + (next === undefined ? 0 : sectionCount), 0);
      if (step.kind === 'planMove' && !step.reason.startsWith('called off'))
        expect(sections.length, `seed ${seed}: ${under} before`).to.be.at.most(policy.movesInFlightMax);
    }
  });
});
