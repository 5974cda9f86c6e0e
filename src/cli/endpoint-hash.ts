import type { SeenStore } from './store-finder.js';
import type { Column } from './table.js';

/** same: equal to another store's at the same index; differs; alone: no other store was seen at an index that this one was seen at. */
export type HashVerdict = 'same' | 'differs' | 'alone';

/** One line of `seqctl endpoint hash`: what a store has applied, and the digest over it. */
export interface HashLine {
  readonly name: string;
  readonly endpoint: string;
  readonly appliedIndex: bigint;
  readonly stateHash: string;
  readonly verdict: HashVerdict;
  /** The index that it was compared at. Undefined: at none. */
  readonly comparedAt: bigint | undefined;
}

export const HASH_COLUMNS: readonly Column<HashLine>[] = [
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'ENDPOINT', cell: ({ endpoint }) => endpoint },
  { title: 'APPLIED', cell: ({ appliedIndex }) => String(appliedIndex) },
  { title: 'HASH', cell: ({ stateHash }) => stateHash },
  { title: 'VERDICT', cell: ({ verdict }) => verdict },
  { title: 'COMPARED-AT', isWide: true, cell: ({ comparedAt }) => (comparedAt === undefined ? '' : String(comparedAt)) },
];

/**
 * Compares digests of stores that go on applying: two of them say something only at equal indexes (invariant 6), so what
 * was seen is kept until every store was seen at an index of another one.
 */
export class HashComparison {
  /** By index, then by store: what it had there. */
  readonly #seen = new Map<bigint, Map<string, string>>();
  readonly #last = new Map<string, SeenStore>();

  /** Takes one look at all stores. A store that has applied nothing, or counts for nothing, has no digest to compare. */
  add(stores: readonly SeenStore[]): void {
    for (const store of stores) {
      const { appliedIndex, stateHash, quarantine } = store.store;
      if (appliedIndex === 0n || stateHash === '' || quarantine !== undefined) continue;
      this.#last.set(store.address, store);
      const at = this.#seen.get(appliedIndex) ?? new Map<string, string>();
      this.#seen.set(appliedIndex, at.set(store.address, stateHash));
    }
  }

  get lines(): HashLine[] {
    return [...this.#last.values()]
      .map(({ address, status, store }): HashLine => {
        const { appliedIndex, stateHash } = store;
        return { name: status.name, endpoint: address, appliedIndex, stateHash, ...this.#judge(address) };
      })
      .sort((one, other) => one.name.localeCompare(other.name, 'en', { numeric: true }));
  }

  /** One difference outweighs any number of equal digests. */
  #judge(address: string): { readonly verdict: HashVerdict; readonly comparedAt: bigint | undefined } {
    let sameAt: bigint | undefined;
    for (const [index, hashes] of this.#seen) {
      const own = hashes.get(address);
      if (own === undefined || hashes.size < 2) continue;
      if ([...hashes.values()].some((hash) => hash !== own)) return { verdict: 'differs', comparedAt: index };
      sameAt = index;
    }
    return { verdict: sameAt === undefined ? 'alone' : 'same', comparedAt: sameAt };
  }
}
