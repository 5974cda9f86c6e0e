import { expect } from 'chai';
import type { RaftCore } from '../../../src/raft/core.js';
import type { Role } from '../../../src/raft/types.js';
import { SeededRandom } from '../seeded-random.js';
import { Cluster } from './cluster.js';
import { candidate, type Heard, leading, TestNode } from './test-node.js';

const asLeader = { previousIndex: 0, previousTerm: 0, commitIndex: 0, entries: [] };

function voteFrom(from: number, term: number, last: { lastIndex: number; lastTerm: number } = { lastIndex: 0, lastTerm: 0 }): Heard {
  return { from, term, type: 'vote', isTransfer: false, ...last };
}

function stateOf({ role, term, votedFor, leaderId }: RaftCore): object {
  return { role, term, votedFor, leaderId };
}

describe('election', () => {
  describe('terms (Raft 5.1)', () => {
    const rows: readonly { role: Role; node: () => TestNode }[] = [
      { role: 'follower', node: () => new TestNode({ hardState: { term: 1 } }) },
      { role: 'candidate', node: () => candidate() },
      { role: 'leader', node: () => leading() },
    ];
    for (const { role, node: make } of rows) {
      it(`a ${role} that hears a later term adopts it and follows`, () => {
        const node = make();
        expect([node.core.role, node.core.term]).to.deep.equal([role, 1]);
        node.hear({ from: 2, term: 5, type: 'append', ...asLeader });
        expect(stateOf(node.core)).to.deep.equal({ role: 'follower', term: 5, votedFor: undefined, leaderId: 2 });
        expect(node.disk.hardState.term).to.equal(5);
      });
    }

    it('a message of a former term changes nothing', () => {
      const node = new TestNode({ terms: [1, 1], hardState: { term: 4 } });
      node.hear({
        from: 2,
        term: 3,
        type: 'append',
        previousIndex: 1,
        previousTerm: 1,
        commitIndex: 2,
        entries: [{ index: 2, term: 3, type: 'normal', data: new Uint8Array() }],
      });
      expect([node.terms, node.core.log.commitIndex, node.core.leaderId]).to.deep.equal([[1, 1], 0, undefined]);
    });

    it('an answer of a former term is not counted', () => {
      const node = candidate({ hardState: { term: 4 } });
      node.hear({ from: 2, term: 4, type: 'voteReply', granted: true });
      expect(node.core.role).to.equal('candidate');
    });
  });

  describe('rounds (Raft 5.2)', () => {
    it('a node starts as a follower', () => {
      expect(stateOf(new TestNode().core)).to.deep.equal({ role: 'follower', term: 0, votedFor: undefined, leaderId: undefined });
    });

    it('a leader sends heartbeats to all others at every heartbeat interval', () => {
      const leader = leading({ heartbeatTicks: 3 });
      leader.tick(2);
      expect(leader.sent('heartbeat')).to.deep.equal([]);
      leader.tick();
      expect(leader.sent('heartbeat').map(({ to, term, commitIndex }) => [to, term, commitIndex])).to.deep.equal([
        [2, 1, 0],
        [3, 1, 0],
      ]);
    });

    it('a follower whose timeout ends asks for pre-votes about the next term and changes nothing', () => {
      const node = new TestNode({ terms: [1, 2], hardState: { term: 2 } });
      node.timeOut();
      expect(stateOf(node.core)).to.deep.equal({ role: 'preCandidate', term: 2, votedFor: undefined, leaderId: undefined });
      expect(node.sent('preVote').map(({ to, term, lastIndex, lastTerm }) => [to, term, lastIndex, lastTerm])).to.deep.equal([
        [2, 3, 2, 2],
        [3, 3, 2, 2],
      ]);
    });

    it('a follower that hears its leader does not campaign', () => {
      const node = new TestNode({ hardState: { term: 1 } });
      for (let round = 0; round < 20; round += 1) {
        node.tick(9);
        node.hear({ from: 2, term: 1, type: 'heartbeat', commitIndex: 0, readRound: 0 });
      }
      expect(node.core.role).to.equal('follower');
    });

    it('with a majority of pre-votes it enters the next term, votes for itself and asks all others for votes', () => {
      const node = new TestNode({ terms: [1, 2], hardState: { term: 2 } });
      node.campaign();
      node.sent();
      node.hear({ from: 3, term: 3, type: 'preVoteReply', granted: true });
      expect(stateOf(node.core)).to.deep.equal({ role: 'candidate', term: 3, votedFor: 1, leaderId: undefined });
      expect(node.disk.hardState).to.deep.include({ term: 3, votedFor: 1 });
      expect(node.sent('vote').map(({ to, term, lastIndex, lastTerm }) => [to, term, lastIndex, lastTerm])).to.deep.equal([
        [2, 3, 2, 2],
        [3, 3, 2, 2],
      ]);
    });

    it('a candidate whose timeout ends begins a new round', () => {
      const node = candidate();
      node.timeOut();
      expect([node.core.role, node.core.term]).to.deep.equal(['preCandidate', 1]);
      node.hear({ from: 2, term: 2, type: 'preVoteReply', granted: true });
      expect([node.core.role, node.core.term]).to.deep.equal(['candidate', 2]);
    });

    const rounds: readonly { size: number; votes: string; role: Role }[] = [
      { size: 1, votes: '', role: 'leader' },
      { size: 2, votes: 'y', role: 'leader' },
      { size: 2, votes: '-', role: 'candidate' },
      { size: 2, votes: 'n', role: 'follower' },
      { size: 3, votes: 'yy', role: 'leader' },
      { size: 3, votes: 'y-', role: 'leader' },
      { size: 3, votes: 'n-', role: 'candidate' },
      { size: 3, votes: 'nn', role: 'follower' },
      { size: 3, votes: '--', role: 'candidate' },
      { size: 5, votes: 'yy--', role: 'leader' },
      { size: 5, votes: 'y---', role: 'candidate' },
      { size: 5, votes: 'yn--', role: 'candidate' },
      { size: 5, votes: 'nnn-', role: 'follower' },
      { size: 5, votes: 'ynnn', role: 'follower' },
      { size: 5, votes: 'yynn', role: 'leader' },
    ];
    for (const { size, votes, role } of rounds) {
      it(`of ${size} nodes, the others answer '${votes}': the candidate is a ${role}`, () => {
        const node = candidate({ voters: Array.from({ length: size }, (_, offset) => offset + 1) });
        votes.split('').forEach((vote, offset) => {
          if (vote !== '-') node.hear({ from: offset + 2, term: 1, type: 'voteReply', granted: vote === 'y' });
        });
        expect([node.core.role, node.core.term]).to.deep.equal([role, 1]);
      });
    }

    it('counts voters, not answers: a repeated grant is one vote, and a stranger has none', () => {
      const node = candidate({ voters: [1, 2, 3, 4, 5] });
      for (const from of [2, 2, 2, 9, 8]) node.hear({ from, term: 1, type: 'voteReply', granted: true });
      expect(node.core.role).to.equal('candidate');
      node.hear({ from: 3, term: 1, type: 'voteReply', granted: true });
      expect(node.core.role).to.equal('leader');
    });

    it('the first answer of a voter counts', () => {
      const node = candidate();
      for (const granted of [false, true]) node.hear({ from: 2, term: 1, type: 'voteReply', granted });
      expect(node.core.role).to.equal('candidate');
    });

    it('a candidate that hears a leader of its term follows it, and keeps its vote', () => {
      for (const type of ['append', 'heartbeat'] as const) {
        const node = candidate();
        node.hear({ from: 3, term: 1, type, ...asLeader, readRound: 0 });
        expect(stateOf(node.core)).to.deep.equal({ role: 'follower', term: 1, votedFor: 1, leaderId: 3 });
      }
    });

    it('a single node elects itself, once its own vote is on disk', () => {
      const node = new TestNode({ voters: [1], isDiskSlow: true });
      node.campaign();
      expect(node.core.role).to.equal('preCandidate');
      node.persist();
      expect([node.core.role, node.disk.hardState.votedFor]).to.deep.equal(['candidate', undefined]);
      node.persist();
      expect([node.core.role, node.disk.hardState.votedFor]).to.deep.equal(['leader', 1]);
    });
  });

  describe('votes (Raft 5.2)', () => {
    const rows: readonly { votedFor: number | undefined; from: number; granted: boolean }[] = [
      { votedFor: undefined, from: 2, granted: true },
      { votedFor: undefined, from: 3, granted: true },
      { votedFor: 2, from: 2, granted: true },
      { votedFor: 3, from: 3, granted: true },
      { votedFor: 2, from: 3, granted: false },
      { votedFor: 1, from: 3, granted: false },
    ];
    for (const { votedFor, from, granted } of rows) {
      it(`a node that voted for ${votedFor ?? 'nobody'} ${granted ? 'grants' : 'refuses'} the vote of its term to ${from}`, () => {
        const node = new TestNode({ hardState: { term: 1, votedFor } });
        node.hear(voteFrom(from, 1));
        expect(node.sent('voteReply')).to.deep.equal([{ from: 1, to: from, term: 1, type: 'voteReply', granted }]);
        expect(node.disk.hardState.votedFor).to.equal(granted ? from : votedFor);
      });
    }

    it('one vote per term, also across a restart', () => {
      const node = new TestNode();
      node.hear(voteFrom(2, 1));
      node.restart();
      node.hear(voteFrom(3, 1));
      expect(node.sent('voteReply').map(({ granted }) => granted)).to.deep.equal([false]);
    });

    it('a vote is spoken only once it is on disk; a crash before that leaves it free', () => {
      const node = new TestNode({ isDiskSlow: true });
      node.hear(voteFrom(2, 1));
      expect(node.sent()).to.deep.equal([]);
      node.restart();
      expect(stateOf(node.core)).to.deep.include({ term: 0, votedFor: undefined });
      node.hear(voteFrom(3, 1));
      node.persist();
      expect(node.sent('voteReply').map(({ to, granted }) => [to, granted])).to.deep.equal([[3, true]]);
    });

    it('a candidate asks for votes only once its term and its own vote are on disk', () => {
      // Else a crash forgets them, and the same term is campaigned for, and led, twice.
      const node = new TestNode({ isDiskSlow: true });
      node.campaign();
      node.hear({ from: 2, term: 1, type: 'preVoteReply', granted: true });
      node.hear({ from: 3, term: 1, type: 'preVoteReply', granted: true });
      expect([node.core.role, node.sent('vote')]).to.deep.equal(['candidate', []]);
      node.persist();
      expect([node.sent('vote').length, node.disk.hardState.term, node.disk.hardState.votedFor]).to.deep.equal([2, 1, 1]);
    });

    it('a term is not led twice: who won it, crashed and forgot it never leads it again', () => {
      const cluster = new Cluster({ size: 3 });
      const node = cluster.node(1);
      node.isDiskSlow = true;
      node.campaign();
      cluster.settle();
      node.restart();
      expect(node.core.term).to.equal(0);
      node.isDiskSlow = false;
      const terms = cluster.nodes.map(({ core }) => core.term);
      expect(terms, 'nobody was asked for a vote that a crash could take back').to.deep.equal([0, 0, 0]);
    });

    it('stepping down within a term does not free the vote', () => {
      const node = leading();
      node.tick(node.core.options.electionTicks * 2);
      expect([node.core.role, node.core.term, node.core.votedFor]).to.deep.equal(['follower', 1, 1]);
      node.hear(voteFrom(3, 1));
      expect(node.sent('voteReply').map(({ granted }) => granted)).to.deep.equal([false]);
    });

    it('a granted vote starts the election timeout again; a refused one of the same term does not', () => {
      const node = new TestNode({ hardState: { term: 1 } });
      node.tick(9);
      node.hear(voteFrom(2, 1));
      expect(node.core.electionElapsed).to.equal(0);
      node.tick(9);
      node.hear(voteFrom(3, 1));
      expect(node.core.electionElapsed).to.equal(9);
    });
  });

  describe('who may be elected (Raft 5.4.1)', () => {
    it('both rounds carry index and term of the last entry', () => {
      const node = candidate({ terms: [1, 1, 3], hardState: { term: 3 } });
      node.timeOut();
      expect(node.sent('preVote').every(({ lastIndex, lastTerm }) => lastIndex === 3 && lastTerm === 3)).to.equal(true);
    });

    const rows: readonly { terms: readonly number[]; lastIndex: number; lastTerm: number; granted: boolean }[] = [
      { terms: [1], lastIndex: 1, lastTerm: 1, granted: true },
      { terms: [1], lastIndex: 2, lastTerm: 1, granted: true },
      { terms: [1, 1], lastIndex: 1, lastTerm: 1, granted: false },
      { terms: [1], lastIndex: 1, lastTerm: 2, granted: true },
      { terms: [1], lastIndex: 2, lastTerm: 2, granted: true },
      { terms: [1, 1], lastIndex: 1, lastTerm: 2, granted: true },
      { terms: [2], lastIndex: 1, lastTerm: 1, granted: false },
      { terms: [2], lastIndex: 2, lastTerm: 1, granted: false },
      { terms: [2, 1], lastIndex: 1, lastTerm: 1, granted: false },
    ];
    for (const type of ['vote', 'preVote'] as const) {
      for (const { terms, lastIndex, lastTerm, granted } of rows) {
        it(`a voter with the log ${terms.join('')} ${granted ? 'grants' : 'refuses'} a ${type} to one that ends with term ${lastTerm} at ${lastIndex}`, () => {
          const node = new TestNode({ terms, hardState: { term: 2 } });
          node.hear({ from: 2, term: 3, type, lastIndex, lastTerm, isTransfer: false });
          expect(node.sent().map((message) => 'granted' in message && message.granted)).to.deep.equal([granted]);
        });
      }
    }
  });

  describe('timeouts (Raft 5.2)', () => {
    const whole = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19];

    it('Raft 5.2: a candidate draws from the whole of [T, 2T - 1], anew for each round', () => {
      const seen = new Set<number>();
      const node = new TestNode({ random: new SeededRandom(7), preVote: false });
      for (let round = 0; round < 400; round += 1) {
        node.timeOut();
        expect(node.core.role).to.equal('candidate');
        seen.add(node.core.electionTimeoutTicks);
      }
      expect([...seen].sort((one, other) => one - other)).to.deep.equal(whole);
    });

    it('Raft 5.2: a follower draws from the whole of [T, 2T - 1], anew in each term', () => {
      const seen = new Set<number>();
      const node = new TestNode({ random: new SeededRandom(7) });
      for (let term = 1; term <= 400; term += 1) {
        node.hear({ from: 2, term, type: 'heartbeat', commitIndex: 0, readRound: 0 });
        seen.add(node.core.electionTimeoutTicks);
      }
      expect([...seen].sort((one, other) => one - other)).to.deep.equal(whole);
    });

    it('stay as drawn while a node only asks for pre-votes', () => {
      const node = new TestNode();
      const drawn = node.core.electionTimeoutTicks;
      for (let round = 0; round < 20; round += 1) node.timeOut();
      expect([node.core.role, node.core.electionTimeoutTicks]).to.deep.equal(['preCandidate', drawn]);
    });

    it('seldom end together: of five nodes the first two coincide in less than 3 of 10 rounds', () => {
      const random = new SeededRandom(3);
      let conflicts = 0;
      for (let round = 0; round < 1_000; round += 1) {
        const drawn = [1, 2, 3, 4, 5].map((id) => new TestNode({ id, voters: [1, 2, 3, 4, 5], random }).core.electionTimeoutTicks);
        const first = Math.min(...drawn);
        if (drawn.filter((ticks) => ticks === first).length > 1) conflicts += 1;
      }
      expect(conflicts).to.be.below(300);
    });
  });

  describe('in a cluster', () => {
    for (const size of [1, 2, 3, 5]) {
      it(`of ${size}, one node comes to lead, and the others follow it`, () => {
        const cluster = new Cluster({ size });
        const leader = cluster.awaitLeader();
        cluster.tick(5);
        expect(cluster.nodes.map(({ core }) => core.leaderId)).to.deep.equal(Array<number>(size).fill(leader.id));
        expect(cluster.nodes.filter(({ core }) => core.role === 'leader')).to.have.length(1);
      });
    }

    it('two candidates of one term cannot both win', () => {
      const cluster = new Cluster({ size: 3 });
      for (const id of [1, 2]) cluster.node(id).campaign();
      cluster.settle();
      cluster.awaitLeader();
      cluster.tick(30);
      expect(cluster.nodes.filter(({ core }) => core.role === 'leader')).to.have.length(1);
    });

    it('a node with an old log is not elected, and another one is', () => {
      const cluster = new Cluster({ size: 3, saved: { 1: { terms: [1] }, 2: { terms: [1, 2] }, 3: { terms: [1, 2] } } });
      cluster.node(1).campaign();
      cluster.settle();
      expect(cluster.node(1).core.role).to.equal('follower');
      expect(cluster.awaitLeader().id).to.not.equal(1);
    });
  });
});
