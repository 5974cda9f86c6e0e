import { expect } from 'chai';
import { Turns } from '../../../src/gateway/turns.js';

describe('turns', () => {
  let deferred: (() => void)[];
  let begun: number[];
  let turns: Turns;

  const come = (id: number): void => {
    const turn = turns.next();
    if (turn === undefined) begun.push(id);
    else void turn.then(() => begun.push(id));
  };
  const nextTurn = async (): Promise<void> => {
    for (const fire of deferred.splice(0)) fire();
    await Promise.resolve();
  };

  beforeEach(() => {
    deferred = [];
    begun = [];
    turns = new Turns({ defer: (fire) => deferred.push(fire) }, 2);
  });

  it('let so many begin at once, and the others later, in the order in which they came', async () => {
    for (const id of [1, 2, 3, 4, 5]) come(id);
    expect(begun).to.deep.equal([1, 2]);
    await nextTurn();
    expect(begun).to.deep.equal([1, 2, 3, 4]);
    // Who comes now is behind those that wait.
    come(6);
    await nextTurn();
    expect(begun).to.deep.equal([1, 2, 3, 4, 5, 6]);
  });

  it('let as many begin again in a later turn, and ask for no turn while nobody comes', async () => {
    come(1);
    come(2);
    await nextTurn();
    expect(deferred).to.have.length(0);
    come(3);
    come(4);
    expect(begun).to.deep.equal([1, 2, 3, 4]);
    expect(deferred).to.have.length(1);
  });
});
