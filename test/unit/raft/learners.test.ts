import { expect } from 'chai';
import { Cluster } from './cluster.js';
import { acknowledge, candidate, leading, settled, TestNode } from './test-node.js';

const MEMBERS = { voters: [1, 2], learners: [3] } as const;

describe('a learner (thesis 4.2.1)', () => {
  it('gets the log and applies what is committed', () => {
    const cluster = new Cluster({ size: 2, learners: 1 });
    const leader = cluster.elect(1);
    leader.propose('a');
    cluster.tick(2);
    expect([cluster.node(3).appliedTexts, cluster.node(3).core.leaderId]).to.deep.equal([['a'], 1]);
  });

  it('is never counted for a commit', () => {
    const leader = leading(MEMBERS);
    leader.propose('a');
    acknowledge(leader, { from: 3 });
    expect([leader.core.log.commitIndex, leader.core.progressOf(3).match]).to.deep.equal([0, 2]);
    acknowledge(leader, { from: 2 });
    expect(leader.core.log.commitIndex).to.equal(2);
  });

  it('is not asked for its vote, and a vote of it is not counted', () => {
    const node = new TestNode(MEMBERS);
    node.campaign();
    expect(node.sent('preVote').map(({ to }) => to)).to.deep.equal([2]);
    const asking = candidate(MEMBERS);
    asking.hear({ from: 3, term: 1, type: 'voteReply', granted: true });
    expect(asking.core.role).to.equal('candidate');
  });

  it('is not counted by a quorum check', () => {
    const leader = leading(MEMBERS);
    for (let round = 0; round < 5; round += 1) {
      leader.tick(5);
      leader.hear({ from: 3, term: 1, type: 'heartbeatReply', readRound: 0 });
    }
    expect(leader.core.role).to.equal('follower');
  });

  it('does not confirm a read', () => {
    const leader = settled(MEMBERS);
    leader.readIndex(7);
    leader.hear({ from: 3, term: 1, type: 'heartbeatReply', readRound: 1 });
    expect(leader.reads).to.deep.equal([]);
    leader.hear({ from: 2, term: 1, type: 'heartbeatReply', readRound: 1 });
    expect(leader.reads.map(({ context }) => context)).to.deep.equal([7]);
  });

  it('does not campaign, however long it hears nobody', () => {
    const node = new TestNode({ ...MEMBERS, id: 3 });
    node.tick(100);
    node.campaign();
    expect([node.core.role, node.core.isPromotable, node.sent()]).to.deep.equal(['follower', false, []]);
  });

  it('does not campaign because a leader tells it to', () => {
    const node = new TestNode({ ...MEMBERS, id: 3, hardState: { term: 1 } });
    node.hear({ from: 1, term: 1, type: 'timeoutNow' });
    expect([node.core.role, node.core.term, node.sent()]).to.deep.equal(['follower', 1, []]);
  });

  for (const type of ['vote', 'preVote'] as const) {
    it(`grants a ${type} when it is asked: it may have been promoted and not know it yet`, () => {
      const node = new TestNode({ ...MEMBERS, id: 3 });
      node.hear({ from: 2, term: 2, type, lastIndex: 11, lastTerm: 1, isTransfer: false });
      expect(node.sent().map((message) => [message.type, 'granted' in message && message.granted])).to.deep.equal([[`${type}Reply`, true]]);
    });
  }

  it('may ask for the read index as every member', () => {
    const cluster = new Cluster({ size: 2, learners: 1 });
    cluster.elect(1);
    cluster.tick(2);
    cluster.node(3).readIndex(5);
    cluster.settle();
    expect(cluster.node(3).reads).to.deep.equal([{ context: 5, index: 1 }]);
  });

  it('that is promoted votes, counts and may lead', () => {
    const cluster = new Cluster({ size: 1, learners: 1 });
    const leader = cluster.elect(1);
    leader.change('v2');
    cluster.tick(2);
    expect(cluster.nodes.map(({ members }) => members)).to.deep.equal(['1 2', '1 2']);
    expect(leader.core.progressOf(2).isLearner).to.equal(false);
    leader.isDiskSlow = true;
    leader.propose('a');
    cluster.settle();
    expect(leader.core.log.commitIndex, 'one of two is no majority').to.equal(leader.core.log.lastIndex - 1);
    leader.persist();
    leader.isDiskSlow = false;
    cluster.settle();
    cluster.tick(1);
    leader.do((core) => core.transferLeader(2));
    cluster.settle();
    expect(cluster.node(2).core.role).to.equal('leader');
  });

  it('that was a voter has no vote any more, and a leader that is demoted leads no more', () => {
    const cluster = new Cluster({ size: 3 });
    const leader = cluster.elect(1);
    leader.change('l2');
    cluster.tick(2);
    expect(cluster.nodes.map(({ members }) => members)).to.deep.equal(['1 3 ~2', '1 3 ~2', '1 3 ~2']);
    expect([cluster.node(2).core.isPromotable, leader.core.progressOf(2).isLearner]).to.deep.equal([false, true]);
    leader.change('l1');
    cluster.settle();
    expect([leader.core.role, leader.members]).to.deep.equal(['follower', '3 ~1 ~2']);
    expect(cluster.awaitLeader().id).to.equal(3);
  });

  it('keeps its lease for the leader as a voter does', () => {
    const node = new TestNode({ ...MEMBERS, id: 3, hardState: { term: 1 } });
    node.hear({ from: 1, term: 1, type: 'heartbeat', commitIndex: 0, readRound: 0 });
    node.sent();
    node.hear({ from: 2, term: 2, type: 'vote', lastIndex: 9, lastTerm: 1, isTransfer: false });
    expect([node.core.term, node.sent()]).to.deep.equal([1, []]);
  });
});
