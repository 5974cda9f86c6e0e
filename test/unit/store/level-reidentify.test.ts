import { expect } from 'chai';
import { readFile, writeFile } from 'node:fs/promises';
import { SeqError } from '../../../src/base/errors.js';
import { DamageError } from '../../../src/store/damage.js';
import { findIdentity, type Identity, openDataDir } from '../../../src/store/data-dir.js';
import { reidentify } from '../../../src/store/level-reidentify.js';
import { LevelStorage, type Opened } from '../../../src/store/level-storage.js';
import { writeQuarantine } from '../../../src/store/quarantine.js';
import { SeededRandom } from '../seeded-random.js';
import { entriesOf } from '../raft/memory-storage.js';
import { BEGIN, contentOf, copyTo, errorOf, fail, NODE, NOTHING, openAt, TestFolder } from './disk.js';

const NEXT: Identity = { clusterId: NODE.clusterId, nodeId: 70_000, nodeUuid: 'e'.repeat(32) };
const OTHER: Identity = { ...NEXT, nodeUuid: 'd'.repeat(32) };

describe('a data directory becomes another node', () => {
  let folder: TestFolder;
  let path: string;

  beforeEach(async () => {
    folder = await TestFolder.make();
    path = folder.in('data');
    const { storage } = await openAt(path);
    await storage.write({ ...NOTHING, entries: entriesOf([1, 1]) });
    await storage.close();
  });

  afterEach(() => folder.remove());

  it('with its content and what the change did to it, and is the old one no more', async () => {
    expect(await reidentify(path, NEXT, grow)).to.deep.equal(NEXT);
    const opened = await openNext();
    expect(contentOf(opened).log).to.deep.equal(['1@1 1@1', '2@1 2@1', '3@2 3@2']);
    await opened.storage.close();
    expect((await findIdentity(path))?.nodeUuid).to.equal(NEXT.nodeUuid);
  });

  it('never half: cut short in the change, no store starts there, and it can be run again with the identity of before', async () => {
    const failure = new Error('cut short');
    expect(await errorOf(reidentify(path, NEXT, () => Promise.reject(failure)))).to.equal(failure);
    await expectHalf();
    expect(await reidentify(path, OTHER, grow)).to.deep.equal(NEXT);
    await (await openNext()).storage.close();
  });

  it('never half: cut short once the database is the new one, it can be run again', async () => {
    await errorOf(reidentify(path, NEXT, () => Promise.reject(new Error('cut short'))));
    const half = await readFile(`${path}/identity.json`);
    await reidentify(path, NEXT, grow);
    await writeFile(`${path}/identity.json`, half);
    await expectHalf();
    expect(await reidentify(path, OTHER, async () => undefined)).to.deep.equal(NEXT);
    const opened = await openNext();
    expect(opened.storage.lastIndex).to.equal(3);
    await opened.storage.close();
  });

  it('changes nothing where a store runs, where the data is damaged or quarantined, and where there is none', async () => {
    const { storage } = await openAt(path);
    expect(SeqError.is(await errorOf(reidentify(path, NEXT, grow)), 'INVALID_ARGUMENT')).to.equal(true);
    await storage.close();
    expect(SeqError.is(await errorOf(reidentify(folder.in('nowhere'), NEXT, grow)), 'INVALID_ARGUMENT')).to.equal(true);
    await copyTo(path, folder.in('damaged'));
    await writeFile(folder.in('damaged', 'marker'), 'no mark');
    const before = await readFile(folder.in('damaged', 'identity.json'), 'utf8');
    expect(await errorOf(reidentify(folder.in('damaged'), NEXT, grow))).to.be.instanceOf(DamageError);
    expect(await readFile(folder.in('damaged', 'identity.json'), 'utf8')).to.equal(before);
    writeQuarantine(path, { reason: 'it differs', sinceUnixMs: 1 });
    expect(String(await errorOf(reidentify(path, NEXT, grow)))).to.contain('quarantined: it differs');
  });

  async function openNext(): Promise<Opened> {
    const dataDir = await openDataDir(path, { clusterId: NODE.clusterId, nodeId: undefined, random: new SeededRandom(3) });
    expect(dataDir.identity).to.deep.equal(NEXT);
    return LevelStorage.open(dataDir, BEGIN, fail);
  }

  async function expectHalf(): Promise<void> {
    const error = await errorOf(openAt(path));
    expect(SeqError.is(error, 'INVALID_ARGUMENT')).to.equal(true);
    expect(String(error)).to.contain('was cut short; run it again');
  }
});

async function grow({ storage }: Opened): Promise<void> {
  await storage.write({ ...NOTHING, entries: entriesOf([2], storage.lastIndex + 1) });
}
