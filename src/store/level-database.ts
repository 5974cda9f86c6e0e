import { ClassicLevel } from 'classic-level';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { InvariantError } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import { DamageError } from './damage.js';
import type { DataDir } from './data-dir.js';

export type Operation = { readonly type: 'put'; readonly key: string; readonly value: Uint8Array } | { readonly type: 'del'; readonly key: string };

/** A database as far as it is used here. What was written with `sync` is on disk when it resolves; the first error is final. */
export interface Database {
  get(key: string): Promise<Uint8Array | undefined>;
  getSync(key: string): Uint8Array | undefined;
  put(key: string, value: Uint8Array, options: { readonly sync: true }): Promise<void>;
  /** All of it or nothing. */
  batch(operations: Operation[], options: { readonly sync: true }): Promise<void>;
  /** In key order. */
  iterator(range: { readonly gte: string; readonly lt: string }): AsyncIterable<[string, Uint8Array]>;
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** How glibc and musl say that the disk or the system refuses: EIO, ENOSPC, EDQUOT, EROFS, EACCES, EPERM, EMFILE, ENFILE, ENOMEM, ESTALE. */
const OF_DISK =
  /: (Input\/output error|I\/O error|No space left on device|(Disk )?[Qq]uota exceeded|Read-only file system|Permission denied|Operation not permitted|Too many open files( in system)?|No file descriptors available|Cannot allocate memory|Out of memory|Stale file handle)$/;

/**
 * Opens the database of a data directory, and takes LevelDB's lock on it until it is closed; makes one where it is to be
 * made, and then what is left of an earlier try may still be in it. Throws INVALID_ARGUMENT when another process has it,
 * DamageError when what is there is no database; an error of the disk stays what it is.
 */
export async function openDatabase(dataDir: DataDir): Promise<Database> {
  const { databasePath } = dataDir;
  const createIfMissing = await dataDir.isNew();
  try {
    return await openLevel(databasePath, createIfMissing).catch((error: unknown) => {
      if (!createIfMissing || isLocked(error)) throw error;
      return openOverLeftover(dataDir);
    });
  } catch (error) {
    if (isLocked(error))
      throw new SeqError('INVALID_ARGUMENT', `data directory ${databasePath} is in use by another seqsvr process`, { cause: error });
    throw asDamage(error, `the database ${databasePath} cannot be opened`);
  }
}

/**
 * What LevelDB says of files that are not as it wrote them is damage, `what` with its own words. An error of the disk or
 * of this program says nothing about the data, and stays what it is.
 */
export function asDamage(error: unknown, what: string): unknown {
  const isTold = error instanceof DamageError || error instanceof SeqError || error instanceof InvariantError;
  return isTold || isOfDisk(error) ? error : new DamageError(`${what}: ${innermost(error)}`, { cause: error });
}

async function openLevel(databasePath: string, createIfMissing: boolean): Promise<Database> {
  // Never created on the side: a database that lost its CURRENT file would come up empty (reliability.md finding 2).
  const options = { createIfMissing, compression: false };
  const database = new ClassicLevel<string, Uint8Array>(databasePath, { keyEncoding: 'utf8', valueEncoding: 'view', ...options });
  await database.open();
  return database;
}

/**
 * A first start was cut so short that what it left cannot be opened. As nothing was acknowledged, LevelDB may begin anew:
 * it does where CURRENT is missing. There is no lock to hold from the question to the removal, so the least goes and it is
 * asked again: should another start have lived a whole life in between, that is damage then, told and not lost. LevelDB's
 * own `destroy` would remove the lock file too, under the feet of one who waits for it, and two would have the lock.
 */
async function openOverLeftover(dataDir: DataDir): Promise<Database> {
  if (await dataDir.isNew()) await rm(join(dataDir.databasePath, 'CURRENT'), { force: true });
  return openLevel(dataDir.databasePath, await dataDir.isNew());
}

/** LevelDB calls a file that is gone, or shorter than it says, an IO error too: that is damage. */
function isOfDisk(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('syscall' in error) return true;
  return error.message.startsWith('IO error: ') ? OF_DISK.test(error.message) : isOfDisk(error.cause);
}

/** classic-level wraps what LevelDB says. */
function innermost(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : innermost(error.cause);
}

/** classic-level says it in the error itself or in its cause. */
function isLocked(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ('code' in error && error.code === 'LEVEL_LOCKED') || isLocked(error.cause);
}
