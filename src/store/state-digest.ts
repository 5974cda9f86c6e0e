import { createHash } from 'node:crypto';

const DIGEST_BYTES = 16;

/** The digest of no records at all. */
export const EMPTY_DIGEST: Uint8Array = new Uint8Array(DIGEST_BYTES);

/**
 * A digest over all records of the state, kept up to date record by record: the xor of one hash for each, so a write
 * costs what it changes and not what there is.
 *
 * LevelDB does not check what it reads from its tables, and it can lose a batch from the middle of its log and keep the
 * later ones. The log has its chain against that; this is the same for the state: a record that changed, was lost or
 * came back from an old copy does not go with the digest that was written with the applied index.
 */
export class StateDigest {
  readonly #hashes = new Map<string, Uint8Array>();
  readonly #digest = Buffer.alloc(DIGEST_BYTES);

  /** undefined: the record is deleted. */
  set(key: string, value: Uint8Array | undefined): void {
    this.#flip(this.#hashes.get(key));
    this.#hashes.delete(key);
    if (value === undefined) return;
    // The length keeps the key and the value apart.
    const hash = createHash('sha256').update(`${key.length} ${key}`).update(value).digest().subarray(0, DIGEST_BYTES);
    this.#hashes.set(key, hash);
    this.#flip(hash);
  }

  /** 16 bytes; a copy. */
  get value(): Uint8Array {
    return Uint8Array.from(this.#digest);
  }

  /** Of all records. */
  keys(): Iterable<string> {
    return this.#hashes.keys();
  }

  #flip(hash: Uint8Array | undefined): void {
    for (const [at, byte] of hash?.entries() ?? []) this.#digest[at] = (this.#digest[at] ?? 0) ^ byte;
  }
}
