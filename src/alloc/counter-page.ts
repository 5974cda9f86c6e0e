import { SeqError } from '../base/errors.js';
import { SEQ_MAX } from '../model/ids.js';

/** Neighbouring uids whose counters are allocated together, on the first call for any of them. */
export const SLOTS_PER_PAGE = 1024;
/** 2^63 in groups of seven bits. */
const VARINT_BYTES_MAX = 9;
/** No page takes more on the wire. */
export const PAGE_BYTES_MAX = SLOTS_PER_PAGE * VARINT_BYTES_MAX;

/** The largest distance that 4 bytes hold. */
export const NARROW_MAX = 2 ** 32 - 1;

/** How many slots of a section lie on a page. */
export function slotCountOf({ uidCount, page }: { readonly uidCount: number; readonly page: number }): number {
  return Math.max(0, Math.min(SLOTS_PER_PAGE, uidCount - page * SLOTS_PER_PAGE));
}

/** For each slot how far its counter is above the section's default: in 4 bytes, or in 8 where one of them is too far for that. */
export type Distances = Uint32Array | BigUint64Array;

/**
 * The one form of a page for the wire, for files and for digests: for each slot the distance of its counter from the
 * section's default, as the shortest varint, trailing zeros left out. No counter lies below the default.
 */
export function encodePage(distances: Distances): Uint8Array {
  const bytes = Buffer.allocUnsafe(distances.length * VARINT_BYTES_MAX);
  let at = 0;
  let end = 0;
  for (let slot = 0; slot < distances.length; slot++) {
    const distance = distances[slot] ?? 0;
    at = typeof distance === 'number' ? writeNumber(bytes, at, distance) : writeBigint(bytes, at, distance);
    if (Number(distance) !== 0) end = at;
  }
  return Uint8Array.prototype.slice.call(bytes, 0, end);
}

/** What encodePage() made, once checkPage() took it; in `narrow`, which is all zero, if it fits. Slots that are left out stand at the default. */
export function decodePage(bytes: Uint8Array, narrow: Uint32Array): Distances {
  const reader = new VarintReader(bytes);
  for (let slot = 0; !reader.isAtEnd; slot++) {
    const distance = reader.next();
    if (distance > NARROW_MAX) return decodeWide(bytes, narrow.length);
    narrow[slot] = Number(distance);
  }
  return narrow;
}

/** The same page with room for any distance. */
export function widened(narrow: Uint32Array): BigUint64Array {
  return BigUint64Array.from(narrow, BigInt);
}

function decodeWide(bytes: Uint8Array, slotCount: number): BigUint64Array {
  const wide = new BigUint64Array(slotCount);
  const reader = new VarintReader(bytes);
  for (let slot = 0; !reader.isAtEnd; slot++) wide[slot] = BigInt(reader.next());
  return wide;
}

/**
 * Checks a page that somebody else sent, and returns its largest distance. Throws PROTOCOL unless it is exactly what
 * encodePage() makes of counters: one form for one content, so that equal hashes mean equal counters.
 */
export function checkPage(bytes: Uint8Array, slotCount: number): bigint {
  if (bytes.length > slotCount * VARINT_BYTES_MAX) throw protocol(`a page of ${slotCount} counters has ${bytes.length} bytes`);
  if (bytes.length > 0 && bytes.at(-1) === 0) throw protocol('a page that ends with a counter at its default');
  const reader = new VarintReader(bytes);
  let count = 0;
  let most = 0;
  let mostWide = 0n;
  while (!reader.isAtEnd) {
    const distance = reader.next();
    count += 1;
    if (typeof distance === 'bigint') mostWide = distance > mostWide ? distance : mostWide;
    else if (distance > most) most = distance;
  }
  if (count > slotCount) throw protocol(`a page of ${slotCount} counters has ${count}`);
  if (mostWide > SEQ_MAX) throw protocol(`a counter ${mostWide} above its default`);
  return mostWide > BigInt(most) ? mostWide : BigInt(most);
}

/** Reads the shortest varints only: throws PROTOCOL at any other. A number while it is exact, a bigint above 2^53. */
class VarintReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  next(): number | bigint {
    const from = this.#at;
    let value = 0;
    let scale = 1;
    for (let byte = 0x80; byte >= 0x80; scale *= 128) {
      const read = this.#bytes[this.#at++];
      if (read === undefined || this.#at - from > VARINT_BYTES_MAX) throw protocol('a page with a counter that does not end');
      byte = read;
      value += (byte & 0x7f) * scale;
    }
    if (this.#at - from > 1 && this.#bytes[this.#at - 1] === 0) throw protocol('a page with a counter that is longer than it need be');
    return Number.isSafeInteger(value) ? value : this.#wide(from);
  }

  #wide(from: number): bigint {
    let value = 0n;
    for (let at = this.#at - 1; at >= from; at--) value = (value << 7n) | BigInt((this.#bytes[at] ?? 0) & 0x7f);
    return value;
  }
}

function writeNumber(bytes: Uint8Array, from: number, value: number): number {
  let at = from;
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 128)) bytes[at++] = (left % 128) | 0x80;
  bytes[at++] = left;
  return at;
}

function writeBigint(bytes: Uint8Array, from: number, value: bigint): number {
  let at = from;
  let left = value;
  for (; left >= 0x80n; left >>= 7n) bytes[at++] = Number(left & 0x7fn) | 0x80;
  bytes[at++] = Number(left);
  return at;
}

function protocol(message: string): SeqError {
  return new SeqError('PROTOCOL', message);
}
