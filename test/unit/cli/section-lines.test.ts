import { expect } from 'chai';
import { moveLine, parseSectionRun, progressOf, sectionLine } from '../../../src/cli/section-lines.js';
import { SEQ_MAX } from '../../../src/model/ids.js';

const GEOMETRY = { firstUid: 1000n, lastUid: 1024n, uidsPerSection: 10 };
const SECTION = { firstSection: 0, sectionCount: 2, allocId: 'a1', epoch: 4n, base: 5n, maxSeq: 105n, nextAllocId: '' };

describe('lines of sections', () => {
  it('have the uids of a run, the shorter last section included, and the numbers that are left', () => {
    expect(sectionLine(SECTION, GEOMETRY)).to.deep.equal({
      firstSection: 0,
      lastSection: 1,
      firstUid: 1000n,
      lastUid: 1019n,
      alloc: 'a1',
      epoch: 4n,
      base: 5n,
      maxSeq: 105n,
      headroom: SEQ_MAX - 105n,
      next: '',
    });
    expect(sectionLine({ ...SECTION, firstSection: 2, sectionCount: 1 }, GEOMETRY)).to.include({ firstUid: 1020n, lastUid: 1024n, lastSection: 2 });
    expect(sectionLine({ ...SECTION, maxSeq: SEQ_MAX }, GEOMETRY).headroom).to.equal(0n);
  });

  it('of a plan say from where to where', () => {
    const move = { firstSection: 3, sectionCount: 2, fromAllocId: 'a1', toAllocId: 'b2', reason: 'operator' };
    expect(moveLine(move)).to.deep.equal({ firstSection: 3, lastSection: 4, sectionCount: 2, from: 'a1', to: 'b2', reason: 'operator' });
  });

  for (const [text, firstSection, sectionCount] of [
    ['0', 0, 1],
    ['7..7', 7, 1],
    ['3..12', 3, 10],
  ] as const) {
    it(`are read as '${text}'`, () => {
      expect(parseSectionRun(text)).to.deep.equal({ firstSection, sectionCount });
    });
  }

  for (const text of ['', '-1', '1..', '..1', '2..1', '1-2', '1.5', '0x1', '12345678']) {
    it(`are not read as '${text}'`, () => {
      expect(() => parseSectionRun(text)).to.throw('sections are ID or FIRST..LAST');
    });
  }
});

describe('progress of moves', () => {
  const moves = [moveLine({ firstSection: 2, sectionCount: 4, fromAllocId: 'a1', toAllocId: 'b2', reason: '' })];
  const at = (firstSection: number, sectionCount: number, allocId: string, nextAllocId = '') => ({
    firstSection,
    sectionCount,
    allocId,
    nextAllocId,
  });

  it('counts what has arrived and what is on its way, whatever runs it comes in', () => {
    expect(progressOf(moves, [at(0, 3, 'b2'), at(3, 1, 'a1', 'b2'), at(4, 6, 'a1')])).to.deep.equal({ total: 4, done: 1, underWay: 1 });
    expect(progressOf(moves, [at(0, 10, 'b2')])).to.deep.equal({ total: 4, done: 4, underWay: 0 });
    expect(progressOf(moves, [at(0, 10, 'c3', 'b2')])).to.deep.equal({ total: 4, done: 0, underWay: 4 });
  });

  it('counts what is to go on from there as arrived, and what goes elsewhere as neither', () => {
    expect(progressOf(moves, [at(0, 4, 'b2', 'c3'), at(4, 6, 'a1', 'c3')])).to.deep.equal({ total: 4, done: 2, underWay: 0 });
  });
});
