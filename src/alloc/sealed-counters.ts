import type { Epoch, SectionId, Seq } from '../model/ids.js';
import type { CounterPages, SectionCounters } from './counters.js';

/** Counters as they are now, for whoever copies them. */
export type CountersView = Pick<SectionCounters, 'defaultSeq' | 'uidCount' | 'trueMax' | 'touchedPages' | 'copyPage' | 'hashOf'>;

/** What an epoch left behind: it never changes any more. */
export interface SealedCounters extends CounterPages {
  readonly section: SectionId;
  readonly epoch: Epoch;
  readonly uidCount: number;
  readonly trueMax: Seq;
  /** Undefined: no page was touched, every uid stands at trueMax. */
  readonly digest: string | undefined;
  /** SHA-256 of a touched page. */
  hashOf(page: number): Uint8Array;
}

/** What the counters are at this moment; true for good once their allocator is sealed. */
export function sealedFrom(section: SectionId, epoch: Epoch, counters: SectionCounters): SealedCounters {
  const { defaultSeq, uidCount, trueMax } = counters;
  return {
    section,
    epoch,
    defaultSeq,
    uidCount,
    trueMax,
    digest: counters.digest(),
    touchedPages: () => counters.touchedPages(),
    copyPage: (page) => counters.copyPage(page),
    hashOf: (page) => counters.hashOf(page),
  };
}
