import { constants, existsSync } from 'node:fs';
import { copyFile, link, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '../base/random.js';
import { SeqError } from '../base/errors.js';
import { DamageError } from './damage.js';

/** How the identity file begins its life; one that a crash left behind means nothing. */
const BESIDE = 'identity.json.';

/** Whose data this is. */
export interface Identity {
  /** 32 hex digits, the same on every node of a cluster. */
  readonly clusterId: string;
  /** The Raft id. */
  readonly nodeId: number;
  /** Drawn when the directory was made, 32 hex digits: another directory is another node. */
  readonly nodeUuid: string;
}

interface IdentityFile extends Identity {
  readonly format: 1;
  /** creating: nothing in it was ever acknowledged, so it may be made anew. */
  readonly state: 'creating' | 'ready';
}

export interface DataDir {
  readonly identity: Identity;
  readonly databasePath: string;
  readonly markerPath: string;
  /**
   * Whether the database and the marker are to be made, over what is left of an earlier try; afterwards call `ready`.
   * Reads it from the disk: only under the database's lock does a yes last until one calls `ready`, for another start may
   * make everything, vote and end while this one is paused. A no lasts. Throws as `openDataDir` when it is another's now.
   */
  isNew(): Promise<boolean>;
  /** Only under the database's lock. From now on a missing database or marker is damage. Resolves when that is on disk. */
  ready(): Promise<void>;
}

/**
 * Opens a node's data directory, or makes one. Throws INVALID_ARGUMENT when it belongs to another cluster or node, or
 * holds something else; DamageError when its identity cannot be read.
 */
export async function openDataDir(
  path: string,
  wanted: { readonly clusterId: string; readonly nodeId: number; readonly random: Random },
): Promise<DataDir> {
  await mkdir(path, { recursive: true });
  const found = await readIdentity(path);
  if (found === undefined) await refuseStrangers(path);
  else refuseOthers(path, found, wanted);

  const { clusterId, nodeId } = wanted;
  const identity: Identity = { clusterId, nodeId, nodeUuid: found?.nodeUuid ?? wanted.random.id128() };
  const databasePath = join(path, 'db');
  const markerPath = join(path, 'marker');
  // What a start that was cut short left behind is removed under the database's own lock, not here: two starts at once
  // must not pull the ground from under each other.
  if (found === undefined) await writeIdentity(path, { ...identity, format: 1, state: 'creating' }, claim);
  return {
    identity,
    databasePath,
    markerPath,
    isNew: () => isCreating(path, identity),
    ready: () => writeIdentity(path, { ...identity, format: 1, state: 'ready' }, rename),
  };
}

async function isCreating(path: string, identity: Identity): Promise<boolean> {
  const found = await readIdentity(path);
  if (found === undefined) throw new DamageError(`${join(path, 'identity.json')} is gone`);
  refuseOthers(path, found, identity);
  if (found.nodeUuid === identity.nodeUuid) return found.state === 'creating';
  throw new SeqError('INVALID_ARGUMENT', `data directory ${path} is of ${found.nodeUuid} now, and was of ${identity.nodeUuid} a moment ago`);
}

async function readIdentity(path: string): Promise<IdentityFile | undefined> {
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

function isIdentityFile(value: unknown): value is IdentityFile {
  if (typeof value !== 'object' || value === null) return false;
  const { format, clusterId, nodeId, nodeUuid, state } = value as Partial<Record<keyof IdentityFile, unknown>>;
  const isId = (id: unknown): boolean => typeof id === 'string' && /^[0-9a-f]{32}$/.test(id);
  return format === 1 && isId(clusterId) && isId(nodeUuid) && Number.isSafeInteger(nodeId) && (state === 'creating' || state === 'ready');
}

async function refuseStrangers(path: string): Promise<void> {
  const names = (await readdir(path)).filter((name) => !name.startsWith(BESIDE));
  if (names.length === 0) return;
  throw new SeqError(
    'INVALID_ARGUMENT',
    `data directory ${path} is not empty and has no identity.json (it holds ${names.slice(0, 3).join(', ')}); choose an empty one`,
  );
}

function refuseOthers(path: string, found: Identity, wanted: { readonly clusterId: string; readonly nodeId: number }): void {
  if (found.clusterId !== wanted.clusterId) {
    throw new SeqError(
      'INVALID_ARGUMENT',
      `data directory ${path} belongs to cluster ${found.clusterId}, this node is of cluster ${wanted.clusterId}`,
    );
  }
  if (found.nodeId !== wanted.nodeId) {
    throw new SeqError('INVALID_ARGUMENT', `data directory ${path} belongs to node ${found.nodeId}, this is node ${wanted.nodeId}`);
  }
}

/** Whole or not at all: written beside, synced, put in place, and the directory synced. */
async function writeIdentity(path: string, identity: IdentityFile, place: (from: string, to: string) => Promise<void>): Promise<void> {
  // A name for each state: what `claim` leaves when it is cut short is the same file as identity.json, and writing into
  // it would be writing in place.
  const beside = join(path, `${BESIDE}${identity.nodeUuid}.${identity.state}`);
  const file = await open(beside, 'w');
  await file.writeFile(`${JSON.stringify(identity, undefined, 2)}\n`);
  await file.sync();
  await file.close();
  await place(beside, join(path, 'identity.json'));
  const directory = await open(path, 'r');
  await directory.sync();
  await directory.close();
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
  await file.sync();
  await file.close();
}
