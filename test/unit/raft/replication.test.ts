import { expect } from 'chai';
import type { MessageOf } from '../../../src/raft/message.js';
import { textOf } from './memory-storage.js';
import { acknowledge, leading, TestNode } from './test-node.js';

/** The commands of the appends in the outbox, by receiver. */
function carriedOf(leader: TestNode): readonly [to: number, previousIndex: number, texts: readonly string[]][] {
  return leader.sent('append').map(({ to, previousIndex, entries }) => [to, previousIndex, entries.map(textOf)]);
}

/** A leader of five whose no-op (entry 1) node 2 has acknowledged, so that it is sent a pipeline. */
function pipelining(options: { maxInflightMessages?: number; maxInflightBytes?: number; maxAppendBytes?: number } = {}): TestNode {
  const leader = leading({ ...options, voters: [1, 2, 3, 4, 5] });
  acknowledge(leader, { from: 2 });
  leader.sent();
  return leader;
}

function reject(
  leader: TestNode,
  { from, index, hint: [hintIndex, hintTerm] }: { from: number; index: number; hint: readonly [number, number] },
): void {
  leader.hear({ from, term: leader.core.term, type: 'appendReply', index, rejected: true, hintIndex, hintTerm });
}

describe('a leader', () => {
  it('begins its term with an entry without data, and sends it to all at once (Raft 5.4.2, 8)', () => {
    const leader = leading({ terms: [1, 2], hardState: { term: 2 } });
    expect(leader.entries.at(-1)).to.deep.equal({ index: 3, term: 3, type: 'normal', data: new Uint8Array() });
    expect([...leader.core.progress.values()].map(({ next }) => next)).to.deep.equal([4, 3, 3]);
  });

  describe('replicates (Raft 5.3)', () => {
    it('appends a proposal at once and sends it to all with what precedes it and the commit index', () => {
      const leader = leading();
      for (const from of [2, 3]) acknowledge(leader, { from });
      leader.sent();
      expect(leader.propose('a', 'b')).to.deep.equal({ type: 'accepted', firstIndex: 2, term: 1 });
      expect(
        leader
          .sent('append')
          .map(({ to, term, previousIndex, previousTerm, commitIndex }) => ({ to, term, previousIndex, previousTerm, commitIndex })),
      ).to.deep.equal([2, 3].map((to) => ({ to, term: 1, previousIndex: 1, previousTerm: 1, commitIndex: 1 })));
      expect(leader.entries.slice(1).map(textOf)).to.deep.equal(['a', 'b']);
    });

    it('sends while its own disk still works (thesis 10.2.1)', () => {
      const leader = pipelining();
      leader.isDiskSlow = true;
      leader.propose('a');
      expect([carriedOf(leader)[0], leader.disk.lastIndex]).to.deep.equal([[2, 1, ['a']], 1]);
    });

    it('commits what a majority has on disk, tells the others and applies it', () => {
      const leader = leading();
      acknowledge(leader, { from: 2 });
      leader.propose('a');
      leader.sent();
      acknowledge(leader, { from: 3 });
      expect([leader.core.log.commitIndex, leader.appliedTexts]).to.deep.equal([2, ['a']]);
      expect(leader.sent('append').every(({ commitIndex }) => commitIndex === 2)).to.equal(true);
    });

    const acknowledgements: readonly { size: number; from: readonly number[]; isCommitted: boolean }[] = [
      { size: 1, from: [], isCommitted: true },
      { size: 2, from: [], isCommitted: false },
      { size: 2, from: [2], isCommitted: true },
      { size: 3, from: [], isCommitted: false },
      { size: 3, from: [2], isCommitted: true },
      { size: 3, from: [3], isCommitted: true },
      { size: 5, from: [], isCommitted: false },
      { size: 5, from: [2], isCommitted: false },
      { size: 5, from: [2, 2, 2], isCommitted: false },
      { size: 5, from: [2, 4], isCommitted: true },
      { size: 5, from: [2, 3, 4, 5], isCommitted: true },
    ];
    for (const { size, from, isCommitted } of acknowledgements) {
      it(`of ${size} nodes, with itself and [${from.join()}] ${isCommitted ? 'commits' : 'does not commit'}`, () => {
        const leader = leading({ voters: Array.from({ length: size }, (_, offset) => offset + 1) });
        leader.propose('a');
        for (const id of from) acknowledge(leader, { from: id });
        expect(leader.core.log.commitIndex).to.equal(isCommitted ? 2 : 0);
      });
    }

    it('counts itself only once its own disk has the entry', () => {
      const leader = leading();
      acknowledge(leader, { from: 2 });
      leader.isDiskSlow = true;
      leader.propose('a');
      acknowledge(leader, { from: 2 });
      expect(leader.core.log.commitIndex).to.equal(1);
      leader.persist();
      expect(leader.core.log.commitIndex).to.equal(2);
    });

    it('tells a follower that was too busy to hear of a commit as soon as it answers', () => {
      const leader = leading({ maxInflightMessages: 1 });
      for (const from of [2, 3]) acknowledge(leader, { from });
      leader.propose('a');
      acknowledge(leader, { from: 2 });
      leader.sent();
      acknowledge(leader, { from: 3 });
      expect(leader.sent('append').map(({ to, commitIndex, entries }) => [to, commitIndex, entries.length])).to.deep.equal([[3, 2, 0]]);
    });

    it('may commit before its own disk has it, and applies it only after', () => {
      const leader = leading();
      acknowledge(leader, { from: 2 });
      leader.isDiskSlow = true;
      leader.propose('a');
      for (const from of [2, 3]) acknowledge(leader, { from });
      expect([leader.core.log.commitIndex, leader.appliedTexts]).to.deep.equal([2, []]);
      leader.persist();
      expect(leader.appliedTexts).to.deep.equal(['a']);
    });

    it('does not count its own write of a term that is over', () => {
      const leader = leading({ isDiskSlow: true });
      leader.propose('a');
      leader.hear({ from: 2, term: 2, type: 'heartbeat', commitIndex: 0, readRound: 0 });
      leader.persist();
      expect([leader.core.role, leader.core.log.commitIndex]).to.deep.equal(['follower', 0]);
    });

    it('takes no acknowledgement for what it never wrote', () => {
      const leader = leading();
      for (const from of [2, 3]) acknowledge(leader, { from, index: 99 });
      expect([leader.core.log.commitIndex, leader.core.progressOf(2).match]).to.deep.equal([0, 0]);
    });
  });

  describe('commits entries of former terms only by way of its own (Raft 5.4.2)', () => {
    const rows: readonly { acknowledged: number; committed: number }[] = [
      { acknowledged: 1, committed: 0 },
      { acknowledged: 2, committed: 0 },
      { acknowledged: 3, committed: 3 },
    ];
    for (const { acknowledged, committed } of rows) {
      it(`with entries of terms 1 and 2 before its no-op 3, ${acknowledged} on a majority: committed up to ${committed}`, () => {
        const leader = leading({ terms: [1, 2], hardState: { term: 2 } });
        acknowledge(leader, { from: 2, index: acknowledged });
        expect([leader.core.log.commitIndex, leader.applied.length]).to.deep.equal([committed, committed]);
      });
    }
  });

  describe('finds where a follower agrees', () => {
    it('sends one append at a time until then, and again after each heartbeat answer', () => {
      const leader = leading();
      leader.propose('a');
      leader.propose('b');
      expect(leader.sent('append'), 'the no-op is under way and unanswered').to.deep.equal([]);
      leader.hear({ from: 2, term: 1, type: 'heartbeatReply', readRound: 0 });
      expect(carriedOf(leader)).to.deep.equal([[2, 0, ['', 'a', 'b']]]);
    });

    it('pipelines once a follower has agreed: it does not wait for answers', () => {
      const leader = pipelining();
      leader.propose('a');
      leader.propose('b');
      leader.propose('c');
      expect(carriedOf(leader).filter(([to]) => to === 2)).to.deep.equal([
        [2, 1, ['a']],
        [2, 2, ['b']],
        [2, 3, ['c']],
      ]);
    });

    it('goes back to asking when a pipelined append is refused, and sends again what was lost', () => {
      const leader = pipelining();
      for (const text of ['a', 'b', 'c']) leader.propose(text);
      leader.sent();
      reject(leader, { from: 2, index: 3, hint: [1, 1] });
      expect([leader.core.progressOf(2).state, carriedOf(leader)]).to.deep.equal(['probe', [[2, 1, ['a', 'b', 'c']]]]);
    });

    it('hears a refusal once: what is stale or repeated is not answered', () => {
      const leader = pipelining();
      leader.propose('a');
      leader.sent();
      reject(leader, { from: 2, index: 1, hint: [1, 1] });
      expect([leader.core.progressOf(2).state, leader.sent()]).to.deep.equal(['replicate', []]);
    });

    // Fast backtracking: the follower names its largest possible match, the leader skips what is above its term.
    type Row = { leader: readonly number[]; follower: readonly number[]; asks: readonly number[] };
    const rows: readonly Row[] = [
      { leader: [1, 3, 3, 3, 5, 5, 5, 5], follower: [1, 1, 1, 1, 2, 2], asks: [8, 1] },
      { leader: [1, 3, 3, 3, 5, 5, 5, 5, 5], follower: [1, 3, 3, 4, 4, 4, 4], asks: [9, 4, 3] },
      { leader: [1, 1, 1, 1, 2, 2], follower: [1, 3, 3, 3, 3, 3, 3], asks: [6, 1] },
      { leader: [1, 1, 1, 1, 1], follower: [1, 1], asks: [5, 2] },
      { leader: [1, 1, 1, 1, 1], follower: [], asks: [5, 0] },
      { leader: [2, 2, 5, 5, 9], follower: [2, 2, 4, 4, 4, 4], asks: [5, 2] },
      { leader: [4, 4, 4, 4], follower: [1, 1, 2, 2, 3, 3], asks: [4, 0] },
    ];
    for (const { leader: terms, follower, asks } of rows) {
      it(`${follower.join('') || 'an empty log'} under ${terms.join('')} agrees after asking at ${asks.join(' and ')}`, () => {
        const { asked, ends } = reconcile(terms, follower);
        expect(asked).to.deep.equal(asks);
        expect(ends).to.deep.equal([...terms, 10]);
      });
    }
  });

  describe('bounds what is under way', () => {
    it('by messages: a full pipeline waits for an answer', () => {
      const leader = pipelining({ maxInflightMessages: 2 });
      for (const text of ['a', 'b', 'c', 'd']) leader.propose(text);
      expect(carriedOf(leader).filter(([to]) => to === 2)).to.deep.equal([
        [2, 1, ['a']],
        [2, 2, ['b']],
      ]);
      acknowledge(leader, { from: 2, index: 2 });
      expect(carriedOf(leader)).to.deep.equal([[2, 3, ['c', 'd']]]);
    });

    it('by bytes: one message may cross the limit, no second one', () => {
      const leader = pipelining({ maxInflightBytes: 60 });
      leader.propose('x'.repeat(100));
      leader.propose('b');
      expect(carriedOf(leader).filter(([to]) => to === 2)).to.have.length(1);
      acknowledge(leader, { from: 2, index: 2 });
      expect(carriedOf(leader)).to.deep.equal([[2, 2, ['b']]]);
    });

    it('a heartbeat answer lets a full pipeline send an empty append, so that a loss is noticed', () => {
      const leader = pipelining({ maxInflightMessages: 1 });
      leader.propose('a');
      leader.propose('b');
      leader.sent();
      leader.hear({ from: 2, term: 1, type: 'heartbeatReply', readRound: 0 });
      expect(carriedOf(leader)).to.deep.equal([[2, 2, []]]);
    });

    it('one append carries no more bytes than it may, and at least one entry', () => {
      // An entry of one letter has nine bytes, one of a hundred 108.
      const leader = pipelining({ maxAppendBytes: 18 });
      leader.propose('a', 'b', 'c', 'x'.repeat(100));
      acknowledge(leader, { from: 3, index: 1 });
      expect(carriedOf(leader).filter(([to]) => to === 3)).to.deep.equal([
        [3, 1, ['a', 'b']],
        [3, 3, ['c']],
        [3, 4, ['x'.repeat(100)]],
      ]);
    });
  });

  describe('bounds what is not committed', () => {
    const command = 'x'.repeat(100);

    it('refuses a proposal beyond the limit, and takes it again when room is made', () => {
      const leader = leading({ maxUncommittedBytes: 299 });
      expect([1, 2, 3].map(() => leader.propose(command).type)).to.deep.equal(['accepted', 'accepted', 'refused']);
      expect(leader.propose(command)).to.deep.equal({ type: 'refused', why: 'tooMuchUncommitted' });
      acknowledge(leader, { from: 2 });
      expect(leader.propose(command).type).to.equal('accepted');
    });

    it('takes one that alone is beyond the limit, when nothing else waits', () => {
      const leader = leading({ maxUncommittedBytes: 10 });
      expect(leader.propose(command).type).to.equal('accepted');
    });

    it('starts at nothing with each term', () => {
      const leader = leading({ maxUncommittedBytes: 300 });
      leader.propose(command, command);
      leader.hear({ from: 2, term: 2, type: 'heartbeat', commitIndex: 0, readRound: 0 });
      expect(leader.core.uncommittedBytes).to.equal(0);
    });
  });

  it('tells in a heartbeat no commit index beyond what that follower is known to hold', () => {
    const leader = leading();
    leader.propose('a', 'b');
    acknowledge(leader, { from: 2 });
    leader.sent();
    leader.tick();
    expect(leader.sent('heartbeat').map(({ to, commitIndex }) => [to, commitIndex])).to.deep.equal([
      [2, 3],
      [3, 0],
    ]);
  });

  it('sends in the order of the ids', () => {
    const leader = leading({ voters: [5, 3, 1, 4, 2] });
    leader.tick();
    expect(leader.sent('heartbeat').map(({ to }) => to)).to.deep.equal([2, 3, 4, 5]);
  });
});

/** Lets a real follower answer a real leader (of term 10) until they agree; says at which indexes it was asked. */
function reconcile(leaderTerms: readonly number[], followerTerms: readonly number[]): { asked: readonly number[]; ends: readonly number[] } {
  const leader = leading({ terms: leaderTerms, hardState: { term: 9 } });
  const follower = new TestNode({ id: 2, terms: followerTerms });
  const asked: number[] = [];
  // The first append of the term was lost; a heartbeat answer asks for it again.
  leader.hear({ from: 2, term: 10, type: 'heartbeatReply', readRound: 0 });
  for (let append = nextTo(leader, 2); append !== undefined; append = nextTo(leader, 2)) {
    if (leader.core.progressOf(2).state === 'probe') asked.push(append.previousIndex);
    follower.step(append);
    for (const reply of follower.sent('appendReply')) leader.step(reply);
  }
  return { asked, ends: follower.terms };
}

function nextTo(leader: TestNode, to: number): MessageOf<'append'> | undefined {
  return leader.sent('append').find((append) => append.to === to);
}
