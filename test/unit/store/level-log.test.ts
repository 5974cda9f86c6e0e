import { expect } from 'chai';
import type { Entry } from '../../../src/raft/types.js';
import { DamageError } from '../../../src/store/damage.js';
import { BEGINNING, LevelLog } from '../../../src/store/level-log.js';
import type { LogStart } from '../../../src/store/level-records.js';
import { entriesOf } from '../raft/memory-storage.js';

const MiB = 1024 * 1024;

describe('log of chunks', () => {
  it('takes chunks that follow each other, and finds the hash at each end', () => {
    const { chunks, log } = written([entriesOf([1, 1]), entriesOf([1], 3), entriesOf([2, 2], 4)]);
    const loaded = load(chunks);
    expect([loaded.lastIndex, [1, 2, 3, 4, 5, 6].map((index) => loaded.entryAt(index)?.term)]).to.deep.equal([5, [1, 1, 1, 2, 2, undefined]]);
    expect([1, 2, 3, 4, 5].map((index) => loaded.hashAt(index) !== undefined)).to.deep.equal([false, true, true, false, true]);
    expect(loaded.lastHash).to.deep.equal(log.lastHash);
  });

  it('is damaged when a chunk is missing at the beginning or in the middle', () => {
    const { chunks } = written([entriesOf([1, 1]), entriesOf([1], 3), entriesOf([2, 2], 4)]);
    for (const missing of [1, 3]) {
      const left = new Map(chunks);
      left.delete(missing);
      expect(() => load(left), `chunk ${missing}`).to.throw(DamageError, 'hole');
    }
  });

  it('is damaged when a chunk is a whole and valid one of another past', () => {
    const { chunks } = written([entriesOf([1, 1]), entriesOf([1], 3), entriesOf([2], 4)]);
    const other = written([entriesOf([1, 1]), entriesOf([2], 3), entriesOf([2], 4)]);
    expect(() => load(new Map([...chunks, [3, other.chunks.get(3)!]])), 'the one after does not follow').to.throw(
      DamageError,
      'chunk 4 does not follow',
    );
    expect(() => load(new Map([...chunks, [4, other.chunks.get(4)!]])), 'it does not follow').to.throw(DamageError, 'chunk 4 does not follow');
    expect(() => load(new Map([...chunks, [3, chunks.get(4)!]])), 'exchanged').to.throw(DamageError, 'says it begins at 4');
  });

  it('writes what a conflict leaves of a chunk again, in one chunk with what is new', () => {
    const { chunks, log } = written([entriesOf([1, 1, 1]), entriesOf([1], 4)]);
    const change = log.prepare(entriesOf([2, 2], 3));
    expect([change.keptTo, change.added.firstIndex, change.added.lastIndex, change.removed.map(({ firstIndex }) => firstIndex)]).to.deep.equal([
      2,
      1,
      4,
      [1, 4],
    ]);
    commit(log, chunks, change);
    expect([1, 2, 3, 4, 5].map((index) => load(chunks).entryAt(index)?.term)).to.deep.equal([1, 1, 2, 2, undefined]);
  });

  it('changes nothing before it is told that the change is on disk', () => {
    const { log } = written([entriesOf([1, 1])]);
    log.prepare(entriesOf([2], 1));
    expect([log.lastIndex, log.entryAt(1)?.term]).to.deep.equal([2, 1]);
  });

  it('reads old chunks from the disk when they no longer fit in memory, cut by a conflict or not', () => {
    const large = (index: number, term: number): Entry => ({ index, term, type: 'normal' as const, data: new Uint8Array(MiB).fill(index) });
    const { chunks, log, reads } = written(Array.from({ length: 45 }, (_, at) => [large(2 * at + 1, 1), large(2 * at + 2, 1)]));
    expect([log.entryAt(90)?.data[0], log.entryAt(30)?.data[0], reads.length]).to.deep.equal([90, 30, 0]);
    expect([log.entryAt(3)?.data[0], reads]).to.deep.equal([3, [3]]);
    // The conflict lies in what is no longer in memory: half of chunk 9 stays.
    commit(log, chunks, log.prepare([large(10, 2), large(11, 2)]));
    expect(reads).to.deep.equal([3, 9]);
    expect([8, 9, 10, 11, 12].map((index) => log.entryAt(index)?.term)).to.deep.equal([1, 1, 2, 2, undefined]);
    chunks.delete(1);
    expect(() => log.entryAt(2)).to.throw(DamageError, 'log chunk 1 is gone');
  });

  it('decodes an old chunk once for all of its entries that are read in a row, and never shows what was replaced', () => {
    const large = (index: number, term: number): Entry => ({ index, term, type: 'normal' as const, data: new Uint8Array(MiB / 2).fill(index) });
    const appends = Array.from({ length: 45 }, (_, at) => [1, 2, 3, 4].map((offset) => large(4 * at + offset, 1)));
    const { chunks, log, reads } = written(appends);
    expect([1, 2, 3, 4, 5, 6, 7, 8].map((index) => log.entryAt(index)?.index)).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(reads).to.deep.equal([1, 5]);
    // Entry 8 is the last one that stays, in a new chunk with the same first index; what follows pushes it out of memory.
    commit(log, chunks, log.prepare([large(8, 2), ...Array.from({ length: 3 }, (_, at) => large(9 + at, 2))]));
    for (let first = 12; first < 180; first += 4) commit(log, chunks, log.prepare([0, 1, 2, 3].map((offset) => large(first + offset, 3))));
    reads.length = 0;
    expect([7, 8, 9].map((index) => log.entryAt(index)?.term)).to.deep.equal([1, 2, 2]);
    expect(reads).to.deep.equal([5]);
  });

  describe('compaction', () => {
    const appends = [entriesOf([1, 1]), entriesOf([1], 3), entriesOf([2, 2], 4), entriesOf([3], 6)];

    it('removes the chunks that lie entirely below, and knows the term and the hash of what was before', () => {
      for (const [to, firstIndex, removed] of [
        [0, 1, []],
        [1, 1, []],
        [2, 3, [1]],
        [4, 4, [1, 3]],
        [5, 6, [1, 3, 4]],
        [6, 7, [1, 3, 4, 6]],
        [9, 7, [1, 3, 4, 6]],
      ] as const) {
        const { log, chunks } = written(appends);
        const [hash, term] = [log.hashAt(firstIndex - 1), log.entryAt(firstIndex - 1)?.term ?? 0];
        expect(compact(log, chunks, to), `to ${to}`).to.deep.equal(removed);
        for (const one of [log, load(chunks, log)]) {
          expect([one.firstIndex, one.lastIndex, one.termAt(firstIndex - 1), one.termAt(firstIndex - 2)]).to.deep.equal([
            firstIndex,
            6,
            term,
            undefined,
          ]);
          if (firstIndex > 1) expect(one.hashAt(firstIndex - 1)).to.deep.equal(hash);
          expect(one.entryAt(firstIndex - 1)).to.equal(undefined);
        }
      }
    });

    it('leaves a log that goes on, is cut by a conflict right at its start, and is compacted again', () => {
      const { log, chunks } = written(appends);
      compact(log, chunks, 5);
      commit(log, chunks, log.prepare(entriesOf([4, 4], 6)));
      expect(() => log.prepare(entriesOf([4], 5))).to.throw('appends are contiguous');
      compact(log, chunks, 7);
      commit(log, chunks, log.prepare(entriesOf([5], 8)));
      const loaded = load(chunks, log);
      expect([loaded.firstIndex, loaded.lastIndex, loaded.termAt(7), loaded.termAt(8)]).to.deep.equal([8, 8, 4, 5]);
    });

    it('is damaged when a chunk is there that was compacted away, or its first one does not follow what was before', () => {
      const { log, chunks } = written(appends);
      const old = new Map(chunks);
      compact(log, chunks, 3);
      expect(() => load(new Map([...chunks, [3, old.get(3)!]]), log)).to.throw(DamageError, 'begins at 4, but there is a chunk 3');
      const start = { firstIndex: 4, termBefore: 1, hashBefore: new Uint8Array(16) };
      expect(() => new LevelLog(() => undefined, start).load(4, old.get(4)!)).to.throw(DamageError, 'chunk 4 does not follow');
    });

    it('finds every entry of thousands of chunks while the front goes', () => {
      const { log, chunks } = written([]);
      for (let index = 1; index <= 6_000; index += 1) {
        commit(log, chunks, log.prepare(entriesOf([1], index)));
        if (index % 500 === 0) compact(log, chunks, index - 100);
      }
      expect([log.firstIndex, log.lastIndex, log.chunks.length, chunks.size]).to.deep.equal([5_901, 6_000, 100, 100]);
      for (let index = 5_901; index <= 6_000; index += 1) expect(log.entryAt(index)?.index).to.equal(index);
      expect([log.hashAt(5_900), log.hashAt(5_950), log.hashAt(6_000)].every((hash) => hash !== undefined)).to.equal(true);
      expect([log.hashAt(5_899), log.hashAt(6_001)]).to.deep.equal([undefined, undefined]);
    });

    it('removes at most 10,000 chunks at a time, and the rest the next time', () => {
      const { log, chunks } = written(Array.from({ length: 10_005 }, (_, at) => entriesOf([1], at + 1)));
      expect(compact(log, chunks, 10_003).length).to.equal(10_000);
      expect(compact(log, chunks, 10_003)).to.deep.equal([10_001, 10_002, 10_003]);
    });

    it('forgets everything when it begins anew', () => {
      const { log, chunks } = written(appends);
      const start = { firstIndex: 4, termBefore: 7, hashBefore: new Uint8Array(16).fill(3) };
      log.restart(start);
      chunks.clear();
      expect([log.firstIndex, log.lastIndex, log.termAt(3), log.entryAt(4), log.lastHash]).to.deep.equal([4, 3, 7, undefined, start.hashBefore]);
      commit(log, chunks, log.prepare(entriesOf([8], 4)));
      expect(load(chunks, undefined, start).termAt(4)).to.equal(8);
    });
  });
});

type Chunks = Map<number, Uint8Array>;

function written(appends: readonly (readonly Entry[])[]): { readonly log: LevelLog; readonly chunks: Chunks; readonly reads: number[] } {
  const chunks: Chunks = new Map();
  const reads: number[] = [];
  const log = new LevelLog((firstIndex) => {
    reads.push(firstIndex);
    return chunks.get(firstIndex);
  });
  for (const entries of appends) commit(log, chunks, log.prepare(entries));
  return { log, chunks, reads };
}

function commit(log: LevelLog, chunks: Chunks, change: ReturnType<LevelLog['prepare']>): void {
  for (const { firstIndex } of change.removed) chunks.delete(firstIndex);
  chunks.set(change.added.firstIndex, change.bytes);
  log.commit(change);
}

/** Returns the first indexes of what went. */
function compact(log: LevelLog, chunks: Chunks, to: number): readonly number[] {
  const compaction = log.prepareCompaction(to);
  if (compaction === undefined) return [];
  for (const { firstIndex } of compaction.removed) chunks.delete(firstIndex);
  log.commitCompaction(compaction);
  return compaction.removed.map(({ firstIndex }) => firstIndex);
}

/** `like`: a log with the same start. */
function load(chunks: Chunks, like?: LevelLog, start = startOf(like)): LevelLog {
  const log = new LevelLog((firstIndex) => chunks.get(firstIndex), start);
  for (const [firstIndex, bytes] of [...chunks].sort(([one], [other]) => one - other)) log.load(firstIndex, bytes);
  return log;
}

function startOf(log: LevelLog | undefined): LogStart {
  if (log === undefined || log.firstIndex === 1) return BEGINNING;
  const before = log.firstIndex - 1;
  return { firstIndex: log.firstIndex, termBefore: log.termAt(before)!, hashBefore: log.hashAt(before)! };
}
