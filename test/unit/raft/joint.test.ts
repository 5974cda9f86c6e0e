import { expect } from 'chai';
import { Cluster } from './cluster.js';
import { acknowledge, candidate, leading, membersOf, settled, TestNode } from './test-node.js';

/** Half of them new: voters 1, 4, 5 in place of 1, 2, 3. */
const HALVES = { voters: [1, 4, 5], votersOutgoing: [1, 2, 3] };
const JOINT = { confState: membersOf(HALVES) };

describe('joint consensus (Raft 6)', () => {
  describe('needs a majority of both halves', () => {
    const rows: readonly { from: readonly number[]; isEnough: boolean }[] = [
      { from: [], isEnough: false },
      { from: [4], isEnough: false },
      { from: [4, 5], isEnough: false },
      { from: [2, 3], isEnough: false },
      { from: [2, 4], isEnough: true },
      { from: [3, 5], isEnough: true },
      { from: [2, 3, 4, 5], isEnough: true },
    ];
    for (const { from, isEnough } of rows) {
      const who = `1 and [${from.join()}]`;
      it(`for a vote: ${who} ${isEnough ? 'are' : 'are not'} enough`, () => {
        const node = candidate(JOINT);
        for (const id of from) node.hear({ from: id, term: 1, type: 'voteReply', granted: true });
        expect(node.core.role).to.equal(isEnough ? 'leader' : 'candidate');
      });

      it(`for a commit: ${who} ${isEnough ? 'are' : 'are not'} enough`, () => {
        const leader = leading(JOINT);
        for (const id of from) acknowledge(leader, { from: id });
        expect(leader.core.log.commitIndex).to.equal(isEnough ? 1 : 0);
      });

      it(`for a read: ${who} ${isEnough ? 'are' : 'are not'} enough`, () => {
        const leader = settled(JOINT);
        leader.readIndex(7);
        for (const id of from) leader.hear({ from: id, term: 1, type: 'heartbeatReply', readRound: 1 });
        expect(leader.reads.length).to.equal(isEnough ? 1 : 0);
      });

      it(`for a quorum check: ${who} ${isEnough ? 'are' : 'are not'} enough`, () => {
        const leader = leading(JOINT);
        for (let round = 0; round < 5; round += 1) {
          leader.tick(5);
          for (const id of from) leader.hear({ from: id, term: 1, type: 'heartbeatReply', readRound: 0 });
        }
        expect(leader.core.role).to.equal(isEnough ? 'leader' : 'follower');
      });
    }

    it('and one half that refuses is enough to lose an election', () => {
      const node = candidate(JOINT);
      for (const from of [2, 3]) node.hear({ from, term: 1, type: 'voteReply', granted: false });
      expect(node.core.role).to.equal('follower');
    });

    it('and asks each voter of either half once', () => {
      const node = new TestNode(JOINT);
      node.campaign();
      expect(node.sent('preVote').map(({ to }) => to)).to.deep.equal([2, 3, 4, 5]);
    });
  });

  it('an outgoing voter still campaigns, and its own vote counts in its half (raft.md hazard 25)', () => {
    const node = candidate({ ...JOINT, id: 2 });
    expect([node.core.role, node.disk.hardState.votedFor]).to.deep.equal(['candidate', 2]);
    for (const from of [3, 4, 5]) node.hear({ from, term: 1, type: 'voteReply', granted: true });
    expect(node.core.role).to.equal('leader');
  });

  it('an outgoing voter that leads counts its own disk in its half only', () => {
    const leader = leading({ ...JOINT, id: 2 });
    for (const from of [1, 4]) acknowledge(leader, { from });
    expect(leader.core.log.commitIndex).to.equal(1);
  });

  describe('explicit', () => {
    it('stays joint until it is left by a change without steps', () => {
      const cluster = new Cluster({ size: 3, joiners: 1 });
      const leader = cluster.elect(1);
      leader.change('v4 r3', 'explicit');
      cluster.tick(5);
      expect(cluster.nodes.map(({ members }) => members)).to.deep.equal(Array<string>(4).fill('1 2 4&1 2 3'));
      leader.change('');
      cluster.tick(5);
      expect([1, 2, 4].map((id) => cluster.node(id).members)).to.deep.equal(Array<string>(3).fill('1 2 4'));
    });

    it('admits no other change before it is left (out of joint first)', () => {
      const leader = settled(JOINT);
      for (const steps of ['v6', 'v6 v7', 'r2']) {
        leader.change(steps);
        expect(leader.entries.at(-1), steps).to.deep.include({ type: 'normal', data: new Uint8Array() });
      }
      leader.change('');
      expect(leader.entries.at(-1)!.type).to.equal('confChange');
    });
  });

  describe('that leaves itself', () => {
    for (const [name, steps, transition] of [
      ['implicit', 'v4', 'implicit'],
      ['auto with several steps', 'v4 r3', 'auto'],
    ] as const) {
      it(`${name}: the leader leaves as soon as the change is applied`, () => {
        const cluster = new Cluster({ size: 3, joiners: 1 });
        const leader = cluster.elect(1);
        leader.change(steps, transition);
        cluster.tick(5);
        const after = steps === 'v4' ? '1 2 3 4' : '1 2 4';
        expect([1, 2, 4].map((id) => cluster.node(id).members)).to.deep.equal([after, after, after]);
        expect(leader.entries.map(({ type }) => type)).to.deep.equal(['normal', 'confChange', 'confChange']);
      });
    }

    it('is not left before the change that entered it is committed (raft.md hazard 23)', () => {
      const leader = settled();
      leader.change('v4 r3');
      acknowledge(leader, { from: 2 });
      expect([leader.members, leader.entries.length]).to.deep.equal(['1 2 4&1 2 3 *', 3]);
      // 2 has acknowledged the entry that leaves, but that is no majority of 1, 2 and 4 without the own disk.
      leader.isDiskSlow = true;
      expect(leader.members).to.equal('1 2 4&1 2 3 *');
    });

    it('is left by the next leader when the one that entered it is gone (raft.md hazard 24)', () => {
      const cluster = new Cluster({ size: 3 });
      const first = cluster.elect(1);
      first.change('l3', 'implicit');
      // 1 enters joint and is cut off before it can leave.
      cluster.gather();
      for (let message = cluster.net.shift(); message !== undefined; message = cluster.net.shift()) {
        cluster.deliver(message);
        cluster.gather();
        if (first.members.includes('&')) break;
      }
      expect(first.members).to.equal('1 2&1 2 3 >3 *');
      cluster.net.length = 0;
      cluster.isolate(1);
      cluster.elect(2);
      cluster.tick(5);
      const isWaiting = '1 2&1 2 3 >3 *';
      expect(
        [2, 3].map((id) => cluster.node(id).members),
        '2 alone is no majority of 1 and 2',
      ).to.deep.equal([isWaiting, isWaiting]);
      cluster.heal();
      cluster.tick(60);
      expect(cluster.nodes.map(({ members }) => members)).to.deep.equal(['1 2 ~3', '1 2 ~3', '1 2 ~3']);
    });

    it('is left by a leader that finds it on its disk', () => {
      const cluster = new Cluster({ size: 3, options: { confState: membersOf({ voters: [1, 2], votersOutgoing: [1, 2, 3], autoLeave: true }) } });
      cluster.elect(2);
      cluster.tick(5);
      expect(cluster.node(1).members).to.equal('1 2');
    });

    it('is left after a transfer that was under way and failed: the next applied entry tries again', () => {
      const leader = settled();
      leader.change('v4 r3');
      leader.do((core) => core.transferLeader(3));
      acknowledge(leader, { from: 2, index: 2 });
      expect([leader.members, leader.core.log.lastIndex], 'nothing is proposed while leadership is handed over').to.deep.equal(['1 2 4&1 2 3 *', 2]);
      leader.tick(10);
      for (const from of [2, 3, 4]) leader.hear({ from, term: 1, type: 'heartbeatReply', readRound: 0 });
      expect(leader.core.transferee).to.equal(undefined);
      leader.propose('a');
      acknowledge(leader, { from: 2 });
      expect(leader.entries.at(-1)).to.deep.include({ index: 4, type: 'confChange', data: new Uint8Array() });
      for (const from of [2, 4]) acknowledge(leader, { from });
      expect(leader.members).to.equal('1 2 4');
    });

    it('is left once: no second entry while the first is under way', () => {
      const leader = settled();
      leader.change('v4 r3');
      acknowledge(leader, { from: 2 });
      expect(leader.core.log.lastIndex).to.equal(3);
      leader.propose('a');
      for (const from of [2, 4]) acknowledge(leader, { from, index: 3 });
      acknowledge(leader, { from: 2 });
      expect([leader.members, leader.entries.filter(({ type }) => type === 'confChange').length]).to.deep.equal(['1 2 4', 2]);
    });
  });

  it('a demoted voter votes until joint is left, and is a learner after', () => {
    const cluster = new Cluster({ size: 3 });
    const leader = cluster.elect(1);
    leader.change('l3', 'explicit');
    cluster.tick(2);
    expect([cluster.node(3).members, cluster.node(3).core.isPromotable]).to.deep.equal(['1 2&1 2 3 >3', true]);
    leader.change('');
    cluster.tick(2);
    expect([cluster.node(3).members, cluster.node(3).core.isPromotable]).to.deep.equal(['1 2 ~3', false]);
  });

  it('one group becomes another one with no member in common', () => {
    const cluster = new Cluster({ size: 3, joiners: 3 });
    const leader = cluster.elect(1);
    leader.change('l4 l5 l6');
    cluster.tick(5);
    leader.change('v4 v5 v6 r1 r2 r3', 'explicit');
    cluster.tick(5);
    leader.propose('a');
    cluster.tick(5);
    leader.change('');
    cluster.tick(3);
    expect([leader.core.role, leader.members]).to.deep.equal(['follower', '4 5 6']);
    const next = cluster.awaitLeader();
    expect([4, 5, 6]).to.include(next.id);
    next.propose('b');
    cluster.tick(3);
    expect([4, 5, 6].map((id) => cluster.node(id).appliedTexts)).to.deep.equal(Array.from({ length: 3 }, () => ['a', 'b']));
  });
});
