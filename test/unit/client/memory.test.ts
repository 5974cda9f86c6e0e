import { expect } from 'chai';
import { ClientMemory } from '../../../src/client/memory.js';
import { parseUid, type SectionId } from '../../../src/model/ids.js';

describe('client/memory', () => {
  it('keeps the highest number of each uid, and forgets the uid that was called longest ago', () => {
    const memory = new ClientMemory();
    memory.sawSeq(parseUid(1), 5n);
    memory.sawSeq(parseUid(1), 3n);
    memory.sawSeq(parseUid(2), 7n);
    expect([1, 2, 3].map((uid) => memory.floorOf(parseUid(uid)))).to.deep.equal([5n, 7n, 0n]);
    memory.sawSeq(parseUid(1), 6n);
    for (let uid = 10; uid < 50_009; uid += 1) memory.sawSeq(parseUid(uid), 1n);
    expect([1, 2].map((uid) => memory.floorOf(parseUid(uid)))).to.deep.equal([6n, 0n]);
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
