import { expect } from 'chai';
import { RaftLog } from '../../../src/raft/log.js';
import { type Entry, type Index, sizeOf, type Term } from '../../../src/raft/types.js';
import { entriesOf, MemoryStorage } from './memory-storage.js';

/** A log with `stable` on disk and `unstable` after it in memory. */
function logOf(stable: readonly Term[], unstable: readonly Term[] = []): { log: RaftLog; disk: MemoryStorage } {
  const disk = MemoryStorage.holding({ terms: stable });
  const log = new RaftLog(disk);
  log.append(entriesOf(unstable, stable.length + 1));
  return { log, disk };
}

function termsOf(log: RaftLog): readonly Term[] {
  return log.entries(1, log.lastIndex, 1e9).map(({ term }) => term);
}

/** Writes what is unsaved, as the driver does. */
function save(log: RaftLog, disk: MemoryStorage): void {
  disk.save({ entries: log.unsaved(), hardState: undefined, applied: undefined });
  log.saving();
}

describe('RaftLog', () => {
  it('begins empty: the entry before the first has index 0 and term 0', () => {
    const { log } = logOf([]);
    expect([log.last, log.termAt(0), log.termAt(1)]).to.deep.equal([{ index: 0, term: 0 }, 0, undefined]);
  });

  it('is what is on disk, then what is on its way there', () => {
    const { log } = logOf([1, 1], [2, 3]);
    expect([log.lastIndex, termsOf(log), log.last]).to.deep.equal([4, [1, 1, 2, 3], { index: 4, term: 3 }]);
    expect([0, 2, 3, 4, 5].map((index) => log.termAt(index))).to.deep.equal([0, 1, 2, 3, undefined]);
  });

  it('refuses to append with a hole', () => {
    expect(() => logOf([1]).log.append(entriesOf([1], 3))).to.throw('entries are contiguous');
  });

  describe('entries', () => {
    const size = sizeOf(entriesOf([1])[0]!);
    const rows: readonly { from: Index; to: Index; maxBytes: number; found: readonly Index[] }[] = [
      { from: 1, to: 4, maxBytes: 1e9, found: [1, 2, 3, 4] },
      { from: 2, to: 3, maxBytes: 1e9, found: [2, 3] },
      { from: 3, to: 4, maxBytes: 1e9, found: [3, 4] },
      { from: 1, to: 4, maxBytes: 0, found: [1] },
      { from: 3, to: 4, maxBytes: 0, found: [3] },
      { from: 1, to: 4, maxBytes: size * 2, found: [1, 2] },
      { from: 1, to: 4, maxBytes: size * 3, found: [1, 2, 3] },
      { from: 2, to: 4, maxBytes: size * 2 - 1, found: [2] },
      { from: 4, to: 3, maxBytes: 1e9, found: [] },
    ];
    for (const { from, to, maxBytes, found } of rows) {
      it(`in [${from}, ${to}] and ${maxBytes} bytes, across the border of disk and memory, are ${found.join(', ') || 'none'}`, () => {
        const { log } = logOf([1, 1], [1, 1]);
        expect(log.entries(from, to, maxBytes).map(({ index }) => index)).to.deep.equal(found);
      });
    }
  });

  describe('isUpToDate (Raft 5.4.1)', () => {
    const rows: readonly { index: Index; term: Term; isUpToDate: boolean }[] = [
      { index: 3, term: 2, isUpToDate: true },
      { index: 4, term: 2, isUpToDate: true },
      { index: 2, term: 2, isUpToDate: false },
      { index: 1, term: 3, isUpToDate: true },
      { index: 9, term: 1, isUpToDate: false },
    ];
    for (const { index, term, isUpToDate } of rows) {
      it(`a log that ends with term ${term} at ${index} is ${isUpToDate ? '' : 'not '}as complete as one that ends with term 2 at 3`, () => {
        expect(logOf([1, 1, 2]).log.isUpToDate({ index, term })).to.equal(isUpToDate);
      });
    }
  });

  describe('accept (Raft 5.3)', () => {
    type Row = {
      why: string;
      previous: [Index, Term];
      terms: readonly Term[];
      commit: Index;
      lastNew: Index | undefined;
      log: readonly Term[];
      committed: Index;
    };
    // The log is 1, 2, 3 (one entry of each term), committed up to 1.
    const rows: readonly Row[] = [
      { why: 'refuses: another term at previous', previous: [3, 2], terms: [4], commit: 3, lastNew: undefined, log: [1, 2, 3], committed: 1 },
      { why: 'refuses: previous is past the end', previous: [4, 3], terms: [4], commit: 3, lastNew: undefined, log: [1, 2, 3], committed: 1 },
      { why: 'takes nothing and commits', previous: [3, 3], terms: [], commit: 3, lastNew: 3, log: [1, 2, 3], committed: 3 },
      { why: 'commits no further than the last new entry', previous: [2, 2], terms: [], commit: 3, lastNew: 2, log: [1, 2, 3], committed: 2 },
      { why: 'never takes a commit back', previous: [3, 3], terms: [], commit: 0, lastNew: 3, log: [1, 2, 3], committed: 1 },
      { why: 'appends', previous: [3, 3], terms: [4, 4], commit: 4, lastNew: 5, log: [1, 2, 3, 4, 4], committed: 4 },
      { why: 'keeps what it has when an overtaken append comes', previous: [1, 1], terms: [2], commit: 1, lastNew: 2, log: [1, 2, 3], committed: 1 },
      { why: 'replaces from the conflict on', previous: [1, 1], terms: [4, 4, 4], commit: 2, lastNew: 4, log: [1, 4, 4, 4], committed: 2 },
      { why: 'replaces the end only', previous: [1, 1], terms: [2, 5], commit: 1, lastNew: 3, log: [1, 2, 5], committed: 1 },
      { why: 'takes everything from the beginning', previous: [0, 0], terms: [1, 2, 3, 4], commit: 4, lastNew: 4, log: [1, 2, 3, 4], committed: 4 },
    ];
    for (const where of ['disk', 'memory'] as const) {
      for (const {
        why,
        previous: [index, term],
        terms,
        commit,
        lastNew,
        log: after,
        committed,
      } of rows) {
        it(`${why} (the log is in ${where === 'disk' ? 'a file' : 'memory'})`, () => {
          const { log } = where === 'disk' ? logOf([1, 2, 3]) : logOf([], [1, 2, 3]);
          log.commitTo(1);
          expect(log.accept({ index, term }, entriesOf(terms, index + 1), commit)).to.equal(lastNew);
          expect([termsOf(log), log.commitIndex]).to.deep.equal([after, committed]);
        });
      }
    }

    it('stops the process before a committed entry changes', () => {
      const { log } = logOf([1, 2, 3]);
      log.commitTo(2);
      expect(() => log.accept({ index: 1, term: 1 }, entriesOf([4], 2), 2)).to.throw('committed entries never change');
    });
  });

  describe('findConflictByTerm', () => {
    type Row = { log: readonly Term[]; index: Index; term: Term; at: Index };
    const rows: readonly Row[] = [
      { log: [2, 2, 5, 5, 5], index: 5, term: 5, at: 5 },
      { log: [2, 2, 5, 5, 5], index: 5, term: 4, at: 2 },
      { log: [2, 2, 5, 5, 5], index: 4, term: 3, at: 2 },
      { log: [2, 2, 5, 5, 5], index: 5, term: 1, at: 0 },
      { log: [2, 2, 5, 5, 5], index: 0, term: 3, at: 0 },
      { log: [1, 2, 3, 4], index: 3, term: 9, at: 3 },
    ];
    for (const { log, index, term, at } of rows) {
      it(`in ${log.join('')} up to ${index} finds term ${term} or less at ${at}`, () => {
        expect(logOf(log).log.findConflictByTerm(index, term).index).to.equal(at);
      });
    }
  });

  describe('on its way to the disk', () => {
    it('hands each entry to the storage once', () => {
      const { log } = logOf([1], [1, 1]);
      expect(log.unsaved().map(({ index }) => index)).to.deep.equal([2, 3]);
      log.saving();
      expect([log.unsaved(), log.hasUnsaved, log.hasUnstable]).to.deep.equal([[], false, true]);
      log.append(entriesOf([1], 4));
      expect(log.unsaved().map(({ index }) => index)).to.deep.equal([4]);
    });

    it('hands out again from where a conflict cut, and only that', () => {
      const { log } = logOf([1], [1, 1, 1]);
      log.saving();
      log.accept({ index: 2, term: 1 }, entriesOf([2], 3), 0);
      expect(log.unsaved()).to.deep.equal(entriesOf([2], 3));
    });

    it('reads what is on disk from there once it is written', () => {
      const { log, disk } = logOf([1], [1, 1]);
      save(log, disk);
      log.stableTo({ index: 3, term: 1 });
      expect([log.hasUnstable, termsOf(log)]).to.deep.equal([false, [1, 1, 1]]);
    });

    it('keeps in memory what came after the write', () => {
      const { log, disk } = logOf([], [1, 1]);
      save(log, disk);
      log.append(entriesOf([1], 3));
      log.stableTo({ index: 2, term: 1 });
      expect([log.unsaved().map(({ index }) => index), termsOf(log)]).to.deep.equal([[3], [1, 1, 1]]);
    });

    it('does not take a write of replaced entries for one of those in their place', () => {
      const { log } = logOf([], [1, 1]);
      log.saving();
      log.accept({ index: 1, term: 1 }, entriesOf([2], 2), 0);
      log.stableTo({ index: 2, term: 1 });
      expect([log.hasUnstable, log.unsaved().map(({ index }) => index)]).to.deep.equal([true, [2]]);
    });

    it('hides the end of the disk that a conflict has replaced and not yet overwritten', () => {
      const { log } = logOf([1, 1, 1, 1]);
      log.accept({ index: 1, term: 1 }, entriesOf([2], 2), 0);
      expect([log.lastIndex, log.termAt(3), termsOf(log)]).to.deep.equal([2, undefined, [1, 2]]);
    });
  });

  describe('what may be applied', () => {
    function applicableOf(log: RaftLog, maxBytes = 1e9): readonly Index[] {
      return log.applicable(maxBytes).map(({ index }: Entry) => index);
    }

    it('is what is committed and on this disk', () => {
      const { log, disk } = logOf([1], [1, 1]);
      log.commitTo(2);
      expect(applicableOf(log)).to.deep.equal([1]);
      save(log, disk);
      log.stableTo({ index: 3, term: 1 });
      expect(applicableOf(log)).to.deep.equal([1, 2]);
    });

    it('is handed out once, in portions, at least one entry each', () => {
      const { log } = logOf([1, 1, 1]);
      log.commitTo(3);
      expect(applicableOf(log, 0)).to.deep.equal([1]);
      log.applying(1);
      expect(applicableOf(log)).to.deep.equal([2, 3]);
      log.applying(3);
      expect(log.hasApplicable).to.equal(false);
    });

    it('is applied in order, and never before it was handed out', () => {
      const { log } = logOf([1, 1, 1]);
      log.commitTo(2);
      expect(() => log.applying(3)).to.throw('only committed entries are applied');
      log.applying(2);
      expect(() => log.applied(3)).to.throw('applied in order');
      log.applied(2);
      expect(() => log.applied(1)).to.throw('applied in order');
    });
  });

  it('stops the process when something is committed that this log has lost', () => {
    expect(() => logOf([1, 1]).log.commitTo(3)).to.throw('its log was lost');
  });
});
