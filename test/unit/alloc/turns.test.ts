import { expect } from 'chai';
import { Turns } from '../../../src/alloc/turns.js';
import { VirtualClock } from '../virtual-clock.js';

describe('Turns', () => {
  it('gives each piece a turn of its own, in the order in which they came, and what a piece leaves goes to the end', async () => {
    const clock = new VirtualClock();
    const turns = new Turns(clock);
    const done: string[] = [];
    const note = (what: string) => (): void => {
      done.push(what);
      // What came in between: it is to see one piece in each turn.
      clock.defer(() => done.push('|'));
    };
    turns.next(() => {
      note('a1')();
      turns.next(note('a2'));
    });
    turns.next(note('b'));
    expect(done).to.deep.equal([]);
    await clock.settle();
    expect(done).to.deep.equal(['a1', '|', 'b', '|', 'a2', '|']);
  });

  it('goes on after a piece that throws', () => {
    const clock = new VirtualClock();
    const deferred: (() => void)[] = [];
    clock.defer = (fire) => void deferred.push(fire);
    const turns = new Turns(clock);
    let isDone = false;
    turns.next(() => {
      throw new Error('a bug');
    });
    turns.next(() => (isDone = true));
    expect(() => deferred.shift()?.()).to.throw('a bug');
    deferred.shift()?.();
    expect(isDone).to.equal(true);
  });
});
