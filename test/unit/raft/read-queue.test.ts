import { expect } from 'chai';
import { ReadQueue } from '../../../src/raft/read-queue.js';

const voters = [1, 2, 3, 4, 5];

/** A queue with these reads in it, asked by node 1, who has confirmed itself. */
function queueOf(...contexts: readonly number[]): ReadQueue {
  const queue = new ReadQueue();
  for (const context of contexts) queue.add({ context, index: context * 10 });
  queue.acknowledge(1, queue.lastPosition, voters);
  return queue;
}

describe('ReadQueue', () => {
  it('has no position while nothing waits', () => {
    expect([queueOf().lastPosition, queueOf().size]).to.deep.equal([0, 0]);
  });

  it('confirms every read up to a position once a majority has answered it (Raft 8)', () => {
    const queue = queueOf(1, 2);
    expect(queue.acknowledge(2, 2, voters)).to.deep.equal([]);
    expect(queue.acknowledge(3, 2, voters)).to.deep.equal([
      { context: 1, index: 10 },
      { context: 2, index: 20 },
    ]);
    expect(queue.size).to.equal(0);
  });

  it('confirms what a majority has in common', () => {
    const queue = queueOf(1, 2, 3);
    queue.acknowledge(2, 1, voters);
    expect(queue.acknowledge(3, 3, voters).map(({ context }) => context)).to.deep.equal([1]);
    expect(queue.acknowledge(4, 2, voters).map(({ context }) => context)).to.deep.equal([2]);
    expect(queue.lastPosition).to.equal(3);
  });

  it('counts voters, not answers', () => {
    const queue = queueOf(1);
    queue.acknowledge(2, 1, voters);
    expect(queue.acknowledge(2, 1, voters)).to.deep.equal([]);
  });

  it('never confirms a later read by a late answer', () => {
    const queue = queueOf(1);
    queue.acknowledge(2, 1, voters);
    queue.acknowledge(3, 1, voters);
    queue.add({ context: 2, index: 20 });
    queue.acknowledge(1, queue.lastPosition, voters);
    expect(queue.acknowledge(4, 1, voters)).to.deep.equal([]);
    expect(queue.acknowledge(5, 1, voters)).to.deep.equal([]);
    expect(queue.size).to.equal(1);
  });

  it('takes no answer to a question that was never asked', () => {
    const queue = queueOf(1);
    queue.acknowledge(2, 1_000, voters);
    queue.acknowledge(3, 1_000, voters);
    queue.add({ context: 2, index: 20 });
    queue.acknowledge(1, queue.lastPosition, voters);
    expect(queue.size).to.equal(1);
  });

  it('does not take an answer back', () => {
    const queue = queueOf(1, 2);
    queue.acknowledge(2, 2, voters);
    queue.acknowledge(2, 1, voters);
    expect(queue.acknowledge(3, 2, voters)).to.have.length(2);
  });
});
