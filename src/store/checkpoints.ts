import type { Index } from '../raft/types.js';

/** Between two places in the log at which all replicas note their hash. */
export const CHECKPOINT_EVERY = 100;
/** Kept to be compared with what others say; older ones are forgotten. */
const CHECKPOINTS_MAX = 64;

/** The running hash of the state after the entry at `index`, a multiple of CHECKPOINT_EVERY. */
export interface Checkpoint {
  readonly index: Index;
  readonly stateHash: string;
}

/** The state hashes of one replica at places that are the same for all of them. */
export class Checkpoints {
  readonly #hashes = new Map<Index, string>();
  #lastIndex: Index | undefined;

  /** An entry was applied: the hash before it and after it. Those between the last one and it changed nothing (no-ops). */
  add(index: Index, { before, after }: { readonly before: string; readonly after: string }): void {
    const place = index - (index % CHECKPOINT_EVERY);
    // What came before this run of the process, or before a snapshot, is not known.
    if (place === index) this.#set(place, after);
    else if (this.#lastIndex !== undefined && this.#lastIndex < place) this.#set(place, before);
    this.#lastIndex = index;
  }

  at(index: Index): string | undefined {
    return this.#hashes.get(index);
  }

  get latest(): Checkpoint | undefined {
    const [index, stateHash] = [...this.#hashes].at(-1) ?? [];
    return index === undefined || stateHash === undefined ? undefined : { index, stateHash };
  }

  clear(): void {
    this.#hashes.clear();
    this.#lastIndex = undefined;
  }

  #set(index: Index, hash: string): void {
    this.#hashes.set(index, hash);
    const oldest = this.#hashes.keys().next().value;
    if (this.#hashes.size > CHECKPOINTS_MAX && oldest !== undefined) this.#hashes.delete(oldest);
  }
}
