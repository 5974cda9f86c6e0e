import { expect } from 'chai';
import { link, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { ErrorCode } from '../../../src/base/errors.js';
import { SeqError } from '../../../src/base/errors.js';
import { DamageError } from '../../../src/store/damage.js';
import { type DataDir, openDataDir } from '../../../src/store/data-dir.js';
import { LevelStorage } from '../../../src/store/level-storage.js';
import { SeededRandom } from '../seeded-random.js';
import { contentOf, NODE, NOTHING, openAt, put, TestFolder } from './disk.js';
import { entriesOf } from '../raft/memory-storage.js';

describe('data directory', function () {
  this.timeout(10_000);

  let folder: TestFolder;
  let path: string;

  beforeEach(async () => {
    folder = await TestFolder.make();
    path = folder.in('deep', 'data');
  });

  afterEach(() => folder.remove());

  it('is made where there is none, with an identity of its own', async () => {
    const made = await openDataDir(path, { ...NODE, random: new SeededRandom(5) });
    expect([await made.isNew(), made.identity.clusterId, made.identity.nodeId]).to.deep.equal([true, NODE.clusterId, 1]);
    expect(made.identity.nodeUuid).to.match(/^[0-9a-f]{32}$/);
    expect(await readdir(path)).to.deep.equal(['identity.json']);
    const other = await openDataDir(folder.in('other'), { ...NODE, random: new SeededRandom(6) });
    expect(other.identity.nodeUuid).to.not.equal(made.identity.nodeUuid);
  });

  it('keeps its identity, and is new until it is ready', async () => {
    const first = await openDataDir(path, NODE);
    const second = await openDataDir(path, NODE);
    expect([await second.isNew(), second.identity]).to.deep.equal([true, first.identity]);
    await second.ready();
    const third = await openDataDir(path, NODE);
    expect([await third.isNew(), third.identity]).to.deep.equal([false, first.identity]);
  });

  it('refuses another cluster and another node, with both values', async () => {
    await openDataDir(path, NODE);
    await expectError(openDataDir(path, { ...NODE, clusterId: 'd'.repeat(32) }), 'INVALID_ARGUMENT', `belongs to cluster ${'c'.repeat(32)}`);
    await expectError(openDataDir(path, { ...NODE, nodeId: 2 }), 'INVALID_ARGUMENT', 'belongs to node 1, this is node 2');
  });

  it('refuses a directory that holds something else, and touches nothing in it', async () => {
    await mkdir(path, { recursive: true });
    await writeFile(folder.in('deep', 'data', 'holiday.jpg'), 'x');
    await expectError(openDataDir(path, NODE), 'INVALID_ARGUMENT', 'holds holiday.jpg');
    expect(await readdir(path)).to.deep.equal(['holiday.jpg']);
  });

  it('refuses a database whose identity file is gone: it is not an empty directory', async () => {
    await (await openAt(path)).storage.close();
    await rm(folder.in('deep', 'data', 'identity.json'));
    await expectError(openDataDir(path, NODE), 'INVALID_ARGUMENT', 'has no identity.json');
  });

  it('is made anew when its making was cut short, at any point before it was ready', async () => {
    for (const left of ['identity', 'database', 'marker'] as const) {
      await rm(path, { recursive: true, force: true });
      const { databasePath, markerPath } = await openDataDir(path, NODE);
      if (left !== 'identity') {
        await mkdir(databasePath);
        await writeFile(`${databasePath}/CURRENT`, 'MANIFEST-0000');
      }
      if (left === 'marker') await writeFile(markerPath, 'half a mark');
      const opened = await openAt(path);
      expect(contentOf(opened), left).to.deep.equal({ log: [], vote: '0 none', appliedIndex: 0, state: [] });
      await opened.storage.write({ ...NOTHING, entries: entriesOf([1]), applied: { index: 1, writes: [put('a', '1')] } });
      await opened.storage.close();
      const again = await openAt(path);
      expect(contentOf(again).state, 'and stays from then on').to.deep.equal(['a=1']);
      await again.storage.close();
    }
  });

  it('opens what another start wrote, when this one was paused since before that one was ready', async () => {
    for (const left of ['nothing', 'database'] as const) {
      await rm(path, { recursive: true, force: true });
      await openDataDir(path, NODE);
      if (left === 'database') await writeFile(`${await madeIn(path, 'db')}/CURRENT`, 'MANIFEST-0000');
      const paused = await openDataDir(path, NODE);
      await startVoteAndEnd(path);
      const opened = await LevelStorage.open(paused, fail);
      expect(contentOf(opened), left).to.deep.equal(WRITTEN);
      await opened.storage.close();
    }
  });

  it('opens what another start wrote, however late this one was paused', async () => {
    await openDataDir(path, NODE);
    const paused = await openDataDir(path, NODE);
    const opened = await LevelStorage.open(
      after(paused, 1, () => startVoteAndEnd(path)),
      fail,
    );
    expect(contentOf(opened)).to.deep.equal(WRITTEN);
    await opened.storage.close();
  });

  it('is not made anew over one that was ready once and cannot be opened now', async () => {
    await openDataDir(path, NODE);
    const paused = await openDataDir(path, NODE);
    await startVoteAndEnd(path);
    const names = await readdir(`${path}/db`);
    await writeFile(`${path}/db/CURRENT`, 'MANIFEST-0000');
    expect(await errorOf(LevelStorage.open(paused, fail))).to.be.instanceOf(DamageError);
    expect(await readdir(`${path}/db`)).to.include.members(names.filter((name) => /^MANIFEST|\.log$|\.ldb$/.test(name)));
  });

  it('leaves alone what another start makes of a leftover that cannot be opened', async () => {
    await openDataDir(path, NODE);
    await writeFile(`${await madeIn(path, 'db')}/CURRENT`, 'MANIFEST-0000');
    const paused = await openDataDir(path, NODE);
    // The other one comes when this one has found the leftover broken, and before it clears it away.
    const error = await errorOf(
      LevelStorage.open(
        after(paused, 2, () => startVoteAndEnd(path), 'before'),
        fail,
      ),
    );
    expect(error).to.be.instanceOf(DamageError);
    const again = await openAt(path);
    expect(contentOf(again)).to.deep.equal(WRITTEN);
    await again.storage.close();
  });

  it('is refused when it was made anew by somebody else while this start was paused', async () => {
    const paused = await openDataDir(path, NODE);
    await rm(path, { recursive: true });
    await expectError(LevelStorage.open(paused, fail), undefined, 'identity.json');
    const other = await openDataDir(path, { ...NODE, random: new SeededRandom(9) });
    await expectError(LevelStorage.open(paused, fail), 'INVALID_ARGUMENT', `is of ${other.identity.nodeUuid}`);
  });

  it('replaces its identity file as a whole, even when a claim was cut short before it tidied up', async () => {
    const { identity, ready } = await openDataDir(path, NODE);
    const file = `${path}/identity.json`;
    for (const beside of [`${file}.${identity.nodeUuid}`, `${file}.${identity.nodeUuid}.creating`]) await link(file, beside);
    const before = await stat(file);
    await ready();
    expect((await stat(file)).ino, 'overwritten in place').to.not.equal(before.ino);
    expect((await openDataDir(path, NODE)).identity).to.deep.equal(identity);
  });

  it('does not mind an identity file that was never put in place', async () => {
    await mkdir(path, { recursive: true });
    await writeFile(folder.in('deep', 'data', 'identity.json.0123'), '{"half":');
    expect(await (await openDataDir(path, NODE)).isNew()).to.equal(true);
  });

  it('gets one identity, however many make it at the same time', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => openDataDir(path, NODE)));
    const uuids = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.identity.nodeUuid] : []));
    expect(new Set(uuids).size).to.equal(1);
    expect((await openDataDir(path, NODE)).identity.nodeUuid).to.equal(uuids[0]);
  });

  it('belongs to one of two that make it at the same time; the other one is told, and changes nothing', async () => {
    for (let turn = 0; turn < 20; turn += 1) {
      const place = folder.in(`both-${turn}`);
      const outcomes = await Promise.allSettled([openAt(place), openAt(place)]);
      const opened = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
      expect(opened.length).to.equal(1);
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') expect(SeqError.is(outcome.reason, 'INVALID_ARGUMENT'), String(outcome.reason)).to.equal(true);
      await opened[0]!.storage.write({ ...NOTHING, entries: entriesOf([1, 1]) });
      await opened[0]!.storage.close();
      const again = await openAt(place);
      expect(again.storage.lastIndex).to.equal(2);
      await again.storage.close();
    }
  });

  for (const [name, damage] of [
    ['cut short', (text: string) => text.slice(0, 20)],
    ['empty', () => ''],
    ['of another format', (text: string) => text.replace('"format": 1', '"format": 2')],
    ['without a proper uuid', (text: string) => text.replace(/"nodeUuid": "./, '"nodeUuid": "X')],
    ['in an unknown state', (text: string) => text.replace('creating', 'created')],
    ['not an object', () => 'null'],
  ] as const) {
    it(`is damaged when its identity is ${name}: never guessed, never made anew`, async () => {
      await openDataDir(path, NODE);
      const file = `${path}/identity.json`;
      await writeFile(file, damage(await readFile(file, 'utf8')));
      const error = await errorOf(openDataDir(path, NODE));
      expect(error).to.be.instanceOf(DamageError);
      expect((error as Error).message).to.contain('identity.json');
    });
  }
});

/** What `startVoteAndEnd` leaves. */
const WRITTEN = { log: ['1@5 1@5'], vote: '5 2', appliedIndex: 1, state: ['a=1'] };

/** A whole life of a node, from its start to its end. */
async function startVoteAndEnd(path: string): Promise<void> {
  const { storage } = await openAt(path);
  const hardState = { term: 5, votedFor: 2, commitIndex: 1 };
  await storage.write({ entries: entriesOf([5]), hardState, applied: { index: 1, writes: [put('a', '1')] } });
  await storage.close();
}

/** A start that is paused, while `act` runs, right after or before it asks for the `nth` time whether it makes or opens. */
function after(dataDir: DataDir, nth: number, act: () => Promise<void>, when: 'after' | 'before' = 'after'): DataDir {
  let asked = 0;
  const isNew = async (): Promise<boolean> => {
    asked += 1;
    if (asked === nth && when === 'before') await act();
    const answer = await dataDir.isNew();
    if (asked === nth && when === 'after') await act();
    return answer;
  };
  return { ...dataDir, isNew };
}

async function madeIn(...names: readonly string[]): Promise<string> {
  const made = names.join('/');
  await mkdir(made, { recursive: true });
  return made;
}

function fail(error: unknown): never {
  throw error;
}

async function errorOf(opening: Promise<unknown>): Promise<unknown> {
  return opening.then(
    () => undefined,
    (error: unknown) => error,
  );
}

async function expectError(opening: Promise<unknown>, code: ErrorCode | undefined, message: string): Promise<void> {
  const error = await errorOf(opening);
  if (code === undefined) expect(error).to.be.instanceOf(DamageError);
  else expect(SeqError.is(error, code), String(error)).to.equal(true);
  expect((error as Error).message).to.contain(message);
}
