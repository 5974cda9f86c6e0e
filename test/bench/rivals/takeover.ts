import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { OwnedSections } from '../../../src/alloc/owned-sections.js';
import { SectionAllocator } from '../../../src/alloc/section-allocator.js';
import { systemClock as clock } from '../../../src/base/clock.js';
import type { Epoch, SectionId, Seq } from '../../../src/model/ids.js';
import { spreadOf } from '../figures.js';
import type { Takeover } from './results.js';
import { UIDS_PER_SECTION } from './systems/ours.js';

const SECTIONS = 10_000;
const RAISE_BY = 10_000n;
const BASE = 5_000_000n as Seq;

/** Takes over sections of untouched uids, as a new owner does when their first call comes: the classes of the AllocSvr, without a wire. */
export function measureTakeover(): Takeover {
  const raiser = { due: () => undefined, active: () => undefined };
  const sections = new OwnedSections({
    open: ({ epoch, base, maxSeq }, section, installed) =>
      new SectionAllocator({ section, epoch, base, maxSeq, installed, uidCount: UIDS_PER_SECTION, raiseBy: RAISE_BY, clock, raiser }),
  });
  const run = { firstSection: 0 as SectionId, sectionCount: SECTIONS, epoch: 7 as Epoch, base: BASE, maxSeq: (BASE + RAISE_BY) as Seq };
  const bytesBefore = bytesInUse();
  const beginMs = performance.now();
  sections.adopt([{ ...run, leaving: false }]);
  const adoptMs = (performance.now() - beginMs) / SECTIONS;
  const tookMs = Array.from({ length: SECTIONS }, (_, section) => {
    const openMs = performance.now();
    if (sections.get(section as SectionId) === undefined) throw new Error(`section ${section} was not opened`);
    return performance.now() - openMs + adoptMs;
  });
  const spread = spreadOf(tookMs);
  const bytesPerUid = (bytesInUse() - bytesBefore) / (sections.count * UIDS_PER_SECTION);
  return { sections: SECTIONS, medianMs: spread?.median ?? Number.NaN, maxMs: spread?.max ?? Number.NaN, bytesPerUid };
}

/** What is left of the heap, and of what it holds outside, after a collection. */
function bytesInUse(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc()');
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
