import { expect } from 'chai';
import type { ConfState, Snapshot } from '../../../src/raft/types.js';
import { Cluster } from './cluster.js';
import { acknowledge, type Heard, leading, membersOf, settled, snapshotAt, TestNode, type TestNodeOptions } from './test-node.js';

const MEMBERS = membersOf({ voters: [1, 2, 3] });

function install(index: number, { term = 4, confState = MEMBERS }: { term?: number; confState?: ConfState } = {}): Heard {
  return { from: 2, term: 4, type: 'snapshot', snapshot: snapshotAt({ index, term }, confState) };
}

function following(options: TestNodeOptions = {}): TestNode {
  const node = new TestNode({ ...options, hardState: { term: 4, ...options.hardState } });
  node.hear({ from: 2, term: 4, type: 'heartbeat', commitIndex: 0, readRound: 0 });
  node.sent();
  return node;
}

/** A leader of term 2 whose log begins after entry 11 (Raft 7); its followers 2 and 3 have answered nothing yet. */
function compacted(options: TestNodeOptions = {}): TestNode {
  return leading({ start: { index: 11, term: 1 }, terms: [1], ...options });
}

/** Follower 2 has said that its log ends at `index`, so that what it needs is gone. */
function behind(leader: TestNode, index = 5): void {
  leader.hear({ from: 2, term: leader.core.term, type: 'heartbeatReply', readRound: 0 });
  leader.hear({
    from: 2,
    term: leader.core.term,
    type: 'appendReply',
    index: leader.core.progressOf(2).next - 1,
    rejected: true,
    hintIndex: index,
    hintTerm: 1,
  });
}

describe('snapshots (Raft 7)', () => {
  describe('a leader', () => {
    it('sends one when what the follower needs was compacted away, and nothing else until it is there', () => {
      const leader = compacted();
      behind(leader);
      const [message] = leader.sent('snapshot');
      expect([message!.to, message!.snapshot.index, message!.snapshot.term, message!.snapshot.confState]).to.deep.equal([2, 11, 1, MEMBERS]);
      const { state, pendingSnapshot, next, isPaused } = leader.core.progressOf(2);
      expect({ state, pendingSnapshot, next, isPaused }).to.deep.equal({ state: 'snapshot', pendingSnapshot: 11, next: 12, isPaused: true });
      leader.propose('a');
      leader.hear({ from: 2, term: 2, type: 'heartbeatReply', readRound: 0 });
      expect(leader.sent().filter(({ to, type }) => to === 2 && type !== 'heartbeat')).to.deep.equal([]);
    });

    it('sends appends, not a snapshot, to who needs only what is in the log', () => {
      const leader = compacted();
      behind(leader, 11);
      expect([leader.sent('snapshot'), leader.core.progressOf(2).state]).to.deep.equal([[], 'probe']);
    });

    it('sends none to a follower that it has not heard lately', () => {
      const leader = compacted();
      leader.core.progressOf(2).next = 5;
      leader.core.progressOf(2).isActive = false;
      leader.propose('a');
      expect([leader.sent('snapshot'), leader.core.progressOf(2).state]).to.deep.equal([[], 'probe']);
    });

    it('waits while none is available, and asks again with the next answer', () => {
      let snapshot: Snapshot | undefined;
      const leader = compacted({ snapshot: () => snapshot });
      behind(leader);
      expect([leader.sent('snapshot'), leader.core.progressOf(2).state]).to.deep.equal([[], 'probe']);
      snapshot = snapshotAt({ index: 12, term: 1 }, MEMBERS);
      leader.hear({ from: 2, term: 2, type: 'heartbeatReply', readRound: 0 });
      expect(leader.sent('snapshot').map(({ to }) => to)).to.deep.equal([2]);
    });

    it('goes on after it when the follower acknowledges it', () => {
      const leader = compacted();
      behind(leader);
      leader.propose('a');
      leader.sent();
      acknowledge(leader, { from: 2, index: 11 });
      const { state, match } = leader.core.progressOf(2);
      expect({ state, match }).to.deep.equal({ state: 'replicate', match: 11 });
      expect(leader.sent('append').map(({ to, previousIndex, entries }) => [to, previousIndex, entries.length])).to.deep.equal([[2, 11, 3]]);
    });

    it('goes on as soon as the log of the follower meets its own, whichever snapshot brought it there', () => {
      const leader = compacted();
      behind(leader);
      leader.core.progressOf(2).pendingSnapshot = 99;
      acknowledge(leader, { from: 2, index: 12 });
      expect(leader.core.progressOf(2).state).to.equal('replicate');
    });

    it('does not go on for an acknowledgement that leaves a gap', () => {
      const leader = compacted();
      behind(leader);
      acknowledge(leader, { from: 2, index: 8 });
      expect([leader.core.progressOf(2).state, leader.core.progressOf(2).match]).to.deep.equal(['snapshot', 8]);
    });

    it('asks behind it when the transport says that it is there, after the next sign of life', () => {
      const leader = compacted();
      behind(leader);
      leader.sent();
      leader.do((core) => core.reportSnapshot(2, true));
      const { state, next, isPaused } = leader.core.progressOf(2);
      expect({ state, next, isPaused }).to.deep.equal({ state: 'probe', next: 12, isPaused: true });
      leader.hear({ from: 2, term: 2, type: 'heartbeatReply', readRound: 0 });
      expect(leader.sent('append').map(({ to, previousIndex }) => [to, previousIndex])).to.deep.equal([[2, 11]]);
    });

    it('sends another one when the transport says that it will not come', () => {
      const leader = compacted();
      behind(leader);
      leader.sent();
      leader.do((core) => core.reportSnapshot(2, false));
      const { state, next, isPaused } = leader.core.progressOf(2);
      expect({ state, next, isPaused }).to.deep.equal({ state: 'probe', next: 1, isPaused: true });
      leader.hear({ from: 2, term: 2, type: 'heartbeatReply', readRound: 0 });
      expect(leader.sent('snapshot').map(({ to }) => to)).to.deep.equal([2]);
    });

    it('takes no report about who gets none, is unknown, or when it does not lead', () => {
      const leader = settled();
      for (const id of [2, 99]) leader.do((core) => core.reportSnapshot(id, false));
      expect(leader.core.progressOf(2).state).to.equal('replicate');
      const node = new TestNode();
      node.do((core) => core.reportSnapshot(2, true));
      expect(node.core.hasReady).to.equal(false);
    });

    it('does not take a lost message for a lost snapshot', () => {
      const leader = compacted();
      behind(leader);
      leader.do((core) => core.reportUnreachable(2));
      expect(leader.core.progressOf(2).state).to.equal('snapshot');
    });
  });

  describe('a follower', () => {
    it('becomes what the snapshot says: log, commit index, members; and says so once that is on disk', () => {
      const node = following({ terms: [1, 1, 1], isDiskSlow: true });
      const confState = membersOf({ voters: [1, 2, 4], learners: [5] });
      node.hear(install(11, { confState }));
      expect([node.core.log.firstIndex, node.core.log.last, node.core.log.commitIndex, node.members]).to.deep.equal([
        12,
        { index: 11, term: 4 },
        11,
        '1 2 4 ~5',
      ]);
      expect([node.sent('appendReply'), node.core.log.appliedIndex]).to.deep.equal([[], 0]);
      node.persist();
      expect(node.sent('appendReply').map(({ to, index, rejected }) => [to, index, rejected])).to.deep.equal([[2, 11, false]]);
      expect([node.core.log.appliedIndex, node.disk.firstIndex, node.disk.confState]).to.deep.equal([11, 12, confState]);
    });

    it('moves log, state, members, applied index and hard state in one write (raft.md hazards 30, 31)', () => {
      const node = following({ terms: [1, 1, 1] });
      node.hear(install(11));
      const [batch] = node.disk.installs;
      expect(batch).to.deep.include({ index: 11, term: 4, confState: MEMBERS, hardState: { term: 4, votedFor: undefined, commitIndex: 11 } });
      expect([node.disk.appliedIndex, node.disk.lastIndex, node.disk.hardState.commitIndex]).to.deep.equal([11, 11, 11]);
    });

    it('goes on after it', () => {
      const node = following();
      node.hear(install(11));
      node.hear({
        from: 2,
        term: 4,
        type: 'append',
        previousIndex: 11,
        previousTerm: 4,
        commitIndex: 12,
        entries: [{ index: 12, term: 4, type: 'normal', data: Uint8Array.of(97) }],
      });
      expect([node.core.log.appliedIndex, node.appliedTexts, node.disk.log.length]).to.deep.equal([12, ['a'], 1]);
    });

    it('takes entries after it while it is not on disk yet, and applies nothing before', () => {
      const node = following({ isDiskSlow: true });
      node.hear(install(11));
      node.hear({
        from: 2,
        term: 4,
        type: 'append',
        previousIndex: 11,
        previousTerm: 4,
        commitIndex: 12,
        entries: [{ index: 12, term: 4, type: 'normal', data: Uint8Array.of(97) }],
      });
      expect([node.core.log.commitIndex, node.appliedTexts, node.core.log.hasApplicable]).to.deep.equal([12, [], false]);
      node.persist(1);
      expect([node.core.log.appliedIndex, node.appliedTexts]).to.deep.equal([11, []]);
      node.persist();
      expect([node.core.log.appliedIndex, node.appliedTexts]).to.deep.equal([12, ['a']]);
    });

    it('does not campaign while it is not on disk', () => {
      const node = following({ isDiskSlow: true });
      node.hear(install(11));
      expect(node.core.isPromotable).to.equal(false);
      node.tick(100);
      node.campaign();
      node.hear({ from: 2, term: 4, type: 'timeoutNow' });
      expect([node.core.role, node.core.term]).to.deep.equal(['follower', 4]);
      node.persist();
      node.campaign();
      expect(node.core.role).to.equal('preCandidate');
    });

    it('forgets it in a crash before it is on disk, and its log is as it was', () => {
      const node = following({ terms: [1, 1, 1], isDiskSlow: true });
      node.hear(install(11));
      node.restart();
      expect([node.terms, node.core.log.commitIndex, node.members]).to.deep.equal([[1, 1, 1], 0, '1 2 3']);
    });

    it('has it after a crash when it was on disk', () => {
      const node = following({ terms: [1, 1, 1] });
      node.hear(install(11, { confState: membersOf({ voters: [1, 2] }) }));
      node.restart();
      expect([node.core.log.last, node.core.log.appliedIndex, node.core.log.commitIndex, node.members]).to.deep.equal([
        { index: 11, term: 4 },
        11,
        11,
        '1 2',
      ]);
    });

    const ignored: readonly [why: string, message: Heard, commitIndex: number][] = [
      ['is older than what it has committed', install(2), 2],
      ['does not have it as a member', install(11, { confState: membersOf({ voters: [2, 3], learners: [4] }) }), 2],
      ['has members that cannot be', install(11, { confState: membersOf({ voters: [1, 2], learners: [2] }) }), 2],
      ['has no voters', install(11, { confState: membersOf({ learners: [1] }) }), 2],
    ];
    for (const [why, message, commitIndex] of ignored) {
      it(`ignores one that ${why}, and tells how far it is`, () => {
        const node = following({ terms: [1, 1, 1], hardState: { commitIndex: 2 } });
        node.hear(message);
        expect([node.terms, node.core.log.commitIndex, node.members, node.disk.installs]).to.deep.equal([[1, 1, 1], commitIndex, '1 2 3', []]);
        expect(node.sent('appendReply').map(({ index, rejected }) => [index, rejected])).to.deep.equal([[commitIndex, false]]);
      });
    }

    it('that has its last entry keeps its log, and knows now that it is committed', () => {
      const node = following({ terms: [1, 1, 1, 1] });
      node.hear(install(3, { term: 1 }));
      expect([node.terms, node.core.log.commitIndex, node.disk.installs]).to.deep.equal([[1, 1, 1, 1], 3, []]);
      expect(node.sent('appendReply').map(({ index }) => index)).to.deep.equal([3]);
    });

    it('takes one although it is a learner, or an outgoing voter', () => {
      for (const confState of [membersOf({ voters: [2], learners: [1] }), membersOf({ voters: [2], votersOutgoing: [1, 2] })]) {
        const node = following();
        node.hear(install(11, { confState }));
        expect(node.core.log.lastIndex).to.equal(11);
      }
    });

    it('is not asked to forget what it committed by one of a former term', () => {
      const node = following({ hardState: { term: 6 } });
      node.hear(install(11));
      expect([node.core.log.lastIndex, node.core.term]).to.deep.equal([0, 6]);
    });

    it('that campaigns follows who sends it one', () => {
      const node = new TestNode({ hardState: { term: 3 } });
      node.campaign();
      node.hear(install(11));
      expect([node.core.role, node.core.leaderId, node.core.term, node.core.log.lastIndex]).to.deep.equal(['follower', 2, 4, 11]);
    });

    it('takes a newer one while an older one is on its way to the disk', () => {
      const node = following({ isDiskSlow: true });
      node.hear(install(11));
      node.hear(install(20));
      node.persist(1);
      expect([node.core.log.appliedIndex, node.core.log.hasUnstableSnapshot]).to.deep.equal([11, true]);
      node.persist();
      expect([node.core.log.appliedIndex, node.core.log.hasUnstableSnapshot, node.disk.appliedIndex]).to.deep.equal([20, false, 20]);
    });
  });

  describe('in a cluster', () => {
    it('a follower that was away past compaction has the same state in the end', () => {
      const cluster = new Cluster({ size: 3 });
      const leader = cluster.elect(1);
      cluster.isolate(3);
      for (const text of ['a', 'b', 'c']) {
        leader.propose(text);
        cluster.tick(1);
      }
      leader.compact();
      leader.propose('d');
      cluster.tick(1);
      cluster.heal();
      cluster.tick(5);
      expect([cluster.node(3).appliedTexts, cluster.node(3).disk.installs.length]).to.deep.equal([['a', 'b', 'c', 'd'], 1]);
      expect(cluster.node(3).core.log.last).to.deep.equal(leader.core.log.last);
    });

    it('a node with an empty disk joins by way of one', () => {
      const cluster = new Cluster({ size: 3, joiners: 1 });
      const leader = cluster.elect(1);
      leader.propose('a');
      leader.change('l4');
      cluster.tick(3);
      expect([cluster.node(4).appliedTexts, cluster.node(4).members, cluster.node(4).disk.installs.length]).to.deep.equal([['a'], '1 2 3 ~4', 1]);
    });

    it('every snapshot that is lost is followed by another one', () => {
      const cluster = new Cluster({ size: 3, joiners: 1 });
      const leader = cluster.elect(1);
      leader.change('l4');
      for (let lost = 0; lost < 3; lost += 1) {
        cluster.gather();
        for (let message = cluster.net.shift(); message !== undefined; message = cluster.net.shift()) {
          if (message.type === 'snapshot') leader.do((core) => core.reportSnapshot(4, false));
          else cluster.deliver(message);
          cluster.gather();
        }
        for (const node of cluster.nodes) node.tick();
      }
      expect(cluster.node(4).core.log.lastIndex).to.equal(0);
      cluster.tick(5);
      expect(cluster.node(4).core.log.last).to.deep.equal(leader.core.log.last);
    });
  });
});
