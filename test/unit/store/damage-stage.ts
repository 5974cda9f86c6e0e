import { expect } from 'chai';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import type { StorageBatch } from '../../../src/raft/ports.js';
import { EMPTY_CONF_STATE } from '../../../src/raft/types.js';
import type { LevelStorage } from '../../../src/store/level-storage.js';
import { bytesOf, entriesOf } from '../raft/memory-storage.js';
import { dataFilesIn, NOTHING, openAt, put, type WholeContent, wholeContentOf } from './disk.js';
import { Opener } from './opener.js';

/** What became of a data directory that was damaged on purpose. */
export interface Tally {
  detected: number;
  /** LevelDB's own assertion ended the process. */
  crashed: number;
  /** Everything acknowledged is shown. */
  harmless: number;
  readonly silent: string[];
}

/** Files that are not as they were: other bytes, or gone. Paths as in `image`. */
export interface Damage {
  readonly what: string;
  readonly files: ReadonlyMap<string, Uint8Array | undefined>;
}

type Image = ReadonlyMap<string, Buffer>;

/** Copies of `image` that are opened at the same time. */
const LANES = 2;

/** A good data directory, and copies of it that are damaged and opened, one damage after the other. */
export class DamageStage {
  /** All files of the good one, by their path in it. */
  readonly image: Image;
  /** The good one as it was earlier in its life, oldest first. */
  readonly earlier: readonly Image[];
  readonly #folder: string;
  readonly #history: readonly WholeContent[];
  readonly #openers = Array.from({ length: LANES }, () => new Opener());

  private constructor({
    folder,
    history,
    image,
    earlier,
  }: { folder: string; history: readonly WholeContent[]; image: Image; earlier: readonly Image[] }) {
    this.#folder = folder;
    this.#history = history;
    this.image = image;
    this.earlier = earlier;
  }

  static async make(): Promise<DamageStage> {
    // Thousands of openings: nothing here rests on what a disk does with a power cut, and one in memory is much faster.
    const folder = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'seqsvr-damage-'));
    const good = join(folder, 'good');
    const earlier: Image[] = [];
    const history = await fill(good, async () => void earlier.push(await imageOf(good)));
    return new DamageStage({ folder, history, image: await imageOf(good), earlier });
  }

  async remove(): Promise<void> {
    for (const opener of this.#openers) opener.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  filesLike(kind: RegExp): readonly string[] {
    return [...this.image.keys()].filter((name) => kind.test(name));
  }

  bytesOf(name: string): Buffer {
    return Buffer.from(this.image.get(name)!);
  }

  async sweep(damages: readonly Damage[]): Promise<Tally> {
    const tally: Tally = { detected: 0, crashed: 0, harmless: 0, silent: [] };
    const left = [...damages].reverse();
    const run = async (opener: Opener, lane: number): Promise<void> => {
      for (let damage = left.pop(); damage !== undefined; damage = left.pop())
        await this.#try(damage, tally, { opener, path: join(this.#folder, `bad-${lane}`) });
    };
    await Promise.all(this.#openers.map(run));
    return tally;
  }

  async #try({ what, files }: Damage, tally: Tally, { opener, path }: { readonly opener: Opener; readonly path: string }): Promise<void> {
    restore(path, new Map([...this.image, ...files]));
    const found = await opener.open(path);
    if (found === undefined) tally.crashed += 1;
    else if ('refused' in found) tally.detected += 1;
    else if ('broken' in found) throw new Error(`${what}: ${found.broken}`);
    else if (isWhole(found.content, this.#history)) tally.harmless += 1;
    else tally.silent.push(what);
  }
}

async function imageOf(directory: string): Promise<Image> {
  return new Map((await dataFilesIn(directory)).map((file) => [relative(directory, file), readFileSync(file)]));
}

/** `isRedundant`: what was damaged is there twice. */
export function tell({ detected, crashed, harmless, silent }: Tally, what: string, { isRedundant = false } = {}): void {
  console.log(`      ${what}: ${detected} detected, ${crashed} ended the process, ${harmless} harmless, ${silent.length} silent losses`);
  expect(silent).to.deep.equal([]);
  // How many are harmless depends on what LevelDB has tidied up by then, so there is no finer number to expect.
  if (!isRedundant) expect(detected + crashed, 'a sweep that hits nothing shows nothing').to.be.greaterThan(0);
}

export function flipOf(stage: DamageStage, name: string, bit: number): Damage {
  const bytes = stage.bytesOf(name);
  bytes[bit >> 3]! ^= 1 << (bit & 7);
  return { what: `bit ${bit & 7} of byte ${bit >> 3} of ${basename(name)}`, files: new Map([[name, bytes]]) };
}

/** The directory has exactly these files. */
function restore(path: string, files: ReadonlyMap<string, Uint8Array | undefined>): void {
  mkdirSync(join(path, 'db'), { recursive: true });
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true }))
    if (!entry.isDirectory()) rmSync(join(entry.parentPath, entry.name));
  for (const [name, bytes] of files) {
    if (bytes === undefined) continue;
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), bytes);
  }
}

/** Everything acknowledged, and the state of some applied index: it may be an earlier one, for the log can repeat the rest. */
function isWhole(found: WholeContent, history: readonly WholeContent[]): boolean {
  const last = history.at(-1)!;
  const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
  const isStateTrue = history.some(
    (then) => then.appliedIndex === found.appliedIndex && same(then.state, found.state) && same(then.members, found.members),
  );
  // What was compacted away may be back: it is a part of the same log.
  return same(found.log.slice(-last.log.length), last.log) && found.vote === last.vote && isStateTrue;
}

const TURNS = 48;
/** A snapshot takes the place of everything in this turn. */
const INSTALL_AT = 9;

/** A small database with everything in it: tables and a log, several terms, votes, a snapshot, compactions, state that came with and without entries. */
async function fill(directory: string, onClosed: () => Promise<void>): Promise<readonly WholeContent[]> {
  const history: WholeContent[] = [];
  let opened = await openAt(directory);
  const state = new Map<string, string>();
  for (let turn = 0; turn < TURNS; turn += 1) {
    // Opening moves the log of LevelDB into a table.
    if (turn % 12 === 11) {
      await opened.storage.close();
      await onClosed();
      opened = await openAt(directory);
    }
    const { storage } = opened;
    if (turn === INSTALL_AT) await install(storage, turn, state);
    else await storage.write(batchOf(storage, turn, state));
    const stateBytes = new Map([...state].map(([key, value]) => [key, bytesOf(value)]));
    const appliedIndex = appliedIn(turn);
    history.push(wholeContentOf({ storage, hardState: hardStateOf(turn), appliedIndex, confState: membersIn(turn), state: stateBytes }));
  }
  await opened.storage.close();
  return history;
}

function appliedIn(turn: number): number {
  return turn < INSTALL_AT ? turn + 1 : 100 + turn - INSTALL_AT;
}

function hardStateOf(turn: number) {
  return { term: 1 + Math.floor(turn / 10), votedFor: turn % 20 < 10 ? 1 : 2, commitIndex: appliedIn(turn) };
}

function membersIn(turn: number) {
  return { ...EMPTY_CONF_STATE, voters: [1, 2, 3 + Math.floor(turn / 6)] };
}

async function install(storage: LevelStorage, turn: number, state: Map<string, string>): Promise<void> {
  state.clear();
  state.set('block/0', 'of the snapshot');
  const hardState = hardStateOf(turn);
  await storage.install({
    index: appliedIn(turn),
    term: hardState.term,
    confState: membersIn(turn),
    hardState,
    state: new Map([['block/0', bytesOf('of the snapshot')]]),
  });
}

function batchOf(storage: LevelStorage, turn: number, state: Map<string, string>): StorageBatch {
  const value = `${'v'.repeat(150)}${turn}`;
  const writes = [put(`block/${turn % 7}`, value), ...(turn % 9 === 8 ? [{ key: `block/${turn % 3}`, value: undefined }] : [])];
  state.set(`block/${turn % 7}`, value);
  if (turn % 9 === 8) state.delete(`block/${turn % 3}`);
  // Every fifth turn brings no entries, only a hard state and what was applied.
  const { term } = hardStateOf(turn);
  const entries = turn % 5 === 4 ? [] : entriesOf([term, term], storage.lastIndex + 1);
  const compactTo = turn % 8 === 7 ? appliedIn(turn - 1) - 2 : undefined;
  return { ...NOTHING, entries, hardState: hardStateOf(turn), applied: { index: appliedIn(turn), confState: membersIn(turn), writes }, compactTo };
}
