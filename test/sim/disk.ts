import type { DataDir } from '../../src/store/data-dir.js';
import { DamageError } from '../../src/store/damage.js';
import type { Disk, DiskFile } from '../../src/store/disk.js';
import type { Identity } from '../../src/store/identity-file.js';
import type { Database, Operation } from '../../src/store/level-database.js';
import type { Quarantine } from '../../src/store/quarantine.js';
import type { SeededRandom } from '../unit/seeded-random.js';
import type { SimProcess } from './process.js';

/** How long writes take, in ms: least, and the mean of what is added (exponential). */
export interface DiskPace {
  readonly minMs: number;
  readonly meanMs: number;
}

export const FAST_DISK: DiskPace = { minMs: 0.05, meanMs: 0.4 };

/** As libc says it, which is how the product tells a disk that refuses from data that is damaged. */
const REFUSALS = { EIO: 'Input/output error', ENOSPC: 'No space left on device' } as const;

/** Batches that a disk which lies about syncs may still lose; what is older is surely there. */
const LIED_BATCHES_MAX = 64;
const MARKER_BYTES = 1024;

interface Content {
  database: Map<string, Uint8Array> | undefined;
  marker: Buffer | undefined;
  identity: Identity | undefined;
  isReady: boolean;
}

/**
 * The disk of one StoreSvr. It outlives processes; what it holds is what was synced. A power loss takes what was not, or tears it;
 * a lying disk takes back what it acknowledged. LevelDB's part is modelled by what it does: a batch is there whole or not at all.
 */
export class SimDisk {
  pace: DiskPace = FAST_DISK;
  /** Every write fails with this from now on. */
  refusal: keyof typeof REFUSALS | undefined;
  /** No write ends before this moment of the world. */
  hungUntilMs = 0;
  /** Syncs are acknowledged and not done. */
  isLying = false;
  quarantine: Quarantine | undefined;
  /** What a seed did to what is on it: damage that is found afterwards is no bug. */
  readonly injuries: string[] = [];
  readonly #random: SeededRandom;
  #content: Content = { database: undefined, marker: undefined, identity: undefined, isReady: false };
  /** What batches that are acknowledged and not synced have replaced, newest last. */
  readonly #lied: Map<string, Uint8Array | undefined>[] = [];
  /** Writes under way. */
  readonly #pending = new Set<{ readonly finish: () => void; readonly tear: () => void }>();

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  get identity(): Identity | undefined {
    return this.#content.identity;
  }

  get hasDatabase(): boolean {
    return this.#content.isReady && this.#content.database !== undefined;
  }

  /** The data directory for one run of a StoreSvr; made for `identity` when there is none. */
  dataDir(identity: Identity): DataDir {
    this.#content.identity ??= identity;
    return {
      identity: this.#content.identity,
      next: undefined,
      databasePath: 'db',
      markerPath: 'marker',
      isNew: () => Promise.resolve(!this.#content.isReady),
      ready: () => {
        this.#content.isReady = true;
        return Promise.resolve();
      },
    };
  }

  /** As one process sees it: what a dead process had under way never ends for it. */
  mountedBy(process: SimProcess): Disk {
    return {
      openDatabase: () => {
        const { isReady } = this.#content;
        if (this.#content.database === undefined && isReady) return Promise.reject(new DamageError('the database cannot be opened: CURRENT is gone'));
        this.#content.database ??= new Map();
        return Promise.resolve(this.#databaseFor(process));
      },
      openFile: (_path, how) => {
        if (how === 'w+') this.#content.marker = Buffer.alloc(MARKER_BYTES);
        if (this.#content.marker === undefined) return Promise.reject(Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' }));
        return Promise.resolve(this.#markerFor(process));
      },
    };
  }

  /** The process was killed: the system still does what it was asked for, or it had not come to it. */
  processEnded(): void {
    for (const { finish } of this.#pending) if (this.#random.chance(0.5)) finish();
    this.#pending.clear();
  }

  /** The power fails: what is under way is torn, and a disk that lied loses a tail of what it acknowledged. Returns how many batches that were. */
  powerLost(): number {
    for (const { tear } of this.#pending) tear();
    this.#pending.clear();
    // The marker may lag by one write, so a loss of the very last one alone is not told by it (DESIGN 3.6): two at least go.
    const drawn = this.#random.below(this.#lied.length + 1);
    const lostCount = drawn < 2 ? 0 : drawn;
    for (let count = 0; count < lostCount; count++) this.#undo(this.#lied.pop());
    if (lostCount > 0) this.injuries.push(`${lostCount} acknowledged writes lost with the power`);
    this.#lied.length = 0;
    return lostCount;
  }

  /** A copy of everything, for `restore`. */
  copy(): unknown {
    const { database, marker, identity, isReady } = this.#content;
    return { database: database && new Map(database), marker: marker && Buffer.from(marker), identity, isReady } satisfies Content;
  }

  restore(copy: unknown): void {
    const { database, marker, identity, isReady } = copy as Content;
    this.#content = { database: database && new Map(database), marker: marker && Buffer.from(marker), identity, isReady };
    this.#lied.length = 0;
    this.injuries.push('an old copy');
  }

  /** Empty, as a new disk is. */
  wipe(why: string): void {
    this.#content = { database: undefined, marker: undefined, identity: undefined, isReady: false };
    this.#lied.length = 0;
    this.quarantine = undefined;
    this.injuries.push(why);
  }

  /** CURRENT is gone: LevelDB would open it as an empty database. */
  loseDatabase(): void {
    this.#content.database = undefined;
    this.injuries.push('database gone');
  }

  /** One bit of one value turns. */
  flipBit(): void {
    const { database } = this.#content;
    if (database === undefined || database.size === 0) return;
    const key = this.#random.pick([...database.keys()].sort());
    const value = Uint8Array.from(database.get(key) as Uint8Array);
    if (value.length === 0) return;
    const at = this.#random.below(value.length);
    value[at] = (value[at] as number) ^ (1 << this.#random.below(8));
    database.set(key, value);
    this.injuries.push(`bit flip in ${key}`);
  }

  /** Both slots of the marker are overwritten with nothing. */
  loseMarker(): void {
    this.#content.marker?.fill(0);
    this.injuries.push('marker zeroed');
  }

  #databaseFor(process: SimProcess): Database {
    const read = (): Map<string, Uint8Array> => this.#content.database ?? new Map<string, Uint8Array>();
    const apply = (operations: readonly Operation[]): void => {
      const { database } = this.#content;
      if (database === undefined) return;
      if (this.isLying) this.#remember(operations, database);
      for (const operation of operations) {
        if (operation.type === 'put') database.set(operation.key, operation.value);
        else database.delete(operation.key);
      }
    };
    const batch = (operations: readonly Operation[]): Promise<void> =>
      this.#write(
        process,
        () => apply(operations),
        () => {
          // LevelDB drops a torn record when it opens: there whole, or not at all.
          if (this.#random.chance(0.5)) apply(operations);
        },
      );
    return {
      get: (key) => Promise.resolve(read().get(key)),
      getSync: (key) => read().get(key),
      put: (key, value) => batch([{ type: 'put', key, value }]),
      batch,
      iterator: ({ gte, lt }) => entriesOf(read(), gte, lt),
      clear: () => {
        read().clear();
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    };
  }

  #markerFor(process: SimProcess): DiskFile {
    let staged: { readonly bytes: Buffer; readonly at: number } | undefined;
    const put = (count: number): void => {
      if (staged !== undefined && this.#content.marker !== undefined) staged.bytes.copy(this.#content.marker, staged.at, 0, count);
    };
    return {
      read: (buffer, offset, length, position) => {
        const { marker } = this.#content;
        if (marker === undefined) return Promise.resolve({ bytesRead: 0 });
        return Promise.resolve({ bytesRead: marker.copy(buffer, offset, position, Math.min(marker.length, position + length)) });
      },
      write: (buffer, offset, length, position) => {
        staged = { bytes: Buffer.from(buffer.subarray(offset, offset + length)), at: position };
        return Promise.resolve({ bytesWritten: length });
      },
      datasync: () =>
        this.#write(
          process,
          () => put(staged?.bytes.length ?? 0),
          () => put(this.#random.below((staged?.bytes.length ?? 0) + 1)),
        ),
      close: () => Promise.resolve(),
    };
  }

  #write(process: SimProcess, finish: () => void, tear: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const refused = this.refusal;
      const { minMs, meanMs } = this.pace;
      const tookMs = minMs - Math.log(1 - this.#random.below(1_000_000) / 1_000_000) * meanMs;
      const hungMs = Math.max(0, this.hungUntilMs - process.world.nowMs);
      const write = { finish, tear };
      this.#pending.add(write);
      process.input(tookMs + hungMs, 'disk', () => {
        if (!this.#pending.delete(write)) return;
        if (refused !== undefined) {
          tear();
          return reject(Object.assign(new Error(`IO error: db/000007.log: ${REFUSALS[refused]}`), { code: 'LEVEL_IO_ERROR' }));
        }
        finish();
        resolve();
      });
    });
  }

  #remember(operations: readonly Operation[], database: ReadonlyMap<string, Uint8Array>): void {
    const before = new Map<string, Uint8Array | undefined>();
    for (const { key } of operations) if (!before.has(key)) before.set(key, database.get(key));
    this.#lied.push(before);
    if (this.#lied.length > LIED_BATCHES_MAX) this.#lied.shift();
  }

  #undo(before: ReadonlyMap<string, Uint8Array | undefined> | undefined): void {
    const { database } = this.#content;
    if (before === undefined || database === undefined) return;
    for (const [key, value] of before) {
      if (value === undefined) database.delete(key);
      else database.set(key, value);
    }
  }
}

async function* entriesOf(database: ReadonlyMap<string, Uint8Array>, gte: string, lt: string): AsyncGenerator<[string, Uint8Array]> {
  for (const key of [...database.keys()].filter((one) => one >= gte && one < lt).sort()) {
    const value = database.get(key);
    if (value !== undefined) yield await Promise.resolve<[string, Uint8Array]>([key, value]);
  }
}
