import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StateWrite, StorageBatch } from '../../../src/raft/ports.js';
import { openDataDir } from '../../../src/store/data-dir.js';
import { type Begin, LevelStorage, type Opened } from '../../../src/store/level-storage.js';
import { bytesOf, textOf } from '../raft/memory-storage.js';
import { SeededRandom } from '../seeded-random.js';
import { CLUSTER_ID } from './fixture.js';

export const NODE = { clusterId: CLUSTER_ID, nodeId: 1, random: new SeededRandom(1) };
export const NOTHING: StorageBatch = { entries: [], hardState: undefined, applied: undefined, compactTo: undefined };
/** An empty log that begins at 1. */
export const BEGIN: Begin = { type: 'joining' };

/** Opens the data directory of node 1, or makes it. A failure in the background fails the test unless it is expected. */
export async function openAt(directory: string, onFatal: (error: unknown) => void = fail): Promise<Opened> {
  return LevelStorage.open(await openDataDir(directory, NODE), BEGIN, onFatal);
}

export function fail(error: unknown): void {
  throw error;
}

/** A folder of a test; everything in it goes with it. */
export class TestFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<TestFolder> {
    return new TestFolder(await mkdtemp(join(tmpdir(), 'seqsvr-store-')));
  }

  in(...names: readonly string[]): string {
    return join(this.path, ...names);
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/** An old copy of a directory, or a place to break one. */
export async function copyTo(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await cp(from, to, { recursive: true });
}

/** Files that hold data, as paths below `directory`. LevelDB's LOG is for people, LOCK is empty. */
export async function dataFilesIn(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory, { recursive: true, withFileTypes: true });
  return names
    .filter((entry) => entry.isFile() && !/^(LOG|LOG\.old|LOCK)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Changes a file as a whole: a flipped bit, a lost end. */
export async function rewrite(path: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  await writeFile(path, change(await readFile(path)));
}

export function put(key: string, value: string): StateWrite {
  return { key, value: bytesOf(value) };
}

/** What an opened storage says, as plain values. */
export function contentOf({ storage, hardState, appliedIndex, confState, state }: Opened) {
  return {
    log: storage.entries(storage.firstIndex, storage.lastIndex, 1e9).map((entry) => `${entry.index}@${entry.term} ${textOf(entry)}`),
    vote: `${hardState.term} ${hardState.votedFor ?? 'none'}`,
    appliedIndex,
    members: confState.voters.join(),
    state: [...state].map(([key, data]) => `${key}=${textOf({ data })}`).sort(),
  };
}

export type WholeContent = ReturnType<typeof wholeContentOf>;

/** The members too. */
export function wholeContentOf(opened: Opened) {
  return { ...contentOf(opened), members: JSON.stringify(opened.confState) };
}

/** What it rejected with; undefined when it did not. */
export async function errorOf(act: Promise<unknown>): Promise<unknown> {
  return act.then(
    () => undefined,
    (error: unknown) => error,
  );
}
