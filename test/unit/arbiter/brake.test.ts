import { expect } from 'chai';
import { brakeOf, showBrake } from '../../../src/arbiter/brake.js';
import { nextStep } from '../../../src/arbiter/decide.js';
import { DEFAULT_POLICY } from '../../../src/model/policy.js';
import { candidate, type Given, holdings, situationOf } from './fixture.js';

const all = [candidate('a1'), candidate('a2'), candidate('a3'), candidate('a4')];
const [A, B, C, D] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0], (typeof all)[0]];
const [a, b, c, d] = [A.incarnation, B.incarnation, C.incarnation, D.incarnation];
const held = holdings([4, a], [4, b], [4, c], [4, d]);
const policy = DEFAULT_POLICY;

const silentIn = (given: Given): readonly string[] => brakeOf(situationOf({ policy, ...given }))?.silent ?? [];

describe('arbiter: the brake', () => {
  it('is on when more than the share is silent, and says who', () => {
    const brake = brakeOf(situationOf({ held, allocs: all, policy, expired: [a, b, c] }));
    expect(brake).to.deep.equal({ silent: ['a1', 'a2', 'a3'], ofCount: 4 });
    expect(showBrake(brake!)).to.equal('3 of 4 AllocSvrs are silent (a1, a2, a3): too many to be true, so nothing is taken from them');
    const names = Array.from({ length: 7 }, (_, index) => candidate(`b${index}`).id);
    expect(showBrake({ silent: names, ofCount: 9 })).to.include('(b0, b1, b2, b3, b4 and 2 more)');
  });

  it('lets half of them go, and a single one however large its share', () => {
    expect(silentIn({ held, allocs: all, expired: [a, b] })).to.deep.equal([]);
    expect(silentIn({ held: holdings([4, a], [4, b]), allocs: [A, B], expired: [a] })).to.deep.equal([]);
    expect(silentIn({ held: holdings([4, a]), allocs: [A], expired: [a] })).to.deep.equal([]);
  });

  it('counts with the first lease that is over everybody who missed renewals: leases do not end in one millisecond', () => {
    expect(silentIn({ held, allocs: all, living: all.map(({ incarnation: run }) => run), silent: [a, b, c], expired: [a] })).to.deep.equal([
      'a1',
      'a2',
      'a3',
    ]);
    expect(silentIn({ held, allocs: all, silent: [a, b, c], expired: [] }), 'no lease is over yet').to.deep.equal([]);
  });

  it('counts those that held leases a short while ago, and not an old story', () => {
    const moved = holdings([8, c], [8, d]);
    expect(silentIn({ held: moved, allocs: all, expired: [c], silent: [a, b, c] })).to.deep.equal(['a1', 'a2', 'a3']);
    expect(silentIn({ held: moved, allocs: all, expired: [c], silent: [a, b, c], remembered: [c, d] })).to.deep.equal([]);
  });

  it('does not count those that were seen to end, those that run anew, those that have drained, nor those that were taken out', () => {
    expect(silentIn({ held, allocs: all, expired: [a, b, c], dead: new Set([a, b]) })).to.deep.equal([]);
    const newer = [candidate('a1', 2), candidate('a2', 2), candidate('a3', 2), D];
    expect(silentIn({ held, allocs: newer, expired: [a, b, c] })).to.deep.equal([]);
    expect(silentIn({ held: holdings([4, c], [4, d]), allocs: [C, D], draining: [A, B], living: [d], expired: [c] })).to.deep.equal([]);
    expect(silentIn({ held, allocs: [D], expired: [a, b, c] })).to.deep.equal([]);
  });

  it('is off at 100 percent, and goes off when enough came back', () => {
    expect(silentIn({ held, allocs: all, policy: { ...policy, silentShareMaxPercent: 100 }, expired: [a, b, c, d], living: [] })).to.deep.equal([]);
    expect(silentIn({ held, allocs: all, policy: { ...policy, silentShareMaxPercent: 75 }, expired: [a, b, c] })).to.deep.equal([]);
    expect(silentIn({ held, allocs: all, expired: [a, b], silent: [a, b], living: [c, d] })).to.deep.equal([]);
  });

  it('holds planned moves back too, but not what surely nobody comes back to', () => {
    const braking = { allocs: all, policy, expired: [a, b, c], living: [d] };
    const step = (given: Given) => nextStep(situationOf(given), { isQuiet: true, isStuck: false });
    expect(step({ ...braking, held })).to.deep.include({ step: { kind: 'none', goesOn: false } });
    expect(step({ ...braking, held }).heldBy).to.match(/^3 of 4/);
    const orphan = step({ ...braking, held: [...held, ...holdings([16, d], [2, undefined]).slice(1)] });
    expect([orphan.step.kind, orphan.heldBy?.slice(0, 6)]).to.deep.equal(['assign', '3 of 4']);
  });
});
