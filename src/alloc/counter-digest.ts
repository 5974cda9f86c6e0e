import { createHash } from 'node:crypto';
import { type CounterPage, type CounterPages, type SectionCounters, SLOTS_PER_PAGE } from './counters.js';

/** One page on the wire and on disk, in bytes. */
export const PAGE_BYTES = SLOTS_PER_PAGE * 8;

/** The bytes of a page, little-endian; a view, not a copy. */
export function bytesOf(values: BigUint64Array): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

/** A page of its own from PAGE_BYTES bytes; undefined when they are not as many. */
export function pageFrom(bytes: Uint8Array): BigUint64Array | undefined {
  if (bytes.length !== PAGE_BYTES) return undefined;
  const values = new BigUint64Array(SLOTS_PER_PAGE);
  bytesOf(values).set(bytes);
  return values;
}

export function pageHash(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/**
 * SHA-256, 64 hex digits, over the counters of a section: their default, how many there are, and each touched page with its
 * place. What no page names stands at the default, so this says everything, the exact flags too.
 */
export function digestOf(
  { defaultSeq, uidCount }: { readonly defaultSeq: bigint; readonly uidCount: number },
  pages: readonly { readonly index: number; readonly hash: Uint8Array }[],
): string {
  const hash = createHash('sha256').update(`seqsvr counters 1 ${defaultSeq} ${uidCount}\n`);
  for (const { index, hash: page } of pages) hash.update(`${index} `).update(page);
  return hash.digest('hex');
}

/** The digest of counters that came from elsewhere. */
export function digestOfPages({ defaultSeq, pages }: CounterPages, uidCount: number): string {
  const sorted = [...pages].sort(([one], [other]) => one - other);
  return digestOf(
    { defaultSeq, uidCount },
    sorted.map(([index, values]) => ({ index, hash: pageHash(bytesOf(values)) })),
  );
}

/** Hashes of the pages of one section: each is worked out again only when its page has changed. */
export class PageHashes {
  readonly #known = new Map<number, { readonly version: number; readonly hash: Buffer }>();

  of({ index, version, values }: CounterPage): Buffer {
    const known = this.#known.get(index);
    if (known?.version === version) return known.hash;
    const hash = pageHash(bytesOf(values));
    this.#known.set(index, { version, hash });
    return hash;
  }

  /** Undefined when no page was ever touched: then the counters are their default, and there is nothing to hand over. */
  digest(counters: SectionCounters): string | undefined {
    const pages = counters.touchedPages();
    if (pages.length === 0) return undefined;
    return digestOf(
      counters,
      pages.map((page) => ({ index: page.index, hash: this.of(page) })),
    );
  }
}
