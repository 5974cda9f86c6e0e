import { expect } from 'chai';
import { ReadQueue } from '../../../src/raft/read-queue.js';
import type { JointVoters } from '../../../src/raft/quorum.js';

const VOTERS: JointVoters = [[1, 2, 3, 4, 5], []];

/** A queue with these reads in it, asked by node 1, who has confirmed itself. */
function queueOf(...contexts: readonly number[]): ReadQueue {
  const queue = new ReadQueue();
  for (const context of contexts) add(queue, context);
  return queue;
}

function add(queue: ReadQueue, context: number): void {
  queue.add({ from: 1, context, index: context * 10 });
  queue.acknowledge(1, queue.lastPosition);
}

/** `voter` answers; says the contexts that are confirmed now. */
function acknowledge(queue: ReadQueue, voter: number, position: number, voters = VOTERS): readonly number[] {
  queue.acknowledge(voter, position);
  return queue.takeConfirmed(voters).map(({ context }) => context);
}

describe('ReadQueue', () => {
  it('has no position while nothing waits', () => {
    expect([queueOf().lastPosition, queueOf().size]).to.deep.equal([0, 0]);
  });

  it('confirms every read up to a position once a majority has answered it (Raft 8)', () => {
    const queue = queueOf(1, 2);
    expect(acknowledge(queue, 2, 2)).to.deep.equal([]);
    queue.acknowledge(3, 2);
    expect(queue.takeConfirmed(VOTERS)).to.deep.equal([
      { from: 1, context: 1, index: 10 },
      { from: 1, context: 2, index: 20 },
    ]);
    expect([queue.size, queue.takeConfirmed(VOTERS)]).to.deep.equal([0, []]);
  });

  it('confirms what a majority has in common', () => {
    const queue = queueOf(1, 2, 3);
    acknowledge(queue, 2, 1);
    expect(acknowledge(queue, 3, 3)).to.deep.equal([1]);
    expect(acknowledge(queue, 4, 2)).to.deep.equal([2]);
    expect(queue.lastPosition).to.equal(3);
  });

  it('in a joint configuration needs a majority of both halves', () => {
    const joint: JointVoters = [
      [1, 4, 5],
      [1, 2, 3],
    ];
    const queue = queueOf(1);
    expect(acknowledge(queue, 4, 1, joint)).to.deep.equal([]);
    expect(acknowledge(queue, 5, 1, joint)).to.deep.equal([]);
    expect(acknowledge(queue, 3, 1, joint)).to.deep.equal([1]);
  });

  it('confirms nothing when there are no voters', () => {
    expect(acknowledge(queueOf(1), 2, 1, [[], []])).to.deep.equal([]);
  });

  it('counts voters, not answers', () => {
    const queue = queueOf(1);
    acknowledge(queue, 2, 1);
    expect(acknowledge(queue, 2, 1)).to.deep.equal([]);
  });

  it('never confirms a later read by a late answer', () => {
    const queue = queueOf(1);
    acknowledge(queue, 2, 1);
    acknowledge(queue, 3, 1);
    add(queue, 2);
    expect(acknowledge(queue, 4, 1)).to.deep.equal([]);
    expect(acknowledge(queue, 5, 1)).to.deep.equal([]);
    expect(queue.size).to.equal(1);
  });

  it('takes no answer to a question that was never asked', () => {
    const queue = queueOf(1);
    acknowledge(queue, 2, 1_000);
    acknowledge(queue, 3, 1_000);
    add(queue, 2);
    expect([queue.takeConfirmed(VOTERS), queue.size]).to.deep.equal([[], 1]);
  });

  it('does not take an answer back', () => {
    const queue = queueOf(1, 2);
    acknowledge(queue, 2, 2);
    acknowledge(queue, 2, 1);
    expect(acknowledge(queue, 3, 2)).to.deep.equal([1, 2]);
  });
});
