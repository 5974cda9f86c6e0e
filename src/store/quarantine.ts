import { closeSync, constants, copyFileSync, fsyncSync, linkSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SeqError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import { syncDirectory } from './identity-file.js';

const NOTE = 'quarantine.json';
/** How the note begins its life; one that a crash left behind means nothing. */
const BESIDE = 'quarantine.json.new';

/** Why the data of a node is not to be believed, and since when. */
export interface Quarantine {
  readonly reason: string;
  readonly sinceUnixMs: number;
}

/** Undefined: this data directory is not quarantined. A note that is there and cannot be read still is one. */
export async function readQuarantine(path: string): Promise<Quarantine | undefined> {
  const file = join(path, NOTE);
  let why = 'it does not say why';
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (isQuarantine(value)) return value;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    why = error instanceof Error ? error.message : String(error);
  }
  const { mtimeMs } = await stat(file);
  return { reason: `${NOTE} is there and cannot be read (${why})`, sinceUnixMs: Math.floor(mtimeMs) };
}

/**
 * From here on no store starts on this data. On disk when it returns, without a wait: the process may end right after.
 * A note that is there stays: the first reason counts.
 */
export function writeQuarantine(path: string, { reason, sinceUnixMs }: Quarantine): void {
  mkdirSync(path, { recursive: true });
  const beside = join(path, BESIDE);
  // Never into a file that is in place already: what a call that was cut short left may be that very file.
  rmSync(beside, { force: true });
  const file = openSync(beside, 'wx');
  try {
    writeSync(file, `${JSON.stringify({ reason, sinceUnixMs }, undefined, 2)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  placeNew(beside, join(path, NOTE));
  rmSync(beside, { force: true });
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/**
 * Puts everything of a quarantined data directory into a folder inside it, and resolves with that one's path once it is on
 * disk; nothing is ever deleted. Cut short at any point it is still quarantined, and done again it goes on in the same
 * folder: the note goes LAST. Only while no store has it open. Throws INVALID_ARGUMENT when it is not quarantined.
 */
export async function setAside(path: string, { nowMs, random }: { readonly nowMs: number; readonly random: Random }): Promise<string> {
  const names = await readdir(path);
  if (!names.includes(NOTE)) throw new SeqError('INVALID_ARGUMENT', `data directory ${path} is not quarantined, so nothing of it is put aside`);
  const aside = join(path, (await unfinishedIn(path, names)) ?? `damaged-${Math.floor(nowMs / 1000)}-${random.id128().slice(0, 8)}`);
  await mkdir(aside, { recursive: true });
  for (const name of names) if (name !== NOTE && !isAside(name)) await rename(join(path, name), join(aside, name));
  await syncDirectory(aside);
  await syncDirectory(path);
  await rename(join(path, NOTE), join(aside, NOTE));
  await syncDirectory(aside);
  await syncDirectory(path);
  return aside;
}

/** The name of a folder that `setAside` made. */
export function isAside(name: string): boolean {
  return /^damaged-\d+-[0-9a-f]{8}$/.test(name);
}

async function unfinishedIn(path: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of names.filter(isAside)) if (!(await readdir(join(path, name))).includes(NOTE)) return name;
  return undefined;
}

function isQuarantine(value: unknown): value is Quarantine {
  if (typeof value !== 'object' || value === null) return false;
  const { reason, sinceUnixMs } = value as Partial<Record<keyof Quarantine, unknown>>;
  return typeof reason === 'string' && typeof sinceUnixMs === 'number' && Number.isFinite(sinceUnixMs);
}

/** As link, but one that is there stays. */
function placeNew(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return;
    // Not every file system has hard links. A crash in the middle leaves a note that cannot be read: it counts all the same.
    copyNew(from, to);
  }
}

function copyNew(from: string, to: string): void {
  try {
    copyFileSync(from, to, constants.COPYFILE_EXCL);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return;
    throw error;
  }
  const file = openSync(to, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
