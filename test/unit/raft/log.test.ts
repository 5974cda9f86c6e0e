import { expect } from 'chai';
import { LogLostError, RaftLog } from '../../../src/raft/log.js';
import { EMPTY_CONF_STATE, type Entry, type EntryId, type Index, sizeOf, type Term } from '../../../src/raft/types.js';
import { entriesOf, MemoryStorage } from './memory-storage.js';
import { snapshotAt } from './test-node.js';

interface LogOptions {
  readonly start?: EntryId;
  readonly maxApplyBytes?: number;
  readonly appliesUnstable?: boolean;
}

/** A log with `stable` on disk, after what was compacted away up to `start`, and `unstable` after it in memory. */
function logOf(
  stable: readonly Term[],
  unstable: readonly Term[] = [],
  { start = { index: 0, term: 0 }, maxApplyBytes = 1e9, appliesUnstable = false }: LogOptions = {},
): { log: RaftLog; disk: MemoryStorage } {
  const disk = MemoryStorage.holding({ terms: stable, start });
  const log = new RaftLog(disk, { maxApplyBytes, appliesUnstable });
  log.append(entriesOf(unstable, start.index + stable.length + 1));
  return { log, disk };
}

function termsOf(log: RaftLog): readonly Term[] {
  return log.entries(log.firstIndex, log.lastIndex, 1e9).map(({ term }) => term);
}

/** Writes what is unsaved, as the driver does. */
function save(log: RaftLog, disk: MemoryStorage): void {
  disk.save({ entries: log.unsaved(), hardState: undefined, applied: undefined, compactTo: undefined });
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
    function indexesOf(entries: readonly Entry[]): readonly Index[] {
      return entries.map(({ index }) => index);
    }

    it('is what is committed and on this disk', () => {
      const { log, disk } = logOf([1], [1, 1]);
      log.commitTo(2);
      expect(indexesOf(log.applicable())).to.deep.equal([1]);
      save(log, disk);
      log.stableTo({ index: 3, term: 1 });
      expect(indexesOf(log.applicable())).to.deep.equal([1, 2]);
    });

    it('is all that is committed, for a driver that persists before it applies', () => {
      const { log } = logOf([1], [1, 1], { appliesUnstable: true });
      log.commitTo(2);
      expect(indexesOf(log.applicable())).to.deep.equal([1, 2]);
    });

    it('is handed out once', () => {
      const { log } = logOf([1, 1, 1]);
      log.commitTo(2);
      log.applying(log.applicable());
      expect([log.hasApplicable, log.applicable()]).to.deep.equal([false, []]);
      log.commitTo(3);
      expect(indexesOf(log.applicable())).to.deep.equal([3]);
    });

    it('is handed out in portions: what is not applied yet counts, and at least one entry always goes', () => {
      const size = sizeOf(entriesOf([1])[0]!);
      const { log } = logOf([1, 1, 1, 1, 1], [], { maxApplyBytes: size * 2 });
      log.commitTo(5);
      const first = log.applicable();
      log.applying(first);
      expect([indexesOf(first), log.hasApplicable]).to.deep.equal([[1, 2], false]);
      log.applied(first.slice(0, 1));
      const second = log.applicable();
      log.applying(second);
      expect([indexesOf(second), log.hasApplicable]).to.deep.equal([[3], false]);
      log.applied(first.slice(1));
      log.applied(second);
      expect(indexesOf(log.applicable())).to.deep.equal([4, 5]);
    });

    it('is one entry at a time, when even that is more than the limit', () => {
      const { log } = logOf([1, 1, 1], [], { maxApplyBytes: 1 });
      log.commitTo(3);
      for (const index of [1, 2, 3]) {
        const entries = log.applicable();
        log.applying(entries);
        expect([indexesOf(entries), log.hasApplicable]).to.deep.equal([[index], false]);
        log.applied(entries);
      }
    });

    it('is applied in order, and nothing that is not committed', () => {
      const { log } = logOf([1, 1, 1]);
      log.commitTo(2);
      expect(() => log.applying(entriesOf([1, 1, 1]))).to.throw('only committed entries are applied');
      log.applying(log.applicable());
      expect(() => log.applied(entriesOf([1, 1, 1]))).to.throw('applied in order');
      log.applied(entriesOf([1, 1]));
      expect(() => log.applied(entriesOf([1]))).to.throw('applied in order');
    });

    it('says how many bytes of commands were applied', () => {
      const { log } = logOf([1, 1]);
      log.commitTo(2);
      expect(log.applied(log.applicable())).to.equal('1@1'.length + '2@1'.length);
    });
  });

  describe('after what was compacted away (start at index 3, term 2)', () => {
    const START = { index: 3, term: 2 };

    it('knows the term of the last compacted entry, and of nothing before it: missing is not zero (raft.md hazard 16)', () => {
      const { log } = logOf([2, 3], [3], { start: START });
      expect([log.firstIndex, log.lastIndex]).to.deep.equal([4, 6]);
      expect([0, 1, 2, 3, 4, 5, 6, 7].map((index) => log.termAt(index))).to.deep.equal([undefined, undefined, undefined, 2, 2, 3, 3, undefined]);
    });

    it('ends there when nothing follows', () => {
      const { log } = logOf([], [], { start: START });
      expect([log.last, log.commitIndex, log.appliedIndex, log.isUpToDate(START)]).to.deep.equal([START, 3, 3, true]);
    });

    it('accepts after the last compacted entry and refuses before it', () => {
      const { log } = logOf([2], [], { start: START });
      expect(log.accept({ index: 2, term: 1 }, [], 0)).to.equal(undefined);
      expect(log.accept({ index: 0, term: 0 }, [], 0)).to.equal(undefined);
      expect(log.accept(START, entriesOf([2, 3], 4), 5)).to.equal(5);
      expect([termsOf(log), log.commitIndex]).to.deep.equal([[2, 3], 5]);
    });

    it('finds a conflict no further back than what was compacted: everything there was committed', () => {
      const { log } = logOf([4, 4], [], { start: START });
      expect(log.findConflictByTerm(5, 3)).to.deep.equal({ index: 3, term: 2 });
      expect(log.findConflictByTerm(5, 1)).to.deep.equal({ index: 2, term: 0 });
    });

    it('begins with everything compacted committed and applied', () => {
      const { log } = logOf([2, 2], [], { start: START });
      log.begin({ commitIndex: 1, appliedIndex: 3 });
      expect([log.commitIndex, log.appliedIndex]).to.deep.equal([3, 3]);
      expect(() => log.begin({ commitIndex: 4, appliedIndex: 2 })).to.throw('what was compacted away had been applied');
    });

    it('shows a compaction as soon as the disk does', () => {
      const { log, disk } = logOf([2, 2, 2], [2], { start: START });
      disk.save({ entries: [], hardState: undefined, applied: { index: 5, confState: disk.confState, writes: [] }, compactTo: undefined });
      disk.save({ entries: [], hardState: undefined, applied: undefined, compactTo: 5 });
      expect([log.firstIndex, log.termAt(4), log.termAt(5), termsOf(log)]).to.deep.equal([6, undefined, 2, [2, 2]]);
    });
  });

  describe('with a snapshot on its way to the disk', () => {
    const SNAPSHOT = snapshotAt({ index: 9, term: 5 }, EMPTY_CONF_STATE);

    function restored(): { log: RaftLog; disk: MemoryStorage } {
      const made = logOf([1, 1], [1]);
      made.log.restore(SNAPSHOT);
      return made;
    }

    it('is nothing but the snapshot', () => {
      const { log } = restored();
      expect([log.firstIndex, log.last, log.commitIndex, log.termAt(2), log.termAt(8), termsOf(log)]).to.deep.equal([
        10,
        { index: 9, term: 5 },
        9,
        undefined,
        undefined,
        [],
      ]);
    });

    it('hands it to the storage once', () => {
      const { log } = restored();
      expect(log.unsavedSnapshot).to.equal(SNAPSHOT);
      log.saving();
      expect([log.unsavedSnapshot, log.hasUnstableSnapshot]).to.deep.equal([undefined, true]);
    });

    it('takes entries after it', () => {
      const { log } = restored();
      expect(log.accept({ index: 9, term: 5 }, entriesOf([5, 6], 10), 10)).to.equal(11);
      expect([log.unsaved().map(({ index }) => index), log.commitIndex, log.termAt(9), log.termAt(11)]).to.deep.equal([[10, 11], 10, 5, 6]);
    });

    it('applies nothing, and everything after it once it is there', () => {
      const { log, disk } = restored();
      log.accept({ index: 9, term: 5 }, entriesOf([5], 10), 10);
      log.saving();
      expect([log.hasApplicable, log.applicable()]).to.deep.equal([false, []]);
      disk.replace({ ...SNAPSHOT, hardState: { term: 5, votedFor: undefined, commitIndex: 9 }, state: new Map() });
      log.snapshotStable(9);
      expect([log.appliedIndex, log.hasUnstableSnapshot, log.firstIndex]).to.deep.equal([9, false, 10]);
      disk.save({ entries: entriesOf([5], 10), hardState: undefined, applied: undefined, compactTo: undefined });
      log.stableTo({ index: 10, term: 5 });
      expect(log.applicable().map(({ index }) => index)).to.deep.equal([10]);
    });

    it('does not take the news of an older one for its own', () => {
      const { log } = restored();
      log.saving();
      log.snapshotStable(7);
      expect([log.hasUnstableSnapshot, log.appliedIndex]).to.deep.equal([true, 7]);
    });

    it('takes a newer one in its place', () => {
      const { log } = restored();
      log.saving();
      const newer = snapshotAt({ index: 20, term: 6 }, EMPTY_CONF_STATE);
      log.restore(newer);
      expect([log.unsavedSnapshot, log.lastIndex]).to.deep.equal([newer, 20]);
      log.snapshotStable(9);
      expect(log.hasUnstableSnapshot).to.equal(true);
    });

    it('does not take the write of entries it replaced for one of its own', () => {
      const { log } = logOf([1, 1], [1]);
      log.saving();
      log.restore(SNAPSHOT);
      log.stableTo({ index: 3, term: 1 });
      expect([log.last, log.hasUnstable]).to.deep.equal([{ index: 9, term: 5 }, false]);
    });
  });

  it('stops the process when something is committed that this log has lost', () => {
    expect(() => logOf([1, 1]).log.commitTo(3)).to.throw(LogLostError, 'its disk was lost or is an old copy');
  });
});
