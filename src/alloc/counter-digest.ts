import { createHash } from 'node:crypto';
import type { Seq } from '../model/ids.js';

/** Keeps these hashes apart from all others. The form of what is hashed is part of the protocol: a new form, a new name. */
const DOMAIN = 'seqsvr counters 1';
export const HASH_BYTES = 32;

/** One touched page as it travels. */
export interface CounterPage {
  /** As encodePage() makes them. */
  readonly bytes: Uint8Array;
  /** SHA-256 of them. */
  readonly hash: Uint8Array;
}

export function hashPage(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

/**
 * SHA-256 of the counters of a section, 64 hex digits: its default, its size, and each touched page with its place.
 * What is exact and what is not follows from them: exact is what lies above the default. `hashes`: in page order.
 */
export function digestOf(counters: {
  readonly defaultSeq: Seq;
  readonly uidCount: number;
  readonly hashes: Iterable<readonly [page: number, hash: Uint8Array]>;
}): string {
  const digest = createHash('sha256').update(DOMAIN);
  const head = Buffer.alloc(12);
  head.writeBigUInt64BE(counters.defaultSeq, 0);
  head.writeUInt32BE(counters.uidCount, 8);
  digest.update(head);
  for (const [page, hash] of counters.hashes) {
    const place = Buffer.alloc(4);
    place.writeUInt32BE(page, 0);
    digest.update(place).update(hash);
  }
  return digest.digest('hex');
}
