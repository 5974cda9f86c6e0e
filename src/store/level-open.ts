import { createHash } from 'node:crypto';
import { assert } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import { type ConfState, EMPTY_CONF_STATE, type EntryId, type HardState, type Index, INITIAL_HARD_STATE, type NodeId } from '../raft/types.js';
import { DamageError } from './damage.js';
import type { DataDir } from './data-dir.js';
import type { Disk } from './disk.js';
import { asDamage, type Database } from './level-database.js';
import { BEGINNING, LevelLog } from './level-log.js';
import {
  decodeApplied,
  decodeHardState,
  decodeStart,
  encodeApplied,
  encodeHardState,
  encodeIdentity,
  encodeStart,
  isOfFormatOne,
  LOG,
  logKey,
  type LogStart,
  STATE,
} from './level-records.js';
import { Marker } from './marker.js';
import { EMPTY_DIGEST, StateDigest } from './state-digest.js';

/**
 * What a new data directory is made as. founding: one of the first members, as if a snapshot of nothing at index 1 with
 * these voters had been installed. joining: empty, so that it can only ever begin with a snapshot of a leader.
 */
export type Begin = { readonly type: 'founding'; readonly voters: readonly NodeId[] } | { readonly type: 'joining' };

/** What every founder begins with: all of them have it, so it is committed. */
const FOUNDING: EntryId = { index: 1, term: 1 };

/** What an open storage is made of. */
export interface StorageParts {
  readonly database: Database;
  readonly marker: Marker;
  readonly log: LevelLog;
  readonly digest: StateDigest;
  readonly hardState: HardState;
  readonly appliedIndex: Index;
}

export interface FoundParts extends StorageParts {
  readonly confState: ConfState;
  /** The state machine's keys, without their prefix, in key order. */
  readonly state: ReadonlyMap<string, Uint8Array>;
}

/** Opens and checks everything, or makes it. Throws as `LevelStorage.open`. */
export async function openParts(dataDir: DataDir, begin: Begin, disk: Disk): Promise<FoundParts> {
  const database = await disk.openDatabase(dataDir);
  let marker: Marker | undefined;
  let isNew = false;
  try {
    // Asked again under the lock: since it was asked before, another start may have made everything and voted.
    isNew = await dataDir.isNew();
    if (!isNew) await checkIdentity(database, dataDir);
    marker = isNew ? await make(dataDir, { database, disk }, begin) : await Marker.open(dataDir.markerPath, disk);
    return await load(database, marker);
  } catch (error) {
    await database.close();
    await marker?.close();
    throw isNew ? error : asDamage(error, `the database ${dataDir.databasePath} cannot be read`);
  }
}

/** Names a log that begins after a snapshot, as the hash of a chunk names what is before the next: no other state has it. */
export function startAfter({ index, term }: EntryId, digest: Uint8Array): LogStart {
  const hashBefore = createHash('sha256').update(`snapshot ${index} ${term} `).update(digest).digest().subarray(0, EMPTY_DIGEST.length);
  return { firstIndex: index + 1, termBefore: term, hashBefore };
}

async function make(dataDir: DataDir, { database, disk }: { readonly database: Database; readonly disk: Disk }, begin: Begin): Promise<Marker> {
  const { start, hardState, confState } = beginning(begin);
  // Unsynced, but in the same file as the synced write that follows.
  await database.clear();
  const applied = { index: start.firstIndex - 1, digest: EMPTY_DIGEST, confState };
  await database.batch(
    [
      { type: 'put', key: 'identity', value: encodeIdentity(dataDir.identity) },
      { type: 'put', key: 'start', value: encodeStart(start) },
      { type: 'put', key: 'applied', value: encodeApplied(applied) },
      { type: 'put', key: 'hard', value: encodeHardState(hardState) },
    ],
    { sync: true },
  );
  const mark = { term: hardState.term, votedFor: undefined, lastIndex: start.firstIndex - 1, lastHash: start.hashBefore };
  const marker = await Marker.create(dataDir.markerPath, mark, disk);
  try {
    await dataDir.ready();
    return marker;
  } catch (error) {
    await marker.close();
    throw error;
  }
}

function beginning(begin: Begin): { readonly start: LogStart; readonly hardState: HardState; readonly confState: ConfState } {
  if (begin.type === 'joining') return { start: BEGINNING, hardState: INITIAL_HARD_STATE, confState: EMPTY_CONF_STATE };
  assert(begin.voters.length > 0, 'a cluster is founded by at least one voter');
  const voters = [...begin.voters].sort((one, other) => one - other);
  return {
    start: startAfter(FOUNDING, EMPTY_DIGEST),
    hardState: { term: FOUNDING.term, votedFor: undefined, commitIndex: FOUNDING.index },
    confState: { ...EMPTY_CONF_STATE, voters },
  };
}

async function checkIdentity(database: Database, { identity, next, databasePath }: DataDir): Promise<void> {
  const found = await database.get('identity');
  if (found !== undefined && isOfFormatOne(found, identity))
    throw new SeqError('INVALID_ARGUMENT', `the database ${databasePath} has format 1, this program reads 2: use the version that wrote it`);
  const isOf = (one: typeof identity): boolean => found !== undefined && Buffer.from(found).equals(encodeIdentity(one));
  if (!isOf(identity) && (next === undefined || !isOf(next)))
    throw new DamageError(`the database ${databasePath} is not the one that identity.json speaks of`);
}

async function load(database: Database, marker: Marker): Promise<FoundParts> {
  const start = decodeStart(await database.get('start'));
  const log = new LevelLog((firstIndex) => readChunk(database, firstIndex), start);
  for await (const [key, value] of database.iterator({ gte: LOG, lt: `${LOG}~` })) log.load(Number(key.slice(LOG.length)), value);
  const hardState = decodeHardState(await database.get('hard'));
  const applied = decodeApplied(await database.get('applied'));
  checkAgainstMarker(log, hardState, marker);
  checkWithin(log, hardState.commitIndex, 'was committed');
  checkWithin(log, applied.index, 'was applied');

  const state = new Map<string, Uint8Array>();
  const digest = new StateDigest();
  for await (const [key, value] of database.iterator({ gte: STATE, lt: `${STATE}~` })) {
    state.set(key.slice(STATE.length), value);
    digest.set(key.slice(STATE.length), value);
  }
  if (!Buffer.from(applied.digest).equals(digest.value)) throw new DamageError(`the state is not as it was written at entry ${applied.index}`);
  return { database, marker, log, digest, hardState, appliedIndex: applied.index, confState: applied.confState, state };
}

function readChunk(database: Database, firstIndex: Index): Uint8Array | undefined {
  try {
    return database.getSync(logKey(firstIndex));
  } catch (error) {
    throw asDamage(error, `log chunk ${firstIndex} cannot be read`);
  }
}

/** What was compacted away had been applied, and that needs it to be committed. */
function checkWithin(log: LevelLog, index: Index, what: string): void {
  if (index > log.lastIndex) throw new DamageError(`the log ends at ${log.lastIndex} but ${index} ${what}`);
  if (index < log.firstIndex - 1) throw new DamageError(`the log begins at ${log.firstIndex} but only ${index} ${what}`);
}

/** The database must hold at least what the marker says: a lost tail or a lost vote is told here. */
function checkAgainstMarker(log: LevelLog, { term, votedFor }: HardState, { mark }: Marker): void {
  if (mark.term > term || (mark.term === term && mark.votedFor !== undefined && mark.votedFor !== votedFor)) {
    throw new DamageError(
      `a vote was lost: the database says term ${term}, vote ${votedFor ?? 'none'}; the marker term ${mark.term}, vote ${mark.votedFor ?? 'none'}`,
    );
  }
  if (mark.lastIndex > log.lastIndex) throw new DamageError(`the log lost its end: it reaches ${log.lastIndex}, the marker says ${mark.lastIndex}`);
  // A marker that lags may speak of what was compacted away since.
  if (mark.lastHash === undefined || mark.lastIndex < log.firstIndex - 1) return;
  const hash = log.hashAt(mark.lastIndex);
  if (hash === undefined || !Buffer.from(hash).equals(mark.lastHash))
    throw new DamageError(`the log is not the one that was written: entry ${mark.lastIndex} differs`);
}
