import { expect } from 'chai';
import { type Bounds, leaseTermsOf, SMALL, waitTicksOf } from './bounds.js';
import { explore } from './explore.js';
import { boundsOf, MUTANTS, withoutOf } from './mutants.js';

/** Each is small enough for every run of the tests; `npm run model` has the large ones. */
const SCOPES: Readonly<Record<string, Partial<Bounds>>> = {
  'leases and takeovers': {},
  'two sections that share leases': { sections: 2, epochs: 2 },
  'every stage of a renewal, two leaders, processes that stop in the middle of a call': { isFine: true, pauses: true, terms: 2, epochs: 2 },
  'counters that change hands': { moves: 1, epochs: 2 },
  'a process that crashes': { crashes: 1, epochs: 2 },
};

describe('the protocol of leases, epochs and hand-offs, in every order within small bounds', function () {
  this.timeout(60_000);

  for (const [name, bounds] of Object.entries(SCOPES)) {
    it(`breaks no promise, and can always get well again: ${name}`, () => {
      const found = explore({ bounds: { ...SMALL, ...bounds }, recoverEvery: 10 });
      expect(found.violation).to.equal(undefined);
      expect(found.isWhole).to.equal(true);
      expect(found.stuckCount).to.equal(0);
      expect(found.stateCount).to.be.greaterThan(1_000);
      expect(found.recoveredCount).to.be.greaterThan(100);
    });
  }

  for (const mutant of MUTANTS) {
    it(`breaks one when ${withoutOf(mutant)}`, () => {
      const { violation } = explore({ bounds: boundsOf(mutant), mutant });
      expect(violation?.what).to.match(/^[0-4]\. /);
      expect(violation?.trace).to.have.length.greaterThan(1);
    });
  }

  it('gives up beyond a number of states, and does not call that whole', () => {
    const { isWhole, violation } = explore({ bounds: SMALL, statesMax: 100, recoverEvery: 1_000 });
    expect({ isWhole, violation }).to.deep.equal({ isWhole: false, violation: undefined });
  });

  it('takes the wait from the real arithmetic: the lease and the skew', () => {
    for (const [lease, skew] of [
      [1, 1],
      [2, 3],
      [3, 2],
    ] as const)
      expect(waitTicksOf(leaseTermsOf({ lease, skew, leaseChanges: 0 }))).to.equal(lease + skew);
  });
});
