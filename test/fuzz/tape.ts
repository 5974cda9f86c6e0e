/** Bytes read as decisions: any bytes are a run, and a byte that is changed changes one of them. */
export class Tape {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** 0 from the end on. */
  byte(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  /** In [0, below); 0 when there is nothing to choose from. Two bytes when one does not reach. */
  below(below: number): number {
    const value = below > 256 ? this.byte() * 256 + this.byte() : this.byte();
    return below < 1 ? 0 : value % below;
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('there is nothing to choose from');
    return item;
  }
}
