import { expect } from 'chai';
import { leading, TestNode, type TestNodeOptions } from './test-node.js';

function following(options: TestNodeOptions = {}): TestNode {
  const node = new TestNode({ ...options, hardState: { term: 1 } });
  node.hear({ from: 2, term: 1, type: 'heartbeat', commitIndex: 0, readRound: 0 });
  node.sent();
  return node;
}

describe('a follower that is told to forget its leader', () => {
  it('knows none, in the same term and with the same vote', () => {
    const node = following();
    node.do((core) => core.forgetLeader());
    const { role, term, leaderId, votedFor } = node.core;
    expect({ role, term, leaderId, votedFor }).to.deep.equal({ role: 'follower', term: 1, leaderId: undefined, votedFor: undefined });
  });

  it('grants a pre-vote at once, which it refused to answer before', () => {
    const node = following();
    const ask = { from: 3, term: 2, type: 'preVote', lastIndex: 0, lastTerm: 0 } as const;
    node.hear(ask);
    expect(node.sent()).to.deep.equal([]);
    node.do((core) => core.forgetLeader());
    node.hear(ask);
    expect(node.sent('preVoteReply').map(({ granted }) => granted)).to.deep.equal([true]);
  });

  it('follows it again when it speaks', () => {
    const node = following();
    node.do((core) => core.forgetLeader());
    node.hear({ from: 2, term: 1, type: 'heartbeat', commitIndex: 0, readRound: 0 });
    expect(node.core.leaderId).to.equal(2);
  });

  it('does not where leases answer reads: a leader relies on who heard it', () => {
    const node = following({ readOnly: 'lease' });
    node.do((core) => core.forgetLeader());
    expect(node.core.leaderId).to.equal(2);
  });

  it('means nothing to a leader', () => {
    const leader = leading();
    leader.do((core) => core.forgetLeader());
    expect([leader.core.role, leader.core.leaderId]).to.deep.equal(['leader', 1]);
  });
});
