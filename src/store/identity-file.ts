import { constants, existsSync } from 'node:fs';
import { copyFile, link, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SeqError } from '../base/errors.js';
import { DamageError } from './damage.js';

/** How the identity file begins its life; one that a crash left behind means nothing. */
export const BESIDE_IDENTITY = 'identity.json.';

/** Whose data this is. */
export interface Identity {
  /** 32 hex digits, the same on every node of a cluster. */
  readonly clusterId: string;
  /** The Raft id. */
  readonly nodeId: number;
  /** Drawn when the directory was made, 32 hex digits: another directory is another node. */
  readonly nodeUuid: string;
}

export interface IdentityFile extends Identity {
  readonly format: 1;
  /** creating: nothing in it was ever acknowledged, so it may be made anew. */
  readonly state: 'creating' | 'ready';
  /** A forced recovery is under way (level-reidentify.ts): whose data this will be. Until it is done nobody starts on it. */
  readonly next?: Identity;
}

/** Undefined: there is none. Throws DamageError when it cannot be believed. */
export async function readIdentityFile(path: string): Promise<IdentityFile | undefined> {
  const file = join(path, 'identity.json');
  if (!existsSync(file)) return undefined;
  const text = await readFile(file, 'utf8');
  try {
    const value: unknown = JSON.parse(text);
    if (isIdentityFile(value)) return value;
  } catch (cause) {
    throw new DamageError(`${file} is not JSON`, { cause });
  }
  throw new DamageError(`${file} does not say whose data this is`);
}

/** Where there is none yet: throws INVALID_ARGUMENT when another start put one there a moment ago. */
export function claimIdentityFile(path: string, identity: IdentityFile): Promise<void> {
  return writeIdentity(path, identity, claim);
}

export function replaceIdentityFile(path: string, identity: IdentityFile): Promise<void> {
  return writeIdentity(path, identity, rename);
}

function isIdentityFile(value: unknown): value is IdentityFile {
  if (!isIdentity(value)) return false;
  const { format, state, next } = value as Partial<Record<keyof IdentityFile, unknown>>;
  return format === 1 && (state === 'creating' || state === 'ready') && (next === undefined || isIdentity(next));
}

function isIdentity(value: unknown): value is Identity {
  if (typeof value !== 'object' || value === null) return false;
  const { clusterId, nodeId, nodeUuid } = value as Partial<Record<keyof Identity, unknown>>;
  const isId = (id: unknown): boolean => typeof id === 'string' && /^[0-9a-f]{32}$/.test(id);
  return isId(clusterId) && isId(nodeUuid) && Number.isSafeInteger(nodeId);
}

/** Whole or not at all: written beside, synced, put in place, and the directory synced. */
async function writeIdentity(path: string, identity: IdentityFile, place: (from: string, to: string) => Promise<void>): Promise<void> {
  // A name for each state: what `claim` leaves when it is cut short is the same file as identity.json, and writing into
  // it would be writing in place.
  const beside = join(path, `${BESIDE_IDENTITY}${identity.nodeUuid}.${identity.state}`);
  const file = await open(beside, 'w');
  try {
    await file.writeFile(`${JSON.stringify(identity, undefined, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await place(beside, join(path, 'identity.json'));
  await syncDirectory(path);
}

/** What was put into it, renamed in it or removed from it is on disk for good. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** As rename, but never over what another start put there a moment ago. Throws INVALID_ARGUMENT then. */
async function claim(from: string, to: string): Promise<void> {
  try {
    // Not every file system has hard links.
    await link(from, to).catch(() => copyNew(from, to));
  } catch (error) {
    if (!existsSync(to)) throw error;
    throw new SeqError('INVALID_ARGUMENT', `${to} was made by another seqsvr process just now`, { cause: error });
  } finally {
    await rm(from);
  }
}

/** A crash in the middle leaves an identity that cannot be read: that is told, and nothing was acknowledged yet. */
async function copyNew(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_EXCL);
  const file = await open(to, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
