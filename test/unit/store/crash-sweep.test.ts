import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataDir } from '../../../src/store/data-dir.js';
import { type Begin, LevelStorage, type Opened } from '../../../src/store/level-storage.js';
import { SeededRandom } from '../seeded-random.js';
import { errorOf, fail, NODE, NOTHING } from './disk.js';
import { type Failure, FailingDisk } from './failing-disk.js';
import { type Call, contentIn, isSame, randomCalls } from './random-batches.js';

/** Writes and syncs that fail, one in each run. */
const PLACES = 200;
const BEGIN: Begin = { type: 'founding', voters: [3, 1, 2] };
/** Then it is closed and opened again. */
const { calls, contents } = randomCalls(new SeededRandom(21), 160);
const REOPEN_AT = 30;

interface Life {
  readonly disk: FailingDisk;
  /** Calls that resolved: what was acknowledged. */
  readonly done: number;
  /** The process would have ended: something rejected, or told that it must. */
  readonly hasEnded: boolean;
}

describe('a disk that fails once', function () {
  this.timeout(120_000);
  let folder: string;

  before(async () => {
    // Nothing here rests on what a disk does with a power cut, and a disk in memory is much faster.
    folder = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'seqsvr-crash-'));
  });

  after(() => rm(folder, { recursive: true, force: true }));

  it('never, leaves what was written, and every run below fails somewhere', async () => {
    const { disk, done, hasEnded } = await live(folder, { failAt: 0, failure: 'before', code: 'EIO' });
    expect([done, hasEnded]).to.deep.equal([calls.length, false]);
    expect(disk.count).to.be.greaterThan(PLACES);
    expect(isSame(await found(join(folder, 'data')), contents.at(-1)!)).to.equal(true);
    const kinds = calls.map(({ type, batch }) =>
      type === 'install' ? 'install' : 'compactTo' in batch && batch.compactTo !== undefined ? 'compaction' : 'write',
    );
    expect(kinds.filter((kind) => kind === 'install').length).to.be.greaterThan(3);
    expect(kinds.filter((kind) => kind === 'compaction').length).to.be.greaterThan(10);
  });

  for (const [failure, code, what] of [
    ['before', 'EIO', 'with an I/O error, before it did anything'],
    ['after', 'EIO', 'with an I/O error, although the bytes are on disk'],
    ['before', 'ENOSPC', 'because it is full'],
    ['short', 'ENOSPC', 'because it is full after a part of a file'],
  ] as const) {
    it(`ends the process before anything is acknowledged that is not there for good: ${what}`, async () => {
      const tally = { runs: 0, acknowledged: 0, lost: 0, notEnded: 0 };
      for (let failAt = 1; failAt <= PLACES; failAt += 1) {
        const where = `${failure} ${code} at ${failAt}`;
        const { disk, done, hasEnded } = await live(folder, { failAt, failure, code });
        expect(disk.isFailed, where).to.equal(true);
        const content = await found(join(folder, 'data'));
        // All that was acknowledged, or the call under way on top of it, whole.
        const isThere = [done, done + 1].some((count) => contents[count] !== undefined && isSame(content, contents[count]));
        tally.runs += 1;
        tally.acknowledged += done;
        if (!isThere) tally.lost += 1;
        if (!hasEnded) tally.notEnded += 1;
        expect([isThere, hasEnded], `${where}, after ${done} calls`).to.deep.equal([true, true]);
      }
      const { runs, acknowledged, lost, notEnded } = tally;
      console.log(`      ${failure} ${code}: ${runs} runs, ${acknowledged} acknowledged writes, ${lost} runs lost one, ${notEnded} went on`);
      expect([runs, lost, notEnded]).to.deep.equal([PLACES, 0, 0]);
    });
  }
});

/** A node from the making of its directory to its end, at the latest after all calls. */
async function live(folder: string, how: { readonly failAt: number; readonly failure: Failure; readonly code: string }): Promise<Life> {
  const path = join(folder, 'data');
  await rm(path, { recursive: true, force: true });
  const told: unknown[] = [];
  const disk = await FailingDisk.start({ ...how, spare: join(folder, 'spare') });
  const open = async (): Promise<Opened> => LevelStorage.open(await openDataDir(path, NODE), BEGIN, (error) => told.push(error));
  let done = 0;
  let hasEnded = false;
  let opened: Opened | undefined;
  try {
    opened = await open();
    for (const call of calls) {
      if (done === REOPEN_AT) {
        await opened.storage.close();
        opened = undefined;
        opened = await open();
      }
      const hadFailed = disk.isFailed;
      await carryOut(opened, call);
      expect(hadFailed, `call ${done} began after the failure and was acknowledged`).to.equal(false);
      done += 1;
    }
  } catch (error) {
    if (!disk.isFailed) throw error;
    hasEnded = true;
  }
  hasEnded ||= told.length > 0;
  // A process that ends writes nothing any more.
  if (hasEnded && opened !== undefined) expect(await errorOf(opened.storage.write(NOTHING))).to.be.instanceOf(Error);
  disk.stop();
  await opened?.storage.close();
  return { disk, done, hasEnded };
}

function carryOut({ storage }: Opened, call: Call): Promise<void> {
  return call.type === 'write' ? storage.write(call.batch) : storage.install(call.batch);
}

/** What the next process finds; it can go on. */
async function found(path: string) {
  const opened = await LevelStorage.open(await openDataDir(path, NODE), BEGIN, fail);
  const { storage, hardState, appliedIndex, confState, state } = opened;
  const { firstIndex, lastIndex } = storage;
  const content = contentIn({
    firstIndex,
    lastIndex,
    hardState,
    appliedIndex,
    confState,
    state,
    entries: (from, to, maxBytes) => storage.entries(from, to, maxBytes),
    termAt: (index) => storage.termAt(index),
  });
  await storage.write({ ...NOTHING, hardState: { ...hardState, term: hardState.term + 1, votedFor: undefined } });
  await storage.close();
  return content;
}
