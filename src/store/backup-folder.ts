import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isoTime } from '../base/clock.js';
import { messageOf, SeqError } from '../base/errors.js';
import { SnapshotDamageError } from './damage.js';
import { stateOf } from './snapshot-check.js';
import { readSnapshotFile } from './snapshot-file.js';
import type { SnapshotHeader } from './snapshot-header.js';

/** The time first, so that names sort as time went. */
const NAME = /^\d{8}T\d{9}Z\.snap$/;

/** Where a snapshot of this moment goes: '20260131T120000000Z.snap'. */
export function backupName(wallMs: number): string {
  return `${isoTime(wallMs).replaceAll(/[-:.]/g, '')}.snap`;
}

/** One backup of a folder, as it is on disk now. */
export type Backup = { readonly path: string } & (
  | { readonly state: 'good'; readonly header: SnapshotHeader }
  /** It was cut short or changed, or another version wrote it. */
  | { readonly state: 'bad'; readonly why: string }
);

/** Paths of the backups in a folder, newest first. Whatever else lies there is not looked at. */
export async function backupsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names
    .filter((name) => NAME.test(name))
    .sort()
    .reverse()
    .map((name) => join(folder, name));
}

/** Reads all of it: a name and a size say nothing. */
export async function judge(path: string): Promise<Backup> {
  try {
    const snapshot = await readSnapshotFile(path);
    stateOf(snapshot, path);
    return { path, state: 'good', header: snapshot.header };
  } catch (error) {
    if (!(error instanceof SnapshotDamageError) && !SeqError.is(error)) throw error;
    return { path, state: 'bad', why: messageOf(error) };
  }
}

/** The newest that a restore could use; undefined: there is none. */
export async function newestGood(folder: string): Promise<Extract<Backup, { state: 'good' }> | undefined> {
  for (const path of await backupsIn(folder)) {
    const backup = await judge(path);
    if (backup.state === 'good') return backup;
  }
  return undefined;
}

/**
 * Keeps the newest `keep` good backups, at least 1, and removes what is older than all of them. So the last good one is never
 * removed, whatever lies beside it, and what is bad stays until it is old: someone may want to know why. Returns what was removed.
 */
export async function prune(folder: string, keep: number): Promise<readonly string[]> {
  let goodCount = 0;
  const removed: string[] = [];
  for (const path of await backupsIn(folder)) {
    if (goodCount < keep) {
      if ((await judge(path)).state === 'good') goodCount += 1;
      continue;
    }
    await rm(path, { force: true });
    removed.push(path);
  }
  return removed;
}
