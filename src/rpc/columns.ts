/**
 * Values of fixed width (fixed64, fixed32) of one message, side by side, read where they lie in what was received. Halves of 32 bits,
 * for a bigint for each of them would cost more than everything else that is done with it.
 */
export class Column {
  readonly length: number;
  readonly #view: DataView;
  readonly #at: number;
  readonly #width: 4 | 8;

  constructor(view: DataView, { at, length, width }: { readonly at: number; readonly length: number; readonly width: 4 | 8 }) {
    this.#view = view;
    this.#at = at;
    this.length = length;
    this.#width = width;
  }

  /** The low 32 bits, or a fixed32 itself: unsigned. */
  low(index: number): number {
    return this.#view.getUint32(this.#at + index * this.#width, true);
  }

  /** The high 32 bits of a fixed64, unsigned. */
  high(index: number): number {
    return this.#view.getUint32(this.#at + index * this.#width + 4, true);
  }
}

/** Where a column is written before it is known how long it becomes; used again and again. */
export class ColumnRoom {
  readonly width: 4 | 8;
  readonly #bytes: Buffer;
  readonly #view: DataView;

  constructor({ width, lengthMax }: { readonly width: 4 | 8; readonly lengthMax: number }) {
    this.width = width;
    this.#bytes = Buffer.alloc(width * lengthMax);
    this.#view = viewOf(this.#bytes);
  }

  /** `high`: of a fixed64. */
  put(index: number, low: number, high = 0): void {
    const at = index * this.width;
    this.#view.setUint32(at, low, true);
    if (this.width === 8) this.#view.setUint32(at + 4, high, true);
  }

  /** The first values as they travel; they change with the next put(). */
  first(length: number): Buffer {
    return this.#bytes.subarray(0, length * this.width);
  }

  /** The first values, to be read; they change with the next put(). */
  column(length: number): Column {
    return new Column(this.#view, { at: 0, length, width: this.width });
  }
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
