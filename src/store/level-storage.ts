import { assert } from '../base/assert.js';
import type { InstallBatch, RaftStorage, StateWrite, StorageBatch } from '../raft/ports.js';
import { type ConfState, type Entry, type HardState, type Index, sizeOf, type Term } from '../raft/types.js';
import type { DataDir, Identity } from './data-dir.js';
import { type Disk, realDisk } from './disk.js';
import type { Database, Operation } from './level-database.js';
import type { ChunkRef, LevelLog } from './level-log.js';
import { type Begin, openParts, startAfter, type StorageParts } from './level-open.js';
import { encodeApplied, encodeHardState, encodeIdentity, encodeStart, logKey, STATE } from './level-records.js';
import type { Marker } from './marker.js';
import { StateDigest } from './state-digest.js';

export type { Begin } from './level-open.js';

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
 * Log, hard state and applied state of one node in one LevelDB (level-records.ts). Every write is synced; mixing in
 * unsynced ones would let a later write survive an earlier one (raft.md hazard 35). The first error is the last thing it does.
 */
export class LevelStorage implements RaftStorage {
  readonly #database: Database;
  readonly #marker: Marker;
  readonly #log: LevelLog;
  #digest: StateDigest;
  #hardState: HardState;
  /** As on disk. */
  #appliedIndex: Index;
  /** The marker's write for the batch before; it is done before the next batch is acknowledged. */
  #marking: Promise<void> = Promise.resolve();
  readonly #onFatal: (error: unknown) => void;
  #isFailed = false;

  private constructor(parts: StorageParts, onFatal: (error: unknown) => void) {
    this.#database = parts.database;
    this.#marker = parts.marker;
    this.#log = parts.log;
    this.#digest = parts.digest;
    this.#hardState = parts.hardState;
    this.#appliedIndex = parts.appliedIndex;
    this.#onFatal = onFatal;
  }

  /**
   * Opens and checks everything; makes it as `begin` says where the directory is new. Throws DamageError when anything is
   * missing or not as written, INVALID_ARGUMENT when another process holds the directory or another version of this
   * program wrote it; an error of the disk stays what it is. `onFatal` hears of a failure in the background, which no
   * write can reject with: the process must end at once.
   */
  static async open(dataDir: DataDir, begin: Begin, onFatal: (error: unknown) => void, disk: Disk = realDisk): Promise<Opened> {
    const parts = await openParts(dataDir, begin, disk);
    const { hardState, appliedIndex, confState, state } = parts;
    return { storage: new LevelStorage(parts, onFatal), hardState, appliedIndex, confState, state };
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

  async write(batch: StorageBatch): Promise<void> {
    await this.#orNeverAgain(() => this.#write(batch));
  }

  async install(batch: InstallBatch): Promise<void> {
    await this.#orNeverAgain(async () => {
      await this.#marking;
      await this.#install(batch);
    });
  }

  /** For a forced recovery (level-reidentify.ts): from here on it is the database of that one. */
  async reidentify(identity: Identity): Promise<void> {
    await this.#orNeverAgain(async () => {
      await this.#marking;
      await this.#database.put('identity', encodeIdentity(identity), { sync: true });
    });
  }

  async close(): Promise<void> {
    // Nothing that was acknowledged rests on it: a vote waited for its mark, and after an append the marker may lag.
    await this.#marking.catch(() => undefined);
    await this.#database.close();
    await this.#marker.close();
  }

  async #orNeverAgain(act: () => Promise<void>): Promise<void> {
    assert(!this.#isFailed, 'nothing is written after a failed write');
    try {
      await act();
    } catch (error) {
      this.#isFailed = true;
      throw error;
    }
  }

  async #write({ entries, hardState, applied, compactTo }: StorageBatch): Promise<void> {
    assert(compactTo === undefined || compactTo <= this.#appliedIndex, 'only what is applied on disk is compacted away');
    const change = entries.length === 0 ? undefined : this.#log.prepare(entries);
    assert(change === undefined || change.keptTo >= this.#appliedIndex, 'what is applied on disk is never replaced');
    // Of what was applied, the commit index on disk may lag behind: what it does not reach stays until it does.
    const { commitIndex } = hardState ?? this.#hardState;
    const compaction = compactTo === undefined ? undefined : this.#log.prepareCompaction(Math.min(compactTo, commitIndex));
    const operations: Operation[] = [];
    if (compaction !== undefined) operations.push(...compaction.removed.map(toDeletion), put('start', encodeStart(compaction.start)));
    if (change !== undefined) operations.push(...change.removed.map(toDeletion), put(logKey(change.added.firstIndex), change.bytes));
    if (hardState !== undefined) operations.push(put('hard', encodeHardState(hardState)));
    if (applied !== undefined) {
      for (const { key, value } of applied.writes) this.#digest.set(key, value);
      operations.push(...applied.writes.map(toOperation), put('applied', encodeApplied({ ...applied, digest: this.#digest.value })));
    }
    if (operations.length === 0) return this.#marking;

    // The mark of the write before is on disk before this one is acknowledged, so it lags by one at most. Both go at once,
    // unless something is taken away: where the log will be shorter for a moment, the marker steps back BEFORE; it never leads.
    if (compaction !== undefined || (change !== undefined && change.keptTo < this.#log.lastIndex)) await this.#marking;
    if (change !== undefined && change.keptTo < this.#marker.mark.lastIndex) await this.#stepBackTo(change.keptTo);
    await Promise.all([this.#marking, this.#database.batch(operations, { sync: true })]);
    const isVote = hardState !== undefined && (hardState.term !== this.#hardState.term || hardState.votedFor !== this.#hardState.votedFor);
    if (hardState !== undefined) this.#hardState = hardState;
    if (applied !== undefined) this.#appliedIndex = applied.index;
    if (compaction !== undefined) this.#log.commitCompaction(compaction);
    if (change !== undefined) this.#log.commit(change);
    if (change === undefined && !isVote) return;

    this.#marking = this.#mark();
    // A vote is remembered twice BEFORE it is spoken; the marker of an append may lag by one write.
    if (isVote) await this.#marking;
    // The next write awaits it and rejects too, but there may be none for a long time.
    else this.#marking.catch(this.#onFatal);
  }

  async #install({ index, term, confState, hardState, state }: InstallBatch): Promise<void> {
    assert(index >= this.#appliedIndex, 'a snapshot takes back nothing that was applied');
    assert(hardState.commitIndex === index, 'a snapshot is committed, and nothing follows it');
    const digest = new StateDigest();
    for (const [key, value] of state) digest.set(key, value);
    const start = startAfter({ index, term }, digest.value);
    const gone = [...this.#digest.keys()].filter((key) => !state.has(key)).map((key) => toOperation({ key, value: undefined }));
    const operations: Operation[] = [
      ...this.#log.chunks.map(toDeletion),
      put('start', encodeStart(start)),
      put('hard', encodeHardState(hardState)),
      ...gone,
      ...[...state].map(([key, value]) => toOperation({ key, value })),
      put('applied', encodeApplied({ index, confState, digest: digest.value })),
    ];

    // What the marker says must be true of the old log and of the new one, whichever a crash leaves.
    if (this.#marker.mark.lastIndex >= index) await this.#stepBackTo(index);
    await this.#database.batch(operations, { sync: true });
    this.#hardState = hardState;
    this.#appliedIndex = index;
    this.#digest = digest;
    this.#log.restart(start);
    this.#marking = this.#mark();
    await this.#marking;
  }

  async #stepBackTo(lastIndex: Index): Promise<void> {
    await this.#marker.write({ ...this.#marker.mark, lastIndex, lastHash: undefined });
  }

  #mark(): Promise<void> {
    const { term, votedFor } = this.#hardState;
    return this.#marker.write({ term, votedFor, lastIndex: this.#log.lastIndex, lastHash: this.#log.lastHash });
  }
}

function put(key: string, value: Uint8Array): Operation {
  return { type: 'put', key, value };
}

function toOperation({ key, value }: StateWrite): Operation {
  return value === undefined ? { type: 'del', key: `${STATE}${key}` } : put(`${STATE}${key}`, value);
}

function toDeletion({ firstIndex }: ChunkRef): Operation {
  return { type: 'del', key: logKey(firstIndex) };
}
