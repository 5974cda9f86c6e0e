import { accessSync, constants, mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SeqError } from '../base/errors.js';

/** What a start that was cut short leaves before it has written cluster.json. Nothing was ever served from it. */
const LEFTOVER = /^pid(\.|$)|^cluster\.json\.new$/;
/** How many names a refusal quotes. */
const NAMES_TOLD_MAX = 3;

/** What a file system says to a path that a user got wrong. Anything else it says, such as a full disk, is no matter of the path. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied (EACCES)',
  EEXIST: 'something that is not a folder has that name (EEXIST)',
  EISDIR: 'a folder is where a file should be (EISDIR)',
  ELOOP: 'its links lead in a circle (ELOOP)',
  ENAMETOOLONG: 'the name is too long (ENAMETOOLONG)',
  ENOENT: 'a part of it does not exist and cannot be made (ENOENT)',
  ENOTDIR: 'a part of it is not a folder (ENOTDIR)',
  EPERM: 'not permitted (EPERM)',
  EROFS: 'the file system is read-only (EROFS)',
};

/**
 * The absolute path of a dev cluster's data folder. Makes nothing, so that a refused start leaves nothing behind.
 * Throws INVALID_ARGUMENT unless it is missing, empty, or has a cluster.json, and can be written to.
 */
export function checkData(data: string): string {
  // resolve('') is the current folder, which nobody meant.
  if (data === '') throw refusal(data, 'that names nothing');
  return withData(data, () => {
    const folder = resolve(data);
    const stat = statSync(folder, { throwIfNoEntry: false });
    if (stat === undefined) {
      checkCanBeMade(data, folder);
      return folder;
    }
    if (!stat.isDirectory()) throw refusal(data, 'it is not a folder (ENOTDIR)');
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    const names = readdirSync(folder);
    const strange = names.includes('cluster.json') ? [] : names.filter((name) => !LEFTOVER.test(name));
    if (strange.length === 0) return folder;
    throw refusal(data, `it is not empty and has no cluster.json (it holds ${strange.slice(0, NAMES_TOLD_MAX).join(', ')})`);
  });
}

/**
 * Makes the folder and those above it that are missing; takes back what it made when one cannot be made. One by one:
 * Node's recursive mkdir never returns where the kernel answers ENOENT for a folder whose parent exists, as below /proc.
 */
export function makeFolder(folder: string): void {
  const made: string[] = [];
  try {
    for (const path of missingIn(folder)) {
      mkdirSync(path);
      made.push(path);
    }
  } catch (error) {
    for (const path of made.reverse()) rmdirSync(path);
    throw error;
  }
}

/** Runs `use`. What the file system has against the path becomes INVALID_ARGUMENT with the path and the rule. */
export function withData<Value>(data: string, use: () => Value): Value {
  try {
    return use();
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? REASONS[String(cause.code)] : undefined;
    if (why === undefined) throw cause;
    throw refusal(data, why, cause);
  }
}

/** Throws unless the nearest folder above that exists is one, and can be written to. Node 22 calls what lies below a file missing. */
function checkCanBeMade(data: string, folder: string): void {
  const [outermost = folder] = missingIn(folder);
  const above = dirname(outermost);
  if (!statSync(above).isDirectory()) throw refusal(data, 'a part of it is not a folder (ENOTDIR)');
  accessSync(above, constants.W_OK | constants.X_OK);
}

/** Outermost first. */
function missingIn(folder: string): string[] {
  const missing: string[] = [];
  for (let path = folder; statSync(path, { throwIfNoEntry: false }) === undefined; path = dirname(path)) missing.unshift(path);
  return missing;
}

function refusal(data: string, why: string, cause?: unknown): SeqError {
  const message = `--data must name a new or empty folder, or one that seqsvr dev made, got '${data}': ${why}`;
  return new SeqError('INVALID_ARGUMENT', message, { cause });
}
