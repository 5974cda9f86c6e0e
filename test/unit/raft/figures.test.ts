import { expect } from 'chai';
import { Cluster } from './cluster.js';
import { entriesOf } from './memory-storage.js';
import { TestNode } from './test-node.js';

describe('the figures of the paper', () => {
  describe('figure 7: the leader of term 8 makes every log its own (Raft 5.3)', () => {
    const leaderLog = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    const followers: Readonly<Record<string, readonly number[]>> = {
      'a, that lacks an entry': [1, 1, 1, 4, 4, 5, 5, 6, 6],
      'b, that lacks many': [1, 1, 1, 4],
      'c, with an entry more': [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
      'd, with two of a later term': [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
      'e, that lacks some and has others': [1, 1, 1, 4, 4, 4, 4],
      'f, with two terms that nobody else has': [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    };
    for (const [who, terms] of Object.entries(followers)) {
      it(`follower ${who}`, () => {
        // Node 3 is there for the majority: d would not vote for this leader.
        const cluster = new Cluster({
          size: 3,
          saved: { 1: { terms: leaderLog, hardState: { term: 7 } }, 2: { terms, hardState: { term: 7 } }, 3: { hardState: { term: 7 } } },
        });
        const leader = cluster.elect(1);
        cluster.tick(3);
        expect(leader.core.term).to.equal(8);
        for (const node of cluster.nodes) {
          expect(node.terms).to.deep.equal([...leaderLog, 8]);
          expect(node.entries.slice(0, 10)).to.deep.equal(entriesOf(leaderLog));
          expect(node.disk.log).to.deep.equal(node.entries);
        }
      });
    }
  });

  describe('figure 8: an entry of a former term is not committed by counting (Raft 5.4.2)', () => {
    /** (c): S1 leads term 4 and has brought entry 2 of term 2 to S2 and S3. S5 has entry 2 of term 3. */
    function atC(): Cluster {
      const cluster = new Cluster({
        size: 5,
        saved: {
          1: { terms: [1, 2], hardState: { term: 3 } },
          2: { terms: [1, 2], hardState: { term: 3 } },
          3: { terms: [1], hardState: { term: 3 } },
          4: { terms: [1], hardState: { term: 3 } },
          5: { terms: [1, 3], hardState: { term: 3 } },
        },
      });
      cluster.isolate(5);
      const leader = cluster.node(1);
      for (const other of [3, 4]) cluster.cut({ from: 1, to: other });
      // Votes come from 2 only, and from 3 and 4 by hand: their appends do not get through yet.
      leader.campaign();
      cluster.settle();
      for (const from of [3, 4]) leader.hear({ from, term: 4, type: 'preVoteReply', granted: true });
      cluster.settle();
      leader.hear({ from: 3, term: 4, type: 'voteReply', granted: true });
      // S3 gets entry 2 of term 2, not yet the one of term 4.
      cluster.gather();
      cluster.net = [];
      cluster.node(3).hear({ from: 1, term: 4, type: 'append', previousIndex: 1, previousTerm: 1, commitIndex: 0, entries: entriesOf([2], 2) });
      for (const reply of cluster.node(3).sent('appendReply')) leader.step(reply);
      leader.hear({ from: 2, term: 4, type: 'appendReply', index: 2, rejected: false, hintIndex: 0, hintTerm: 0 });
      return cluster;
    }

    it('(c) with entry 2 of term 2 on a majority, nothing is committed', () => {
      const leader = atC().node(1);
      expect([leader.core.role, leader.core.term, leader.terms]).to.deep.equal(['leader', 4, [1, 2, 4]]);
      expect([1, 2, 3].map((id) => leader.core.progressOf(id).match >= 2)).to.deep.equal([true, true, true]);
      expect(leader.core.log.commitIndex).to.equal(0);
    });

    it('(d) so S5 may still be elected and replace it', () => {
      const cluster = atC();
      cluster.heal();
      cluster.isolate(1);
      const [, s2, s3, s4] = cluster.nodes;
      // S2 and S3 know term 4, so S5 leads in term 5.
      cluster.node(5).hear({ from: 4, term: 4, type: 'preVoteReply', granted: false });
      cluster.elect(5);
      cluster.tick(3);
      for (const node of [s2, s3, s4]) expect(node!.terms).to.deep.equal([1, 3, 5]);
    });

    it('(e) with the entry of term 4 on a majority both are committed, and S5 cannot be elected', () => {
      const cluster = atC();
      cluster.heal();
      cluster.isolate(5);
      cluster.tick(2);
      expect(cluster.node(1).core.log.commitIndex).to.equal(3);
      cluster.heal();
      cluster.isolate(1);
      for (const { core } of cluster.nodes) core.electionElapsed = core.options.electionTicks;
      cluster.node(5).campaign();
      cluster.settle();
      expect(cluster.node(5).core.role).to.not.equal('leader');
      expect(cluster.awaitLeader().terms.slice(0, 3)).to.deep.equal([1, 2, 4]);
    });
  });

  it('figure 2: a new node has term 0, no vote and an empty log', () => {
    const { core } = new TestNode();
    expect([core.term, core.votedFor, core.log.lastIndex, core.log.commitIndex, core.log.appliedIndex]).to.deep.equal([0, undefined, 0, 0, 0]);
  });
});
