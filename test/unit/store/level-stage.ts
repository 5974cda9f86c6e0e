import { ClassicLevel } from 'classic-level';
import { expect } from 'chai';
import { open as openFile } from 'node:fs/promises';
import { EMPTY_CONF_STATE, type HardState } from '../../../src/raft/types.js';
import type { Opened } from '../../../src/store/level-storage.js';
import { entriesOf } from '../raft/memory-storage.js';
import { errorOf, NOTHING, openAt, put, TestFolder } from './disk.js';

/** One data directory of a test, and the ways into it: through the store, and behind its back. */
export class LevelStage {
  readonly folder: TestFolder;
  readonly path: string;
  readonly #open: Opened[] = [];

  private constructor(folder: TestFolder) {
    this.folder = folder;
    this.path = folder.in('data');
  }

  static async make(): Promise<LevelStage> {
    return new LevelStage(await TestFolder.make());
  }

  async remove(): Promise<void> {
    for (const { storage } of this.#open.splice(0)) await storage.close();
    await this.folder.remove();
  }

  /** Opens, and closes at the end of the test at the latest. */
  async opened(): Promise<Opened> {
    const found = await openAt(this.path);
    this.keep(found);
    return found;
  }

  keep(opened: Opened): void {
    this.#open.push(opened);
  }

  /** What was opened last. */
  async close(): Promise<void> {
    await this.#open.pop()!.storage.close();
  }

  /** Four appends of two entries, a vote, some state; closed. */
  async filled(): Promise<void> {
    const { storage } = await this.opened();
    for (let index = 1; index <= 7; index += 2) {
      await storage.write({
        ...NOTHING,
        entries: entriesOf([1, 1], index),
        applied: { index, confState: EMPTY_CONF_STATE, writes: [put(`key/${index}`, 'v')] },
      });
    }
    await storage.write({ ...NOTHING, hardState: hard({ term: 2, votedFor: 3 }) });
    await this.close();
  }

  /** Changes the database behind its back. */
  async tamper(change: (database: ClassicLevel<string, Uint8Array>) => Promise<void>): Promise<void> {
    const database = new ClassicLevel<string, Uint8Array>(this.folder.in('data', 'db'), {
      keyEncoding: 'utf8',
      valueEncoding: 'view',
      createIfMissing: false,
    });
    await database.open();
    await change(database);
    await database.close();
  }
}

export function hard(state: Partial<HardState>): HardState {
  return { term: 0, votedFor: undefined, commitIndex: 0, ...state };
}

export function key(firstIndex: number): string {
  return `log/${String(firstIndex).padStart(16, '0')}`;
}

export function flipped(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[copy.length >> 1]! ^= 4;
  return copy;
}

/** What reaches the disk from here on, in order, until `restore` is called. */
export async function spyOnDisk(
  spare: string,
  onMarked: () => Promise<void> = async () => undefined,
): Promise<{ readonly steps: readonly string[]; readonly restore: () => void }> {
  const steps: string[] = [];
  const synced = (options: unknown): string => ((options as { sync?: boolean }).sync === true ? 'synced' : 'unsynced');
  const namesOf = (keys: readonly unknown[]): string => keys.map(String).join();
  const handle = await openFile(spare, 'w');
  const file: object = Object.getPrototypeOf(handle);
  await handle.close();
  const restores = [
    spy(ClassicLevel.prototype, '_put', ([at, , options]) => steps.push(`put ${namesOf([at])} ${synced(options)}`)),
    spy(ClassicLevel.prototype, '_del', ([at, options]) => steps.push(`put ${namesOf([at])} ${synced(options)}`)),
    spy(ClassicLevel.prototype, '_batch', ([all, options]) =>
      steps.push(`batch ${namesOf((all as { key: unknown }[]).map((one) => one.key))} ${synced(options)}`),
    ),
    spy(file, 'write', () => steps.push('marker written')),
    spy(file, 'datasync', async () => {
      steps.push('marker synced');
      await onMarked();
    }),
  ];
  return { steps, restore: () => restores.forEach((restore) => restore()) };
}

/** Tells of a call once it is done. */
function spy(target: object, method: string, tell: (args: readonly unknown[]) => unknown): () => void {
  const methods = target as Record<string, (...args: unknown[]) => Promise<unknown>>;
  const original = methods[method]!;
  methods[method] = async function (this: unknown, ...args: unknown[]): Promise<unknown> {
    const result = await original.apply(this, args);
    await tell(args);
    return result;
  };
  return () => void (methods[method] = original);
}

export async function expectError(act: Promise<unknown>, type: new (...args: never[]) => Error, message: string): Promise<void> {
  const error = await errorOf(act);
  expect(error).to.be.instanceOf(type);
  expect((error as Error).message).to.contain(message);
}
