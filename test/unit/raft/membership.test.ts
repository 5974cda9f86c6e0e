import { expect } from 'chai';
import { Cluster } from './cluster.js';
import { bytesOf, entriesOf } from './memory-storage.js';
import { encodeConfChange } from '../../../src/raft/conf-change.js';
import type { Entry } from '../../../src/raft/types.js';
import { acknowledge, changeOf, leading, membersOf, settled, TestNode } from './test-node.js';

function lastOf(leader: TestNode): Pick<Entry, 'type'> & { isEmpty: boolean } {
  const { type, data } = leader.entries.at(-1)!;
  return { type, isEmpty: data.length === 0 };
}

const REFUSED = { type: 'normal', isEmpty: true };
const TAKEN = { type: 'confChange', isEmpty: false };

describe('a membership change', () => {
  describe('that may not be made now becomes an empty entry in its place', () => {
    it('while another one is not applied: one at a time', () => {
      const leader = settled();
      leader.change('v4');
      leader.change('v5');
      expect(lastOf(leader)).to.deep.equal(REFUSED);
      acknowledge(leader, { from: 2 });
      leader.change('v5');
      expect([leader.members, lastOf(leader)]).to.deep.equal(['1 2 3 4', TAKEN]);
    });

    it('while one is committed and not applied, because the own disk is slow', () => {
      const leader = settled();
      leader.isDiskSlow = true;
      leader.change('v4');
      for (const from of [2, 3]) acknowledge(leader, { from });
      expect([leader.core.log.commitIndex, leader.core.log.appliedIndex]).to.deep.equal([2, 1]);
      leader.change('v5');
      expect(lastOf(leader)).to.deep.equal(REFUSED);
    });

    it('before all that a leader found in its log is applied: a change may be in it (raft.md hazard 22)', () => {
      const leader = leading({ terms: [1] });
      leader.change('v4');
      expect(lastOf(leader)).to.deep.equal(REFUSED);
      // Only its no-op can commit what it found.
      acknowledge(leader, { from: 2 });
      leader.change('v4');
      expect(lastOf(leader)).to.deep.equal(TAKEN);
    });

    it('second of one batch', () => {
      const leader = settled();
      const of = (steps: string) => ({ type: 'confChange', data: encodeConfChange(changeOf(steps)) }) as const;
      const proposed = leader.do((core) => core.propose([of('v4'), { type: 'normal', data: bytesOf('a') }, of('v5')]));
      expect(proposed).to.deep.equal({ type: 'accepted', firstIndex: 2, term: 1 });
      expect(leader.entries.slice(1).map(({ type, data }) => [type, data.length > 0])).to.deep.equal([
        ['confChange', true],
        ['normal', true],
        ['normal', false],
      ]);
    });

    it('when it would leave no voters', () => {
      const leader = settled({ voters: [1] });
      for (const steps of ['r1', 'l1']) {
        leader.change(steps);
        expect(lastOf(leader), steps).to.deep.equal(REFUSED);
      }
    });

    it('when it leaves a joint configuration and there is none', () => {
      const leader = settled();
      for (const transition of ['auto', 'implicit', 'explicit'] as const) {
        leader.change('', transition);
        expect(lastOf(leader), transition).to.deep.equal(REFUSED);
      }
      expect(leader.members).to.equal('1 2 3');
    });

    it('when its bytes are no change', () => {
      const leader = settled();
      leader.do((core) => core.propose([{ type: 'confChange', data: Uint8Array.of(77, 1, 2, 3) }]));
      expect(lastOf(leader)).to.deep.equal(REFUSED);
    });

    it('but not when the option says that the proposer knows what it does', () => {
      const leader = settled({ validatesConfChanges: false });
      leader.change('v4');
      leader.change('v5');
      expect(leader.entries.slice(1).map(({ type }) => type)).to.deep.equal(['confChange', 'confChange']);
    });
  });

  it('is refused by a leader of which nobody will ever hear again: one that is no member', () => {
    const leader = settled({ voters: [1, 2], stepsDownOnRemoval: false });
    leader.change('r1');
    acknowledge(leader, { from: 2 });
    expect([leader.core.role, leader.members]).to.deep.equal(['leader', '2']);
    expect([leader.propose('a'), leader.change('v3')]).to.deep.equal([
      { type: 'refused', why: 'notMember' },
      { type: 'refused', why: 'notMember' },
    ]);
  });

  it('counts from when it is applied: the entry that removes a voter still needs the old majority', () => {
    const leader = settled({ voters: [1, 2, 3, 4] });
    leader.change('r4');
    acknowledge(leader, { from: 2 });
    expect([leader.core.log.commitIndex, leader.members]).to.deep.equal([1, '1 2 3 4']);
    acknowledge(leader, { from: 3 });
    expect([leader.core.log.commitIndex, leader.members]).to.deep.equal([2, '1 2 3']);
  });

  it('that removes a voter commits what waited for that voter alone', () => {
    const leader = settled({ voters: [1, 2] });
    leader.change('r2');
    leader.propose('a');
    acknowledge(leader, { from: 2, index: 2 });
    expect([leader.core.log.commitIndex, leader.appliedTexts, leader.members]).to.deep.equal([3, ['a'], '1']);
  });

  it('that removes voters confirms the reads that waited for them alone', () => {
    const leader = settled({ voters: [1, 2] });
    leader.change('r2');
    leader.readIndex(7);
    expect(leader.reads).to.deep.equal([]);
    acknowledge(leader, { from: 2 });
    expect(leader.reads).to.deep.equal([{ context: 7, index: 1 }]);
  });

  it('makes the new member hear from the leader at once', () => {
    const leader = settled();
    leader.change('v4');
    leader.sent();
    acknowledge(leader, { from: 2 });
    expect(leader.sent('append').some(({ to }) => to === 4)).to.equal(true);
  });

  it('that adds a member does not make the next quorum check fail: it counts as heard', () => {
    const leader = settled({ voters: [1] });
    leader.tick(9);
    leader.change('v2');
    leader.tick(1);
    expect([leader.core.role, leader.members]).to.deep.equal(['leader', '1 2']);
  });

  it('is told to who asked only by the members it made: progress ends with membership', () => {
    const leader = settled();
    leader.change('r3');
    acknowledge(leader, { from: 2 });
    expect([...leader.core.progress.keys()]).to.deep.equal([1, 2]);
    leader.hear({ from: 3, term: 1, type: 'appendReply', index: 2, rejected: false, hintIndex: 0, hintTerm: 0 });
    expect(leader.stepped).to.equal('unknownPeer');
  });

  describe('the guard of a campaign (raft.md hazard 26)', () => {
    const change: Entry = { index: 2, term: 1, type: 'confChange', data: encodeConfChange(changeOf('v4')) };

    /** Its log ends with a change that is committed; the state machine is at entry 1. */
    function lagging(): TestNode {
      const node = new TestNode({ terms: [1], hardState: { term: 1, commitIndex: 1 }, appliedIndex: 1, isDiskSlow: true });
      node.hear({ from: 2, term: 1, type: 'append', previousIndex: 1, previousTerm: 1, commitIndex: 3, entries: [change, ...entriesOf([1], 3)] });
      return node;
    }

    it('who has committed a change and not applied it does not campaign', () => {
      const node = lagging();
      node.tick(100);
      node.campaign();
      expect([node.core.role, node.core.log.commitIndex, node.core.log.appliedIndex]).to.deep.equal(['follower', 3, 1]);
    });

    it('not when its leader wants it to either', () => {
      const node = lagging();
      node.hear({ from: 2, term: 1, type: 'timeoutNow' });
      expect([node.core.role, node.core.term]).to.deep.equal(['follower', 1]);
    });

    it('and does so once it is applied', () => {
      const node = lagging();
      node.persist();
      expect(node.members).to.equal('1 2 3 4');
      node.campaign();
      expect(node.core.role).to.equal('preCandidate');
    });

    it('looks at everything that is not applied, page by page', () => {
      const node = new TestNode({ terms: [1], hardState: { term: 1, commitIndex: 1 }, appliedIndex: 1, isDiskSlow: true, maxApplyBytes: 1 });
      const entries = [...entriesOf([1, 1, 1], 2), { ...change, index: 5 }];
      node.hear({ from: 2, term: 1, type: 'append', previousIndex: 1, previousTerm: 1, commitIndex: 5, entries });
      node.campaign();
      expect(node.core.role).to.equal('follower');
    });

    it('a change that is not committed is no reason: the old members decide', () => {
      const node = new TestNode({ terms: [1], hardState: { term: 1, commitIndex: 1 }, appliedIndex: 1 });
      node.hear({ from: 2, term: 1, type: 'append', previousIndex: 1, previousTerm: 1, commitIndex: 1, entries: [change] });
      node.campaign();
      expect(node.core.role).to.equal('preCandidate');
    });
  });

  describe('of the leader itself (thesis 4.2.2)', () => {
    for (const [what, steps] of [
      ['removal', 'r1'],
      ['demotion', 'l1'],
    ] as const) {
      it(`${what} makes it step down when it is applied, and the others go on`, () => {
        const cluster = new Cluster({ size: 3 });
        const leader = cluster.elect(1);
        leader.change(steps);
        cluster.settle();
        expect([leader.core.role, leader.core.term, leader.core.isPromotable]).to.deep.equal(['follower', 1, false]);
        const next = cluster.awaitLeader();
        next.propose('a');
        cluster.tick(3);
        expect([next.id > 1, [2, 3].map((id) => cluster.node(id).appliedTexts)]).to.deep.equal([true, [['a'], ['a']]]);
      });

      it(`${what} leaves it leader when the option is off (etcd's default)`, () => {
        const cluster = new Cluster({ size: 3, options: { stepsDownOnRemoval: false } });
        const leader = cluster.elect(1);
        leader.change(steps);
        cluster.settle();
        expect(leader.core.role).to.equal('leader');
        expect([2, 3].map((id) => cluster.node(id).members)).to.deep.equal(steps === 'r1' ? ['2 3', '2 3'] : ['2 3 ~1', '2 3 ~1']);
      });
    }

    it('a removed leader can still hand over', () => {
      const cluster = new Cluster({ size: 2, options: { stepsDownOnRemoval: false } });
      const leader = cluster.elect(1);
      leader.change('r1');
      cluster.tick(2);
      leader.do((core) => core.transferLeader(2));
      cluster.tick(2);
      expect([cluster.node(2).core.role, leader.core.role]).to.deep.equal(['leader', 'follower']);
    });
  });

  it('a removed node that does not know it disturbs nobody (raft.md hazard 9)', () => {
    const cluster = new Cluster({ size: 3 });
    const leader = cluster.elect(1);
    cluster.isolate(3);
    leader.change('r3');
    cluster.tick(30);
    cluster.heal();
    cluster.tick(100);
    expect([leader.core.role, leader.core.term, cluster.node(3).core.term]).to.deep.equal(['leader', 1, 1]);
    expect(cluster.node(3).core.role).to.equal('preCandidate');
  });

  it('survives a restart with the entry that made it', () => {
    const leader = settled({ voters: [1] });
    leader.change('v2');
    expect(leader.members).to.equal('1 2');
    leader.propose('the applied index rides on a later write');
    leader.restart();
    expect(leader.members).to.equal('1 2');
  });

  it('of members that nobody voted for cannot be begun from: an impossible configuration on disk stops the process', () => {
    expect(() => new TestNode({ confState: membersOf({ voters: [1, 2], learners: [2] }) })).to.throw('possible configuration');
  });
});
