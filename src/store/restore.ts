import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { assert } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import { EMPTY_CONF_STATE } from '../raft/types.js';
import { generationAfter } from './bump.js';
import { type DataDir, openDataDir } from './data-dir.js';
import type { ConfiguredMember } from './founding.js';
import { syncDirectory } from './identity-file.js';
import { LevelStorage } from './level-storage.js';
import { restoreState } from './recover-state.js';
import type { Replica } from './replica.js';
import { noteAudit } from './result.js';

export interface RestoreOptions {
  /** The state of a snapshot that was checked (snapshot-check.ts), and its place in the log of the old cluster. Used up. */
  readonly replica: Replica;
  readonly at: { readonly index: number; readonly term: number };
  /** Of the new cluster: never that of the old one. */
  readonly clusterId: string;
  /** Its founding voters. */
  readonly members: readonly ConfiguredMember[];
  readonly bump: bigint;
  /** Where the data directories go, each under the name of its member. Missing or empty. */
  readonly folder: string;
  readonly wallMs: number;
  readonly random: Random;
}

/** What was made. */
export interface RestoreReport {
  readonly oldClusterId: string;
  readonly clusterId: string;
  readonly oldGeneration: number;
  readonly newGeneration: number;
  readonly bump: bigint;
  readonly sectionsLifted: number;
  readonly dataDirs: readonly string[];
}

/**
 * Makes the data directories of a new cluster from a snapshot of another. All of them or none: they are made beside their place and
 * put there at once. All begin with the same state at the same place of the log, so they must be of one run of this. Throws
 * INVALID_ARGUMENT when the folder is not empty or the cluster id is the old one, OUT_OF_RANGE as `restoreState`.
 */
export async function restoreStores(options: RestoreOptions): Promise<RestoreReport> {
  const { folder, members, clusterId, random, replica } = options;
  const old = replica.state.cluster;
  assert(old !== undefined, 'a snapshot that was checked has a cluster');
  if (old.clusterId === clusterId)
    throw new SeqError('INVALID_ARGUMENT', `cluster ${clusterId} is the one the snapshot was taken of: a restored cluster has an id of its own`);
  await refuseContent(folder);
  const partial = join(dirname(folder), `.restore-${random.id128()}`);
  await mkdir(partial);
  try {
    // Each directory draws its own identity, and all of them are in the state that each of them holds.
    const dataDirs: DataDir[] = [];
    for (const { id, name } of members) dataDirs.push(await openDataDir(join(partial, name), { clusterId, nodeId: id, random }));
    const { newGeneration, sectionsLifted } = begin(options, dataDirs);
    for (const dataDir of dataDirs) await fill(dataDir, options);
    await syncDirectory(partial);
    await rename(partial, folder);
    await syncDirectory(dirname(folder));
    const made = { dataDirs: members.map(({ name }) => join(folder, name)), sectionsLifted, bump: options.bump };
    return { oldClusterId: old.clusterId, clusterId, oldGeneration: old.version.generation, newGeneration, ...made };
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

/** The place in the log where the new cluster begins: above everything of the old one. */
function placeOf({ at }: RestoreOptions): { readonly index: number; readonly term: number } {
  return { index: at.index + 1, term: at.term + 1 };
}

function begin(options: RestoreOptions, dataDirs: readonly DataDir[]) {
  const { replica, members, clusterId, bump, wallMs, at } = options;
  const old = replica.state.cluster;
  assert(old !== undefined, 'a snapshot that was checked has a cluster');
  const generation = generationAfter(old.version.generation, wallMs);
  const known = members.map(({ id, name, peerAddress, address }) => {
    const nodeUuid = dataDirs.find(({ identity }) => identity.nodeId === id)?.identity.nodeUuid;
    assert(nodeUuid !== undefined, 'every member has a data directory');
    return { id, name, peerAddress, address, nodeUuid };
  });
  const sectionsLifted = replica.amend(placeOf(options), (state) => {
    const sectionCount = restoreState(state, { generation, bump, clusterId, members: known });
    const reason = `from a snapshot of cluster ${old.clusterId} at index ${at.index}, lifted by ${bump}`;
    noteAudit(state, { kind: 'restore', reason, atMs: Math.round(wallMs), term: placeOf(options).term, sectionCount });
    return sectionCount;
  });
  return { newGeneration: generation, sectionsLifted };
}

/** As if a snapshot of a leader had been installed: a directory that was cut short before that could found nothing. */
async function fill(dataDir: DataDir, options: RestoreOptions): Promise<void> {
  const { replica, members } = options;
  const state = replica.parseSnapshot(replica.snapshot());
  assert(state !== undefined, 'a snapshot made here can be read here');
  const failures: unknown[] = [];
  const { storage } = await LevelStorage.open(dataDir, { type: 'joining' }, (error) => failures.push(error));
  const at = placeOf(options);
  const voters = members.map(({ id }) => id).sort((one, other) => one - other);
  try {
    const hardState = { term: at.term, votedFor: undefined, commitIndex: at.index };
    await storage.install({ ...at, confState: { ...EMPTY_CONF_STATE, voters }, hardState, state });
  } finally {
    await storage.close();
  }
  if (failures.length > 0) throw failures[0];
}

async function refuseContent(folder: string): Promise<void> {
  if (!existsSync(dirname(folder))) throw new SeqError('INVALID_ARGUMENT', `there is no folder ${dirname(folder)}`);
  if (!existsSync(folder)) return;
  const names = await readdir(folder);
  if (names.length > 0)
    throw new SeqError('INVALID_ARGUMENT', `folder ${folder} is not empty (it holds ${names.slice(0, 3).join(', ')}): choose another one`);
}
