import { expect } from 'chai';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { SeqError } from '../../../src/base/errors.js';
import { DamageError } from '../../../src/store/damage.js';
import { findIdentity, openDataDir } from '../../../src/store/data-dir.js';
import { readQuarantine, setAside, writeQuarantine } from '../../../src/store/quarantine.js';
import { SeededRandom } from '../seeded-random.js';
import { entriesOf } from '../raft/memory-storage.js';
import { errorOf, NODE, NOTHING, openAt, TestFolder } from './disk.js';

const NOTE = { reason: 'log chunk 7: its hash does not match', sinceUnixMs: 1_750_000_000_123 };
const NOW_MS = 1_750_000_500_999;

describe('quarantine', () => {
  let folder: TestFolder;
  let path: string;

  beforeEach(async () => {
    folder = await TestFolder.make();
    path = folder.in('data');
    const { storage } = await openAt(path);
    await storage.write({ ...NOTHING, entries: entriesOf([1]) });
    await storage.close();
  });

  afterEach(() => folder.remove());

  it('is not where no note is, or no directory', async () => {
    expect(await readQuarantine(path)).to.equal(undefined);
    expect(await readQuarantine(folder.in('nowhere'))).to.equal(undefined);
  });

  it('is found again as it was noted, and the first reason stays', async () => {
    writeQuarantine(path, NOTE);
    writeQuarantine(path, { reason: 'something else', sinceUnixMs: 5 });
    expect(await readQuarantine(path)).to.deep.equal(NOTE);
    expect(await readdir(path)).to.not.include('quarantine.json.new');
  });

  it('can be noted where there is no directory, and over what a note that was cut short left', async () => {
    writeQuarantine(folder.in('new'), NOTE);
    expect(await readQuarantine(folder.in('new'))).to.deep.equal(NOTE);
    await writeFile(`${path}/quarantine.json.new`, '{"rea');
    expect(await readQuarantine(path)).to.equal(undefined);
    writeQuarantine(path, NOTE);
    expect(await readQuarantine(path)).to.deep.equal(NOTE);
  });

  it('lasts when its note cannot be read', async () => {
    for (const text of ['', '{"reason":', 'null', '{"reason":1,"sinceUnixMs":1}', '{"reason":"x"}']) {
      await writeFile(`${path}/quarantine.json`, text);
      const found = await readQuarantine(path);
      expect(found?.reason, text).to.contain('cannot be read');
      expect(found?.sinceUnixMs).to.be.greaterThan(0);
    }
    await writeFile(`${path}/quarantine.json`, JSON.stringify(NOTE).slice(0, -5));
    expect(await errorOf(openDataDir(path, NODE))).to.be.instanceOf(DamageError);
  });

  it('keeps a store from starting there', async () => {
    writeQuarantine(path, NOTE);
    const error = await errorOf(openAt(path));
    expect(error).to.be.instanceOf(DamageError);
    expect((error as Error).message).to.contain(NOTE.reason);
  });

  it('ends with its data put aside, whole, and a new identity', async () => {
    const old = await findIdentity(path);
    writeQuarantine(path, NOTE);
    const aside = await setAside(path, { nowMs: NOW_MS, random: new SeededRandom(4) });
    expect(basename(aside)).to.match(/^damaged-1750000500-[0-9a-f]{8}$/);
    expect((await readdir(aside)).sort()).to.deep.equal(['db', 'identity.json', 'marker', 'quarantine.json']);
    expect([await readdir(path), await readQuarantine(path)]).to.deep.equal([[basename(aside)], undefined]);
    const dataDir = await openDataDir(path, { ...NODE, nodeId: undefined, random: new SeededRandom(5) });
    expect([await dataDir.isNew(), dataDir.identity.nodeId >= 65_536, dataDir.identity.nodeUuid === old?.nodeUuid]).to.deep.equal([
      true,
      true,
      false,
    ]);
  });

  it('is not put aside twice, nor what is not quarantined', async () => {
    writeQuarantine(path, NOTE);
    await setAside(path, { nowMs: NOW_MS, random: new SeededRandom(4) });
    await (await openAt(path)).storage.close();
    const error = await errorOf(setAside(path, { nowMs: NOW_MS, random: new SeededRandom(5) }));
    expect(SeqError.is(error, 'INVALID_ARGUMENT')).to.equal(true);
    expect(await readdir(path)).to.include('identity.json');
  });

  it('is put aside a second time into another folder, and the first one stays', async () => {
    writeQuarantine(path, NOTE);
    const first = await setAside(path, { nowMs: NOW_MS, random: new SeededRandom(4) });
    await (await openAt(path)).storage.close();
    writeQuarantine(path, { ...NOTE, reason: 'again' });
    const second = await setAside(path, { nowMs: NOW_MS, random: new SeededRandom(5) });
    expect((await readdir(path)).sort()).to.deep.equal([basename(first), basename(second)].sort());
    expect(JSON.parse(await readFile(`${first}/quarantine.json`, 'utf8'))).to.deep.equal(NOTE);
  });

  for (const moved of [[], ['identity.json'], ['db', 'marker'], ['db', 'identity.json', 'marker']] as const) {
    it(`goes on in the same folder when it was cut short after [${moved.join(', ')}]`, async () => {
      writeQuarantine(path, NOTE);
      const begun = folder.in('data', 'damaged-17-0123abcd');
      await mkdir(begun);
      for (const name of moved) await rename(`${path}/${name}`, `${begun}/${name}`);
      expect(await errorOf(openAt(path)), 'still quarantined').to.be.instanceOf(DamageError);
      expect(await setAside(path, { nowMs: NOW_MS, random: new SeededRandom(4) })).to.equal(begun);
      expect([await readdir(path), (await readdir(begun)).length]).to.deep.equal([['damaged-17-0123abcd'], 4]);
    });
  }
});
