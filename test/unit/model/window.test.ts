import { expect } from 'chai';
import { appendRun } from '../../../src/model/window.js';

describe('appendRun', () => {
  type Run = { readonly firstSection: number; readonly sectionCount: number; readonly owner: string };
  const lay = (...runs: readonly Run[]): Run[] => {
    const laid: Run[] = [];
    for (const run of runs) appendRun(laid, run, (one, other) => one.owner === other.owner);
    return laid;
  };

  it('joins neighbours that are alike', () => {
    expect(lay({ firstSection: 0, sectionCount: 2, owner: 'a' }, { firstSection: 2, sectionCount: 3, owner: 'a' })).to.deep.equal([
      { firstSection: 0, sectionCount: 5, owner: 'a' },
    ]);
  });

  it('keeps apart what differs or does not touch', () => {
    const differing = [
      { firstSection: 0, sectionCount: 2, owner: 'a' },
      { firstSection: 2, sectionCount: 1, owner: 'b' },
      { firstSection: 4, sectionCount: 1, owner: 'b' },
    ];
    expect(lay(...differing)).to.deep.equal(differing);
  });
});
