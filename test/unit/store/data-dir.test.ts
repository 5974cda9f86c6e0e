import { expect } from 'chai';
import { EMPTY_CONF_STATE } from '../../../src/raft/types.js';
import { ClassicLevel } from 'classic-level';
import { link, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { ErrorCode } from '../../../src/base/errors.js';
import { SeqError } from '../../../src/base/errors.js';
import { DamageError } from '../../../src/store/damage.js';
import { type DataDir, openDataDir } from '../../../src/store/data-dir.js';
import { LevelStorage } from '../../../src/store/level-storage.js';
import { SeededRandom } from '../seeded-random.js';
import { BEGIN, contentOf, copyTo, dataFilesIn, NODE, NOTHING, openAt, put, rewrite, TestFolder } from './disk.js';
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

  it('of a joiner draws an id that no founder has, keeps it, and is found by one who asks for none', async () => {
    const joining = { clusterId: NODE.clusterId, nodeId: undefined };
    const ids = new Set<number>();
    for (let seed = 1; seed <= 30; seed += 1) {
      const place = folder.in(`joiner-${seed}`);
      const made = await openDataDir(place, { ...joining, random: new SeededRandom(seed) });
      expect(made.identity.nodeId).to.be.within(65_536, 2 ** 31 - 1);
      expect((await openDataDir(place, { ...joining, random: new SeededRandom(seed + 1) })).identity).to.deep.equal(made.identity);
      ids.add(made.identity.nodeId);
    }
    expect(ids.size).to.equal(30);
    const lowest = await openDataDir(folder.in('lowest'), { ...joining, random: { below: () => 0, id128: () => 'a'.repeat(32) } });
    const highest = await openDataDir(folder.in('highest'), { ...joining, random: { below: (below) => below - 1, id128: () => 'b'.repeat(32) } });
    expect([lowest.identity.nodeId, highest.identity.nodeId]).to.deep.equal([65_536, 2 ** 31 - 1]);
  });

  it('of a founder is found by one who asks for no id', async () => {
    const made = await openDataDir(path, NODE);
    expect((await openDataDir(path, { ...NODE, nodeId: undefined })).identity).to.deep.equal(made.identity);
  });

  it('is made beside what was put aside of an earlier life, and beside nothing else', async () => {
    await mkdir(`${path}/damaged-1750000000-0123abcd`, { recursive: true });
    expect(await (await openDataDir(path, NODE)).isNew()).to.equal(true);
    await mkdir(folder.in('other', 'damaged-by-me'), { recursive: true });
    await expectError(openDataDir(folder.in('other'), NODE), 'INVALID_ARGUMENT', 'holds damaged-by-me');
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
      expect(contentOf(opened), left).to.deep.equal({ log: [], vote: '0 none', appliedIndex: 0, members: '', state: [] });
      await opened.storage.write({
        ...NOTHING,
        entries: entriesOf([1]),
        applied: { index: 1, confState: EMPTY_CONF_STATE, writes: [put('a', '1')] },
      });
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
      const opened = await LevelStorage.open(paused, BEGIN, fail);
      expect(contentOf(opened), left).to.deep.equal(WRITTEN);
      await opened.storage.close();
    }
  });

  it('opens what another start wrote, however late this one was paused', async () => {
    await openDataDir(path, NODE);
    const paused = await openDataDir(path, NODE);
    const opened = await LevelStorage.open(
      pausedAt(paused, { ask: 1, when: 'after' }, () => startVoteAndEnd(path)),
      BEGIN,
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
    expect(await errorOf(LevelStorage.open(paused, BEGIN, fail))).to.be.instanceOf(DamageError);
    expect(await readdir(`${path}/db`)).to.include.members(names.filter((name) => /^MANIFEST|\.log$|\.ldb$/.test(name)));
  });

  it('opens what another start made of a leftover that cannot be opened, and does not clear it away', async () => {
    await openDataDir(path, NODE);
    await writeFile(`${await madeIn(path, 'db')}/CURRENT`, 'MANIFEST-0000');
    const paused = await openDataDir(path, NODE);
    // The other one comes when this one has found the leftover broken, and before it clears it away.
    const opened = await LevelStorage.open(
      pausedAt(paused, { ask: 2, when: 'before' }, () => startVoteAndEnd(path)),
      BEGIN,
      fail,
    );
    expect(contentOf(opened)).to.deep.equal(WRITTEN);
    await opened.storage.close();
  });

  it('is damaged, never empty, when another start lived a whole life just before a broken leftover was cleared away', async () => {
    await openDataDir(path, NODE);
    await writeFile(`${await madeIn(path, 'db')}/CURRENT`, 'MANIFEST-0000');
    const paused = pausedAt(await openDataDir(path, NODE), { ask: 2, when: 'after' }, () => startVoteAndEnd(path));
    expect(await errorOf(LevelStorage.open(paused, BEGIN, fail))).to.be.instanceOf(DamageError);
    expect(await errorOf(openAt(path)), 'and so it stays').to.be.instanceOf(DamageError);
  });

  it('is made anew over a database that was cut short, whichever file of it is empty, zero or gone', async () => {
    const { databasePath } = await openDataDir(path, NODE);
    const left = new ClassicLevel(databasePath);
    await left.put('log/0000000000000001', 'of nobody');
    await left.close();
    const good = folder.in('good');
    await copyTo(path, good);
    for (const file of (await dataFilesIn(good)).filter((name) => !name.endsWith('identity.json'))) {
      for (const damage of [(bytes: Buffer) => bytes.subarray(0, 0), (bytes: Buffer) => bytes.fill(0), undefined]) {
        await copyTo(good, path);
        if (damage === undefined) await rm(file.replace(good, path));
        else await rewrite(file.replace(good, path), damage);
        const opened = await openAt(path);
        expect(contentOf(opened), file).to.deep.equal({ log: [], vote: '0 none', appliedIndex: 0, members: '', state: [] });
        await opened.storage.close();
      }
    }
  });

  it('is made anew over a database that was cut short and is whole: nothing of it stays', async () => {
    const { databasePath } = await openDataDir(path, NODE);
    const left = new ClassicLevel(databasePath);
    await left.put('state/a', 'of nobody');
    await left.close();
    const opened = await openAt(path);
    expect(contentOf(opened).state).to.deep.equal([]);
    await opened.storage.close();
    await (await openAt(path)).storage.close();
  });

  it('is refused when it was made anew by somebody else while this start was paused', async () => {
    const paused = await openDataDir(path, NODE);
    await rm(path, { recursive: true });
    await expectError(LevelStorage.open(paused, BEGIN, fail), undefined, 'identity.json');
    const other = await openDataDir(path, { ...NODE, random: new SeededRandom(9) });
    await expectError(LevelStorage.open(paused, BEGIN, fail), 'INVALID_ARGUMENT', `is of ${other.identity.nodeUuid}`);
  });

  it('replaces its identity file as a whole, even when a claim was cut short before it tidied up', async () => {
    const dataDir = await openDataDir(path, NODE);
    const { identity } = dataDir;
    const file = `${path}/identity.json`;
    for (const beside of [`${file}.${identity.nodeUuid}`, `${file}.${identity.nodeUuid}.creating`]) await link(file, beside);
    const before = await stat(file);
    await dataDir.ready();
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
const WRITTEN = { log: ['1@5 1@5'], vote: '5 2', appliedIndex: 1, members: '', state: ['a=1'] };

/** A whole life of a node, from its start to its end. */
async function startVoteAndEnd(path: string): Promise<void> {
  const { storage } = await openAt(path);
  const hardState = { term: 5, votedFor: 2, commitIndex: 1 };
  await storage.write({
    ...NOTHING,
    entries: entriesOf([5]),
    hardState,
    applied: { index: 1, confState: EMPTY_CONF_STATE, writes: [put('a', '1')] },
  });
  await storage.close();
}

/** A start that is paused, while `act` runs, before or after the `ask`-th time it asks whether it makes or opens. */
function pausedAt(dataDir: DataDir, { ask, when }: { ask: number; when: 'before' | 'after' }, act: () => Promise<void>): DataDir {
  let asked = 0;
  const isNew = async (): Promise<boolean> => {
    asked += 1;
    const isPause = asked === ask;
    if (isPause && when === 'before') await act();
    const answer = await dataDir.isNew();
    if (isPause && when === 'after') await act();
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
