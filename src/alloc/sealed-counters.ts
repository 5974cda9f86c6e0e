import type { Epoch, SectionId, Seq } from '../model/ids.js';
import { bytesOf, type PageHashes } from './counter-digest.js';
import type { SectionCounters } from './counters.js';

/** A page as it goes over the wire. */
export interface WirePage {
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly hash: Uint8Array;
}

/** What an epoch left behind: it never changes any more. */
export interface SealedCounters {
  readonly section: SectionId;
  readonly epoch: Epoch;
  readonly defaultSeq: Seq;
  readonly trueMax: Seq;
  /** Undefined: no page was touched, every uid stands at trueMax. */
  readonly digest: string | undefined;
  readonly pages: () => readonly WirePage[];
}

/** What the counters are at this moment; true for good once their allocator is sealed. */
export function sealedFrom(section: SectionId, epoch: Epoch, counters: SectionCounters, hashes: PageHashes): SealedCounters {
  return {
    section,
    epoch,
    defaultSeq: counters.defaultSeq,
    trueMax: counters.trueMax,
    digest: hashes.digest(counters),
    pages: () => wirePages(counters, hashes),
  };
}

export function wirePages(counters: SectionCounters, hashes: PageHashes): readonly WirePage[] {
  return counters.touchedPages().map((page) => ({ index: page.index, bytes: bytesOf(page.values), hash: hashes.of(page) }));
}
