import { expect } from 'chai';
import { Cluster } from './cluster.js';
import { acknowledge, leading, settled, TestNode } from './test-node.js';

describe('leader transfer (thesis 3.10)', () => {
  function transfer(leader: TestNode, to: number): void {
    leader.do((core) => core.transferLeader(to));
  }

  it('tells a target that has everything to campaign at once', () => {
    const leader = settled();
    transfer(leader, 2);
    expect(leader.sent()).to.deep.equal([{ from: 1, to: 2, term: 1, type: 'timeoutNow' }]);
  });

  it('brings a target that lacks something up to date first', () => {
    const leader = settled();
    leader.propose('a');
    leader.sent();
    transfer(leader, 2);
    expect(leader.sent('timeoutNow')).to.deep.equal([]);
    acknowledge(leader, { from: 2 });
    expect(leader.sent('timeoutNow').map(({ to }) => to)).to.deep.equal([2]);
  });

  it('sends a target what it lacks, even if that was lost once', () => {
    const cluster = new Cluster({ size: 3 });
    const leader = cluster.elect(1);
    cluster.isolate(3);
    leader.propose('a');
    cluster.settle();
    cluster.heal();
    cluster.tick(1);
    transfer(leader, 3);
    cluster.settle();
    expect([cluster.node(3).core.role, cluster.node(3).appliedTexts]).to.deep.equal(['leader', ['a']]);
  });

  it('gives a target that needs a snapshot one, and hands over after it', () => {
    const cluster = new Cluster({ size: 3 });
    const leader = cluster.elect(1);
    cluster.isolate(3);
    leader.propose('a');
    cluster.tick(1);
    leader.propose('b');
    cluster.tick(1);
    leader.compact();
    cluster.heal();
    cluster.tick(1);
    transfer(leader, 3);
    cluster.tick(2);
    expect([cluster.node(3).core.role, cluster.node(3).disk.installs.length, cluster.node(3).appliedTexts]).to.deep.equal(['leader', 1, ['a', 'b']]);
  });

  it('goes to a node that does not wait for its timeout, skips the pre-vote and is not refused for the lease', () => {
    const cluster = new Cluster({ size: 3 });
    const leader = cluster.elect(1);
    cluster.tick(1);
    transfer(leader, 3);
    cluster.gather();
    cluster.deliver(cluster.net.shift()!);
    cluster.gather();
    expect(cluster.net.map(({ type, to }) => [type, to])).to.deep.equal([
      ['vote', 1],
      ['vote', 2],
    ]);
    expect(cluster.net.every((message) => message.type === 'vote' && message.isTransfer)).to.equal(true);
    cluster.settle();
    expect(cluster.nodes.map(({ core }) => [core.role, core.term, core.leaderId])).to.deep.equal([
      ['follower', 2, 3],
      ['follower', 2, 3],
      ['leader', 2, 3],
    ]);
  });

  it('refuses proposals meanwhile', () => {
    const leader = settled();
    leader.propose('a');
    transfer(leader, 2);
    expect([leader.propose('b'), leader.entries.length]).to.deep.equal([{ type: 'refused', why: 'transferring' }, 2]);
  });

  it('is given up after an election timeout, and proposals are welcome again', () => {
    const leader = settled();
    leader.propose('a');
    transfer(leader, 2);
    leader.tick(5);
    for (const from of [2, 3]) leader.hear({ from, term: 1, type: 'heartbeatReply', readRound: 0 });
    leader.tick(4);
    expect(leader.core.transferee).to.equal(2);
    leader.tick(1);
    expect([leader.core.role, leader.core.transferee, leader.propose('b').type]).to.deep.equal(['leader', undefined, 'accepted']);
  });

  it('begins its own election timeout: one that ends soon does not cut it short', () => {
    const leader = settled();
    leader.tick(9);
    transfer(leader, 2);
    leader.tick(5);
    expect(leader.core.transferee).to.equal(2);
  });

  const ignored: readonly [why: string, to: number][] = [
    ['a learner', 4],
    ['itself', 1],
    ['somebody unknown', 99],
  ];
  for (const [why, to] of ignored) {
    it(`to ${why} changes nothing`, () => {
      const leader = settled({ learners: [4] });
      transfer(leader, to);
      expect([leader.core.transferee, leader.sent(), leader.propose('a').type]).to.deep.equal([undefined, [], 'accepted']);
    });
  }

  it('to the same target again does not begin anew', () => {
    const leader = settled();
    leader.propose('a');
    transfer(leader, 2);
    leader.tick(5);
    transfer(leader, 2);
    expect(leader.core.electionElapsed).to.equal(5);
  });

  it('to another target takes the place of the first', () => {
    const leader = settled();
    leader.propose('a');
    transfer(leader, 2);
    transfer(leader, 3);
    acknowledge(leader, { from: 2 });
    expect([leader.core.transferee, leader.sent('timeoutNow')]).to.deep.equal([3, []]);
  });

  it('to itself ends one that is under way', () => {
    const leader = settled();
    leader.propose('a');
    transfer(leader, 2);
    transfer(leader, 1);
    expect([leader.core.transferee, leader.propose('b').type]).to.deep.equal([undefined, 'accepted']);
  });

  it('ends when its target is removed or demoted', () => {
    for (const steps of ['r3', 'l3']) {
      const leader = settled();
      leader.change(steps);
      transfer(leader, 3);
      acknowledge(leader, { from: 2 });
      expect([leader.members.startsWith('1 2'), leader.core.transferee], steps).to.deep.equal([true, undefined]);
    }
  });

  it('ends with the leadership', () => {
    const leader = settled();
    leader.propose('a');
    transfer(leader, 2);
    leader.hear({ from: 3, term: 2, type: 'heartbeat', commitIndex: 0, readRound: 0 });
    expect(leader.core.transferee).to.equal(undefined);
  });

  it('is passed on by a follower that is asked', () => {
    const node = new TestNode({ id: 2, hardState: { term: 1 } });
    transfer(node, 3);
    expect(node.sent(), 'it knows no leader').to.deep.equal([]);
    node.hear({ from: 1, term: 1, type: 'heartbeat', commitIndex: 0, readRound: 0 });
    node.sent();
    transfer(node, 3);
    expect(node.sent()).to.deep.equal([{ from: 2, to: 1, term: 1, type: 'transferLeader', transferee: 3 }]);
  });

  it('that is asked of a follower works', () => {
    const cluster = new Cluster({ size: 3 });
    cluster.elect(1);
    cluster.tick(1);
    transfer(cluster.node(2), 3);
    cluster.settle();
    expect(cluster.leader!.id).to.equal(3);
  });

  it('says nothing to a target that leads already, is a candidate or was removed', () => {
    const leader = leading();
    leader.hear({ from: 2, term: 1, type: 'timeoutNow' });
    expect([leader.core.role, leader.core.term]).to.deep.equal(['leader', 1]);
    const removed = new TestNode({ id: 9, hardState: { term: 1 } });
    removed.hear({ from: 2, term: 1, type: 'timeoutNow' });
    expect([removed.core.role, removed.sent()]).to.deep.equal(['follower', []]);
  });

  it('of a former term is not obeyed', () => {
    const node = new TestNode({ hardState: { term: 5 } });
    node.hear({ from: 2, term: 4, type: 'timeoutNow' });
    expect([node.core.role, node.core.term]).to.deep.equal(['follower', 5]);
  });

  it('that fails leaves a leader with all its entries', () => {
    const cluster = new Cluster({ size: 3 });
    const leader = cluster.elect(1);
    cluster.isolate(3);
    transfer(leader, 3);
    cluster.tick(12);
    expect([leader.core.role, leader.core.term]).to.deep.equal(['leader', 1]);
    leader.propose('a');
    cluster.settle();
    expect(leader.appliedTexts).to.deep.equal(['a']);
  });
});
