import { expect } from 'chai';
import { isNewer, isSame, NO_VERSION, showVersion } from '../../../src/model/version.js';

describe('version', () => {
  const inOrder = [NO_VERSION, { generation: 5, value: 0 }, { generation: 5, value: 9 }, { generation: 6, value: 1 }];

  it('compares the generation first, so that a restored cluster outdoes the old one', () => {
    inOrder.forEach((one, at) => {
      inOrder.forEach((other, place) => {
        expect(isNewer(one, other), `${showVersion(one)} against ${showVersion(other)}`).to.equal(at > place);
        expect(isSame(one, { ...other })).to.equal(at === place);
      });
    });
  });
});
