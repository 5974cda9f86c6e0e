import { expect } from 'chai';
import { Inflights } from '../../../src/raft/inflights.js';

function filled({ messages = 10, bytes = 0 }, lastIndexes: readonly number[]): Inflights {
  const inflights = new Inflights({ messages, bytes });
  for (const lastIndex of lastIndexes) inflights.add({ lastIndex, bytes: 10 });
  return inflights;
}

describe('Inflights', () => {
  it('is full at its limit of messages, and takes no more', () => {
    const inflights = filled({ messages: 3 }, [1, 2, 3]);
    expect([inflights.isFull, inflights.count]).to.deep.equal([true, 3]);
    expect(() => inflights.add({ lastIndex: 4, bytes: 1 })).to.throw('nothing is added to a full pipeline');
  });

  const bytes: readonly [limit: number, count: number, isFull: boolean][] = [
    [0, 9, false],
    [100, 9, false],
    [90, 9, true],
    [85, 9, true],
    [91, 9, false],
  ];
  for (const [limit, count, isFull] of bytes) {
    it(`with ${count} messages of 10 bytes is ${isFull ? '' : 'not '}full at a limit of ${limit} bytes (0: none)`, () => {
      const inflights = new Inflights({ messages: 10, bytes: limit });
      for (let lastIndex = 1; lastIndex <= count && !inflights.isFull; lastIndex += 1) inflights.add({ lastIndex, bytes: 10 });
      expect([inflights.isFull, inflights.count]).to.deep.equal([isFull, count]);
    });
  }

  const frees: readonly [index: number, left: number][] = [
    [0, 5],
    [1, 5],
    [2, 4],
    [5, 3],
    [6, 2],
    [10, 0],
    [99, 0],
  ];
  for (const [index, left] of frees) {
    it(`of appends that end at 2, 4, 6, 8 and 10 frees those up to ${index}: ${left} stay`, () => {
      const inflights = filled({}, [2, 4, 6, 8, 10]);
      inflights.free(index);
      expect(inflights.count).to.equal(left);
    });
  }

  it('gives back the bytes of what it frees', () => {
    const inflights = filled({ bytes: 30 }, [1, 2, 3]);
    inflights.free(1);
    expect(inflights.isFull).to.equal(false);
    inflights.add({ lastIndex: 4, bytes: 10 });
    expect(inflights.isFull).to.equal(true);
  });

  it('stays small while appends come and go for ever', () => {
    const inflights = filled({ messages: 4 }, [1, 2, 3]);
    for (let lastIndex = 4; lastIndex < 10_000; lastIndex += 1) {
      inflights.add({ lastIndex, bytes: 10 });
      inflights.free(lastIndex - 3);
      expect(inflights.count).to.equal(3);
    }
  });

  it('has a copy that goes its own way', () => {
    const inflights = filled({ messages: 2 }, [1, 2]);
    const copy = inflights.clone();
    copy.free(1);
    expect([inflights.count, inflights.isFull, copy.count]).to.deep.equal([2, true, 1]);
  });
});
