import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { assert } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import type { Entry, EntryType, Index } from '../raft/types.js';
import { DamageError } from './damage.js';

/**
 * One record of the log on disk: the entries of one append, side by side.
 *
 *   u8 format | u32 count | u48 firstIndex | 16 B hash of the chunk before
 *   | count x (u8 type | u48 term | u32 length | data) | 16 B hash of everything above | u32 crc32 of everything above
 *
 * Numbers are big-endian. The hash before makes a chain: a chunk that was lost, or brought back from an old copy,
 * breaks it. LevelDB's own checksum is not enough: it drops what does not match and says nothing (DESIGN 3.6).
 */
const FORMAT = 2;
const HEADER_BYTES = 27;
const ENTRY_HEADER_BYTES = 11;
const HASH_BYTES = 16;
const TAIL_BYTES = HASH_BYTES + 4;
/** By their number on disk. */
const ENTRY_TYPES: readonly EntryType[] = ['normal', 'confChange'];

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
    buffer.writeUInt8(ENTRY_TYPES.indexOf(entry.type), at);
    buffer.writeUIntBE(entry.term, at + 1, 6);
    buffer.writeUInt32BE(entry.data.length, at + 7);
    buffer.set(entry.data, at + ENTRY_HEADER_BYTES);
    at += ENTRY_HEADER_BYTES + entry.data.length;
  });
  const hash = hashOf(buffer.subarray(0, at));
  buffer.set(hash, at);
  buffer.writeUInt32BE(crc32(buffer.subarray(0, at + HASH_BYTES)), at + HASH_BYTES);
  return { bytes: buffer, hash };
}

/**
 * Throws DamageError when a single bit of it is not what was written, or it does not begin at `firstIndex`;
 * INVALID_ARGUMENT when it is whole, and of a format that this program does not read.
 */
export function decodeChunk(bytes: Uint8Array, firstIndex: Index): Chunk {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const damaged = (what: string): DamageError => new DamageError(`log chunk ${firstIndex}: ${what}`);
  if (buffer.length < HEADER_BYTES + TAIL_BYTES) throw damaged(`only ${buffer.length} bytes long`);
  const bodyEnd = buffer.length - TAIL_BYTES;
  const wantedCrc = buffer.readUInt32BE(buffer.length - 4);
  const crc = crc32(buffer.subarray(0, buffer.length - 4));
  if (crc !== wantedCrc) throw damaged(`crc is ${crc}, should be ${wantedCrc}`);
  // Only now: a crc that holds says that another version of this program wrote it, and not a flipped bit.
  const format = buffer.readUInt8(0);
  if (format !== FORMAT) {
    throw new SeqError(
      'INVALID_ARGUMENT',
      `log chunk ${firstIndex} has format ${format}, this program reads ${FORMAT}: use the version that wrote it`,
    );
  }
  const hash = hashOf(buffer.subarray(0, bodyEnd));
  if (!hash.equals(buffer.subarray(bodyEnd, bodyEnd + HASH_BYTES))) throw damaged('its hash does not match');
  if (buffer.readUIntBE(5, 6) !== firstIndex) throw damaged(`says it begins at ${buffer.readUIntBE(5, 6)}`);
  const entries = entriesIn(buffer.subarray(0, bodyEnd), firstIndex);
  if (entries === undefined) throw damaged('its entries are none, or do not fill it');
  return { entries, previousHash: Uint8Array.from(buffer.subarray(11, HEADER_BYTES)), hash };
}

function entriesIn(body: Buffer, firstIndex: Index): readonly Entry[] | undefined {
  const count = body.readUInt32BE(1);
  const entries: Entry[] = [];
  let at = HEADER_BYTES;
  while (entries.length < count && at + ENTRY_HEADER_BYTES <= body.length) {
    const type = ENTRY_TYPES[body.readUInt8(at)];
    const end = at + ENTRY_HEADER_BYTES + body.readUInt32BE(at + 7);
    if (type === undefined || end > body.length) return undefined;
    entries.push({
      index: firstIndex + entries.length,
      term: body.readUIntBE(at + 1, 6),
      type,
      data: Uint8Array.from(body.subarray(at + ENTRY_HEADER_BYTES, end)),
    });
    at = end;
  }
  return at === body.length && entries.length === count && count > 0 ? entries : undefined;
}

function hashOf(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest().subarray(0, HASH_BYTES);
}
