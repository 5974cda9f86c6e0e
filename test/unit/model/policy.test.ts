import { expect } from 'chai';
import { DEFAULT_POLICY, parsePolicy } from '../../../src/model/policy.js';

describe('model/policy', () => {
  it('takes what makes sense, standbys in order and once', () => {
    expect(parsePolicy(DEFAULT_POLICY)).to.deep.equal(DEFAULT_POLICY);
    expect(parsePolicy({ ...DEFAULT_POLICY, placement: 'primary-standby', standbys: ['b', 'a', 'b'] }).standbys).to.deep.equal(['a', 'b']);
  });

  const rows: readonly (readonly [string, object, string])[] = [
    ['a placement that nobody knows', { placement: 'random' }, "'random'"],
    ['primary-standby without a standby', { placement: 'primary-standby' }, 'at least one'],
    ['a standby with another placement', { standbys: ['a'] }, 'only with it'],
    ['a standby that is no name', { placement: 'primary-standby', standbys: ['a b'] }, "'a b'"],
    ['no move at a time', { movesInFlightMax: 0 }, 'got 0'],
    ['a share above 100', { silentShareMaxPercent: 101 }, 'got 101'],
  ];
  for (const [what, change, why] of rows) it(`refuses ${what}`, () => expect(() => parsePolicy({ ...DEFAULT_POLICY, ...change })).to.throw(why));
});
