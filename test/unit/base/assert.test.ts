import { expect } from 'chai';
import { assert, InvariantError, unreachable } from '../../../src/base/assert.js';
import { SeqError } from '../../../src/base/errors.js';

describe('assert', () => {
  it('says the sentence that does not hold', () => {
    assert(true, 'one is one');
    expect(() => assert(false, 'curSeq <= maxSeq')).to.throw(InvariantError, 'curSeq <= maxSeq');
  });

  it('is a bug and never a bad request', () => {
    expect(SeqError.is(new InvariantError('x'))).to.equal(false);
  });

  it('shows the value that no case handled', () => {
    expect(() => unreachable({ type: 'surprise' } as never)).to.throw(InvariantError, "type: 'surprise'");
  });
});
