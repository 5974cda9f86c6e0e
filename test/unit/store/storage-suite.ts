import { expect } from 'chai';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RaftStorage } from '../../../src/raft/ports.js';
import { type ConfState, EMPTY_CONF_STATE, type Entry, type HardState, type Index, sizeOf } from '../../../src/raft/types.js';
import { bytesOf, entriesOf, textOf } from '../raft/memory-storage.js';

/** A storage and what it found on its disk. */
export interface OpenStorage {
  readonly storage: RaftStorage & { close(): Promise<void> };
  readonly hardState: HardState;
  readonly appliedIndex: Index;
  readonly confState: ConfState;
  readonly state: ReadonlyMap<string, Uint8Array>;
}

const NOTHING = { entries: [], hardState: undefined, applied: undefined, compactTo: undefined };
const CONF = { ...EMPTY_CONF_STATE, voters: [1, 2, 3] };

/**
 * What every RaftStorage must do. `open` makes a new storage in an empty directory, and finds the one of before when it
 * is called again with the same directory.
 */
export function storageSuite(name: string, open: (directory: string) => Promise<OpenStorage>): void {
  describe(`RaftStorage: ${name}`, () => {
    let directory: string;
    let opened: OpenStorage;
    let storage: OpenStorage['storage'];

    async function reopen(): Promise<void> {
      await storage.close();
      opened = await open(directory);
      storage = opened.storage;
    }

    /** The same must hold in the running storage and in what the next process finds. */
    async function nowAndLater(check: () => void): Promise<void> {
      check();
      await reopen();
      check();
    }

    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'seqsvr-storage-'));
      opened = await open(directory);
      storage = opened.storage;
    });

    afterEach(async () => {
      await storage.close();
      await rm(directory, { recursive: true, force: true });
    });

    describe('the log', () => {
      it('starts empty: first index 1, last index 0', async () => {
        await nowAndLater(() => expect([storage.firstIndex, storage.lastIndex]).to.deep.equal([1, 0]));
      });

      it('says that the entry before the first has term 0, and that a missing one has none: missing is not zero', async () => {
        expect([storage.termAt(0), storage.termAt(1)]).to.deep.equal([0, undefined]);
        await append(storage, [1, 1]);
        await nowAndLater(() => expect([0, 1, 2, 3].map((index) => storage.termAt(index))).to.deep.equal([0, 1, 1, undefined]));
      });

      it('keeps index, term and data of what was appended', async () => {
        await append(storage, [1]);
        await append(storage, [1, 2], 2);
        await append(storage, [4], 4);
        await nowAndLater(() => expect(logOf(storage)).to.deep.equal(['1@1', '2@1', '3@2', '4@4']));
      });

      it('keeps an entry without data: the no-op that begins a term', async () => {
        await storage.write({ ...NOTHING, entries: [{ index: 1, term: 3, type: 'normal', data: new Uint8Array() }] });
        await nowAndLater(() => expect(storage.entries(1, 1, 100).map(({ term, data }) => [term, data.length])).to.deep.equal([[3, 0]]));
      });

      it('keeps the type of every entry', async () => {
        const types = ['normal', 'confChange', 'confChange', 'normal'] as const;
        await storage.write({ ...NOTHING, entries: entriesOf([1, 1, 1, 1]).map((entry, at) => ({ ...entry, type: types[at]! })) });
        await nowAndLater(() => expect(storage.entries(1, 4, 1e9).map(({ type }) => type)).to.deep.equal(types));
      });

      it('keeps every byte of a large entry', async () => {
        const data = Uint8Array.from({ length: 300_000 }, (_, offset) => offset % 251);
        await storage.write({ ...NOTHING, entries: [{ index: 1, term: 1, type: 'normal', data }] });
        await nowAndLater(() => expect(Buffer.compare(storage.entries(1, 1, 1)[0]!.data, data)).to.equal(0));
      });

      it('keeps thousands of entries of one write and of many', async () => {
        await append(storage, Array<number>(2_000).fill(1));
        for (let index = 2_001; index <= 2_100; index += 1) await append(storage, [2], index);
        await nowAndLater(() => {
          expect(storage.lastIndex).to.equal(2_100);
          expect(storage.entries(1, 2_100, 1e9).every(({ index, term }) => term === (index <= 2_000 ? 1 : 2))).to.equal(true);
        });
      });

      it('changes nothing in an empty write', async () => {
        await append(storage, [1, 1]);
        await storage.write(NOTHING);
        await nowAndLater(() => expect(logOf(storage)).to.deep.equal(['1@1', '2@1']));
      });
    });

    describe('reading a range', () => {
      const size = sizeOf(entriesOf([1])[0]!);
      const rows: readonly { from: Index; to: Index; maxBytes: number; found: readonly Index[]; why: string }[] = [
        { from: 1, to: 5, maxBytes: 1e6, found: [1, 2, 3, 4, 5], why: 'all that was asked for' },
        { from: 2, to: 4, maxBytes: 1e6, found: [2, 3, 4], why: 'both ends included' },
        { from: 5, to: 5, maxBytes: 1e6, found: [5], why: 'the last one' },
        { from: 1, to: 5, maxBytes: size * 2, found: [1, 2], why: 'as many as fit exactly' },
        { from: 1, to: 5, maxBytes: size * 3 - 1, found: [1, 2], why: 'none that does not fit' },
        { from: 3, to: 5, maxBytes: 0, found: [3], why: 'at least one, however small the limit' },
      ];
      for (const { from, to, maxBytes, found, why } of rows) {
        it(`gives ${why}: [${from}, ${to}] in ${maxBytes} bytes`, async () => {
          await append(storage, [1, 1]);
          await append(storage, [1, 1, 1], 3);
          await nowAndLater(() => expect(storage.entries(from, to, maxBytes).map(({ index }) => index)).to.deep.equal(found));
        });
      }
    });

    describe('a conflict', () => {
      const rows: readonly { why: string; first: Index; terms: readonly number[]; log: readonly string[] }[] = [
        { why: 'in the middle of a write', first: 5, terms: [2], log: ['1@1', '2@1', '3@1', '4@1', '5@2'] },
        { why: 'at the border of two writes', first: 4, terms: [2, 2], log: ['1@1', '2@1', '3@1', '4@2', '5@2'] },
        { why: 'in an earlier write', first: 2, terms: [2], log: ['1@1', '2@2'] },
        { why: 'at the first entry', first: 1, terms: [2], log: ['1@2'] },
        { why: 'at the last entry', first: 6, terms: [2, 3], log: ['1@1', '2@1', '3@1', '4@1', '5@1', '6@2', '7@3'] },
      ];
      for (const { why, first, terms, log } of rows) {
        it(`${why} replaces everything from there on, shorter or longer`, async () => {
          await append(storage, [1, 1, 1]);
          await append(storage, [1, 1, 1], 4);
          await append(storage, terms, first);
          await nowAndLater(() => {
            expect(logOf(storage)).to.deep.equal(log);
            expect(storage.termAt(log.length + 1)).to.equal(undefined);
          });
        });
      }

      it('can strike again and again, and the log goes on after it', async () => {
        await append(storage, [1, 1, 1, 1]);
        await append(storage, [2, 2], 3);
        await append(storage, [3], 4);
        await reopen();
        await append(storage, [4], 2);
        await append(storage, [4, 4], 3);
        await nowAndLater(() => expect(logOf(storage)).to.deep.equal(['1@1', '2@4', '3@4', '4@4']));
      });
    });

    describe('contiguity', () => {
      it('refuses entries that would leave a hole', async () => {
        await append(storage, [1]);
        expect(await refusal(storage, entriesOf([1], 3))).to.be.instanceOf(Error);
        await reopen();
        expect(logOf(storage)).to.deep.equal(['1@1']);
      });

      it('refuses entries before the first index', async () => {
        expect(await refusal(storage, entriesOf([1], 0))).to.be.instanceOf(Error);
      });

      it('refuses a write with a hole inside', async () => {
        expect(await refusal(storage, [...entriesOf([1], 1), ...entriesOf([1], 3)])).to.be.instanceOf(Error);
        await reopen();
        expect(storage.lastIndex).to.equal(0);
      });
    });

    describe('the hard state', () => {
      it('starts as term 0, no vote, nothing committed', async () => {
        expect(opened.hardState).to.deep.equal({ term: 0, votedFor: undefined, commitIndex: 0 });
        await reopen();
        expect(opened.hardState).to.deep.equal({ term: 0, votedFor: undefined, commitIndex: 0 });
      });

      it('is found again as it was written last, with a vote and without', async () => {
        await append(storage, [1, 1, 1]);
        await storage.write({ ...NOTHING, hardState: { term: 7, votedFor: 2, commitIndex: 1 } });
        await reopen();
        expect(opened.hardState).to.deep.equal({ term: 7, votedFor: 2, commitIndex: 1 });
        await storage.write({ ...NOTHING, hardState: { term: 8, votedFor: undefined, commitIndex: 3 } });
        await reopen();
        expect(opened.hardState).to.deep.equal({ term: 8, votedFor: undefined, commitIndex: 3 });
      });

      it('stays when a write does not bring one', async () => {
        await storage.write({ ...NOTHING, hardState: { term: 7, votedFor: 2, commitIndex: 0 } });
        await append(storage, [7]);
        await reopen();
        expect(opened.hardState).to.deep.equal({ term: 7, votedFor: 2, commitIndex: 0 });
      });
    });

    describe('the applied state', () => {
      it('starts empty at index 0', async () => {
        await reopen();
        expect([opened.appliedIndex, opened.state.size]).to.deep.equal([0, 0]);
      });

      it('is found again: keys set, replaced and deleted, and the index up to which they are applied', async () => {
        await append(storage, [1, 1, 1]);
        await storage.write({ ...NOTHING, applied: { index: 1, confState: CONF, writes: [put('a', '1'), put('b', '1'), put('c/d', '1')] } });
        await storage.write({ ...NOTHING, applied: { index: 3, confState: CONF, writes: [put('b', '2'), { key: 'a', value: undefined }] } });
        await reopen();
        expect(opened.appliedIndex).to.equal(3);
        expect([...opened.state].map(([key, data]) => [key, textOf({ data })])).to.have.deep.members([
          ['b', '2'],
          ['c/d', '1'],
        ]);
      });

      it('keeps an index that changed no key', async () => {
        await append(storage, [1, 1]);
        await storage.write({ ...NOTHING, applied: { index: 2, confState: CONF, writes: [] } });
        await reopen();
        expect([opened.appliedIndex, opened.state.size]).to.deep.equal([2, 0]);
      });

      it('stays when a write does not bring one, a conflict behind it included', async () => {
        await append(storage, [1, 1, 1]);
        await storage.write({ ...NOTHING, applied: { index: 1, confState: CONF, writes: [put('a', '1')] } });
        await append(storage, [2], 2);
        await reopen();
        expect(opened.appliedIndex).to.equal(1);
        expect(opened.state.has('a')).to.equal(true);
      });

      it('rides with entries and hard state in one write', async () => {
        await append(storage, [1]);
        await storage.write({
          ...NOTHING,
          entries: entriesOf([2], 2),
          hardState: { term: 2, votedFor: 3, commitIndex: 1 },
          applied: { index: 1, confState: CONF, writes: [put('a', '1')] },
        });
        await reopen();
        expect(logOf(storage)).to.deep.equal(['1@1', '2@2']);
        expect(opened.hardState).to.deep.equal({ term: 2, votedFor: 3, commitIndex: 1 });
        expect([opened.appliedIndex, [...opened.state.keys()]]).to.deep.equal([1, ['a']]);
      });
    });

    describe('the members', () => {
      it('are none at first, and found again as of the applied index', async () => {
        expect(opened.confState).to.deep.equal(EMPTY_CONF_STATE);
        await append(storage, [1, 1, 1]);
        const joint = { voters: [1, 2, 2 ** 31 - 1], votersOutgoing: [1, 3], learners: [70_000], learnersNext: [3], autoLeave: true };
        for (const [at, confState] of [joint, CONF, { ...joint, autoLeave: false }].entries()) {
          await storage.write({ ...NOTHING, applied: { index: at + 1, confState, writes: [] } });
          await reopen();
          expect([opened.appliedIndex, opened.confState]).to.deep.equal([at + 1, confState]);
        }
        await append(storage, [2], 4);
        await reopen();
        expect(opened.confState, 'stays when a write does not bring one').to.deep.equal({ ...joint, autoLeave: false });
      });
    });

    describe('compaction', () => {
      beforeEach(async () => {
        for (let index = 1; index <= 9; index += 3) await append(storage, [1, 1, 1], index);
        const hardState = { term: 1, votedFor: undefined, commitIndex: 8 };
        await storage.write({ ...NOTHING, hardState, applied: { index: 7, confState: CONF, writes: [put('a', '1')] } });
      });

      it('forgets whole appends up to where it may, and still knows the term before the first entry', async () => {
        await storage.write({ ...NOTHING, compactTo: 7 });
        await nowAndLater(() => {
          expect(storage.firstIndex).to.be.within(2, 8);
          expect([storage.lastIndex, storage.termAt(storage.firstIndex - 1), storage.termAt(storage.firstIndex - 2)]).to.deep.equal([
            9,
            1,
            undefined,
          ]);
          expect(storage.entries(storage.firstIndex, 9, 1_000).at(-1)?.index).to.equal(9);
        });
      });

      it('goes with a write of entries, and the log goes on after it', async () => {
        await storage.write({ ...NOTHING, entries: entriesOf([2], 10), compactTo: 6 });
        await append(storage, [2], 11);
        await nowAndLater(() => expect([storage.lastIndex, storage.termAt(9), storage.termAt(11)]).to.deep.equal([11, 1, 2]));
      });

      it('keeps the end of the log, and what is not applied', async () => {
        const refused = await storage.write({ ...NOTHING, compactTo: 8 }).then(
          () => 'taken',
          (error: unknown) => String(error),
        );
        expect(refused).to.contain('only what is applied on disk is compacted away');
      });
    });

    describe('a snapshot', () => {
      const snapshot = {
        index: 50,
        term: 4,
        confState: { ...CONF, learners: [9] },
        hardState: { term: 6, votedFor: 2, commitIndex: 50 },
        state: new Map([
          ['b', bytesOf('2')],
          ['c', bytesOf('3')],
        ]),
      };

      it('takes the place of log, state, members and hard state', async () => {
        await append(storage, [1, 1, 1]);
        await storage.write({ ...NOTHING, applied: { index: 3, confState: CONF, writes: [put('a', '1'), put('b', '1')] } });
        await storage.install(snapshot);
        await nowAndLater(() => {
          const { firstIndex, lastIndex } = storage;
          expect([firstIndex, lastIndex, storage.termAt(50), storage.termAt(49), storage.termAt(51)]).to.deep.equal([
            51,
            50,
            4,
            undefined,
            undefined,
          ]);
        });
        expect([opened.appliedIndex, opened.hardState, opened.confState]).to.deep.equal([50, snapshot.hardState, snapshot.confState]);
        expect([...opened.state].map(([key, value]) => `${key}=${textOf({ data: value })}`).sort()).to.deep.equal(['b=2', 'c=3']);
      });

      it('shortens a log that reaches further, and what was behind it never comes back', async () => {
        await append(storage, Array<number>(60).fill(1));
        await storage.install(snapshot);
        await nowAndLater(() => expect([storage.lastIndex, storage.termAt(51)]).to.deep.equal([50, undefined]));
        await append(storage, [6], 51);
        await nowAndLater(() => expect([storage.lastIndex, storage.termAt(51), storage.termAt(52)]).to.deep.equal([51, 6, undefined]));
      });

      it('can be one of nothing at all', async () => {
        await append(storage, [1]);
        await storage.write({ ...NOTHING, applied: { index: 1, confState: CONF, writes: [put('a', '1')] } });
        await storage.install({ ...snapshot, state: new Map() });
        await reopen();
        expect([opened.state.size, storage.lastIndex]).to.deep.equal([0, 50]);
      });

      it('is followed by a state that changes what it brought, and by a compaction', async () => {
        await storage.install(snapshot);
        await append(storage, [6, 6], 51);
        await append(storage, [6], 53);
        const hardState = { term: 6, votedFor: 2, commitIndex: 53 };
        await storage.write({
          ...NOTHING,
          hardState,
          applied: { index: 52, confState: CONF, writes: [put('b', '9'), { key: 'c', value: undefined }] },
        });
        await storage.write({ ...NOTHING, compactTo: 52 });
        await nowAndLater(() =>
          expect([storage.firstIndex, storage.lastIndex, storage.termAt(52), storage.termAt(51)]).to.deep.equal([53, 53, 6, undefined]),
        );
        expect([...opened.state].map(([key, data]) => `${key}=${textOf({ data })}`)).to.deep.equal(['b=9']);
      });

      it('is followed by the log, and by another snapshot', async () => {
        await storage.install(snapshot);
        await append(storage, [6, 6], 51);
        await nowAndLater(() => expect([storage.lastIndex, storage.termAt(52)]).to.deep.equal([52, 6]));
        await storage.install({ ...snapshot, index: 80, hardState: { ...snapshot.hardState, commitIndex: 80 } });
        await nowAndLater(() => expect([storage.firstIndex, storage.lastIndex, storage.termAt(52)]).to.deep.equal([81, 80, undefined]));
      });
    });
  });
}

function append(storage: RaftStorage, terms: readonly number[], firstIndex: Index = 1): Promise<void> {
  return storage.write({ ...NOTHING, entries: entriesOf(terms, firstIndex) });
}

function logOf(storage: RaftStorage): readonly string[] {
  return storage.entries(storage.firstIndex, storage.lastIndex, 1e9).map(textOf);
}

function put(key: string, value: string): { key: string; value: Uint8Array } {
  return { key, value: bytesOf(value) };
}

async function refusal(storage: RaftStorage, entries: readonly Entry[]): Promise<unknown> {
  try {
    await storage.write({ ...NOTHING, entries });
    return undefined;
  } catch (error) {
    return error;
  }
}
