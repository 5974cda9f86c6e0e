import { expect } from 'chai';
import type { Body } from '../../../src/raft/message.js';
import { acknowledge, leading, settled, TestNode } from './test-node.js';

const REPLIES: readonly Body[] = [
  { type: 'appendReply', index: 1, rejected: false, hintIndex: 0, hintTerm: 0 },
  { type: 'heartbeatReply', readRound: 1 },
  { type: 'voteReply', granted: true },
  { type: 'preVoteReply', granted: true },
  { type: 'readIndexReply', context: 1, index: 1 },
];

const CALLS: readonly Body[] = [
  { type: 'append', previousIndex: 9, previousTerm: 9, commitIndex: 9, entries: [] },
  { type: 'heartbeat', commitIndex: 9, readRound: 9 },
  { type: 'timeoutNow' },
  { type: 'transferLeader', transferee: 2 },
  { type: 'readIndex', context: 1 },
  { type: 'propose', entries: [] },
  ...REPLIES,
];

describe('a message', () => {
  for (const body of REPLIES) {
    it(`of type ${body.type} from who is no member is told so, and changes nothing, whatever its term`, () => {
      for (const term of [0, 1, 99]) {
        const leader = settled();
        leader.hear({ from: 42, term, ...body });
        expect([leader.stepped, leader.core.role, leader.core.term, leader.sent()]).to.deep.equal(['unknownPeer', 'leader', 1, []]);
      }
    });
  }

  it('for another node is a bug of the driver, and stops the process', () => {
    expect(() => new TestNode().core.step({ from: 2, to: 3, term: 1, type: 'timeoutNow' })).to.throw('a message for this node');
  });

  for (const body of CALLS) {
    it(`of type ${body.type} and of its own term never makes a leader follow or forget`, () => {
      const leader = settled();
      leader.propose('a');
      leader.hear({ from: 2, term: 1, ...body });
      expect([leader.core.role, leader.core.term, leader.core.log.lastIndex]).to.deep.equal(['leader', 1, 2]);
    });
  }

  it('that overtakes another one is never taken for it: acknowledgements may come in any order and twice', () => {
    const leader = settled();
    for (const text of ['a', 'b', 'c']) leader.propose(text);
    for (const index of [4, 2, 3, 4, 1]) acknowledge(leader, { from: 2, index });
    expect([leader.core.progressOf(2).match, leader.core.log.commitIndex, leader.appliedTexts]).to.deep.equal([4, 4, ['a', 'b', 'c']]);
  });

  it('with a vote request goes out at once where each Ready is persisted before it is sent (the order of etcd)', () => {
    const node = new TestNode({ preVote: false, voteRequests: 'atOnce', isDiskSlow: true });
    node.campaign();
    expect([node.sent('vote').map(({ to }) => to), node.disk.hardState.term]).to.deep.equal([[2, 3], 0]);
  });

  it('that deposes a leader of a former term is its answer, unless both checks are off', () => {
    for (const [checkQuorum, preVote, answers] of [
      [true, true, 1],
      [true, false, 1],
      [false, true, 1],
      [false, false, 0],
    ] as const) {
      const node = new TestNode({ hardState: { term: 5 }, checkQuorum, preVote });
      node.hear({ from: 2, term: 4, type: 'append', previousIndex: 0, previousTerm: 0, commitIndex: 0, entries: [] });
      expect(node.sent('appendReply').map(({ term, index, rejected }) => [term, index, rejected])).to.deep.equal(
        answers === 1 ? [[5, 0, false]] : [],
      );
    }
  });

  it('from a voter to a candidate that lost counts no more', () => {
    const leader = leading();
    leader.hear({ from: 2, term: 2, type: 'heartbeat', commitIndex: 0, readRound: 0 });
    leader.hear({ from: 3, term: 2, type: 'voteReply', granted: true });
    expect([leader.core.role, leader.core.term]).to.deep.equal(['follower', 2]);
  });
});

describe('a candidate', () => {
  it('that lost its election before its own vote was on disk does not win by it', () => {
    const node = new TestNode({ voters: [1, 2], preVote: false, isDiskSlow: true });
    node.campaign();
    node.hear({ from: 2, term: 2, type: 'heartbeat', commitIndex: 0, readRound: 0 });
    node.persist();
    expect([node.core.role, node.core.term, node.core.votedFor]).to.deep.equal(['follower', 2, undefined]);
  });

  it('with preVote: a self-vote of a round that was lost does not begin the next one', () => {
    const node = new TestNode({ voters: [1], isDiskSlow: true, hardState: { term: 1 } });
    node.campaign();
    expect(node.core.role).to.equal('preCandidate');
    node.hear({ from: 2, term: 2, type: 'heartbeat', commitIndex: 0, readRound: 0 });
    node.persist();
    expect([node.core.role, node.core.term]).to.deep.equal(['follower', 2]);
  });
});
