import { type Entry, type Index, sizeOf } from '../raft/types.js';

/** The newest entries of a log, as many as `maxBytes` allow: it has everything from `firstIndex` on. */
export class EntryCache {
  readonly #maxBytes: number;
  readonly #entries = new Map<Index, Entry>();
  #firstIndex: Index;
  #lastIndex: Index;
  #bytes = 0;

  constructor({ firstIndex, maxBytes }: { readonly firstIndex: Index; readonly maxBytes: number }) {
    this.#maxBytes = maxBytes;
    this.#firstIndex = firstIndex;
    this.#lastIndex = firstIndex - 1;
  }

  /** The lowest index in it; above the log's last when it holds nothing. */
  get firstIndex(): Index {
    return this.#firstIndex;
  }

  get(index: Index): Entry | undefined {
    return this.#entries.get(index);
  }

  /** At the end. The oldest go when they no longer fit, but the last one always stays. */
  add(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#entries.set(entry.index, entry);
      this.#bytes += sizeOf(entry);
      this.#lastIndex = entry.index;
    }
    while (this.#bytes > this.#maxBytes && this.#firstIndex < this.#lastIndex) this.#forget(this.#firstIndex++);
  }

  /** Everything from `index` on was replaced. */
  cutFrom(index: Index): void {
    for (let at = index; at <= this.#lastIndex; at += 1) this.#forget(at);
    this.#firstIndex = Math.min(this.#firstIndex, index);
    this.#lastIndex = Math.min(this.#lastIndex, index - 1);
  }

  /** Everything before `index` was compacted away. */
  cutBefore(index: Index): void {
    while (this.#firstIndex < index) this.#forget(this.#firstIndex++);
    this.#lastIndex = Math.max(this.#lastIndex, index - 1);
  }

  #forget(index: Index): void {
    const entry = this.#entries.get(index);
    if (entry === undefined) return;
    this.#entries.delete(index);
    this.#bytes -= sizeOf(entry);
  }
}
