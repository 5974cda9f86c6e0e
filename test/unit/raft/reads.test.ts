import { expect } from 'chai';
import { Cluster } from './cluster.js';
import { acknowledge, leading, TestNode, type TestNodeOptions } from './test-node.js';

/** A leader that has committed its no-op: it may start reads at once. */
function ready(options: TestNodeOptions = {}): TestNode {
  const leader = leading(options);
  for (const from of leader.core.voters) if (from !== leader.id) acknowledge(leader, { from });
  leader.sent();
  return leader;
}

/** `from` answers a heartbeat that carried `readRound`. */
function answer(leader: TestNode, { from, readRound }: { from: number; readRound: number }): void {
  leader.hear({ from, term: leader.core.term, type: 'heartbeatReply', readRound });
}

describe('ReadIndex (Raft 8, thesis 6.4)', () => {
  it('asks all others at once, and is confirmed when a majority has answered that round', () => {
    const leader = ready({ voters: [1, 2, 3, 4, 5] });
    expect(leader.readIndex(7)).to.equal(true);
    const rounds = leader.sent('heartbeat').map(({ to, readRound }) => [to, readRound]);
    expect(rounds).to.deep.equal([2, 3, 4, 5].map((to) => [to, 1]));
    answer(leader, { from: 2, readRound: 1 });
    expect(leader.reads).to.deep.equal([]);
    answer(leader, { from: 3, readRound: 1 });
    expect(leader.reads).to.deep.equal([{ context: 7, index: 1 }]);
  });

  it('gives the commit index of the moment it was asked', () => {
    const leader = ready();
    leader.readIndex(1);
    leader.propose('a');
    acknowledge(leader, { from: 2 });
    answer(leader, { from: 3, readRound: 1 });
    expect([leader.reads, leader.core.log.commitIndex]).to.deep.equal([[{ context: 1, index: 1 }], 2]);
  });

  it('a late answer to a former round never confirms a later read', () => {
    const leader = ready();
    leader.readIndex(1);
    answer(leader, { from: 2, readRound: 1 });
    leader.readIndex(2);
    for (const from of [2, 3]) answer(leader, { from, readRound: 1 });
    expect(leader.reads.map(({ context }) => context)).to.deep.equal([1]);
    answer(leader, { from: 3, readRound: 2 });
    expect(leader.reads.map(({ context }) => context)).to.deep.equal([1, 2]);
  });

  it('an answer to a heartbeat from before the read does not confirm it', () => {
    const leader = ready();
    leader.tick();
    const [before] = leader.sent('heartbeat');
    leader.readIndex(1);
    for (const from of [2, 3]) answer(leader, { from, readRound: before!.readRound });
    expect([before!.readRound, leader.reads]).to.deep.equal([0, []]);
  });

  it('a lost round is asked again by the next heartbeat, which confirms all that wait', () => {
    const leader = ready();
    leader.readIndex(1);
    leader.readIndex(2);
    leader.sent();
    leader.tick();
    expect(leader.sent('heartbeat').map(({ readRound }) => readRound)).to.deep.equal([2, 2]);
    answer(leader, { from: 3, readRound: 2 });
    expect(leader.reads.map(({ context }) => context)).to.deep.equal([1, 2]);
  });

  it('an answer of another term confirms nothing', () => {
    const leader = ready({ hardState: { term: 4 } });
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
    const leader = ready();
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
