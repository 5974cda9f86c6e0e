import { expect } from 'chai';
import { Cluster } from './cluster.js';
import { acknowledge, candidate, leading, TestNode } from './test-node.js';

describe('PreVote and CheckQuorum', () => {
  describe('the lease of a leader (thesis 4.2.3)', () => {
    for (const type of ['vote', 'preVote'] as const) {
      it(`a follower that heard its leader within an election timeout does not answer a ${type} of a later term`, () => {
        const node = new TestNode({ hardState: { term: 1 } });
        node.hear({ from: 2, term: 1, type: 'heartbeat', commitIndex: 0, readRound: 0 });
        node.sent();
        node.tick(9);
        node.hear({ from: 3, term: 5, type, lastIndex: 9, lastTerm: 4, isTransfer: false });
        expect([node.core.term, node.core.leaderId, node.sent()]).to.deep.equal([1, 2, []]);
      });

      it(`after an election timeout without its leader it answers a ${type}`, () => {
        const node = new TestNode({ hardState: { term: 1 } });
        node.hear({ from: 2, term: 1, type: 'heartbeat', commitIndex: 0, readRound: 0 });
        node.sent();
        // The voter's own timeout may be longer; what counts for the lease is the shortest.
        node.core.electionTimeoutTicks = 19;
        node.tick(10);
        node.hear({ from: 3, term: 5, type, lastIndex: 9, lastTerm: 4, isTransfer: false });
        expect(node.sent().map((message) => [message.type, 'granted' in message && message.granted])).to.deep.equal([[`${type}Reply`, true]]);
      });

      it(`a leader does not answer a ${type} of a later term`, () => {
        const node = leading();
        node.hear({ from: 3, term: 5, type, lastIndex: 9, lastTerm: 4, isTransfer: false });
        expect([node.core.role, node.core.term, node.sent()]).to.deep.equal(['leader', 1, []]);
      });
    }
  });

  describe('pre-votes (thesis 9.6)', () => {
    it('a granted pre-vote changes nothing: no term, no vote, no timeout', () => {
      const node = new TestNode({ hardState: { term: 1, votedFor: 3 } });
      node.tick(7);
      const before = node.disk.batches.length;
      node.hear({ from: 2, term: 2, type: 'preVote', lastIndex: 0, lastTerm: 0 });
      expect(node.sent('preVoteReply')).to.deep.equal([{ from: 1, to: 2, term: 2, type: 'preVoteReply', granted: true }]);
      expect([node.core.term, node.core.votedFor, node.core.electionElapsed]).to.deep.equal([1, 3, 7]);
      expect(node.disk.batches.slice(before).every(({ hardState }) => hardState === undefined)).to.equal(true);
    });

    it('may be granted to several at once', () => {
      const node = new TestNode();
      for (const from of [2, 3]) node.hear({ from, term: 1, type: 'preVote', lastIndex: 0, lastTerm: 0 });
      expect(node.sent('preVoteReply').map(({ granted }) => granted)).to.deep.equal([true, true]);
    });

    it('one of a former term is answered with a refusal that tells the term (else the two wait for ever)', () => {
      const node = new TestNode({ hardState: { term: 7 } });
      node.hear({ from: 2, term: 3, type: 'preVote', lastIndex: 9, lastTerm: 2 });
      expect(node.sent()).to.deep.equal([{ from: 1, to: 2, term: 7, type: 'preVoteReply', granted: false }]);
    });

    it('a refusal of a later term is adopted', () => {
      const node = new TestNode({ hardState: { term: 2 } });
      node.campaign();
      node.hear({ from: 2, term: 7, type: 'preVoteReply', granted: false });
      expect([node.core.role, node.core.term]).to.deep.equal(['follower', 7]);
    });

    it('a grant for a round of before does not count', () => {
      const node = new TestNode({ hardState: { term: 2 } });
      node.campaign();
      for (const from of [2, 3]) node.hear({ from, term: 9, type: 'preVoteReply', granted: true });
      expect([node.core.role, node.core.term]).to.deep.equal(['preCandidate', 2]);
    });

    it('a pre-candidate forgets the leader, so that two of them can help each other', () => {
      const node = new TestNode({ hardState: { term: 1 } });
      node.hear({ from: 3, term: 1, type: 'heartbeat', commitIndex: 0, readRound: 0 });
      node.timeOut();
      node.sent();
      node.hear({ from: 2, term: 2, type: 'preVote', lastIndex: 0, lastTerm: 0 });
      expect([node.core.leaderId, node.sent('preVoteReply').map(({ granted }) => granted)]).to.deep.equal([undefined, [true]]);
    });

    it('a majority of refusals sends the pre-candidate back, in its term', () => {
      const node = new TestNode({ hardState: { term: 2 } });
      node.campaign();
      for (const from of [2, 3]) node.hear({ from, term: 2, type: 'preVoteReply', granted: false });
      expect([node.core.role, node.core.term]).to.deep.equal(['follower', 2]);
    });

    it('pre-votes do not count as votes', () => {
      const node = candidate({ voters: [1, 2, 3, 4, 5] });
      for (const from of [4, 5]) node.hear({ from, term: 1, type: 'preVoteReply', granted: true });
      expect(node.core.role).to.equal('candidate');
    });
  });

  describe('a leader that its majority does not answer (thesis 6.2)', () => {
    it('steps down within two election timeouts and keeps its term', () => {
      const leader = leading();
      leader.tick(20);
      expect([leader.core.role, leader.core.term, leader.core.leaderId]).to.deep.equal(['follower', 1, undefined]);
    });

    it('leads on as long as a majority answers', () => {
      const leader = leading({ voters: [1, 2, 3, 4, 5] });
      for (let round = 0; round < 20; round += 1) {
        leader.tick(5);
        for (const from of [2, 3]) leader.hear({ from, term: 1, type: 'heartbeatReply', readRound: 0 });
      }
      expect(leader.core.role).to.equal('leader');
      // One of four others and itself: no majority.
      for (let round = 0; round < 5; round += 1) {
        leader.tick(5);
        leader.hear({ from: 2, term: 1, type: 'heartbeatReply', readRound: 0 });
      }
      expect(leader.core.role).to.equal('follower');
    });

    it('takes an acknowledgement for a sign of life', () => {
      const leader = leading();
      for (let round = 0; round < 20; round += 1) {
        leader.tick(5);
        acknowledge(leader, { from: 2 });
      }
      expect(leader.core.role).to.equal('leader');
    });

    it('takes a refusal for a sign of life too', () => {
      const leader = leading();
      for (let round = 0; round < 20; round += 1) {
        leader.tick(5);
        leader.hear({ from: 2, term: 1, type: 'appendReply', index: 9, rejected: true, hintIndex: 0, hintTerm: 0 });
      }
      expect(leader.core.role).to.equal('leader');
    });
  });

  describe('in a cluster', () => {
    it('a node that was cut off for long comes back without disturbing anybody', () => {
      const cluster = new Cluster({ size: 3 });
      const leader = cluster.elect(1);
      cluster.isolate(3);
      cluster.tick(200);
      expect(cluster.node(3).core.term).to.equal(leader.core.term);
      cluster.heal();
      cluster.tick(50);
      expect([leader.core.role, leader.core.term, cluster.node(3).core.leaderId]).to.deep.equal(['leader', 1, 1]);
    });

    it('a node that is heard and does not hear cannot depose the leader', () => {
      const cluster = new Cluster({ size: 3 });
      const leader = cluster.elect(1);
      for (const from of [1, 2]) cluster.cut({ from, to: 3 });
      cluster.tick(200);
      expect([leader.core.role, leader.core.term]).to.deep.equal(['leader', 1]);
    });

    it('a node stuck in a later term makes the leader step down once, and then follows', () => {
      const cluster = new Cluster({ size: 3, saved: { 3: { hardState: { term: 5 } } } });
      cluster.isolate(3);
      cluster.elect(1);
      cluster.heal();
      cluster.tick(100);
      const leader = cluster.awaitLeader();
      cluster.tick(3);
      expect(leader.core.term).to.equal(6);
      expect(cluster.nodes.map(({ core }) => [core.term, core.leaderId])).to.deep.equal([
        [6, leader.id],
        [6, leader.id],
        [6, leader.id],
      ]);
    });

    it('it answers a heartbeat of a former term with its own term', () => {
      const node = new TestNode({ hardState: { term: 5 } });
      node.hear({ from: 2, term: 2, type: 'heartbeat', commitIndex: 0, readRound: 0 });
      expect(node.sent().map(({ to, term, type }) => [to, term, type])).to.deep.equal([[2, 5, 'appendReply']]);
    });

    it('a leader cut off from its majority steps down, and the majority elects another', () => {
      const cluster = new Cluster({ size: 5 });
      const old = cluster.elect(1);
      for (const inside of [1, 2])
        for (const outside of [3, 4, 5]) {
          cluster.cut({ from: inside, to: outside });
          cluster.cut({ from: outside, to: inside });
        }
      cluster.tick(60);
      expect([old.core.role === 'leader', old.core.term]).to.deep.equal([false, 1]);
      expect(cluster.leader!.id).to.be.above(2);
      cluster.heal();
      cluster.tick(20);
      expect(new Set(cluster.nodes.map(({ core }) => core.leaderId)).size).to.equal(1);
    });

    it('a leader that hears nobody, while all hear it, makes room for one that does', () => {
      const cluster = new Cluster({ size: 3 });
      const old = cluster.elect(1);
      for (const from of [2, 3]) cluster.cut({ from, to: 1 });
      cluster.tick(100);
      expect(old.core.role).to.not.equal('leader');
      expect([2, 3]).to.include(cluster.leader!.id);
    });
  });
});
