/** Fields of proto3 for codecs that are written by hand: numbers are plain ones, up to 2^53-1, and tags have one byte. */

/** Bits of one byte of a varint that count, and the bit that says that more follow. */
const LOW_BITS = 0x7f;
const MORE = 0x80;

/** Writes from the end of its room to the start: what is inside comes first, so that its length is known. A field that is 0 is left out. */
export class WireWriter {
  readonly #room: Buffer;
  #at: number;

  /** `roomBytes`: no less than what will be written. */
  constructor(roomBytes: number) {
    this.#room = Buffer.allocUnsafe(roomBytes);
    this.#at = roomBytes;
  }

  /** Where the next byte will end. */
  get at(): number {
    return this.#at;
  }

  /** Leaves bytes that somebody else fills. */
  skip(bytes: number): void {
    this.#at -= bytes;
  }

  number(tag: number, value: number): void {
    if (value === 0) return;
    this.#varint(value);
    this.#room[--this.#at] = tag;
  }

  /** Fields that somebody else has written. */
  append(fields: Uint8Array): void {
    this.#at -= fields.length;
    this.#room.set(fields, this.#at);
  }

  bytes(tag: number, data: Uint8Array): void {
    this.#at -= data.length;
    this.#room.set(data, this.#at);
    this.#varint(data.length);
    this.#room[--this.#at] = tag;
  }

  /** Everything up to `end` is a message inside. */
  length(tag: number, end: number): void {
    this.#varint(end - this.#at);
    this.#room[--this.#at] = tag;
  }

  written(): Buffer {
    return this.#room.subarray(this.#at);
  }

  #varint(value: number): void {
    const room = this.#room;
    if (value < MORE) {
      room[--this.#at] = value;
      return;
    }
    let at = this.#at - sizeOf(value);
    this.#at = at;
    let left = value;
    for (; left >= MORE; left = Math.floor(left / MORE)) room[at++] = (left % MORE) | MORE;
    room[at] = left;
  }
}

function sizeOf(value: number): number {
  let size = 1;
  for (let left = value; left >= MORE; left = Math.floor(left / MORE)) size += 1;
  return size;
}

/** Reads fields in the order of their numbers, each once. What is not written so makes it unsound, and what it reads then means nothing. */
export class WireCursor {
  readonly end: number;
  readonly #bytes: Buffer;
  #at = 0;
  #isSound = true;

  constructor(bytes: Buffer, end: number) {
    this.#bytes = bytes;
    this.end = end;
  }

  get at(): number {
    return this.#at;
  }

  get isSound(): boolean {
    return this.#isSound;
  }

  /** The tag of the next field. */
  peek(): number {
    return this.#bytes[this.#at] ?? 0;
  }

  /** 0 when the next field is another one. */
  number(tag: number): number {
    if (this.#bytes[this.#at] !== tag) return 0;
    this.#at += 1;
    return this.#varint();
  }

  /** Goes into the message that must come next; returns where it ends, NaN when another field comes or it does not end within the bytes. */
  enter(tag: number): number {
    if (this.#bytes[this.#at] !== tag) return Number.NaN;
    this.#at += 1;
    const end = this.#varint() + this.#at;
    return end <= this.end ? end : Number.NaN;
  }

  /** Goes on at `end`, which enter() gave. */
  leave(end: number): void {
    this.#at = end;
  }

  /** A message inside, which enter() said ends at `end`, must have been read whole. */
  mustEndAt(end: number): void {
    if (this.#at !== end) this.#isSound = false;
  }

  /** A copy: what it came in may be large, and is not to stay for the sake of a few bytes. Undefined: another field comes. */
  bytes(tag: number): Buffer | undefined {
    const end = this.enter(tag);
    if (Number.isNaN(end)) return undefined;
    const data = Buffer.allocUnsafe(end - this.#at);
    this.#bytes.copy(data, 0, this.#at, end);
    this.#at = end;
    return data;
  }

  #varint(): number {
    let byte = this.#bytes[this.#at++] ?? MORE;
    if (byte < MORE) return byte;
    let value = byte & LOW_BITS;
    for (let scale = MORE; scale < Number.MAX_SAFE_INTEGER; scale *= MORE) {
      byte = this.#bytes[this.#at++] ?? MORE;
      value += (byte & LOW_BITS) * scale;
      if (byte >= MORE) continue;
      if (value <= Number.MAX_SAFE_INTEGER) return value;
      break;
    }
    this.#isSound = false;
    return Number.NaN;
  }
}
