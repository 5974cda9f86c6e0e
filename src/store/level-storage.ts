import { assert } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import type { InstallBatch, RaftStorage, StateWrite, StorageBatch } from '../raft/ports.js';
import { type ConfState, EMPTY_CONF_STATE, type Entry, type HardState, type Index, INITIAL_HARD_STATE, type NodeId, sizeOf, type Term } from '../raft/types.js';
import { CHAIN_START } from './chunk.js';
import { DamageError } from './damage.js';
import type { DataDir } from './data-dir.js';
import { type Database, openDatabase } from './level-database.js';
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

type Operation = { type: 'put'; key: string; value: Uint8Array } | { type: 'del'; key: string };

/**
 * What a new directory is made as. founding: as if a snapshot at index 1 had been installed whose members are these, so
 * that who comes later can never match the beginning of the log and gets a snapshot first. joining: empty, no member.
 */
export type Begin = { readonly type: 'founding'; readonly voters: readonly NodeId[] } | { readonly type: 'joining' };

interface StorageParts {
  readonly database: Database;
  readonly marker: Marker;
  readonly log: LevelLog;
  readonly digest: StateDigest;
  readonly hardState: HardState;
  readonly appliedIndex: Index;
  readonly onFatal: (error: unknown) => void;
}

export interface Opened {
  readonly storage: LevelStorage;
  readonly hardState: HardState;
  readonly appliedIndex: Index;
  /** The members as of `appliedIndex`. */
  readonly confState: ConfState;
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
  #digest: StateDigest;
  #appliedIndex: Index;
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
    this.#appliedIndex = parts.appliedIndex;
    this.#onFatal = parts.onFatal;
  }

  /**
   * Opens and checks everything. Throws DamageError when anything is missing or not as written, INVALID_ARGUMENT when
   * another process holds the directory. `onFatal` hears of a failure in the background, which no write can reject with:
   * the process must end at once. `begin` counts for a new directory only.
   */
  static async open(dataDir: DataDir, begin: Begin, onFatal: (error: unknown) => void): Promise<Opened> {
    const database = await openDatabase(dataDir);
    let marker: Marker | undefined;
    let isNew = false;
    try {
      // Asked again under the lock: since it was asked before, another start may have made everything and voted.
      isNew = await dataDir.isNew();
      if (isNew) {
        // Unsynced, but in the same file as the synced write that follows.
        await database.clear();
        await database.batch(firstOperations(begin, dataDir), { sync: true });
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
    return this.#log.firstIndex;
  }

  get lastIndex(): Index {
    return this.#log.lastIndex;
  }

  termAt(index: Index): Term | undefined {
    return this.#log.termAt(index);
  }

  entries(from: Index, to: Index, maxBytes: number): readonly Entry[] {
    assert(from >= this.firstIndex, 'what was compacted away is not read');
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

  write(batch: StorageBatch): Promise<void> {
    return this.#failStop(() => this.#write(batch));
  }

  install(batch: InstallBatch): Promise<void> {
    return this.#failStop(() => this.#install(batch));
  }

  async close(): Promise<void> {
    // Nothing that was acknowledged rests on it: a vote waited for its mark, and after an append the marker may lag.
    await this.#marking.catch(() => undefined);
    await this.#database.close();
    await this.#marker.close();
  }

  async #failStop(work: () => Promise<void>): Promise<void> {
    assert(!this.#isFailed, 'nothing is written after a failed write');
    try {
      await work();
    } catch (error) {
      this.#isFailed = true;
      throw error;
    }
  }

  async #write({ entries, hardState, applied, compactTo }: StorageBatch): Promise<void> {
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
      operations.push({ type: 'put', key: 'applied', value: encodeApplied({ ...applied, digest: this.#digest.value }) });
    }
    assert(compactTo === undefined || compactTo <= this.#appliedIndex, 'only what is applied on disk is compacted away');
    // What a conflict replaces lies above it: that was not applied.
    const compaction = compactTo === undefined ? undefined : this.#log.prepareCompaction(compactTo);
    for (const { firstIndex } of compaction?.removed ?? []) operations.push({ type: 'del', key: logKey(firstIndex) });
    if (compaction !== undefined) operations.push({ type: 'put', key: 'start', value: encodeStart(compaction.start) });
    if (operations.length === 0) return;

    // Where the log will be shorter for a moment, the marker steps back BEFORE; it never leads.
    if (change !== undefined && change.keptTo < this.#marker.mark.lastIndex) {
      await this.#marker.write({ ...this.#marker.mark, lastIndex: change.keptTo, lastHash: undefined });
    }
    await this.#database.batch(operations, { sync: true });
    const isVote = hardState !== undefined && (hardState.term !== this.#hardState.term || hardState.votedFor !== this.#hardState.votedFor);
    if (hardState !== undefined) this.#hardState = hardState;
    if (applied !== undefined) this.#appliedIndex = applied.index;
    if (change !== undefined) this.#log.commit(change);
    if (compaction !== undefined) this.#log.commitCompaction(compaction);
    if (change === undefined && !isVote) return;

    const { term, votedFor } = this.#hardState;
    this.#marking = this.#marker.write({ term, votedFor, lastIndex: this.#log.lastIndex, lastHash: this.#log.lastHash });
    // A vote is remembered twice BEFORE it is spoken; the marker of an append may lag by one write.
    if (isVote) await this.#marking;
    // The next write awaits it and rejects too, but there may be none for a long time.
    else this.#marking.catch(this.#onFatal);
  }

  /** One batch, so that a crash leaves the old or the new, whole. */
  async #install({ index, term, confState, hardState, state }: InstallBatch): Promise<void> {
    await this.#marking;
    const digest = new StateDigest();
    for (const [key, value] of state) digest.set(key, value);
    const start: LogStart = { firstIndex: index + 1, termBefore: term, hashBefore: CHAIN_START };
    const operations: Operation[] = this.#log.chunks.map(({ firstIndex }) => ({ type: 'del', key: logKey(firstIndex) }));
    for (const key of this.#digest.keys()) if (!state.has(key)) operations.push({ type: 'del', key: `${STATE}${key}` });
    for (const [key, value] of state) operations.push(toOperation({ key, value }));
    operations.push(...recordsOf({ start, index, digest: digest.value, confState, hardState }));
    // The log is another one after it, and may be shorter: the marker must not speak of the old one. It never leads.
    await this.#marker.write({ ...this.#marker.mark, lastIndex: 0, lastHash: undefined });
    await this.#database.batch(operations, { sync: true });
    this.#digest = digest;
    this.#hardState = hardState;
    this.#appliedIndex = index;
    this.#log.restart(start);
    const { term: hardTerm, votedFor } = hardState;
    await this.#marker.write({ term: hardTerm, votedFor, lastIndex: index, lastHash: start.hashBefore });
  }
}

function recordsOf(parts: {
  readonly start: LogStart;
  readonly index: Index;
  readonly digest: Uint8Array;
  readonly confState: ConfState;
  readonly hardState: HardState;
}): Operation[] {
  const { start, index, digest, confState, hardState } = parts;
  return [
    { type: 'put', key: 'start', value: encodeStart(start) },
    { type: 'put', key: 'applied', value: encodeApplied({ index, digest, confState }) },
    { type: 'put', key: 'hard', value: encodeHardState(hardState) },
  ];
}

/** A new directory: everything that a database always has, in its first batch. */
function firstOperations(begin: Begin, { identity }: DataDir): Operation[] {
  const named: Operation = { type: 'put', key: 'identity', value: encodeIdentity(identity) };
  const digest = EMPTY_DIGEST;
  if (begin.type === 'joining')
    return [named, ...recordsOf({ start: BEGINNING, index: 0, digest, confState: EMPTY_CONF_STATE, hardState: INITIAL_HARD_STATE })];
  const confState = { ...EMPTY_CONF_STATE, voters: [...begin.voters].sort((one, other) => one - other) };
  const start = { firstIndex: 2, termBefore: 1, hashBefore: CHAIN_START };
  return [named, ...recordsOf({ start, index: 1, digest, confState, hardState: { term: 1, votedFor: undefined, commitIndex: 1 } })];
}

async function load(
  dataDir: DataDir,
  database: Database,
  marker: Marker,
  make: (parts: Omit<StorageParts, 'onFatal'>) => LevelStorage,
): Promise<Opened> {
  const identity = await database.get('identity');
  if (identity !== undefined && isOfFormatOne(identity, dataDir.identity))
    throw new SeqError('INVALID_ARGUMENT', `the database of ${dataDir.databasePath} has format 1, this program reads 2: use the version that wrote it`);
  if (identity === undefined || !Buffer.from(identity).equals(encodeIdentity(dataDir.identity)))
    throw new DamageError(`the database of ${dataDir.databasePath} is not the one that identity.json speaks of`);
  const start = decodeStart(await database.get('start'));
  const log = new LevelLog((firstIndex) => database.getSync(logKey(firstIndex)), start);
  for await (const [key, value] of database.iterator({ gte: LOG, lt: `${LOG}~` })) log.load(Number(key.slice(LOG.length)), value);
  const hardState = decodeHardState(await database.get('hard'));
  const applied = decodeApplied(await database.get('applied'));
  checkAgainstMarker(log, hardState, marker);
  if (hardState.commitIndex > log.lastIndex) throw new DamageError(`the log ends at ${log.lastIndex} but ${hardState.commitIndex} was committed`);
  const before = start.firstIndex - 1;
  if (hardState.commitIndex < before) throw new DamageError(`the log begins after ${before} but only ${hardState.commitIndex} was committed`);
  if (applied.index < before) throw new DamageError(`the log begins after ${before} but only ${applied.index} was applied`);
  if (applied.index > log.lastIndex) throw new DamageError(`the log ends at ${log.lastIndex} but ${applied.index} was applied`);

  const state = new Map<string, Uint8Array>();
  const digest = new StateDigest();
  for await (const [key, value] of database.iterator({ gte: STATE, lt: `${STATE}~` })) {
    state.set(key.slice(STATE.length), value);
    digest.set(key.slice(STATE.length), value);
  }
  if (!Buffer.from(applied.digest).equals(digest.value)) throw new DamageError(`the state is not as it was written at entry ${applied.index}`);
  const { index: appliedIndex, confState } = applied;
  return { storage: make({ database, marker, log, digest, hardState, appliedIndex }), hardState, appliedIndex, confState, state };
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
