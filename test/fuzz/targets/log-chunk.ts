import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { CHAIN_START, decodeChunk, encodeChunk } from '../../../src/store/chunk.js';
import { entriesOf } from './entries.js';
import { mustHold, outcomeOf, type Target } from '../target.js';

const TAIL_BYTES = 20;

/** The index that the key of a chunk says, first; then the chunk. */
export const logChunk: Target = {
  name: 'log-chunk',
  about: 'a record of the Raft log on disk, read back at a start (store/chunk.ts)',
  shape: { parts: 'one', payload: 'raw', seal },
  generate(random) {
    const entries = entriesOf(random);
    const previous = random.chance(0.5) ? CHAIN_START : Uint8Array.from({ length: 16 }, () => random.below(256));
    return encodeChunk(entries, previous).bytes;
  },
  feed(input) {
    const firstIndex = input.length >= 11 ? Buffer.from(input).readUIntBE(5, 6) : 1;
    // Whoever reads a chunk at another place than its own must be told.
    const elsewhere = outcomeOf(() => void decodeChunk(input, firstIndex + 1), 'DamageError too');
    mustHold(elsewhere !== 'ok', 'a chunk is read at its own place only');
    return outcomeOf(() => {
      const { entries, previousHash, hash } = decodeChunk(input, firstIndex);
      const again = encodeChunk(entries, previousHash);
      mustHold(Buffer.from(again.bytes).equals(input), 'a chunk that is taken is the one form of its entries');
      mustHold(Buffer.from(again.hash).equals(hash), 'its hash is the one that the next chunk names');
      return `ok ${Math.min(entries.length, 3)} entries`;
    }, 'DamageError too');
  },
};

/** Hash and checksum over whatever is before them. */
function seal(payload: Uint8Array): Uint8Array {
  if (payload.length <= TAIL_BYTES) return payload;
  const bytes = Buffer.from(payload);
  const bodyEnd = bytes.length - TAIL_BYTES;
  bytes.set(createHash('sha256').update(bytes.subarray(0, bodyEnd)).digest().subarray(0, 16), bodyEnd);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, bytes.length - 4)), bytes.length - 4);
  return bytes;
}
