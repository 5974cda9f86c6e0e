import { expect } from 'chai';
import fc from 'fast-check';
import { committedIndex, jointCommittedIndex, jointIds, jointVoteResult, majorityOf, voteResult, type VoteResult } from '../../../src/raft/quorum.js';
import { SeededRandom } from '../seeded-random.js';

describe('quorum', () => {
  it('is more than half', () => {
    expect([1, 2, 3, 4, 5, 6, 7].map(majorityOf)).to.deep.equal([1, 2, 2, 3, 3, 4, 4]);
  });

  describe('committedIndex', () => {
    const rows: readonly { match: readonly number[]; committed: number }[] = [
      { match: [7], committed: 7 },
      { match: [7, 3], committed: 3 },
      { match: [7, 0], committed: 0 },
      { match: [1, 2, 3], committed: 2 },
      { match: [3, 3, 0], committed: 3 },
      { match: [5, 0, 0], committed: 0 },
      { match: [4, 3, 2, 1], committed: 2 },
      { match: [9, 8, 7, 6, 5], committed: 7 },
      { match: [9, 9, 1, 1, 1], committed: 1 },
      // Numbers, not text: 10 is more than 9.
      { match: [10, 9, 100], committed: 10 },
    ];
    for (const { match, committed } of rows) {
      it(`of ${match.join(', ')} is ${committed}`, () => {
        const voters = match.map((_, offset) => offset + 1);
        expect(committedIndex(voters, (voter) => match[voter - 1]!)).to.equal(committed);
      });
    }

    it('is the largest index that more than half has reached, whatever the indexes are', () => {
      const random = new SeededRandom(1);
      for (let round = 0; round < 2_000; round += 1) {
        const match = Array.from({ length: 1 + random.below(7) }, () => random.below(6));
        const voters = match.map((_, offset) => offset + 1);
        const found = committedIndex(voters, (voter) => match[voter - 1]!);
        const holders = (index: number): number => match.filter((reached) => reached >= index).length;
        expect(holders(found) * 2, match.join()).to.be.above(match.length);
        expect(holders(found + 1) * 2, match.join()).to.be.at.most(match.length);
      }
    });
  });

  describe('voteResult', () => {
    const rows: readonly { votes: string; result: VoteResult }[] = [
      { votes: 'y', result: 'won' },
      { votes: 'n', result: 'lost' },
      { votes: '-', result: 'pending' },
      { votes: 'y-', result: 'pending' },
      { votes: 'yn', result: 'lost' },
      { votes: 'yy', result: 'won' },
      { votes: 'y--', result: 'pending' },
      { votes: 'yy-', result: 'won' },
      { votes: 'yn-', result: 'pending' },
      { votes: 'nn-', result: 'lost' },
      { votes: 'yynn', result: 'lost' },
      { votes: 'yyn--', result: 'pending' },
      { votes: 'yyynn', result: 'won' },
      { votes: 'nnn--', result: 'lost' },
    ];
    for (const { votes, result } of rows) {
      it(`of ${votes} is ${result}`, () => {
        const voters = votes.split('').map((_, offset) => offset + 1);
        expect(voteResult(voters, (voter) => ({ y: true, n: false })[votes[voter - 1]!])).to.equal(result);
      });
    }
  });

  describe('of no voters', () => {
    it('commits anything and wins, so that an empty half of a joint configuration decides nothing', () => {
      expect([committedIndex([], () => 7), voteResult([], () => false)]).to.deep.equal([Infinity, 'won']);
      expect(jointCommittedIndex([[1], []], () => 7)).to.equal(7);
      expect(jointVoteResult([[1], []], () => false)).to.equal('lost');
    });
  });

  describe('of a joint configuration', () => {
    const results: readonly [incoming: string, outgoing: string, result: VoteResult][] = [
      ['y', 'y', 'won'],
      ['y', 'n', 'lost'],
      ['n', 'y', 'lost'],
      ['y', '-', 'pending'],
      ['-', 'y', 'pending'],
      ['-', 'n', 'lost'],
      ['-', '-', 'pending'],
      ['yy-', 'y--', 'pending'],
      ['yy-', 'nn-', 'lost'],
    ];
    for (const [incoming, outgoing, result] of results) {
      it(`votes ${incoming} and ${outgoing} are ${result}`, () => {
        const votes = incoming + outgoing;
        const ids = votes.split('').map((_, offset) => offset + 1);
        const vote = (voter: number): boolean | undefined => ({ y: true, n: false })[votes[voter - 1]!];
        expect(jointVoteResult([ids.slice(0, incoming.length), ids.slice(incoming.length)], vote)).to.equal(result);
      });
    }

    it('asks each voter of either half once, in order', () => {
      expect([
        jointIds([
          [1, 4],
          [1, 2],
        ]),
        jointIds([[3, 5], []]),
      ]).to.deep.equal([
        [1, 2, 4],
        [3, 5],
      ]);
    });
  });

  describe('beside another way of counting, on any configuration (property)', () => {
    const half = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 9 });
    const indexes = fc.array(fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }), { minLength: 10, maxLength: 10 });
    const votes = fc.array(fc.constantFrom(true, false, undefined), { minLength: 10, maxLength: 10 });

    it('commits the largest index for which more than half of each list has at least that', () => {
      fc.assert(
        fc.property(half, half, indexes, (incoming, outgoing, known) => {
          const has = (index: number) => (id: number) => (known[id] ?? 0) >= index;
          const isHeld = (ids: readonly number[], index: number): boolean => ids.length === 0 || ids.filter(has(index)).length * 2 > ids.length;
          const expected =
            incoming.length + outgoing.length === 0
              ? Infinity
              : Math.max(...Array.from({ length: 21 }, (_, index) => index).filter((index) => isHeld(incoming, index) && isHeld(outgoing, index)));
          expect(jointCommittedIndex([incoming, outgoing], (id) => known[id])).to.equal(expected);
        }),
        { numRuns: 3_000 },
      );
    });

    it('an election is won or lost exactly when no answer that is missing can change it', () => {
      fc.assert(
        fc.property(half, half, votes, (incoming, outgoing, known) => {
          const isWon = (ids: readonly number[], missing: boolean): boolean =>
            ids.length === 0 || ids.filter((id) => known[id] ?? missing).length * 2 > ids.length;
          const worst = isWon(incoming, false) && isWon(outgoing, false);
          const best = isWon(incoming, true) && isWon(outgoing, true);
          expect(jointVoteResult([incoming, outgoing], (id) => known[id])).to.equal(worst ? 'won' : best ? 'pending' : 'lost');
        }),
        { numRuns: 3_000 },
      );
    });

    it('does not care in which order the voters are (raft.md hazard 21)', () => {
      fc.assert(
        fc.property(half, indexes, (ids, known) => {
          const backwards = [...ids].reverse();
          expect(committedIndex(backwards, (id) => known[id])).to.equal(committedIndex(ids, (id) => known[id]));
        }),
      );
    });
  });
});
