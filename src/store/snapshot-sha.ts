import { createHash } from 'node:crypto';
import type { Clock } from '../base/clock.js';

/** Bytes that are hashed before everything else has its turn: about 10 ms, well below a heartbeat. */
const SLICE_BYTES = 4 * 1024 * 1024;

/** A snapshot goes to several peers, and to one again when a transfer is made anew: its hash is made once. */
const hashes = new WeakMap<Uint8Array, Buffer>();

/** Calls `done` with the SHA-256 of `data`, later when there is much of it. The returned function gives up. */
export function sha256Of(data: Uint8Array, clock: Clock, done: (sha256: Buffer) => void): () => void {
  const known = hashes.get(data);
  const hash = createHash('sha256');
  let isGivenUp = false;
  const slice = (fromBytes: number): void => {
    if (isGivenUp) return;
    const toBytes = Math.min(data.length, fromBytes + SLICE_BYTES);
    hash.update(data.subarray(fromBytes, toBytes));
    if (toBytes < data.length) return clock.defer(() => slice(toBytes));
    const sha256 = hash.digest();
    hashes.set(data, sha256);
    done(sha256);
  };
  if (known === undefined) slice(0);
  else done(known);
  return () => {
    isGivenUp = true;
  };
}
