import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '../base/random.js';
import { SeqError } from '../base/errors.js';
import { DamageError } from './damage.js';
import { BESIDE_IDENTITY, claimIdentityFile, type Identity, readIdentityFile, replaceIdentityFile } from './identity-file.js';
import { isAside, readQuarantine } from './quarantine.js';

export type { Identity } from './identity-file.js';

/** Ids that founders get by configuration lie below; a joiner draws its own in [JOINER_ID_MIN, JOINER_ID_END). */
const JOINER_ID_MIN = 65_536;
const JOINER_ID_END = 2 ** 31;

export interface DataDir {
  readonly identity: Identity;
  /** Of a forced recovery that was under way: the database may be this one's already. */
  readonly next: Identity | undefined;
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

interface Wanted {
  readonly clusterId: string;
  /** Undefined: a joiner, which draws an id for a new directory and takes the one that it finds. */
  readonly nodeId: number | undefined;
}

/**
 * Opens a node's data directory, or makes one. Throws INVALID_ARGUMENT when it belongs to another cluster or node, or
 * holds something else, or a forced recovery of it was cut short; DamageError when its identity cannot be read or it is
 * quarantined.
 */
export async function openDataDir(path: string, wanted: Wanted & { readonly random: Random }): Promise<DataDir> {
  await mkdir(path, { recursive: true });
  const quarantine = await readQuarantine(path);
  if (quarantine !== undefined) throw new DamageError(`data directory ${path} is quarantined: ${quarantine.reason}`);
  const found = await readIdentityFile(path);
  if (found === undefined) await refuseStrangers(path);
  else refuseOthers(path, found, wanted);
  if (found?.next !== undefined)
    throw new SeqError('INVALID_ARGUMENT', `a forced recovery of data directory ${path} was cut short; run it again before a store starts there`);

  // What was put aside here belonged to a member: whoever comes now is another one, and joins.
  const isRejoining = found === undefined && (await readdir(path)).some(isAside);
  const identity = found ?? drawIdentity(isRejoining ? { ...wanted, nodeId: undefined } : wanted);
  // What a start that was cut short left behind is removed under the database's own lock, not here: two starts at once
  // must not pull the ground from under each other.
  if (found === undefined) await claimIdentityFile(path, { ...identity, format: 1, state: 'creating' });
  return dataDirOf(path, identity, undefined);
}

/** The data directory of an identity that was read there. */
export function dataDirOf(path: string, { clusterId, nodeId, nodeUuid }: Identity, next: Identity | undefined): DataDir {
  const identity: Identity = { clusterId, nodeId, nodeUuid };
  return {
    identity,
    next,
    databasePath: join(path, 'db'),
    markerPath: join(path, 'marker'),
    isNew: () => isCreating(path, identity),
    ready: () => replaceIdentityFile(path, { ...identity, format: 1, state: 'ready' }),
  };
}

/** Whose data it was, for one who only wants to say so. Undefined: there is none, or it cannot be believed. */
export async function findIdentity(path: string): Promise<Identity | undefined> {
  try {
    return await readIdentityFile(path);
  } catch (error) {
    if (error instanceof DamageError) return undefined;
    throw error;
  }
}

/** It did not found the cluster: it drew its id itself. */
export function isJoiner({ nodeId }: Pick<Identity, 'nodeId'>): boolean {
  return nodeId >= JOINER_ID_MIN;
}

function drawIdentity({ clusterId, nodeId, random }: Wanted & { readonly random: Random }): Identity {
  return { clusterId, nodeId: nodeId ?? drawJoinerId(random), nodeUuid: random.id128() };
}

/** A Raft id that nobody ever had, as good as certainly: ids are never given twice. */
export function drawJoinerId(random: Random): number {
  return JOINER_ID_MIN + random.below(JOINER_ID_END - JOINER_ID_MIN);
}

async function isCreating(path: string, identity: Identity): Promise<boolean> {
  const found = await readIdentityFile(path);
  if (found === undefined) throw new DamageError(`${join(path, 'identity.json')} is gone`);
  if (found.nodeUuid === identity.nodeUuid) {
    refuseOthers(path, found, identity);
    return found.state === 'creating';
  }
  throw new SeqError('INVALID_ARGUMENT', `data directory ${path} is of ${found.nodeUuid} now, and was of ${identity.nodeUuid} a moment ago`);
}

async function refuseStrangers(path: string): Promise<void> {
  // What was put aside of an earlier life of this directory is nobody's.
  const names = (await readdir(path)).filter((name) => !name.startsWith(BESIDE_IDENTITY) && !isAside(name));
  if (names.length === 0) return;
  throw new SeqError(
    'INVALID_ARGUMENT',
    `data directory ${path} is not empty and has no identity.json (it holds ${names.slice(0, 3).join(', ')}); choose an empty one`,
  );
}

function refuseOthers(path: string, found: Identity, wanted: Wanted): void {
  if (found.clusterId !== wanted.clusterId) {
    throw new SeqError(
      'INVALID_ARGUMENT',
      `data directory ${path} belongs to cluster ${found.clusterId}, this node is of cluster ${wanted.clusterId}`,
    );
  }
  // Who joined keeps the id that it drew, whatever the file says of the founder that was here before.
  if (wanted.nodeId !== undefined && found.nodeId !== wanted.nodeId && !isJoiner(found)) {
    throw new SeqError('INVALID_ARGUMENT', `data directory ${path} belongs to node ${found.nodeId}, this is node ${wanted.nodeId}`);
  }
}
