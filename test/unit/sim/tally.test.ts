import { expect } from 'chai';
import { SITUATIONS } from '../../sim/situations.js';
import { neverReached } from '../../sim/tally.js';

describe('what a night of seeds must have reached', () => {
  it('names each situation that never came about, and nothing when all did', () => {
    const all = new Map(SITUATIONS.map((name) => [name, 1]));
    expect(neverReached(all)).to.deep.equal([]);
    all.delete('fault.oldCopy');
    expect(neverReached(all)).to.deep.equal(['fault.oldCopy']);
  });
});
