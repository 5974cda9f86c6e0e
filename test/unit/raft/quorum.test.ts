import { expect } from 'chai';
import { committedIndex, majorityOf, voteResult, type VoteResult } from '../../../src/raft/quorum.js';
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
});
