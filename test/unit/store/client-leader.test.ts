import { expect } from 'chai';
import { LeaderFinder } from '../../../src/store/client-leader.js';

describe('LeaderFinder', () => {
  const finder = (start = 0) => new LeaderFinder({ endpoints: ['a:1', 'b:1', 'c:1'], start });

  it('asks the endpoints in turn, from the given one on', () => {
    const leader = finder(1);
    const asked = [1, 2, 3, 4].map(() => {
      const { target } = leader;
      leader.fail(target);
      return target;
    });
    expect(asked).to.deep.equal(['b:1', 'c:1', 'a:1', 'b:1']);
  });

  it('remembers who answered as the leader', () => {
    const leader = finder();
    expect(leader.confirm('c:1')).to.equal(true);
    expect(leader.confirm('c:1')).to.equal(false);
    expect(leader.target).to.equal('c:1');
  });

  it('follows a redirect, also to an address that is not among the endpoints', () => {
    const leader = finder();
    leader.redirect({ from: 'a:1', to: 'x:9' });
    expect(leader.target).to.equal('x:9');
  });

  it('asks somebody else after a redirect that led nowhere', () => {
    const leader = finder();
    leader.redirect({ from: 'a:1', to: 'x:9' });
    leader.fail('x:9');
    expect(leader.target).to.equal('b:1');
  });

  it('ignores news about an address that is no longer the target', () => {
    const leader = finder();
    leader.confirm('c:1');
    leader.fail('a:1');
    leader.redirect({ from: 'a:1', to: 'b:1' });
    expect(leader.target).to.equal('c:1');
  });

  it('counts a leader that a redirect named as news when it first answers', () => {
    const leader = finder();
    leader.redirect({ from: 'a:1', to: 'b:1' });
    expect(leader.confirm('b:1')).to.equal(true);
  });
});
