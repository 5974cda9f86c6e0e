import { ClassicLevel } from 'classic-level';
import { expect } from 'chai';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { SeqError } from '../../../src/base/errors.js';
import type { HardState } from '../../../src/raft/types.js';
import { DamageError } from '../../../src/store/damage.js';
import type { Opened } from '../../../src/store/level-storage.js';
import { Marker } from '../../../src/store/marker.js';
import { projectRoot } from '../../project-root.js';
import { entriesOf } from '../raft/memory-storage.js';
import { contentOf, copyTo, dataFilesIn, errorOf, NOTHING, openAt, rewrite, type TestFolder } from './disk.js';
import { expectError, flipped, hard, key, LevelStage, spyOnDisk } from './level-stage.js';
import { storageSuite } from './storage-suite.js';

storageSuite('LevelDB', (directory) => openAt(directory));

describe('LevelStorage', function () {
  this.timeout(20_000);

  let stage: LevelStage;
  let folder: TestFolder;
  let path: string;

  beforeEach(async () => {
    stage = await LevelStage.make();
    ({ folder, path } = stage);
  });

  afterEach(() => stage.remove());

  describe('is opened by one', () => {
    it('in the same process: a second one is told that it is in use', async () => {
      await stage.opened();
      await expectError(openAt(path), SeqError, 'is in use by another seqsvr process');
    });

    it('in another process: this one is told that it is in use, and gets it when that one was killed', async () => {
      await stage.filled();
      const holder = await holdLock(folder.in('data', 'db'));
      await expectError(openAt(path), SeqError, 'is in use by another seqsvr process');
      holder.kill('SIGKILL');
      await once(holder, 'exit');
      expect((await stage.opened()).storage.lastIndex).to.equal(8);
    });

    it('and is free again after it was refused or closed', async () => {
      await stage.filled();
      await rm(folder.in('data', 'marker'));
      await expectError(openAt(path), DamageError, 'marker');
      await expectError(openAt(path), DamageError, 'marker');
    });
  });

  describe('never guesses', () => {
    it('when CURRENT, which names the live files, is gone: not an empty database', async () => {
      await stage.filled();
      await rm(folder.in('data', 'db', 'CURRENT'));
      await expectError(openAt(path), DamageError, 'cannot be opened');
    });

    it('when the whole database is gone', async () => {
      await stage.filled();
      await rm(folder.in('data', 'db'), { recursive: true });
      await expectError(openAt(path), DamageError, 'cannot be opened');
    });

    it('when any one file of it is gone', async () => {
      await stage.filled();
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
      await stage.filled();
      await stage.tamper((database) => database.put('identity', Buffer.from('f'.repeat(32))));
      await expectError(openAt(path), DamageError, 'not the one that identity.json speaks of');
    });

    it('when the database is an old copy of itself: log and votes were promised since', async () => {
      await stage.filled();
      await copyTo(folder.in('data', 'db'), folder.in('old'));
      const { storage } = await stage.opened();
      await storage.write({ ...NOTHING, entries: entriesOf([2], 9) });
      await stage.close();
      await copyTo(folder.in('old'), folder.in('data', 'db'));
      await expectError(openAt(path), DamageError, 'the log lost its end: it reaches 8, the marker says 9');
    });

    it('when a vote was lost, or another one is in its place', async () => {
      await stage.filled();
      const current = await hardRecord();
      for (const [term, votedFor, says] of [
        [1, 3, 'term 1'],
        [2, 1, 'vote 1'],
        [2, undefined, 'vote none'],
      ] as const) {
        await rewriteHard({ term, votedFor });
        await expectError(openAt(path), DamageError, says);
      }
      await stage.tamper((database) => database.del('hard'));
      await expectError(openAt(path), DamageError, 'the hard state is gone from the database');
      await stage.tamper((database) => database.put('hard', current));
      expect((await stage.opened()).hardState).to.deep.equal(hard({ term: 2, votedFor: 3 }));
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
        await stage.filled();
        await stage.tamper(change);
        await expectError(openAt(path), DamageError, why);
      });
    }

    it('when the last chunk has one flipped bit and the marker lags behind it: it was acknowledged, so it is not cut off', async () => {
      await stage.filled();
      const marker = await readFile(folder.in('data', 'marker'));
      const { storage } = await stage.opened();
      await storage.write({ ...NOTHING, entries: entriesOf([2, 2], 9) });
      await stage.close();
      await rewrite(folder.in('data', 'marker'), () => marker);
      await stage.tamper(async (db) => db.put(key(9), flipped((await db.get(key(9)))!)));
      await expectError(openAt(path), DamageError, 'log chunk 9: crc');
    });

    it('when the end of the log is gone that was acknowledged and not yet applied: only the marker knows of it', async () => {
      await stage.filled();
      const { storage } = await stage.opened();
      await storage.write({ ...NOTHING, entries: entriesOf([2, 2], 9) });
      await stage.close();
      await stage.tamper((db) => db.del(key(9)));
      await expectError(openAt(path), DamageError, 'the log lost its end: it reaches 8, the marker says 10');
    });

    it('when the log reaches as far as it should, but is another one', async () => {
      await stage.filled();
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
        await stage.filled();
        await stage.tamper(change);
        await expectError(openAt(path), DamageError, 'the state is not as it was written at entry 7');
      });
    }

    it('when the applied index is lost, changed, or beyond the log', async () => {
      await stage.filled();
      await stage.tamper(async (db) => db.put('applied', flipped((await db.get('applied'))!)));
      await expectError(openAt(path), DamageError, 'applied index is not as it was written');
      await stage.tamper((db) => db.del('applied'));
      await expectError(openAt(path), DamageError, 'the applied index is gone from the database');
    });

    it('when the hard state is changed, or says that more was committed than there is', async () => {
      await stage.filled();
      const { storage } = await stage.opened();
      await storage.write({ ...NOTHING, hardState: hard({ term: 2, votedFor: 3, commitIndex: 9 }) });
      await stage.close();
      await expectError(openAt(path), DamageError, 'the log ends at 8 but 9 was committed');
      await stage.tamper(async (db) => db.put('hard', flipped((await db.get('hard'))!)));
      await expectError(openAt(path), DamageError, 'hard state is not as it was written');
    });
  });

  describe('survives', () => {
    it('a crash between the batch and the marker: the marker may lag, and never leads', async () => {
      await stage.filled();
      const marker = await readFile(folder.in('data', 'marker'));
      const { storage } = await stage.opened();
      await storage.write({ ...NOTHING, entries: entriesOf([2, 2], 9) });
      await stage.close();
      await rewrite(folder.in('data', 'marker'), () => marker);
      expect((await stage.opened()).storage.lastIndex).to.equal(10);
    });

    it('a crash anywhere in a write that cuts the log: the marker steps back BEFORE', async () => {
      await stage.filled();
      const before = folder.in('before');
      await copyTo(path, before);
      const { storage } = await stage.opened();
      await storage.write({ ...NOTHING, entries: entriesOf([2], 8) });
      await stage.close();
      const [, steppedBack] = await markersOf(path);
      await rewrite(folder.in('data', 'marker'), () => steppedBack!);
      expect(contentOf(await stage.opened()).log.at(-1), 'after the batch, before the last marker').to.equal('8@2 8@2');
      await stage.close();
      await copyTo(before, path);
      await rewrite(folder.in('data', 'marker'), () => steppedBack!);
      expect(contentOf(await stage.opened()).log.at(-1), 'after the first marker, before the batch').to.equal('8@1 8@1');
    });

    it('one failed write: it rejects, and nothing is written after it', async () => {
      const { storage } = await stage.opened();
      await storage.write({ ...NOTHING, entries: entriesOf([1]) });
      await stage.close();
      expect(await errorOf(storage.write({ ...NOTHING, entries: entriesOf([1], 2) }))).to.be.instanceOf(Error);
      await expectError(storage.write(NOTHING), Error, 'nothing is written after a failed write');
      expect(contentOf(await stage.opened()).log).to.deep.equal(['1@1 1@1']);
    });

    it('a marker that cannot be written: a vote rejects, an append tells in the background and with the next write', async () => {
      for (const batch of [
        { ...NOTHING, hardState: hard({ term: 9, votedFor: 1 }) },
        { ...NOTHING, entries: entriesOf([1]) },
      ]) {
        const told: unknown[] = [];
        const found = await openAt(path, (error) => void told.push(error));
        stage.keep(found);
        const { storage } = found;
        const restore = failMarkers();
        const outcomes = [await errorOf(storage.write(batch)), await errorOf(storage.write({ ...NOTHING, entries: entriesOf([1]) }))];
        restore();
        expect(outcomes[0] === undefined, 'the vote is not spoken').to.equal(batch.hardState === undefined);
        expect(told.length, 'the append is told in the background').to.equal(batch.hardState === undefined ? 1 : 0);
        expect((outcomes[1] as Error).message).to.match(batch.hardState === undefined ? /no space left/ : /nothing is written/);
        await stage.close();
        await rm(path, { recursive: true });
      }
    });
  });

  describe('says at once', () => {
    it('that the marker could not be written behind an append, though nothing else is ever written', async () => {
      const told: unknown[] = [];
      const { storage } = await openAt(path, (error) => void told.push(error));
      stage.keep({ storage } as Opened);
      const restore = failMarkers();
      await storage.write({ ...NOTHING, entries: entriesOf([1]) });
      restore();
      await turn();
      expect(told.map((error) => (error as Error).message)).to.deep.equal(['no space left']);
    });

    it('nothing twice: what rejects a write is told by the write', async () => {
      const told: unknown[] = [];
      const { storage } = await openAt(path, (error) => void told.push(error));
      stage.keep({ storage } as Opened);
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
        await stage.filled();
      } finally {
        restore();
      }
      const writes = steps.filter((step) => /^(put|batch)/.test(step));
      expect(writes.filter((step) => step.endsWith('unsynced'))).to.deep.equal([]);
      expect([writes[0], writes.length]).to.deep.equal(['batch identity,start,applied,hard synced', 6]);
    });

    it('a vote before it is spoken: the batch, then the marker, both synced', async () => {
      const { storage } = await stage.opened();
      const { steps, restore } = await spyOnDisk(folder.in('spare'));
      try {
        await storage.write({ ...NOTHING, hardState: hard({ term: 2, votedFor: 3 }) });
        expect(steps).to.deep.equal(['batch hard synced', 'marker written', 'marker synced']);
      } finally {
        restore();
      }
    });

    it('an append before its mark: the marker never leads', async () => {
      const { storage } = await stage.opened();
      const { steps, restore } = await spyOnDisk(folder.in('spare'));
      try {
        await storage.write({ ...NOTHING, entries: entriesOf([1, 1]) });
        await stage.close();
        expect(steps).to.deep.equal([`batch ${key(1)} synced`, 'marker written', 'marker synced']);
      } finally {
        restore();
      }
    });

    it('a marker that steps back before the cut that it steps back for', async () => {
      const { storage } = await stage.opened();
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
    await stage.tamper(async (database) => void (record = await database.get('hard')));
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
    await stage.tamper((target) => target.put('hard', record));
  }
});

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
