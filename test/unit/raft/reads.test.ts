import { expect } from 'chai';
import { Cluster } from './cluster.js';
import { acknowledge, leading, settled, TestNode } from './test-node.js';

/** `from` answers a heartbeat that carried `readRound`. */
function answer(leader: TestNode, { from, readRound }: { from: number; readRound: number }): void {
  leader.hear({ from, term: leader.core.term, type: 'heartbeatReply', readRound });
}

describe('ReadIndex (Raft 8, thesis 6.4)', () => {
  it('asks all others at once, and is confirmed when a majority has answered that round', () => {
    const leader = settled({ voters: [1, 2, 3, 4, 5] });
    expect(leader.readIndex(7)).to.equal(true);
    const rounds = leader.sent('heartbeat').map(({ to, readRound }) => [to, readRound]);
    expect(rounds).to.deep.equal([2, 3, 4, 5].map((to) => [to, 1]));
    answer(leader, { from: 2, readRound: 1 });
    expect(leader.reads).to.deep.equal([]);
    answer(leader, { from: 3, readRound: 1 });
    expect(leader.reads).to.deep.equal([{ context: 7, index: 1 }]);
  });

  it('gives the commit index of the moment it was asked', () => {
    const leader = settled();
    leader.readIndex(1);
    leader.propose('a');
    acknowledge(leader, { from: 2 });
    answer(leader, { from: 3, readRound: 1 });
    expect([leader.reads, leader.core.log.commitIndex]).to.deep.equal([[{ context: 1, index: 1 }], 2]);
  });

  it('a late answer to a former round never confirms a later read', () => {
    const leader = settled();
    leader.readIndex(1);
    answer(leader, { from: 2, readRound: 1 });
    leader.readIndex(2);
    for (const from of [2, 3]) answer(leader, { from, readRound: 1 });
    expect(leader.reads.map(({ context }) => context)).to.deep.equal([1]);
    answer(leader, { from: 3, readRound: 2 });
    expect(leader.reads.map(({ context }) => context)).to.deep.equal([1, 2]);
  });

  it('an answer to a heartbeat from before the read does not confirm it', () => {
    const leader = settled();
    leader.tick();
    const [before] = leader.sent('heartbeat');
    leader.readIndex(1);
    for (const from of [2, 3]) answer(leader, { from, readRound: before!.readRound });
    expect([before!.readRound, leader.reads]).to.deep.equal([0, []]);
  });

  it('a lost round is asked again by the next heartbeat, which confirms all that wait', () => {
    const leader = settled();
    leader.readIndex(1);
    leader.readIndex(2);
    leader.sent();
    leader.tick();
    expect(leader.sent('heartbeat').map(({ readRound }) => readRound)).to.deep.equal([2, 2]);
    answer(leader, { from: 3, readRound: 2 });
    expect(leader.reads.map(({ context }) => context)).to.deep.equal([1, 2]);
  });

  it('an answer of another term confirms nothing', () => {
    const leader = settled({ hardState: { term: 4 } });
    leader.readIndex(1);
    for (const from of [2, 3]) leader.hear({ from, term: 4, type: 'heartbeatReply', readRound: 1 });
    expect(leader.reads).to.deep.equal([]);
  });

  it('waits until the leader has committed an entry of its own term, and begins its round only then', () => {
    const leader = leading({ terms: [1, 1], hardState: { term: 1, commitIndex: 1 } });
    expect(leader.readIndex(1)).to.equal(true);
    leader.tick();
    expect(leader.sent('heartbeat').map(({ readRound }) => readRound)).to.deep.equal([0, 0]);
    for (const from of [2, 3]) answer(leader, { from, readRound: 1 });
    expect(leader.reads).to.deep.equal([]);
    acknowledge(leader, { from: 2 });
    answer(leader, { from: 2, readRound: 1 });
    expect(leader.reads).to.deep.equal([{ context: 1, index: 3 }]);
  });

  it('is dropped when the leader steps down, and does not come back with the next term', () => {
    const leader = settled();
    leader.readIndex(1);
    leader.hear({ from: 2, term: 2, type: 'heartbeat', commitIndex: 0, readRound: 0 });
    expect([leader.core.reads.size, leader.core.earlyReads.length]).to.deep.equal([0, 0]);
    leader.hear({ from: 3, term: 1, type: 'heartbeatReply', readRound: 1 });
    expect(leader.reads).to.deep.equal([]);
  });

  it('an early one is dropped too', () => {
    const leader = leading();
    leader.readIndex(1);
    leader.hear({ from: 2, term: 2, type: 'heartbeat', commitIndex: 0, readRound: 0 });
    expect(leader.core.earlyReads).to.deep.equal([]);
  });

  it('a single node confirms itself, but not before its no-op is on disk', () => {
    const node = new TestNode({ voters: [1], isDiskSlow: true });
    node.campaign();
    node.persist(); // its pre-vote
    node.persist(); // its vote
    expect(node.core.role).to.equal('leader');
    node.readIndex(1);
    expect(node.reads).to.deep.equal([]);
    node.persist();
    node.readIndex(2);
    expect(node.reads).to.deep.equal([
      { context: 1, index: 1 },
      { context: 2, index: 1 },
    ]);
  });

  it('a leader cut off from its majority confirms nothing', () => {
    const cluster = new Cluster({ size: 3 });
    const old = cluster.elect(1);
    cluster.tick(2);
    cluster.isolate(1);
    old.readIndex(1);
    cluster.tick(9);
    expect(old.reads).to.deep.equal([]);
    cluster.tick(60);
    expect([old.reads, old.core.reads.size, cluster.leader!.id === 1]).to.deep.equal([[], 0, false]);
  });
});

describe('reads on a follower', () => {
  it('are passed on to the leader, in the name of who asks', () => {
    const node = new TestNode({ id: 2, hardState: { term: 1 } });
    expect(node.readIndex(7), 'it knows no leader').to.equal(false);
    node.hear({ from: 1, term: 1, type: 'heartbeat', commitIndex: 0, readRound: 0 });
    node.sent();
    expect(node.readIndex(7)).to.equal(true);
    // Of no term: whoever leads when it arrives may answer.
    expect(node.sent()).to.deep.equal([{ from: 2, to: 1, term: 0, type: 'readIndex', context: 7 }]);
  });

  it('are answered to who asked, when a majority has confirmed the leader', () => {
    const leader = settled();
    leader.hear({ from: 2, term: 0, type: 'readIndex', context: 7 });
    leader.propose('a');
    acknowledge(leader, { from: 2 });
    answer(leader, { from: 3, readRound: 1 });
    expect([leader.sent('readIndexReply'), leader.reads]).to.deep.equal([
      [{ from: 1, to: 2, term: 1, type: 'readIndexReply', context: 7, index: 1 }],
      [],
    ]);
  });

  it('give the index to the caller there', () => {
    const cluster = new Cluster({ size: 3 });
    const leader = cluster.elect(1);
    leader.propose('a');
    cluster.tick(1);
    cluster.node(3).readIndex(9);
    cluster.settle();
    expect(cluster.node(3).reads).to.deep.equal([{ context: 9, index: 2 }]);
  });

  it('are passed on by one that led when they were sent, still in the name of who asked', () => {
    const node = new TestNode({ id: 2, hardState: { term: 1 } });
    node.hear({ from: 1, term: 1, type: 'heartbeat', commitIndex: 0, readRound: 0 });
    node.sent();
    node.hear({ from: 3, term: 0, type: 'readIndex', context: 7 });
    expect(node.sent('readIndex').map(({ from, to }) => [from, to])).to.deep.equal([[3, 1]]);
  });

  it('that ask a new leader early are answered once it has committed an entry of its term', () => {
    const leader = leading({ terms: [1], hardState: { term: 1, commitIndex: 1 } });
    leader.hear({ from: 2, term: 0, type: 'readIndex', context: 7 });
    for (const from of [2, 3]) answer(leader, { from, readRound: 1 });
    expect(leader.sent('readIndexReply')).to.deep.equal([]);
    acknowledge(leader, { from: 2 });
    answer(leader, { from: 3, readRound: 1 });
    expect(leader.sent('readIndexReply').map(({ to, index }) => [to, index])).to.deep.equal([[2, 2]]);
  });

  it('a reply of a former term, or to one that leads meanwhile, confirms nothing', () => {
    const node = new TestNode({ id: 2, hardState: { term: 5 } });
    node.hear({ from: 1, term: 4, type: 'readIndexReply', context: 7, index: 9 });
    const leader = settled();
    leader.hear({ from: 2, term: 1, type: 'readIndexReply', context: 7, index: 9 });
    expect([node.reads, leader.reads]).to.deep.equal([[], []]);
  });

  it('a reply of somebody who is no member confirms nothing', () => {
    const node = new TestNode({ id: 2, hardState: { term: 5 } });
    node.hear({ from: 99, term: 5, type: 'readIndexReply', context: 7, index: 9 });
    expect([node.stepped, node.reads]).to.deep.equal(['unknownPeer', []]);
  });
});

describe('the reads that wait', () => {
  it('are no more than 10,000, those of followers and early ones among them; then nobody is answered', () => {
    for (const leader of [settled(), leading()]) {
      for (let context = 1; context <= 9_999; context += 1) leader.core.readIndex(context);
      leader.hear({ from: 2, term: 0, type: 'readIndex', context: 1 });
      expect(leader.readIndex(10_001)).to.equal(false);
      leader.hear({ from: 2, term: 0, type: 'readIndex', context: 2 });
      expect(leader.core.reads.size + leader.core.earlyReads.length).to.equal(10_000);
    }
  });

  it('leave nothing behind when they are answered (raft.md hazard 48)', () => {
    const leader = settled();
    for (let round = 1; round <= 100; round += 1) {
      leader.readIndex(round);
      answer(leader, { from: 2, readRound: round });
    }
    expect([leader.reads.length, leader.core.reads.size, leader.core.reads.lastPosition]).to.deep.equal([100, 0, 0]);
  });
});

describe('lease reads (off unless asked for)', () => {
  it('are answered at once, without a round', () => {
    const leader = settled({ readOnly: 'lease' });
    leader.readIndex(7);
    expect([leader.reads, leader.sent()]).to.deep.equal([[{ context: 7, index: 1 }], []]);
  });

  it('wait for the first commit of the term too', () => {
    const leader = leading({ readOnly: 'lease', terms: [1], hardState: { term: 1 } });
    leader.readIndex(7);
    expect(leader.reads).to.deep.equal([]);
    acknowledge(leader, { from: 2 });
    expect(leader.reads).to.deep.equal([{ context: 7, index: 2 }]);
  });

  it('need a round once somebody was told to campaign in spite of the leader, for the rest of the term (raft.md hazard 44)', () => {
    const leader = settled({ readOnly: 'lease' });
    leader.do((core) => core.transferLeader(2));
    leader.readIndex(1);
    expect(leader.reads).to.deep.equal([]);
    leader.tick(5);
    for (const from of [2, 3]) answer(leader, { from, readRound: 1 });
    expect(leader.reads.map(({ context }) => context)).to.deep.equal([1]);
    leader.tick(5);
    expect([leader.core.role, leader.core.transferee]).to.deep.equal(['leader', undefined]);
    leader.readIndex(2);
    expect(leader.reads.map(({ context }) => context)).to.deep.equal([1]);
    for (const from of [2, 3]) answer(leader, { from, readRound: 2 });
    expect(leader.reads.map(({ context }) => context)).to.deep.equal([1, 2]);
  });

  it('need a round while a transfer waits for its target to catch up', () => {
    const leader = settled({ readOnly: 'lease' });
    leader.propose('a');
    leader.do((core) => core.transferLeader(2));
    leader.readIndex(1);
    expect([leader.reads, leader.sent('timeoutNow')]).to.deep.equal([[], []]);
  });
});
