import { expect } from 'chai';
import { parseArgs } from './args.js';
import { SMALL } from './bounds.js';

describe('npm run model', () => {
  it('explores every scope and takes out every rule unless it is told otherwise', () => {
    const { scopes, mutants, isCustom } = parseArgs([])!;
    expect([scopes.length, mutants.length, isCustom]).to.deep.equal([9, 20, false]);
  });

  it('takes bounds of its user, smallest where nothing is said', () => {
    const { scopes, mutants } = parseArgs(['--sections', '2', '--skew', '3', '--pauses', '1'])!;
    expect(scopes).to.deep.equal([['yours', { ...SMALL, sections: 2, skew: 3, pauses: true }]]);
    expect(mutants).to.deep.equal([]);
  });

  it('shows its usage when asked', () => {
    expect(parseArgs(['--help'])).to.equal(undefined);
  });

  for (const [args, why] of [
    [['--scope', 'none'], /there is no scope none/],
    [['--mutant', 'none'], /there is no mutant none/],
    [['--sections', '3'], /allocs and sections are 1 or 2, got 2 and 3/],
    [['--uids', '5'], /uids are 1 to 4, got 5/],
    [['--lease', '0'], /lease is at least 1, got 0/],
    [['--skew', '-1'], /--skew must be a whole number from 0, got -1/],
    [['--skew'], /an option and its value are wanted, got --skew/],
    [['--speed', '1'], /there is no option --speed/],
  ] as const) {
    it(`refuses ${args.join(' ')}`, () => {
      expect(() => parseArgs(args)).to.throw(RangeError, why);
    });
  }
});
