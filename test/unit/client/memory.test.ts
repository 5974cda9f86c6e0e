import { expect } from 'chai';
import { ClientMemory } from '../../../src/client/memory.js';
import type { SectionId } from '../../../src/model/ids.js';

describe('client/memory', () => {
  it('keeps the highest number of each uid', () => {
    const memory = new ClientMemory();
    const saw = (uid: number, low: number, high = 0): void => memory.sawSeq(uid, 0, low, high);
    saw(1, 5);
    saw(1, 3);
    saw(2, 7);
    expect([1, 2, 3].map((uid) => floorOf(memory, uid))).to.deep.equal([
      [5, 0],
      [7, 0],
      [0, 0],
    ]);
    saw(1, 2, 1);
    saw(1, 2 ** 32 - 1, 0);
    expect(floorOf(memory, 1)).to.deep.equal([2, 1]);
  });

  it('tells uids apart that differ in their high half only', () => {
    const memory = new ClientMemory();
    memory.sawSeq(5, 0, 9, 0);
    memory.sawSeq(5, 1, 4, 0);
    expect([floorOf(memory, 5, 0), floorOf(memory, 5, 1), floorOf(memory, 5, 2)].map(([low]) => low)).to.include.members([4, 0]);
    expect(floorOf(memory, 5, 1)).to.deep.equal([4, 0]);
  });

  it('grows with what it is told, and forgets nothing of it on the way', () => {
    const memory = new ClientMemory();
    const known = (): number => Array.from({ length: 2_000 }, (_, uid) => floorOf(memory, uid)).filter(([low], uid) => low === uid + 1).length;
    for (let uid = 0; uid < 2_000; uid++) memory.sawSeq(uid, 0, uid + 1, 0);
    const before = known();
    expect(before).to.be.above(1_500);
    for (let uid = 1_000_000; uid < 1_000_060; uid++) memory.sawSeq(uid, 0, 1, 0);
    expect(known()).to.be.above(before - 61);
  });

  it('forgets a uid for another one, and never takes the number of one for that of the other', () => {
    const memory = new ClientMemory();
    const uids = Array.from({ length: 200_000 }, (_, uid) => uid);
    for (const uid of uids) memory.sawSeq(uid, 0, uid + 1, 0);
    const floors = uids.map((uid) => floorOf(memory, uid)[0]);
    expect(floors.every((floor, uid) => floor === 0 || floor === uid + 1)).to.equal(true);
    expect(floors.filter((floor) => floor !== 0).length).to.be.within(15_000, 32_768);
  });

  it('takes no epoch that is over, in each section by itself', () => {
    const memory = new ClientMemory();
    const saw = (section: number, epoch: number) => memory.sawEpoch(section as SectionId, epoch);
    expect([saw(1, 3), saw(1, 3), saw(1, 2), saw(2, 1), saw(1, 4), saw(1, 3)]).to.deep.equal([true, true, false, true, true, false]);
  });

  it('begins epochs anew with a higher generation, and never goes back to a lower one', () => {
    const memory = new ClientMemory();
    memory.sawVersion({ generation: 5, value: 9 });
    memory.sawEpoch(1 as SectionId, 8);
    memory.sawVersion({ generation: 6, value: 1 });
    expect(memory.sawEpoch(1 as SectionId, 2)).to.equal(true);
    memory.sawVersion({ generation: 5, value: 99 });
    expect(memory.heard).to.deep.equal({ generation: 6, value: 1 });
    expect(memory.sawEpoch(1 as SectionId, 1)).to.equal(false);
  });
});

function floorOf(memory: ClientMemory, low: number, high = 0): [number, number] {
  const at = memory.find(low, high);
  return [memory.floorLow(at), memory.floorHigh(at)];
}
