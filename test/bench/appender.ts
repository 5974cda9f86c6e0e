import { ClassicLevel } from 'classic-level';

interface Waiting {
  readonly index: number;
  readonly bytes: Uint8Array;
}

/**
 * The least that a durable log can be: one synced put for all that came while the put before was under way (group
 * commit). No terms, no checks, nothing is ever read.
 */
export class Appender {
  readonly #database: ClassicLevel<string, Uint8Array>;
  /** Everything up to this index is on disk. */
  readonly #onSynced: (index: number) => void;
  #waiting: Waiting[] = [];
  #isWriting = false;
  syncCount = 0;

  private constructor(database: ClassicLevel<string, Uint8Array>, onSynced: (index: number) => void) {
    this.#database = database;
    this.#onSynced = onSynced;
  }

  static async open(folder: string, onSynced: (index: number) => void): Promise<Appender> {
    const database = new ClassicLevel<string, Uint8Array>(folder, { keyEncoding: 'utf8', valueEncoding: 'view', compression: false });
    await database.open();
    return new Appender(database, onSynced);
  }

  /** A write is under way: what comes now waits for the next one. */
  get isWriting(): boolean {
    return this.#isWriting;
  }

  push(index: number, bytes: Uint8Array): void {
    this.#waiting.push({ index, bytes });
    if (!this.#isWriting) void this.#write();
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    for (let last = this.#waiting.at(-1); last !== undefined; last = this.#waiting.at(-1)) {
      const bytes = this.#waiting.length === 1 ? last.bytes : Buffer.concat(this.#waiting.map((waiting) => waiting.bytes));
      this.#waiting = [];
      await this.#database.put(String(last.index).padStart(16, '0'), bytes, { sync: true });
      this.syncCount += 1;
      this.#onSynced(last.index);
    }
    this.#isWriting = false;
  }
}
