import { expect } from 'chai';
import { CHECKPOINT_EVERY, Checkpoints } from '../../../src/store/checkpoints.js';
import { Divergence } from '../../../src/store/divergence.js';

const at = (index: number, stateHash: string) => ({ index, stateHash });

describe('checkpoints', () => {
  it('are taken at the same places by every replica, whatever was a no-op there', () => {
    const one = new Checkpoints();
    one.add(99, { before: 'a', after: 'b' });
    one.add(100, { before: 'b', after: 'c' });
    one.add(101, { before: 'c', after: 'd' });
    const other = new Checkpoints();
    other.add(99, { before: 'a', after: 'b' });
    // Entry 100 is a no-op here: nothing was applied, so the state after it is the one after 99.
    other.add(101, { before: 'b', after: 'd' });
    expect([one.at(100), other.at(100)]).to.deep.equal(['c', 'b']);
  });

  it('say nothing of what came before this run of the process', () => {
    const checkpoints = new Checkpoints();
    checkpoints.add(150, { before: 'a', after: 'b' });
    expect([checkpoints.at(100), checkpoints.latest]).to.deep.equal([undefined, undefined]);
  });

  it('are forgotten when they are many, oldest first', () => {
    const checkpoints = new Checkpoints();
    for (let place = 1; place <= 65; place += 1) checkpoints.add(place * CHECKPOINT_EVERY, { before: 'x', after: `${place}` });
    expect([checkpoints.at(100), checkpoints.at(200), checkpoints.latest]).to.deep.equal([undefined, '2', at(6_500, '65')]);
  });
});

describe('divergence', () => {
  const own = new Map([
    [100, 'mine'],
    [200, 'later'],
  ]);
  const verdictOf = (divergence: Divergence, voters = [1, 2, 3]) => divergence.verdict(voters, (index) => own.get(index));

  it('agrees while nobody spoke, or all say the same, or of places where this node was not', () => {
    const divergence = new Divergence();
    expect(verdictOf(divergence).type).to.equal('agrees');
    divergence.note(2, at(100, 'mine'));
    divergence.note(3, at(900, 'other'));
    expect(verdictOf(divergence).type).to.equal('agrees');
  });

  it('differs when one other holds another state: it may be that one', () => {
    const divergence = new Divergence();
    divergence.note(2, at(100, 'other'));
    divergence.note(3, at(100, 'third'));
    expect(verdictOf(divergence)).to.include({ type: 'differs', index: 100 });
  });

  it('is alone when a majority of the voters holds one other state at one place', () => {
    const divergence = new Divergence();
    divergence.note(2, at(100, 'theirs'));
    divergence.note(3, at(100, 'theirs'));
    expect(verdictOf(divergence)).to.deep.equal({ type: 'alone', index: 100 });
    expect(verdictOf(divergence, [1, 2, 3, 4, 5]).type, 'two of five are no majority').to.equal('differs');
  });

  it('is not alone in a group of two: nobody can say who is wrong', () => {
    const divergence = new Divergence();
    divergence.note(2, at(100, 'theirs'));
    expect(verdictOf(divergence, [1, 2]).type).to.equal('differs');
  });

  it('forgets who is no voter any more', () => {
    const divergence = new Divergence();
    for (const id of [2, 3]) divergence.note(id, at(100, 'theirs'));
    expect(verdictOf(divergence, [1, 2]).type).to.equal('differs');
    expect(verdictOf(divergence, [1, 2, 3]).type, 'node 3 is asked anew').to.equal('differs');
  });
});
