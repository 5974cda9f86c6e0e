import { expect } from 'chai';
import { EMPTY_CONF_STATE } from '../../../src/raft/types.js';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { StorageBatch } from '../../../src/raft/ports.js';
import type { LevelStorage } from '../../../src/store/level-storage.js';
import { entriesOf } from '../raft/memory-storage.js';
import { SeededRandom } from '../seeded-random.js';
import { copyTo, dataFilesIn, NOTHING, openAt, contentOf, put, rewrite, TestFolder } from './disk.js';
import { Opener } from './opener.js';

type Content = ReturnType<typeof contentOf>;

/** What became of a database that was damaged on purpose. */
interface Tally {
  detected: number;
  /** LevelDB's own assertion ended the process. */
  crashed: number;
  harmless: number;
  readonly silent: string[];
}

describe('a damaged data directory', function () {
  this.timeout(120_000);
  const opener = new Opener();
  let folder: TestFolder;
  let history: readonly Content[];

  before(async () => {
    folder = await TestFolder.make();
    history = await fill(folder.in('good'));
  });

  after(() => {
    opener.close();
    return folder.remove();
  });

  it('with one flipped bit is refused, or shows all that was acknowledged: 0 silent losses', async () => {
    const random = new SeededRandom(7);
    const files = await dataFilesIn(folder.in('good'));
    const tally = await sweep(200, async () => {
      const file = random.pick(files);
      const sizeBytes = (await stat(file)).size;
      const bit = random.below(sizeBytes * 8);
      await rewrite(file.replace('good', 'bad'), (bytes) => {
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        return bytes;
      });
      return `bit ${bit & 7} of byte ${bit >> 3} of ${basename(file)}`;
    });
    tell(tally, 'flipped bits');
  });

  it('with a file that lost its end is refused, or shows all that was acknowledged', async () => {
    const random = new SeededRandom(8);
    const files = await dataFilesIn(folder.in('good'));
    const tally = await sweep(80, async () => {
      const file = random.pick(files);
      const sizeBytes = random.below((await stat(file)).size);
      await rewrite(file.replace('good', 'bad'), (bytes) => bytes.subarray(0, sizeBytes));
      return `${basename(file)} cut to ${sizeBytes} bytes`;
    });
    tell(tally, 'truncated files');
  });

  it('with 4 KiB of zeroes in a file is refused, or shows all that was acknowledged', async () => {
    const random = new SeededRandom(9);
    const files = await dataFilesIn(folder.in('good'));
    const tally = await sweep(80, async () => {
      const file = random.pick(files);
      const page = random.below(Math.ceil((await stat(file)).size / 4096));
      await rewrite(file.replace('good', 'bad'), (bytes) => bytes.fill(0, page * 4096, Math.min(bytes.length, (page + 1) * 4096)));
      return `page ${page} of ${basename(file)} zeroed`;
    });
    tell(tally, 'zeroed pages');
  });

  it('is noticed in every kind of file: what sweeps above find harmless is what LevelDB no longer needs', async () => {
    const files = await dataFilesIn(folder.in('good'));
    for (const kind of [/identity\.json$/, /marker$/, /CURRENT$/, /MANIFEST-\d+$/, /\.(ldb|log)$/]) {
      const kin = files.filter((file) => kind.test(file));
      const tally = await sweep(1, async () => {
        for (const file of kin) await rewrite(file.replace('good', 'bad'), (bytes) => bytes.fill(0));
        return `all of ${String(kind)} zeroed`;
      });
      expect([kin.length > 0, tally.harmless, tally.silent], String(kind)).to.deep.equal([true, 0, []]);
    }
  });

  async function sweep(count: number, damage: () => Promise<string>): Promise<Tally> {
    const tally: Tally = { detected: 0, crashed: 0, harmless: 0, silent: [] };
    for (let turn = 0; turn < count; turn += 1) {
      await copyTo(folder.in('good'), folder.in('bad'));
      const what = await damage();
      const found = await opener.open(folder.in('bad'));
      if (found === undefined) tally.crashed += 1;
      else if ('refused' in found) tally.detected += 1;
      else if ('broken' in found) throw new Error(`${what}: ${found.broken}`);
      else if (isWhole(found.content, history)) tally.harmless += 1;
      else tally.silent.push(what);
    }
    return tally;
  }
});

/** Everything acknowledged, and the state of some applied index: it may be an earlier one, for the log can repeat the rest. */
function isWhole(found: Content, history: readonly Content[]): boolean {
  const last = history.at(-1)!;
  const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
  const isStateTrue =
    (found.appliedIndex === 0 && found.state.length === 0) ||
    history.some((then) => then.appliedIndex === found.appliedIndex && same(then.state, found.state));
  return same(found.log, last.log) && found.vote === last.vote && isStateTrue;
}

/** A small database with everything in it: tables and a log, several terms, votes, state that came with and without entries. */
async function fill(directory: string): Promise<readonly Content[]> {
  const history: Content[] = [];
  let opened = await openAt(directory);
  const state = new Map<string, string>();
  for (let turn = 0; turn < 60; turn += 1) {
    // Opening moves the log of LevelDB into a table.
    if (turn % 15 === 14) {
      await opened.storage.close();
      opened = await openAt(directory);
    }
    await writeTurn(opened.storage, turn, state);
    const { log, vote } = contentOf({ ...opened, hardState: hardStateOf(turn), state: new Map() });
    history.push({ log, vote, appliedIndex: turn + 1, state: [...state].map(([key, value]) => `${key}=${value}`).sort() });
  }
  await opened.storage.close();
  return history;
}

function hardStateOf(turn: number) {
  return { term: 1 + Math.floor(turn / 10), votedFor: turn % 20 < 10 ? 1 : 2, commitIndex: turn };
}

async function writeTurn(storage: LevelStorage, turn: number, state: Map<string, string>): Promise<void> {
  const writes = [put(`block/${turn % 7}`, `${'v'.repeat(700)}${turn}`), ...(turn % 9 === 8 ? [{ key: `block/${turn % 3}`, value: undefined }] : [])];
  state.set(`block/${turn % 7}`, `${'v'.repeat(700)}${turn}`);
  if (turn % 9 === 8) state.delete(`block/${turn % 3}`);
  // Every fifth turn brings no entries, only a hard state and what was applied.
  const entries = turn % 5 === 4 ? [] : entriesOf([hardStateOf(turn).term, hardStateOf(turn).term], storage.lastIndex + 1);
  const batch: StorageBatch = { ...NOTHING, entries, hardState: hardStateOf(turn), applied: { index: turn + 1, confState: EMPTY_CONF_STATE, writes } };
  await storage.write(batch);
}

function tell({ detected, crashed, harmless, silent }: Tally, what: string): void {
  console.log(`      ${what}: ${detected} detected, ${crashed} ended the process, ${harmless} harmless, ${silent.length} silent losses`);
  expect(silent).to.deep.equal([]);
  // How many are harmless depends on what LevelDB has tidied up by then, so there is no finer number to expect.
  expect(detected + crashed, 'a sweep that hits nothing shows nothing').to.be.greaterThan(0);
}
