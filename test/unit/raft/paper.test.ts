import { expect } from 'chai';
import type { Role } from '../../../src/raft/types.js';
import { SeededRandom } from '../seeded-random.js';
import { Cluster } from './cluster.js';
import { entriesOf, textOf } from './memory-storage.js';
import { acknowledge, candidate, type Heard, leading, settled, TestNode, type TestNodeOptions } from './test-node.js';

/** Plain Raft as the paper has it: no pre-votes, and nobody is refused for a lease. */
const PLAIN = { preVote: false, checkQuorum: false } as const;

function votersOf(size: number): readonly number[] {
  return Array.from({ length: size }, (_, offset) => offset + 1);
}

function nodeAs(role: Role): TestNode {
  if (role === 'leader') return leading(PLAIN);
  return role === 'candidate' ? candidate(PLAIN) : new TestNode({ ...PLAIN, hardState: { term: 1 } });
}

function append(term: number, parts: Partial<Extract<Heard, { type: 'append' }>> = {}): Heard {
  return { from: 2, term, type: 'append', previousIndex: 0, previousTerm: 0, commitIndex: 0, entries: [], ...parts };
}

const ROLES = ['follower', 'candidate', 'leader'] as const;

describe('what the Raft paper says, statement by statement', () => {
  for (const role of ROLES) {
    it(`Raft 5.1: a ${role} that sees a later term adopts it and is a follower`, () => {
      const node = nodeAs(role);
      node.hear(append(2));
      expect([node.core.role, node.core.term]).to.deep.equal(['follower', 2]);
    });

    it(`Raft 5.1: a ${role} does not process a message of a former term`, () => {
      const node = nodeAs(role);
      const before = [node.core.role, node.core.term, node.terms.length];
      node.hear(append(0, { entries: entriesOf([0]) }));
      expect([node.core.role, node.core.term, node.terms.length]).to.deep.equal(before);
      expect(node.sent()).to.deep.equal([]);
    });
  }

  it('Raft 5.2: a server starts as a follower', () => {
    expect(new TestNode(PLAIN).core.role).to.equal('follower');
  });

  it('Raft 5.2: a leader sends heartbeats, without entries, to all others at each interval', () => {
    const leader = settled({ ...PLAIN, heartbeatTicks: 2 });
    leader.tick(2);
    expect(leader.sent().map(({ type, to }) => [type, to])).to.deep.equal([
      ['heartbeat', 2],
      ['heartbeat', 3],
    ]);
  });

  for (const role of ['follower', 'candidate'] as const) {
    it(`Raft 5.2: a ${role} whose election timeout ends is a candidate of the next term, votes for itself and asks all others`, () => {
      const node = nodeAs(role);
      node.timeOut();
      expect([node.core.role, node.core.term, node.core.votedFor]).to.deep.equal(['candidate', 2, 1]);
      expect(node.sent().map(({ type, to, term }) => [type, to, term])).to.deep.equal([
        ['vote', 2, 2],
        ['vote', 3, 2],
      ]);
    });
  }

  const rounds: readonly [size: number, votes: string, role: Role][] = [
    [1, '', 'leader'],
    [3, 'yy', 'leader'],
    [3, 'y-', 'leader'],
    [5, 'yyyy', 'leader'],
    [5, 'yyy-', 'leader'],
    [5, 'yy--', 'leader'],
    [3, 'nn', 'follower'],
    [5, 'nnnn', 'follower'],
    [5, 'ynnn', 'follower'],
    [3, '--', 'candidate'],
    [5, 'y---', 'candidate'],
    [5, 'ny--', 'candidate'],
  ];
  for (const [size, votes, role] of rounds) {
    it(`Raft 5.2: a candidate among ${size} that is answered '${votes}' in its round is a ${role}`, () => {
      const node = candidate({ ...PLAIN, voters: votersOf(size) });
      votes.split('').forEach((vote, offset) => {
        if (vote !== '-') node.hear({ from: offset + 2, term: 1, type: 'voteReply', granted: vote === 'y' });
      });
      expect([node.core.role, node.core.term]).to.deep.equal([role, 1]);
    });
  }

  for (const [votedFor, from, granted] of [
    [undefined, 2, true],
    [undefined, 3, true],
    [2, 2, true],
    [3, 3, true],
    [2, 3, false],
    [3, 2, false],
  ] as const) {
    it(`Raft 5.2: who voted for ${votedFor ?? 'nobody'} in a term ${granted ? 'votes' : 'does not vote'} for ${from}: first come, first served`, () => {
      const node = new TestNode({ ...PLAIN, hardState: { term: 1, votedFor } });
      node.hear({ from, term: 1, type: 'vote', lastIndex: 0, lastTerm: 0, isTransfer: false });
      expect(node.sent('voteReply').map((reply) => [reply.to, reply.granted])).to.deep.equal([[from, granted]]);
    });
  }

  for (const term of [1, 2]) {
    it(`Raft 5.2: a candidate of term 1 that hears a leader of term ${term} is a follower`, () => {
      const node = candidate(PLAIN);
      node.hear(append(term));
      expect([node.core.role, node.core.term, node.core.leaderId]).to.deep.equal(['follower', term, 2]);
    });
  }

  for (const role of ['follower', 'candidate'] as const) {
    it(`Raft 5.2: the election timeout of a ${role} takes every value of [T, 2T - 1]`, () => {
      const random = new SeededRandom(1);
      const seen = new Set<number>();
      for (let round = 0; round < 500; round += 1) {
        const node = new TestNode({ ...PLAIN, random, hardState: { term: 1 } });
        if (role === 'candidate') node.campaign();
        let ticks = 0;
        const { term } = node.core;
        while (node.core.term === term) {
          node.tick();
          ticks += 1;
        }
        seen.add(ticks);
      }
      expect([...seen].sort((one, other) => one - other)).to.deep.equal([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    });

    it(`Raft 5.2: among five, the two ${role}s that time out first seldom do so together`, () => {
      const random = new SeededRandom(1);
      let conflicts = 0;
      for (let round = 0; round < 1_000; round += 1) {
        const timeouts = votersOf(5).map((id) => {
          const node = new TestNode({ ...PLAIN, id, voters: votersOf(5), random });
          if (role === 'candidate') node.campaign();
          return node.core.electionTimeoutTicks;
        });
        const first = Math.min(...timeouts);
        if (timeouts.filter((ticks) => ticks === first).length > 1) conflicts += 1;
      }
      expect(conflicts).to.be.below(300);
    });
  }

  it('Raft 5.3: a leader appends a proposal, and sends it to all with what precedes it and its commit index', () => {
    const leader = settled({ ...PLAIN, isDiskSlow: true });
    leader.persist();
    leader.propose('a');
    expect(
      leader
        .sent('append')
        .map(({ to, previousIndex, previousTerm, commitIndex, entries }) => [to, previousIndex, previousTerm, commitIndex, entries.map(textOf)]),
    ).to.deep.equal([
      [2, 1, 1, 1, ['a']],
      [3, 1, 1, 1, ['a']],
    ]);
    expect([leader.core.log.lastIndex, leader.disk.lastIndex, leader.core.log.hasUnstable]).to.deep.equal([2, 1, true]);
  });

  it('Raft 5.3: a leader commits what a majority has, hands it out to be applied, and tells it with the next append', () => {
    const leader = settled(PLAIN);
    leader.propose('a');
    leader.sent();
    acknowledge(leader, { from: 2 });
    expect([leader.core.log.commitIndex, leader.appliedTexts]).to.deep.equal([2, ['a']]);
    expect(leader.sent('append').map(({ commitIndex }) => commitIndex)).to.deep.equal([2, 2]);
  });

  const ackers: readonly [size: number, from: readonly number[], isCommitted: boolean][] = [
    [1, [], true],
    [3, [], false],
    [3, [2], true],
    [3, [2, 3], true],
    [5, [], false],
    [5, [2], false],
    [5, [2, 3], true],
    [5, [2, 3, 4], true],
    [5, [2, 3, 4, 5], true],
  ];
  for (const [size, from, isCommitted] of ackers) {
    it(`Raft 5.3: among ${size}, an entry that the leader and [${from.join()}] have is ${isCommitted ? '' : 'not '}committed`, () => {
      const leader = settled({ ...PLAIN, voters: votersOf(size) });
      leader.propose('a');
      for (const id of from) acknowledge(leader, { from: id });
      expect(leader.core.log.commitIndex).to.equal(isCommitted ? 2 : 1);
    });
  }

  for (const terms of [[], [2], [1, 2], [1]]) {
    it(`Raft 5.3: with its own entry a leader commits all before it, ${terms.length === 0 ? 'none' : `of terms ${terms.join()}`}, and applies them in order`, () => {
      const leader = leading({ ...PLAIN, terms, hardState: { term: 2 } });
      leader.propose('a');
      acknowledge(leader, { from: 2 });
      expect(leader.applied.map(({ index, term }) => [index, term])).to.deep.equal([...terms, 3, 3].map((term, offset) => [offset + 1, term]));
    });
  }

  for (const commitIndex of [1, 2, 3]) {
    it(`Raft 5.3: a follower applies, in order, up to the commit index ${commitIndex} that it is told`, () => {
      const node = new TestNode({ ...PLAIN, hardState: { term: 1 } });
      node.hear(append(1, { commitIndex, entries: entriesOf([1, 1, 1]) }));
      expect(node.appliedTexts).to.deep.equal(['1@1', '2@1', '3@1'].slice(0, commitIndex));
    });
  }

  const checks: readonly [previousIndex: number, previousTerm: number, index: number, rejected: boolean][] = [
    [0, 0, 1, false],
    [1, 1, 1, false],
    [2, 2, 2, false],
    [1, 2, 1, true],
    [2, 1, 2, true],
    [3, 3, 3, true],
  ];
  for (const [previousIndex, previousTerm, index, rejected] of checks) {
    it(`Raft 5.3: a follower with entries of terms 1 and 2 ${rejected ? 'rejects' : 'accepts'} an append after ${previousIndex} of term ${previousTerm}`, () => {
      const hardState = { term: 2, commitIndex: previousIndex === 1 && previousTerm === 2 ? 0 : 1 };
      const node = new TestNode({ ...PLAIN, terms: [1, 2], hardState });
      node.hear(append(2, { previousIndex, previousTerm }));
      expect(node.sent('appendReply').map((reply) => [reply.index, reply.rejected])).to.deep.equal([[index, rejected]]);
    });
  }

  const merges: readonly [
    previousIndex: number,
    previousTerm: number,
    terms: readonly number[],
    log: readonly number[],
    unstable: readonly number[],
  ][] = [
    [2, 2, [3], [1, 2, 3], [3]],
    [1, 1, [3, 4], [1, 3, 4], [3, 4]],
    [0, 0, [1], [1, 2], []],
    [0, 0, [3], [3], [3]],
  ];
  for (const [previousIndex, previousTerm, terms, log, unstable] of merges) {
    it(`Raft 5.3: a follower with terms 1 and 2 that gets ${terms.join()} after ${previousIndex} has ${log.join()}`, () => {
      const node = new TestNode({ ...PLAIN, terms: [1, 2], hardState: { term: 2 }, isDiskSlow: true });
      node.hear(append(4, { previousIndex, previousTerm, entries: entriesOf(terms, previousIndex + 1) }));
      expect(node.terms).to.deep.equal(log);
      expect(node.works.flatMap(({ entries }) => entries.map(({ term }) => term))).to.deep.equal(unstable);
    });
  }

  it('Raft 5.3, figure 7: a leader brings the log of every follower to its own', () => {
    const log = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    const followers = [
      [1, 1, 1, 4, 4, 5, 5, 6, 6],
      [1, 1, 1, 4],
      [...log, 6],
      [...log, 7, 7],
      [1, 1, 1, 4, 4, 4, 4],
      [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ];
    for (const terms of followers) {
      const saved = { 1: { terms: log, hardState: { term: 7 } }, 2: { terms, hardState: { term: 7 } }, 3: { hardState: { term: 7 } } };
      const cluster = new Cluster({ size: 3, options: PLAIN, saved });
      cluster.elect(1);
      cluster.tick(3);
      expect(cluster.node(2).terms, terms.join('')).to.deep.equal([...log, 8]);
    }
  });

  for (const terms of [[1], [1, 2]]) {
    it(`Raft 5.4.1: a vote request goes to all others with index and term of the last entry (the log is ${terms.join()})`, () => {
      const node = new TestNode({ ...PLAIN, terms });
      node.timeOut();
      const last = [terms.length, terms.at(-1)];
      expect(node.sent('vote').map(({ to, lastIndex, lastTerm }) => [to, lastIndex, lastTerm])).to.deep.equal([
        [2, ...last],
        [3, ...last],
      ]);
    });
  }

  const voters: readonly [terms: readonly number[], lastTerm: number, lastIndex: number, granted: boolean][] = [
    [[1], 1, 1, true],
    [[1], 1, 2, true],
    [[1, 1], 1, 1, false],
    [[1], 2, 1, true],
    [[1], 2, 2, true],
    [[1, 1], 2, 1, true],
    [[2], 1, 1, false],
    [[2], 1, 2, false],
    [[2, 1], 1, 1, false],
  ];
  for (const [terms, lastTerm, lastIndex, granted] of voters) {
    it(`Raft 5.4.1: a voter with the log ${terms.join()} ${granted ? 'grants' : 'denies'} its vote to one that ends at ${lastIndex} with term ${lastTerm}`, () => {
      const node = new TestNode({ ...PLAIN, terms });
      node.hear({ from: 2, term: 3, type: 'vote', lastIndex, lastTerm, isTransfer: false });
      expect(node.sent('voteReply').map((reply) => reply.granted)).to.deep.equal([granted]);
    });
  }

  for (const [index, commitIndex] of [
    [1, 0],
    [2, 0],
    [3, 3],
  ] as const) {
    it(`Raft 5.4.2: a leader of term 3 with entries of terms 1, 2, 3 of which ${index} are on a majority commits ${commitIndex}: only its own by counting`, () => {
      const leader = leading({ ...PLAIN, terms: [1, 2], hardState: { term: 2 } } satisfies TestNodeOptions);
      acknowledge(leader, { from: 2, index });
      expect(leader.core.log.commitIndex).to.equal(commitIndex);
    });
  }
});
