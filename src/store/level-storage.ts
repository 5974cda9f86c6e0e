import { crc32 } from 'node:zlib';
import { assert } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import type { RaftStorage, StateWrite, StorageBatch } from '../raft/ports.js';
import { type Entry, type HardState, type Index, INITIAL_HARD_STATE, sizeOf, type Term } from '../raft/types.js';
import { DamageError } from './damage.js';
import type { DataDir } from './data-dir.js';
import { type Database, openDatabase } from './level-database.js';
import { type ChunkRef, LevelLog } from './level-log.js';
import { Marker } from './marker.js';
import { EMPTY_DIGEST, StateDigest } from './state-digest.js';

/**
 * Keys:  identity            the node's uuid, tied to the directory's identity.json
 *        hard                term, vote, commit index, with a crc
 *        applied             the index up to which the state below is applied, its digest (state-digest.ts), and a crc
 *        log/<firstIndex>    chunks of the log (chunk.ts)
 *        state/...           the state machine's own keys
 */
const LOG = 'log/';
const STATE = 'state/';

type Operation = { type: 'put'; key: string; value: Uint8Array } | { type: 'del'; key: string };

interface StorageParts {
  readonly database: Database;
  readonly marker: Marker;
  readonly log: LevelLog;
  readonly digest: StateDigest;
  readonly hardState: HardState;
  readonly onFatal: (error: unknown) => void;
}

export interface Opened {
  readonly storage: LevelStorage;
  readonly hardState: HardState;
  readonly appliedIndex: Index;
  /** The state machine's keys, without their prefix, in key order. */
  readonly state: ReadonlyMap<string, Uint8Array>;
}

/**
 * Log, hard state and applied state of one node in one LevelDB. Every write is synced; mixing in unsynced ones would
 * let a later write survive an earlier one (raft.md hazard 35). The first error is the last thing it does.
 */
export class LevelStorage implements RaftStorage {
  readonly #database: Database;
  readonly #marker: Marker;
  readonly #log: LevelLog;
  readonly #digest: StateDigest;
  #hardState: HardState;
  /** The marker's write for the batch before; it is done before the next batch begins. */
  #marking: Promise<void> = Promise.resolve();
  readonly #onFatal: (error: unknown) => void;
  #isFailed = false;

  private constructor(parts: StorageParts) {
    this.#database = parts.database;
    this.#marker = parts.marker;
    this.#log = parts.log;
    this.#digest = parts.digest;
    this.#hardState = parts.hardState;
    this.#onFatal = parts.onFatal;
  }

  /**
   * Opens and checks everything. Throws DamageError when anything is missing or not as written, INVALID_ARGUMENT when
   * another process holds the directory. `onFatal` hears of a failure in the background, which no write can reject with:
   * the process must end at once.
   */
  static async open(dataDir: DataDir, onFatal: (error: unknown) => void): Promise<Opened> {
    const database = await openDatabase(dataDir);
    let marker: Marker | undefined;
    let isNew = false;
    try {
      // Asked again under the lock: since it was asked before, another start may have made everything and voted.
      isNew = await dataDir.isNew();
      if (isNew) {
        // Unsynced, but in the same file as the synced write that follows.
        await database.clear();
        await database.put('identity', Buffer.from(dataDir.identity.nodeUuid), { sync: true });
        marker = await Marker.create(dataDir.markerPath);
        await dataDir.ready();
      } else {
        marker = await Marker.open(dataDir.markerPath);
      }
      return await load(dataDir, database, marker, (parts) => new LevelStorage({ ...parts, onFatal }));
    } catch (error) {
      await database.close();
      await marker?.close();
      // What LevelDB itself says of a table that it cannot read is damage too.
      throw error instanceof DamageError || error instanceof SeqError || isNew
        ? error
        : new DamageError(`the database ${dataDir.databasePath} cannot be read`, { cause: error });
    }
  }

  get firstIndex(): Index {
    return 1;
  }

  get lastIndex(): Index {
    return this.#log.lastIndex;
  }

  termAt(index: Index): Term | undefined {
    return index === 0 ? 0 : this.#log.entryAt(index)?.term;
  }

  entries(from: Index, to: Index, maxBytes: number): readonly Entry[] {
    const found: Entry[] = [];
    let leftBytes = maxBytes;
    for (let index = from; index <= to; index += 1) {
      const entry = this.#log.entryAt(index);
      assert(entry !== undefined, 'the log has every entry up to its last');
      leftBytes -= sizeOf(entry);
      if (leftBytes < 0 && found.length > 0) break;
      found.push(entry);
    }
    return found;
  }

  async write(batch: StorageBatch): Promise<void> {
    assert(!this.#isFailed, 'nothing is written after a failed write');
    try {
      await this.#write(batch);
    } catch (error) {
      this.#isFailed = true;
      throw error;
    }
  }

  async close(): Promise<void> {
    // Nothing that was acknowledged rests on it: a vote waited for its mark, and after an append the marker may lag.
    await this.#marking.catch(() => undefined);
    await this.#database.close();
    await this.#marker.close();
  }

  async #write({ entries, hardState, applied }: StorageBatch): Promise<void> {
    await this.#marking;
    const change = entries.length === 0 ? undefined : this.#log.prepare(entries);
    const operations: Operation[] = [];
    if (change !== undefined) {
      for (const { firstIndex } of change.removed) operations.push({ type: 'del', key: logKey(firstIndex) });
      operations.push({ type: 'put', key: logKey(change.added.firstIndex), value: change.bytes });
    }
    if (hardState !== undefined) operations.push({ type: 'put', key: 'hard', value: encodeHardState(hardState) });
    if (applied !== undefined) {
      for (const { key, value } of applied.writes) this.#digest.set(key, value);
      operations.push(...applied.writes.map(toOperation));
      operations.push({ type: 'put', key: 'applied', value: encodeApplied({ index: applied.index, digest: this.#digest.value }) });
    }
    if (operations.length === 0) return;

    // Where the log will be shorter for a moment, the marker steps back BEFORE; it never leads.
    if (change !== undefined && change.keptTo < this.#marker.mark.lastIndex) {
      await this.#marker.write({ ...this.#marker.mark, lastIndex: change.keptTo, lastHash: undefined });
    }
    await this.#database.batch(operations, { sync: true });
    const isVote = hardState !== undefined && (hardState.term !== this.#hardState.term || hardState.votedFor !== this.#hardState.votedFor);
    if (hardState !== undefined) this.#hardState = hardState;
    if (change !== undefined) this.#log.commit(change);
    if (change === undefined && !isVote) return;

    const { term, votedFor } = this.#hardState;
    this.#marking = this.#marker.write({ term, votedFor, lastIndex: this.#log.lastIndex, lastHash: this.#log.lastHash });
    // A vote is remembered twice BEFORE it is spoken; the marker of an append may lag by one write.
    if (isVote) await this.#marking;
    // The next write awaits it and rejects too, but there may be none for a long time.
    else this.#marking.catch(this.#onFatal);
  }
}

async function load(
  dataDir: DataDir,
  database: Database,
  marker: Marker,
  make: (parts: Omit<StorageParts, 'onFatal'>) => LevelStorage,
): Promise<Opened> {
  const uuid = await database.get('identity');
  if (uuid === undefined || Buffer.from(uuid).toString() !== dataDir.identity.nodeUuid) {
    throw new DamageError(`the database of ${dataDir.databasePath} is not the one that identity.json speaks of`);
  }
  const log = new LevelLog((firstIndex) => database.getSync(logKey(firstIndex)));
  for await (const [key, value] of database.iterator({ gte: LOG, lt: `${LOG}~` })) log.load(Number(key.slice(LOG.length)), value);
  const hardState = decodeHardState(await database.get('hard'));
  const applied = decodeApplied(await database.get('applied'));
  checkAgainstMarker(log, hardState, marker);
  if (hardState.commitIndex > log.lastIndex) throw new DamageError(`the log ends at ${log.lastIndex} but ${hardState.commitIndex} was committed`);
  if (applied.index > log.lastIndex) throw new DamageError(`the log ends at ${log.lastIndex} but ${applied.index} was applied`);

  const state = new Map<string, Uint8Array>();
  const digest = new StateDigest();
  for await (const [key, value] of database.iterator({ gte: STATE, lt: `${STATE}~` })) {
    state.set(key.slice(STATE.length), value);
    digest.set(key.slice(STATE.length), value);
  }
  if (!Buffer.from(applied.digest).equals(digest.value)) throw new DamageError(`the state is not as it was written at entry ${applied.index}`);
  return { storage: make({ database, marker, log, digest, hardState }), hardState, appliedIndex: applied.index, state };
}

/** The database must hold at least what the marker says: a lost tail or a lost vote is told here. */
function checkAgainstMarker(log: LevelLog, { term, votedFor }: HardState, { mark }: Marker): void {
  if (mark.term > term || (mark.term === term && mark.votedFor !== undefined && mark.votedFor !== votedFor)) {
    throw new DamageError(
      `a vote was lost: the database says term ${term}, vote ${votedFor ?? 'none'}; the marker term ${mark.term}, vote ${mark.votedFor ?? 'none'}`,
    );
  }
  if (mark.lastIndex > log.lastIndex) throw new DamageError(`the log lost its end: it reaches ${log.lastIndex}, the marker says ${mark.lastIndex}`);
  if (mark.lastHash === undefined) return;
  const hash = log.hashAt(mark.lastIndex);
  if (hash === undefined || !Buffer.from(hash).equals(mark.lastHash))
    throw new DamageError(`the log is not the one that was written: entry ${mark.lastIndex} differs`);
}

function toOperation({ key, value }: StateWrite): Operation {
  return value === undefined ? { type: 'del', key: `${STATE}${key}` } : { type: 'put', key: `${STATE}${key}`, value };
}

function logKey(firstIndex: ChunkRef['firstIndex']): string {
  return `${LOG}${String(firstIndex).padStart(16, '0')}`;
}

/** u48 term | u48 votedFor (0 none) | u48 commitIndex | u32 crc32 */
function encodeHardState({ term, votedFor, commitIndex }: HardState): Uint8Array {
  const buffer = Buffer.alloc(22);
  buffer.writeUIntBE(term, 0, 6);
  buffer.writeUIntBE(votedFor ?? 0, 6, 6);
  buffer.writeUIntBE(commitIndex, 12, 6);
  buffer.writeUInt32BE(crc32(buffer.subarray(0, 18)), 18);
  return buffer;
}

function decodeHardState(bytes: Uint8Array | undefined): HardState {
  if (bytes === undefined) return INITIAL_HARD_STATE;
  const buffer = checked(bytes, 22, 'hard state');
  const votedFor = buffer.readUIntBE(6, 6);
  return { term: buffer.readUIntBE(0, 6), votedFor: votedFor === 0 ? undefined : votedFor, commitIndex: buffer.readUIntBE(12, 6) };
}

interface AppliedRecord {
  readonly index: Index;
  readonly digest: Uint8Array;
}

/** u48 index | 16 B digest of the state | u32 crc32 */
function encodeApplied({ index, digest }: AppliedRecord): Uint8Array {
  const buffer = Buffer.alloc(26);
  buffer.writeUIntBE(index, 0, 6);
  buffer.set(digest, 6);
  buffer.writeUInt32BE(crc32(buffer.subarray(0, 22)), 22);
  return buffer;
}

function decodeApplied(bytes: Uint8Array | undefined): AppliedRecord {
  if (bytes === undefined) return { index: 0, digest: EMPTY_DIGEST };
  const buffer = checked(bytes, 26, 'applied index');
  return { index: buffer.readUIntBE(0, 6), digest: buffer.subarray(6, 22) };
}

function checked(bytes: Uint8Array, size: number, what: string): Buffer {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length !== size || buffer.readUInt32BE(size - 4) !== crc32(buffer.subarray(0, size - 4)))
    throw new DamageError(`the ${what} is not as it was written`);
  return buffer;
}
