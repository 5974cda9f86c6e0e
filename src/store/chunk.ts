import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { assert } from '../base/assert.js';
import type { Entry, Index } from '../raft/types.js';
import { DamageError } from './damage.js';

/**
 * One record of the log on disk: the entries of one append, side by side.
 *
 *   u8 format | u32 count | u48 firstIndex | 16 B hash of the chunk before | count x (u48 term | u32 length | data)
 *   | 16 B hash of everything above | u32 crc32 of everything above
 *
 * Numbers are big-endian. The hash before makes a chain: a chunk that was lost, or brought back from an old copy,
 * breaks it. LevelDB's own checksum is not enough: it drops what does not match and says nothing (DESIGN 3.6).
 */
const FORMAT = 1;
const HEADER_BYTES = 27;
const ENTRY_HEADER_BYTES = 10;
const HASH_BYTES = 16;
const TAIL_BYTES = HASH_BYTES + 4;

/** The hash before the first chunk. */
export const CHAIN_START: Uint8Array = new Uint8Array(HASH_BYTES);

export interface Chunk {
  readonly entries: readonly Entry[];
  readonly previousHash: Uint8Array;
  readonly hash: Uint8Array;
}

/** `entries` are contiguous and at least one. */
export function encodeChunk(entries: readonly Entry[], previousHash: Uint8Array): { readonly bytes: Uint8Array; readonly hash: Uint8Array } {
  const first = entries[0];
  assert(first !== undefined, 'a chunk has entries');
  const dataBytes = entries.reduce((sum, entry) => sum + ENTRY_HEADER_BYTES + entry.data.length, 0);
  const buffer = Buffer.alloc(HEADER_BYTES + dataBytes + TAIL_BYTES);
  buffer.writeUInt8(FORMAT, 0);
  buffer.writeUInt32BE(entries.length, 1);
  buffer.writeUIntBE(first.index, 5, 6);
  buffer.set(previousHash, 11);
  let at = HEADER_BYTES;
  entries.forEach((entry, offset) => {
    assert(entry.index === first.index + offset, 'entries are contiguous');
    buffer.writeUIntBE(entry.term, at, 6);
    buffer.writeUInt32BE(entry.data.length, at + 6);
    buffer.set(entry.data, at + ENTRY_HEADER_BYTES);
    at += ENTRY_HEADER_BYTES + entry.data.length;
  });
  const hash = hashOf(buffer.subarray(0, at));
  buffer.set(hash, at);
  buffer.writeUInt32BE(crc32(buffer.subarray(0, at + HASH_BYTES)), at + HASH_BYTES);
  return { bytes: buffer, hash };
}

/** Throws DamageError when a single bit of it is not what was written, or it does not begin at `firstIndex`. */
export function decodeChunk(bytes: Uint8Array, firstIndex: Index): Chunk {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const damaged = (what: string): DamageError => new DamageError(`log chunk ${firstIndex}: ${what}`);
  if (buffer.length < HEADER_BYTES + TAIL_BYTES) throw damaged(`only ${buffer.length} bytes long`);
  const bodyEnd = buffer.length - TAIL_BYTES;
  const wantedCrc = buffer.readUInt32BE(buffer.length - 4);
  const crc = crc32(buffer.subarray(0, buffer.length - 4));
  if (crc !== wantedCrc) throw damaged(`crc is ${crc}, should be ${wantedCrc}`);
  const hash = hashOf(buffer.subarray(0, bodyEnd));
  if (!hash.equals(buffer.subarray(bodyEnd, bodyEnd + HASH_BYTES))) throw damaged('its hash does not match');
  if (buffer.readUInt8(0) !== FORMAT) throw damaged(`format ${buffer.readUInt8(0)}, this program reads ${FORMAT}`);
  if (buffer.readUIntBE(5, 6) !== firstIndex) throw damaged(`says it begins at ${buffer.readUIntBE(5, 6)}`);
  const entries = entriesIn(buffer.subarray(0, bodyEnd), firstIndex);
  if (entries === undefined) throw damaged('its entries do not fill it');
  return { entries, previousHash: Uint8Array.from(buffer.subarray(11, HEADER_BYTES)), hash };
}

function entriesIn(body: Buffer, firstIndex: Index): readonly Entry[] | undefined {
  const count = body.readUInt32BE(1);
  const entries: Entry[] = [];
  let at = HEADER_BYTES;
  while (entries.length < count && at + ENTRY_HEADER_BYTES <= body.length) {
    const length = body.readUInt32BE(at + 6);
    const end = at + ENTRY_HEADER_BYTES + length;
    if (end > body.length) return undefined;
    entries.push({
      index: firstIndex + entries.length,
      term: body.readUIntBE(at, 6),
      data: Uint8Array.from(body.subarray(at + ENTRY_HEADER_BYTES, end)),
    });
    at = end;
  }
  return at === body.length && entries.length === count && count > 0 ? entries : undefined;
}

function hashOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest().subarray(0, HASH_BYTES);
}
