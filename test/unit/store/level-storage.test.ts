import { ClassicLevel } from 'classic-level';
import { expect } from 'chai';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open as openFile, readFile, rm } from 'node:fs/promises';
import { SeqError } from '../../../src/base/errors.js';
import { EMPTY_CONF_STATE, type HardState } from '../../../src/raft/types.js';
import { DamageError } from '../../../src/store/damage.js';
import { findIdentity, openDataDir } from '../../../src/store/data-dir.js';
import { encodeApplied, encodeHardState, encodeIdentity, encodeStart } from '../../../src/store/level-records.js';
import { LevelStorage, type Opened } from '../../../src/store/level-storage.js';
import { Marker } from '../../../src/store/marker.js';
import { projectRoot } from '../../project-root.js';
import { entriesOf } from '../raft/memory-storage.js';
import { contentOf, copyTo, dataFilesIn, fail, NODE, NOTHING, openAt, put, rewrite, TestFolder } from './disk.js';
import { storageSuite } from './storage-suite.js';

storageSuite('LevelDB', (directory) => openAt(directory));

describe('LevelStorage', function () {
  this.timeout(20_000);

  let folder: TestFolder;
  let path: string;
  const open: Opened[] = [];

  beforeEach(async () => {
    folder = await TestFolder.make();
    path = folder.in('data');
  });

  afterEach(async () => {
    for (const { storage } of open.splice(0)) await storage.close();
    await folder.remove();
  });

  /** Opens, and closes at the end of the test at the latest. */
  async function opened(): Promise<Opened> {
    const found = await openAt(path);
    open.push(found);
    return found;
  }

  async function close(): Promise<void> {
    await open.pop()!.storage.close();
  }

  /** Four appends of two entries, a vote, some state; closed. */
  async function filled(): Promise<void> {
    const { storage } = await opened();
    for (let index = 1; index <= 7; index += 2) {
      await storage.write({
        ...NOTHING,
        entries: entriesOf([1, 1], index),
        applied: { index, confState: EMPTY_CONF_STATE, writes: [put(`key/${index}`, 'v')] },
      });
    }
    await storage.write({ ...NOTHING, hardState: hard({ term: 2, votedFor: 3 }) });
    await close();
  }

  /** Changes the database behind its back. */
  async function tamper(change: (database: ClassicLevel<string, Uint8Array>) => Promise<void>): Promise<void> {
    const database = new ClassicLevel<string, Uint8Array>(folder.in('data', 'db'), {
      keyEncoding: 'utf8',
      valueEncoding: 'view',
      createIfMissing: false,
    });
    await database.open();
    await change(database);
    await database.close();
  }

  describe('is opened by one', () => {
    it('in the same process: a second one is told that it is in use', async () => {
      await opened();
      await expectError(openAt(path), SeqError, 'is in use by another seqsvr process');
    });

    it('in another process: this one is told that it is in use, and gets it when that one was killed', async () => {
      await filled();
      const holder = await holdLock(folder.in('data', 'db'));
      await expectError(openAt(path), SeqError, 'is in use by another seqsvr process');
      holder.kill('SIGKILL');
      await once(holder, 'exit');
      expect((await opened()).storage.lastIndex).to.equal(8);
    });

    it('and is free again after it was refused or closed', async () => {
      await filled();
      await rm(folder.in('data', 'marker'));
      await expectError(openAt(path), DamageError, 'marker');
      await expectError(openAt(path), DamageError, 'marker');
    });
  });

  describe('never guesses', () => {
    it('when CURRENT, which names the live files, is gone: not an empty database', async () => {
      await filled();
      await rm(folder.in('data', 'db', 'CURRENT'));
      await expectError(openAt(path), DamageError, 'cannot be opened');
    });

    it('when the whole database is gone', async () => {
      await filled();
      await rm(folder.in('data', 'db'), { recursive: true });
      await expectError(openAt(path), DamageError, 'cannot be opened');
    });

    it('when any one file of it is gone', async () => {
      await filled();
      const good = folder.in('good');
      await copyTo(path, good);
      for (const file of await dataFilesIn(good)) {
        await copyTo(good, path);
        await rm(file.replace(good, path));
        const error = await errorOf(openAt(path));
        expect(error instanceof DamageError || SeqError.is(error, 'INVALID_ARGUMENT'), `${file}: ${String(error)}`).to.equal(true);
      }
    });

    it('when the database is the one of another node', async () => {
      await filled();
      await tamper((database) => database.put('identity', Buffer.from('f'.repeat(32))));
      await expectError(openAt(path), DamageError, 'not the one that identity.json speaks of');
    });

    it('when the database is an old copy of itself: log and votes were promised since', async () => {
      await filled();
      await copyTo(folder.in('data', 'db'), folder.in('old'));
      const { storage } = await opened();
      await storage.write({ ...NOTHING, entries: entriesOf([2], 9) });
      await close();
      await copyTo(folder.in('old'), folder.in('data', 'db'));
      await expectError(openAt(path), DamageError, 'the log lost its end: it reaches 8, the marker says 9');
    });

    it('when a vote was lost, or another one is in its place', async () => {
      await filled();
      const current = await hardRecord();
      for (const [term, votedFor, says] of [
        [1, 3, 'term 1'],
        [2, 1, 'vote 1'],
        [2, undefined, 'vote none'],
      ] as const) {
        await rewriteHard({ term, votedFor });
        await expectError(openAt(path), DamageError, says);
      }
      await tamper((database) => database.del('hard'));
      await expectError(openAt(path), DamageError, 'the hard state is gone from the database');
      await tamper((database) => database.put('hard', current));
      expect((await opened()).hardState).to.deep.equal(hard({ term: 2, votedFor: 3 }));
    });

    for (const [name, change, why] of [
      ['is lost in the middle', (db) => db.del(key(3)), 'hole'],
      ['is lost at the beginning', (db) => db.del(key(1)), 'hole'],
      ['is lost at the end', (db) => db.del(key(7)), 'lost its end'],
      ['stands in the place of another', async (db) => db.put(key(3), (await db.get(key(5)))!), 'says it begins at 5'],
      ['has one flipped bit', async (db) => db.put(key(5), flipped((await db.get(key(5)))!)), 'crc'],
      ['was replaced by another log', async (db) => db.clear({ gte: 'log/', lt: 'log/~' }), 'lost its end'],
    ] as readonly (readonly [string, (database: ClassicLevel<string, Uint8Array>) => Promise<void>, string])[]) {
      it(`when a chunk of the log ${name}`, async () => {
        await filled();
        await tamper(change);
        await expectError(openAt(path), DamageError, why);
      });
    }

    it('when the log reaches as far as it should, but is another one', async () => {
      await filled();
      const marker = await Marker.open(folder.in('data', 'marker'));
      await marker.write({ ...marker.mark, lastHash: new Uint8Array(16) });
      await marker.close();
      await expectError(openAt(path), DamageError, 'entry 8 differs');
    });

    for (const [name, change] of [
      ['was changed', (db) => db.put('state/key/3', Buffer.from('w'))],
      ['was lost', (db) => db.del('state/key/3')],
      ['came from nowhere', (db) => db.put('state/key/4', Buffer.from('v'))],
    ] as readonly (readonly [string, (database: ClassicLevel<string, Uint8Array>) => Promise<void>])[]) {
      it(`when a record of the state ${name}: LevelDB does not check what it reads`, async () => {
        await filled();
        await tamper(change);
        await expectError(openAt(path), DamageError, 'the state is not as it was written at entry 7');
      });
    }

    it('when the applied index is lost, changed, or beyond the log', async () => {
      await filled();
      await tamper(async (db) => db.put('applied', flipped((await db.get('applied'))!)));
      await expectError(openAt(path), DamageError, 'applied index is not as it was written');
      await tamper((db) => db.del('applied'));
      await expectError(openAt(path), DamageError, 'the applied index is gone from the database');
    });

    it('when the hard state is changed, or says that more was committed than there is', async () => {
      await filled();
      const { storage } = await opened();
      await storage.write({ ...NOTHING, hardState: hard({ term: 2, votedFor: 3, commitIndex: 9 }) });
      await close();
      await expectError(openAt(path), DamageError, 'the log ends at 8 but 9 was committed');
      await tamper(async (db) => db.put('hard', flipped((await db.get('hard'))!)));
      await expectError(openAt(path), DamageError, 'hard state is not as it was written');
    });
  });

  describe('begins', () => {
    it('as a founder with a log that begins behind entry 1, committed and applied, and the voters in order', async () => {
      const begin = { type: 'founding', voters: [3, 1, 20, 2] } as const;
      for (const again of [begin, { type: 'joining' } as const]) {
        const found = await LevelStorage.open(await openDataDir(path, NODE), again, fail);
        const { storage, hardState, appliedIndex, confState, state } = found;
        expect([storage.firstIndex, storage.lastIndex, storage.termAt(1), storage.termAt(0), appliedIndex, state.size]).to.deep.equal([
          2,
          1,
          1,
          undefined,
          1,
          0,
        ]);
        expect(hardState).to.deep.equal({ term: 1, votedFor: undefined, commitIndex: 1 });
        expect(confState).to.deep.equal({ ...EMPTY_CONF_STATE, voters: [1, 2, 3, 20] });
        await storage.close();
      }
    });

    it('as a joiner with nothing at all', async () => {
      const { storage, hardState, appliedIndex, confState } = await opened();
      expect([storage.firstIndex, storage.lastIndex, storage.termAt(0), appliedIndex]).to.deep.equal([1, 0, 0, 0]);
      expect([hardState, confState]).to.deep.equal([hard({}), EMPTY_CONF_STATE]);
    });

    it('with a first entry that follows what it began with: a founder and a joiner do not mix', async () => {
      const founder = await LevelStorage.open(await openDataDir(path, NODE), { type: 'founding', voters: [1] }, fail);
      await founder.storage.write({ ...NOTHING, entries: entriesOf([1], 2) });
      await founder.storage.close();
      await tamper((db) =>
        db.batch([{ type: 'put', key: 'start', value: encodeStart({ firstIndex: 2, termBefore: 1, hashBefore: new Uint8Array(16) }) }]),
      );
      await expectError(openAt(path), DamageError, 'log chunk 2 does not follow the one before it');
    });
  });

  describe('with a log that begins later', () => {
    /** Entries 1 to 8, applied to 7, compacted to 4; closed. */
    async function compacted(): Promise<void> {
      await filled();
      const { storage } = await opened();
      await storage.write({ ...NOTHING, hardState: hard({ term: 2, votedFor: 3, commitIndex: 7 }), compactTo: 5 });
      expect(storage.firstIndex).to.equal(5);
      await close();
    }

    it('is damaged when its start is gone, changed, or an old one', async () => {
      await filled();
      let old: Uint8Array | undefined;
      await tamper(async (db) => void (old = await db.get('start')));
      await rm(path, { recursive: true });
      await compacted();
      for (const [change, why] of [
        [(db) => db.del('start'), 'the start of the log is gone'],
        [async (db) => db.put('start', flipped((await db.get('start'))!)), 'start of the log is not as it was written'],
        [(db) => db.put('start', old!), 'hole'],
      ] as readonly (readonly [(database: ClassicLevel<string, Uint8Array>) => Promise<void>, string])[]) {
        await copyTo(path, folder.in('bad'));
        const good = path;
        path = folder.in('bad');
        await tamper(change);
        await expectError(openAt(path), DamageError, why);
        path = good;
      }
    });

    it('is damaged when only less was applied or committed than what was compacted away', async () => {
      await compacted();
      const applied = encodeApplied({ index: 3, digest: new Uint8Array(16), confState: EMPTY_CONF_STATE });
      await tamper((db) => db.put('hard', encodeHardState(hard({ term: 2, votedFor: 3, commitIndex: 3 }))));
      await expectError(openAt(path), DamageError, 'the log begins at 5 but only 3 was committed');
      await tamper((db) => db.put('hard', encodeHardState(hard({ term: 2, votedFor: 3, commitIndex: 7 }))));
      await tamper((db) => db.put('applied', applied));
      await expectError(openAt(path), DamageError, 'the log begins at 5 but only 3 was applied');
    });

    it('does not mind a marker that lags behind what was compacted away', async () => {
      const { storage } = await opened();
      await storage.write({ ...NOTHING, entries: entriesOf([1, 1]) });
      await close();
      const marker = await readFile(folder.in('data', 'marker'));
      await rm(path, { recursive: true });
      await compacted();
      await rewrite(folder.in('data', 'marker'), () => marker);
      expect((await opened()).storage.lastIndex).to.equal(8);
    });

    it('does not compact away what is not committed on disk: it waits until it is', async () => {
      await filled();
      const { storage } = await opened();
      await storage.write({ ...NOTHING, compactTo: 7 });
      expect(storage.firstIndex).to.equal(1);
      await storage.write({ ...NOTHING, hardState: hard({ term: 2, votedFor: 3, commitIndex: 5 }), compactTo: 7 });
      expect(storage.firstIndex).to.equal(5);
    });

    it('writes nothing for a compaction that has nothing to remove', async () => {
      await compacted();
      const { storage } = await opened();
      const { steps, restore } = await spyOnDisk(folder.in('spare'));
      try {
        await storage.write({ ...NOTHING, compactTo: 5 });
        expect(steps).to.deep.equal([]);
      } finally {
        restore();
      }
    });
  });

  describe('installs a snapshot', () => {
    const install = (index: number, term: number) => ({
      index,
      term,
      confState: { ...EMPTY_CONF_STATE, voters: [1, 2] },
      hardState: hard({ term: 3, commitIndex: index }),
      state: new Map([['key/3', Buffer.from('new')]]),
    });

    for (const [index, what] of [
      [7, 'a log that becomes shorter'],
      [8, 'a log that ends at the same entry'],
      [20, 'a log that becomes longer'],
    ] as const) {
      it(`in one batch, and a crash at any point leaves the old or the new whole: ${what}`, async () => {
        await filled();
        const old = contentOf(await opened());
        await close();
        const markers: Buffer[] = [await readFile(folder.in('data', 'marker'))];
        await copyTo(path, folder.in('before'));
        const { storage } = await opened();
        const { steps, restore } = await spyOnDisk(folder.in('spare'), async () => void markers.push(await readFile(folder.in('data', 'marker'))));
        try {
          await storage.install(install(index, 2));
        } finally {
          restore();
        }
        const batches = steps.filter((step) => step.startsWith('batch'));
        expect([batches.length, batches[0]?.endsWith(' synced')]).to.deep.equal([1, true]);
        await close();
        const now = contentOf(await opened());
        await close();
        expect(now).to.deep.equal({ log: [], vote: '3 none', appliedIndex: index, state: ['key/3=new'] });
        await copyTo(path, folder.in('after'));
        const at = steps.findIndex((step) => step.startsWith('batch'));
        const writesBefore = steps.slice(0, at).filter((step) => step === 'marker written').length;
        for (const [count, marker] of markers.entries()) {
          // The marker as of before the batch goes with both; the one after it only with the new.
          for (const [image, content] of [
            ['before', old],
            ['after', now],
          ] as const) {
            if (image === 'before' && count > writesBefore) continue;
            if (image === 'after' && count < writesBefore) continue;
            await copyTo(folder.in(image), path);
            await rewrite(folder.in('data', 'marker'), () => marker);
            expect(contentOf(await opened()), `${image}, marker ${count}`).to.deep.equal(content);
            await close();
          }
        }
        // And once it is acknowledged, the old one is not believed any more.
        await copyTo(folder.in('before'), path);
        await rewrite(folder.in('data', 'marker'), () => markers.at(-1)!);
        await expectError(openAt(path), DamageError, '');
      });
    }

    it('but not one that takes back what was applied, or says that more is committed', async () => {
      for (const [batch, why] of [
        [install(6, 1), 'takes back nothing'],
        [{ ...install(9, 2), hardState: hard({ term: 3, commitIndex: 10 }) }, 'nothing follows it'],
      ] as const) {
        await rm(path, { recursive: true, force: true });
        await filled();
        const { storage } = await opened();
        await expectError(storage.install(batch), Error, why);
        await expectError(storage.write(NOTHING), Error, 'nothing is written after a failed write');
        await close();
      }
    });
  });

  it('of format 1 is refused, and is no damage: the version that wrote it can read it', async () => {
    await filled();
    const { nodeUuid } = (await findIdentity(path))!;
    await tamper((db) => db.put('identity', Buffer.from(nodeUuid)));
    await expectError(openAt(path), SeqError, 'has format 1, this program reads 2');
  });

  it('is damaged when its identity record says another id or cluster, though the uuid is right', async () => {
    await filled();
    const identity = (await findIdentity(path))!;
    for (const other of [
      { ...identity, nodeId: 9 },
      { ...identity, clusterId: 'd'.repeat(32) },
    ]) {
      await tamper((db) => db.put('identity', encodeIdentity(other)));
      await expectError(openAt(path), DamageError, 'not the one that identity.json speaks of');
    }
  });

  describe('survives', () => {
    it('a crash between the batch and the marker: the marker may lag, and never leads', async () => {
      await filled();
      const marker = await readFile(folder.in('data', 'marker'));
      const { storage } = await opened();
      await storage.write({ ...NOTHING, entries: entriesOf([2, 2], 9) });
      await close();
      await rewrite(folder.in('data', 'marker'), () => marker);
      expect((await opened()).storage.lastIndex).to.equal(10);
    });

    it('a crash anywhere in a write that cuts the log: the marker steps back BEFORE', async () => {
      await filled();
      const before = folder.in('before');
      await copyTo(path, before);
      const { storage } = await opened();
      await storage.write({ ...NOTHING, entries: entriesOf([2], 8) });
      await close();
      const [, steppedBack] = await markersOf(path);
      await rewrite(folder.in('data', 'marker'), () => steppedBack!);
      expect(contentOf(await opened()).log.at(-1), 'after the batch, before the last marker').to.equal('8@2 8@2');
      await close();
      await copyTo(before, path);
      await rewrite(folder.in('data', 'marker'), () => steppedBack!);
      expect(contentOf(await opened()).log.at(-1), 'after the first marker, before the batch').to.equal('8@1 8@1');
    });

    it('one failed write: it rejects, and nothing is written after it', async () => {
      const { storage } = await opened();
      await storage.write({ ...NOTHING, entries: entriesOf([1]) });
      await close();
      expect(await errorOf(storage.write({ ...NOTHING, entries: entriesOf([1], 2) }))).to.be.instanceOf(Error);
      await expectError(storage.write(NOTHING), Error, 'nothing is written after a failed write');
      expect(contentOf(await opened()).log).to.deep.equal(['1@1 1@1']);
    });

    it('a marker that cannot be written: a vote rejects, an append tells in the background and with the next write', async () => {
      for (const batch of [
        { ...NOTHING, hardState: hard({ term: 9, votedFor: 1 }) },
        { ...NOTHING, entries: entriesOf([1]) },
      ]) {
        const told: unknown[] = [];
        const found = await openAt(path, (error) => void told.push(error));
        open.push(found);
        const { storage } = found;
        const restore = failMarkers();
        const outcomes = [await errorOf(storage.write(batch)), await errorOf(storage.write({ ...NOTHING, entries: entriesOf([1]) }))];
        restore();
        expect(outcomes[0] === undefined, 'the vote is not spoken').to.equal(batch.hardState === undefined);
        expect(told.length, 'the append is told in the background').to.equal(batch.hardState === undefined ? 1 : 0);
        expect((outcomes[1] as Error).message).to.match(batch.hardState === undefined ? /no space left/ : /nothing is written/);
        await close();
        await rm(path, { recursive: true });
      }
    });
  });

  describe('says at once', () => {
    it('that the marker could not be written behind an append, though nothing else is ever written', async () => {
      const told: unknown[] = [];
      const { storage } = await openAt(path, (error) => void told.push(error));
      open.push({ storage } as Opened);
      const restore = failMarkers();
      await storage.write({ ...NOTHING, entries: entriesOf([1]) });
      restore();
      await turn();
      expect(told.map((error) => (error as Error).message)).to.deep.equal(['no space left']);
    });

    it('nothing twice: what rejects a write is told by the write', async () => {
      const told: unknown[] = [];
      const { storage } = await openAt(path, (error) => void told.push(error));
      open.push({ storage } as Opened);
      const restore = failMarkers();
      expect(await errorOf(storage.write({ ...NOTHING, hardState: hard({ term: 9 }) }))).to.be.instanceOf(Error);
      restore();
      await turn();
      expect(told).to.deep.equal([]);
    });
  });

  describe('is on disk for good', () => {
    it('whatever it writes, the first identity too: no write of the database goes unsynced', async () => {
      const { steps, restore } = await spyOnDisk(folder.in('spare'));
      try {
        await filled();
      } finally {
        restore();
      }
      const writes = steps.filter((step) => /^(put|batch)/.test(step));
      expect(writes.filter((step) => step.endsWith('unsynced'))).to.deep.equal([]);
      expect([writes[0], writes.length]).to.deep.equal(['batch identity,start,applied,hard synced', 6]);
    });

    it('a vote before it is spoken: the batch, then the marker, both synced', async () => {
      const { storage } = await opened();
      const { steps, restore } = await spyOnDisk(folder.in('spare'));
      try {
        await storage.write({ ...NOTHING, hardState: hard({ term: 2, votedFor: 3 }) });
        expect(steps).to.deep.equal(['batch hard synced', 'marker written', 'marker synced']);
      } finally {
        restore();
      }
    });

    it('a marker that steps back before the cut that it steps back for', async () => {
      const { storage } = await opened();
      await storage.write({ ...NOTHING, entries: entriesOf([1, 1]) });
      await storage.write({ ...NOTHING, hardState: hard({ term: 2 }) });
      const { steps, restore } = await spyOnDisk(folder.in('spare'));
      try {
        await storage.write({ ...NOTHING, entries: entriesOf([2], 2) });
        expect(steps.slice(0, 3)).to.deep.equal(['marker written', 'marker synced', `batch ${key(1)},${key(1)} synced`]);
      } finally {
        restore();
      }
    });
  });

  async function hardRecord(): Promise<Uint8Array> {
    let record: Uint8Array | undefined;
    await tamper(async (database) => void (record = await database.get('hard')));
    return record!;
  }

  /** Writes a hard state into the database as the program would, and leaves the marker alone. */
  async function rewriteHard(state: Pick<HardState, 'term' | 'votedFor'>): Promise<void> {
    const other = folder.in('other');
    await rm(other, { recursive: true, force: true });
    const { storage } = await openAt(other);
    await storage.write({ ...NOTHING, hardState: hard(state) });
    await storage.close();
    const database = new ClassicLevel<string, Uint8Array>(folder.in('other', 'db'), { keyEncoding: 'utf8', valueEncoding: 'view' });
    const record = (await database.get('hard'))!;
    await database.close();
    await tamper((target) => target.put('hard', record));
  }
});

function hard(state: Partial<HardState>): HardState {
  return { term: 0, votedFor: undefined, commitIndex: 0, ...state };
}

function key(firstIndex: number): string {
  return `log/${String(firstIndex).padStart(16, '0')}`;
}

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[copy.length >> 1]! ^= 4;
  return copy;
}

/** The slots of a marker file, newest first, each as a file of its own. */
async function markersOf(path: string): Promise<readonly Buffer[]> {
  const bytes = await readFile(`${path}/marker`);
  const slots = [0, 1].map((slot) => {
    const alone = Buffer.alloc(bytes.length);
    bytes.copy(alone, slot * 512, slot * 512, (slot + 1) * 512);
    return alone;
  });
  return slots.sort((one, other) => sequenceIn(other) - sequenceIn(one));
}

function sequenceIn(alone: Buffer): number {
  return Math.max(alone.readUIntBE(2, 6), alone.length > 512 ? alone.readUIntBE(514, 6) : 0);
}

/** Every marker of this process fails to write from here on, until the returned function is called. */
function failMarkers(): () => void {
  const write = Object.getOwnPropertyDescriptor(Marker.prototype, 'write')!;
  Marker.prototype.write = () => Promise.reject(new Error('no space left'));
  return () => void Object.defineProperty(Marker.prototype, 'write', write);
}

/** What reaches the disk from here on, in order, until `restore` is called. */
async function spyOnDisk(
  spare: string,
  onMarked: () => Promise<void> = async () => undefined,
): Promise<{ readonly steps: readonly string[]; readonly restore: () => void }> {
  const steps: string[] = [];
  const synced = (options: unknown): string => ((options as { sync?: boolean }).sync === true ? 'synced' : 'unsynced');
  const namesOf = (keys: readonly unknown[]): string => keys.map(String).join();
  const handle = await openFile(spare, 'w');
  const file: object = Object.getPrototypeOf(handle);
  await handle.close();
  const restores = [
    spy(ClassicLevel.prototype, '_put', ([at, , options]) => steps.push(`put ${namesOf([at])} ${synced(options)}`)),
    spy(ClassicLevel.prototype, '_del', ([at, options]) => steps.push(`put ${namesOf([at])} ${synced(options)}`)),
    spy(ClassicLevel.prototype, '_batch', ([all, options]) =>
      steps.push(`batch ${namesOf((all as { key: unknown }[]).map((one) => one.key))} ${synced(options)}`),
    ),
    spy(file, 'write', () => steps.push('marker written')),
    spy(file, 'datasync', async () => {
      steps.push('marker synced');
      await onMarked();
    }),
  ];
  return { steps, restore: () => restores.forEach((restore) => restore()) };
}

/** Tells of a call once it is done. */
function spy(target: object, method: string, tell: (args: readonly unknown[]) => unknown): () => void {
  const methods = target as Record<string, (...args: unknown[]) => Promise<unknown>>;
  const original = methods[method]!;
  methods[method] = async function (this: unknown, ...args: unknown[]): Promise<unknown> {
    const result = await original.apply(this, args);
    await tell(args);
    return result;
  };
  return () => void (methods[method] = original);
}

/** Everything that is due now has run. */
function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

async function holdLock(databasePath: string): Promise<ChildProcess> {
  const program = `
    import { ClassicLevel } from 'classic-level';
    await new ClassicLevel(${JSON.stringify(databasePath)}).open();
    console.log('open');
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { cwd: projectRoot, stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

async function errorOf(act: Promise<unknown>): Promise<unknown> {
  return act.then(
    () => undefined,
    (error: unknown) => error,
  );
}

async function expectError(act: Promise<unknown>, type: new (...args: never[]) => Error, message: string): Promise<void> {
  const error = await errorOf(act);
  expect(error).to.be.instanceOf(type);
  expect((error as Error).message).to.contain(message);
}
