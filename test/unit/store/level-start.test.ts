import type { ClassicLevel } from 'classic-level';
import { expect } from 'chai';
import { readFile, rm } from 'node:fs/promises';
import { SeqError } from '../../../src/base/errors.js';
import { EMPTY_CONF_STATE } from '../../../src/raft/types.js';
import { DamageError } from '../../../src/store/damage.js';
import { findIdentity, openDataDir } from '../../../src/store/data-dir.js';
import { encodeApplied, encodeHardState, encodeIdentity, encodeStart } from '../../../src/store/level-records.js';
import { LevelStorage } from '../../../src/store/level-storage.js';
import { entriesOf } from '../raft/memory-storage.js';
import { contentOf, copyTo, fail, NODE, NOTHING, openAt, rewrite, type TestFolder } from './disk.js';
import { expectError, flipped, hard, LevelStage, spyOnDisk } from './level-stage.js';

describe('the start of a log on disk', function () {
  this.timeout(20_000);

  let stage: LevelStage;
  let folder: TestFolder;
  let path: string;

  beforeEach(async () => {
    stage = await LevelStage.make();
    ({ folder, path } = stage);
  });

  afterEach(() => stage.remove());

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
      const { storage, hardState, appliedIndex, confState } = await stage.opened();
      expect([storage.firstIndex, storage.lastIndex, storage.termAt(0), appliedIndex]).to.deep.equal([1, 0, 0, 0]);
      expect([hardState, confState]).to.deep.equal([hard({}), EMPTY_CONF_STATE]);
    });

    it('with a first entry that follows what it began with: a founder and a joiner do not mix', async () => {
      const founder = await LevelStorage.open(await openDataDir(path, NODE), { type: 'founding', voters: [1] }, fail);
      await founder.storage.write({ ...NOTHING, entries: entriesOf([1], 2) });
      await founder.storage.close();
      await stage.tamper((db) =>
        db.batch([{ type: 'put', key: 'start', value: encodeStart({ firstIndex: 2, termBefore: 1, hashBefore: new Uint8Array(16) }) }]),
      );
      await expectError(openAt(path), DamageError, 'log chunk 2 does not follow the one before it');
    });
  });

  describe('with a log that begins later', () => {
    /** Entries 1 to 8, applied to 7, compacted to 4; closed. */
    async function compacted(): Promise<void> {
      await stage.filled();
      const { storage } = await stage.opened();
      await storage.write({ ...NOTHING, hardState: hard({ term: 2, votedFor: 3, commitIndex: 7 }), compactTo: 5 });
      expect(storage.firstIndex).to.equal(5);
      await stage.close();
    }

    it('is damaged when its start is gone, changed, or an old one', async () => {
      await stage.filled();
      let old: Uint8Array | undefined;
      await stage.tamper(async (db) => void (old = await db.get('start')));
      await rm(path, { recursive: true });
      await compacted();
      for (const [change, why] of [
        [(db) => db.del('start'), 'the start of the log is gone'],
        [async (db) => db.put('start', flipped((await db.get('start'))!)), 'start of the log is not as it was written'],
        [(db) => db.put('start', old!), 'hole'],
      ] as readonly (readonly [(database: ClassicLevel<string, Uint8Array>) => Promise<void>, string])[]) {
        await copyTo(path, folder.in('good'));
        await stage.tamper(change);
        await expectError(openAt(path), DamageError, why);
        await copyTo(folder.in('good'), path);
      }
    });

    it('is damaged when only less was applied or committed than what was compacted away', async () => {
      await compacted();
      const applied = encodeApplied({ index: 3, digest: new Uint8Array(16), confState: EMPTY_CONF_STATE });
      await stage.tamper((db) => db.put('hard', encodeHardState(hard({ term: 2, votedFor: 3, commitIndex: 3 }))));
      await expectError(openAt(path), DamageError, 'the log begins at 5 but only 3 was committed');
      await stage.tamper((db) => db.put('hard', encodeHardState(hard({ term: 2, votedFor: 3, commitIndex: 7 }))));
      await stage.tamper((db) => db.put('applied', applied));
      await expectError(openAt(path), DamageError, 'the log begins at 5 but only 3 was applied');
    });

    it('does not mind a marker that lags behind what was compacted away', async () => {
      const { storage } = await stage.opened();
      await storage.write({ ...NOTHING, entries: entriesOf([1, 1]) });
      await stage.close();
      const marker = await readFile(folder.in('data', 'marker'));
      await rm(path, { recursive: true });
      await compacted();
      await rewrite(folder.in('data', 'marker'), () => marker);
      expect((await stage.opened()).storage.lastIndex).to.equal(8);
    });

    it('does not compact away what is not committed on disk: it waits until it is', async () => {
      await stage.filled();
      const { storage } = await stage.opened();
      await storage.write({ ...NOTHING, compactTo: 7 });
      expect(storage.firstIndex).to.equal(1);
      await storage.write({ ...NOTHING, hardState: hard({ term: 2, votedFor: 3, commitIndex: 5 }), compactTo: 7 });
      expect(storage.firstIndex).to.equal(5);
    });

    it('writes nothing for a compaction that has nothing to remove', async () => {
      await compacted();
      const { storage } = await stage.opened();
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
        await stage.filled();
        const old = contentOf(await stage.opened());
        await stage.close();
        const markers: Buffer[] = [await readFile(folder.in('data', 'marker'))];
        await copyTo(path, folder.in('before'));
        const { storage } = await stage.opened();
        const { steps, restore } = await spyOnDisk(folder.in('spare'), async () => void markers.push(await readFile(folder.in('data', 'marker'))));
        try {
          await storage.install(install(index, 2));
        } finally {
          restore();
        }
        const batches = steps.filter((step) => step.startsWith('batch'));
        expect([batches.length, batches[0]?.endsWith(' synced')]).to.deep.equal([1, true]);
        await stage.close();
        const now = contentOf(await stage.opened());
        await stage.close();
        expect(now).to.deep.equal({ log: [], vote: '3 none', appliedIndex: index, members: '1,2', state: ['key/3=new'] });
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
            expect(contentOf(await stage.opened()), `${image}, marker ${count}`).to.deep.equal(content);
            await stage.close();
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
        await stage.filled();
        const { storage } = await stage.opened();
        await expectError(storage.install(batch), Error, why);
        await expectError(storage.write(NOTHING), Error, 'nothing is written after a failed write');
        await stage.close();
      }
    });
  });

  it('of format 1 is refused, and is no damage: the version that wrote it can read it', async () => {
    await stage.filled();
    const { nodeUuid } = (await findIdentity(path))!;
    await stage.tamper((db) => db.put('identity', Buffer.from(nodeUuid)));
    await expectError(openAt(path), SeqError, 'has format 1, this program reads 2');
  });

  it('is damaged when its identity record says another id or cluster, though the uuid is right', async () => {
    await stage.filled();
    const identity = (await findIdentity(path))!;
    for (const other of [
      { ...identity, nodeId: 9 },
      { ...identity, clusterId: 'd'.repeat(32) },
    ]) {
      await stage.tamper((db) => db.put('identity', encodeIdentity(other)));
      await expectError(openAt(path), DamageError, 'not the one that identity.json speaks of');
    }
  });
});
