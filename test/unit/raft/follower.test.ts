import { expect } from 'chai';
import type { AppendReply, InstallSnapshot } from '../../../src/raft/message.js';
import type { Index, Term } from '../../../src/raft/types.js';
import { entriesOf } from './memory-storage.js';
import { type Heard, membersOf, snapshotAt, TestNode, type TestNodeOptions } from './test-node.js';

interface Appended {
  readonly previous: readonly [Index, Term];
  readonly terms?: readonly Term[];
  readonly commit?: Index;
  readonly term?: Term;
}

function append({ previous: [previousIndex, previousTerm], terms = [], commit = 0, term = 4 }: Appended): Heard {
  return { from: 2, term, type: 'append', previousIndex, previousTerm, commitIndex: commit, entries: entriesOf(terms, previousIndex + 1) };
}

function heartbeat(): Heard {
  return { from: 2, term: 4, type: 'heartbeat', commitIndex: 0, readRound: 0 };
}

function snapshotMessage(): InstallSnapshot {
  return { type: 'snapshot', snapshot: snapshotAt({ index: 5, term: 4 }, membersOf({ voters: [1, 2, 3] })) };
}

function answerOf(node: TestNode): Pick<AppendReply, 'index' | 'rejected'> | undefined {
  const reply = node.sent('appendReply')[0];
  return reply === undefined ? undefined : { index: reply.index, rejected: reply.rejected };
}

function following(options: TestNodeOptions = {}): TestNode {
  return new TestNode({ ...options, hardState: { term: 4, ...options.hardState } });
}

describe('a follower', () => {
  describe('checks that the leader and it agree up to previous (Raft 5.3)', () => {
    type Row = { why: string; previous: [Index, Term]; answer: object; hint?: [Index, Term] };
    // Its log is 1, 2, 2; entry 1 is committed.
    const rows: readonly Row[] = [
      { why: 'accepts at the very beginning', previous: [0, 0], answer: { index: 1, rejected: false } },
      { why: 'accepts at a committed entry', previous: [1, 1], answer: { index: 1, rejected: false } },
      { why: 'accepts at its last entry', previous: [3, 2], answer: { index: 3, rejected: false } },
      { why: 'rejects another term in that place', previous: [2, 1], answer: { index: 2, rejected: true }, hint: [1, 1] },
      { why: 'rejects a later term in that place', previous: [3, 3], answer: { index: 3, rejected: true }, hint: [3, 2] },
      { why: 'rejects what lies past its end', previous: [9, 3], answer: { index: 9, rejected: true }, hint: [3, 2] },
    ];
    for (const { why, previous, answer, hint = [0, 0] } of rows) {
      it(why, () => {
        const node = following({ terms: [1, 2, 2], hardState: { commitIndex: 1 } });
        node.hear(append({ previous }));
        const [reply] = node.sent('appendReply');
        expect(reply).to.deep.equal({ from: 1, to: 2, term: 4, type: 'appendReply', ...answer, hintIndex: hint[0], hintTerm: hint[1] });
      });
    }
  });

  it('deletes what conflicts and everything after it, and keeps what matches (Raft 5.3)', () => {
    const rows: readonly { previous: [Index, Term]; terms: readonly Term[]; log: readonly Term[] }[] = [
      { previous: [2, 2], terms: [3], log: [1, 2, 3] },
      { previous: [1, 1], terms: [3, 4], log: [1, 3, 4] },
      { previous: [0, 0], terms: [1], log: [1, 2, 2] },
      { previous: [0, 0], terms: [3], log: [3] },
      { previous: [3, 2], terms: [4, 4], log: [1, 2, 2, 4, 4] },
    ];
    for (const { previous, terms, log } of rows) {
      const node = following({ terms: [1, 2, 2] });
      node.hear(append({ previous, terms }));
      expect(node.terms, `after ${previous.join()}`).to.deep.equal(log);
      expect(node.disk.log.map(({ term }) => term)).to.deep.equal(log);
    }
  });

  it('does not truncate for an old append that was overtaken', () => {
    const node = following({ terms: [4] });
    node.hear(append({ previous: [1, 4], terms: [4, 4, 4] }));
    node.hear(append({ previous: [1, 4], terms: [4] }));
    expect([node.terms, node.disk.lastIndex]).to.deep.equal([[4, 4, 4, 4], 4]);
    expect(node.sent('appendReply').map(({ index }) => index)).to.deep.equal([4, 2]);
  });

  it('drops an append that has a hole', () => {
    const node = following();
    const [first, , third] = entriesOf([4, 4, 4]);
    node.hear({ from: 2, term: 4, type: 'append', previousIndex: 0, previousTerm: 0, commitIndex: 3, entries: [first!, third!] });
    expect([node.terms, node.sent('appendReply')]).to.deep.equal([[], []]);
  });

  describe('commits (Raft 5.3)', () => {
    it('what it is told, and applies it in order', () => {
      const node = following();
      node.hear(append({ previous: [0, 0], terms: [4, 4, 4], commit: 2 }));
      expect(node.appliedTexts).to.deep.equal(['1@4', '2@4']);
      node.hear(append({ previous: [3, 4], commit: 3 }));
      expect(node.appliedTexts).to.deep.equal(['1@4', '2@4', '3@4']);
    });

    it('no further than the last new entry: what lies behind it was not compared', () => {
      const node = following({ terms: [1, 2, 3] });
      node.hear(append({ previous: [0, 0], terms: [1], commit: 3 }));
      expect(node.core.log.commitIndex).to.equal(1);
    });

    it('by heartbeat too, and an old one takes nothing back', () => {
      const node = following({ terms: [4, 4] });
      node.hear({ from: 2, term: 4, type: 'heartbeat', commitIndex: 2, readRound: 0 });
      node.hear({ from: 2, term: 4, type: 'heartbeat', commitIndex: 1, readRound: 0 });
      expect(node.core.log.commitIndex).to.equal(2);
    });
  });

  it('answers a heartbeat with the round it carried', () => {
    const node = following();
    node.hear({ from: 2, term: 4, type: 'heartbeat', commitIndex: 0, readRound: 17 });
    expect(node.sent()).to.deep.equal([{ from: 1, to: 2, term: 4, type: 'heartbeatReply', readRound: 17 }]);
  });

  it('refuses proposals and reads: it does not lead', () => {
    const node = following();
    expect(node.propose('a')).to.deep.equal({ type: 'refused', why: 'notLeader' });
    expect([node.readIndex(1), node.terms]).to.deep.equal([false, []]);
  });

  it('does not believe a second leader of one term', () => {
    const node = following();
    node.hear(append({ previous: [0, 0] }));
    node.sent();
    for (const other of [append({ previous: [0, 0], terms: [4] }), heartbeat(), { ...heartbeat(), ...snapshotMessage() }])
      node.hear({ ...other, from: 3 });
    expect([node.core.leaderId, node.terms, node.sent()]).to.deep.equal([2, [], []]);
  });

  describe('with a slow disk', () => {
    it('acknowledges only what is written', () => {
      const node = following({ isDiskSlow: true });
      node.hear(append({ previous: [0, 0], terms: [4, 4], commit: 2 }));
      expect([node.sent('appendReply'), node.appliedTexts]).to.deep.equal([[], []]);
      node.persist();
      expect([answerOf(node), node.appliedTexts]).to.deep.equal([{ index: 2, rejected: false }, ['1@4', '2@4']]);
    });

    it('forgets in a crash what it did not acknowledge', () => {
      const node = following({ isDiskSlow: true });
      node.hear(append({ previous: [0, 0], terms: [4] }));
      node.persist();
      node.hear(append({ previous: [1, 4], terms: [4] }));
      node.restart();
      expect([node.terms, node.sent('appendReply')]).to.deep.equal([[4], []]);
    });

    it('does not take the write of replaced entries for that of the new ones (ABA)', () => {
      const node = following({ terms: [1], isDiskSlow: true });
      node.hear(append({ previous: [1, 1], terms: [4], term: 4 }));
      node.hear({ ...append({ previous: [1, 1], terms: [5], term: 5 }), from: 3 });
      // The leader of term 6 has entry 2 of term 4 after all.
      node.hear(append({ previous: [1, 1], terms: [4], term: 6, commit: 2 }));
      node.persist(1);
      expect([node.core.log.hasUnstable, node.appliedTexts]).to.deep.equal([true, ['1@1']]);
      node.persist(1);
      expect([node.core.log.hasUnstable, node.appliedTexts]).to.deep.equal([true, ['1@1']]);
      node.persist(1);
      expect([node.core.log.hasUnstable, node.appliedTexts, node.disk.termAt(2)]).to.deep.equal([false, ['1@1', '2@4'], 4]);
    });

    it('knows that its entries are written although the term changed while the disk worked', () => {
      const node = following({ isDiskSlow: true });
      node.hear(append({ previous: [0, 0], terms: [4] }));
      node.hear({ from: 3, term: 5, type: 'heartbeat', commitIndex: 0, readRound: 0 });
      node.persist();
      expect(node.core.log.hasUnstable).to.equal(false);
    });
  });

  describe('after a restart', () => {
    it('has its term, vote, log and commit index', () => {
      const node = following({ terms: [1, 4], hardState: { term: 4, votedFor: 3, commitIndex: 1 } });
      node.restart();
      const { term, votedFor, role, leaderId, log } = node.core;
      expect({ term, votedFor, role, leaderId }).to.deep.equal({ term: 4, votedFor: 3, role: 'follower', leaderId: undefined });
      expect([log.commitIndex, log.lastIndex]).to.deep.equal([1, 2]);
    });

    it('takes what was applied for committed, although the commit index on disk lags', () => {
      const node = new TestNode({ terms: [1, 1, 1], hardState: { commitIndex: 1 }, appliedIndex: 2 });
      expect([node.core.log.commitIndex, node.core.log.appliedIndex]).to.deep.equal([2, 2]);
    });

    it('applies again only what lies after the applied index', () => {
      const node = new TestNode({ terms: [1, 1, 1], hardState: { commitIndex: 3 }, appliedIndex: 2 });
      node.collect();
      expect(node.appliedTexts).to.deep.equal(['3@1']);
    });

    it('refuses a disk that has lost what was committed', () => {
      const node = new TestNode({ terms: [1, 1] });
      node.disk.hardState = { term: 1, votedFor: undefined, commitIndex: 3 };
      expect(() => node.restart()).to.throw('its disk was lost or is an old copy');
    });
  });
});
