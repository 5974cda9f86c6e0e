import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { SectionCounters } from '../../../src/alloc/counters.js';
import type { Seq, Slot } from '../../../src/model/ids.js';

const SECTIONS = 100;
const UIDS_PER_SECTION = 100_000;
const MAX_SEQ = 1_000_000n as Seq;
const UNTOUCHED_SECTIONS = 10_000;
/** Of so many sections one stays, and the others are lost. */
const KEPT_OF = 10;

/**
 * `node dist/test/bench/micro/counter-memory.js`: what 10,000,000 touched uids of 100 sections cost a process that had nothing before,
 * in use and resident (which has the garbage of the run in it: less with --max-semi-space-size=1); what is left once 90 of the sections are lost; and what it costs when as many come again.
 */
setFlagsFromString('--expose-gc');
// What is compiled, and what the first numbers make, is no cost of a uid.
touch([open()]);
const before = inUse();
const sections = Array.from({ length: SECTIONS }, open);
touch(sections);
tell('touched', sections.length);
const isLost = (at: number): boolean => at % KEPT_OF !== 0;
for (const at of sections.keys()) if (isLost(at)) sections[at] = open();
tell('left, the other sections are lost', sections.length / KEPT_OF);
touch(sections);
tell('touched, with sections that came later', sections.length);
// Last, for their memory stays resident.
const touchedBytes = inUse().bytes;
const untouched = Array.from({ length: UNTOUCHED_SECTIONS }, open);
console.log(`an untouched section: ${((inUse().bytes - touchedBytes) / untouched.length).toFixed(0)} bytes`);

function open(): SectionCounters {
  return new SectionCounters({ uidCount: UIDS_PER_SECTION, base: 0n as Seq, maxSeq: MAX_SEQ });
}

/** Slot by slot through all sections, so that pages of different sections are allocated in turns. */
function touch(all: readonly SectionCounters[]): void {
  for (let slot = 0; slot < UIDS_PER_SECTION; slot++) {
    for (const section of all) if (section.takeAtOnce(slot as Slot, 1, -1, Number(MAX_SEQ)) < 0) section.next(slot as Slot, 1);
  }
}

function tell(what: string, sectionCount: number): void {
  const after = inUse();
  const uidCount = sectionCount * UIDS_PER_SECTION;
  const each = (bytes: number): string => (bytes / uidCount).toFixed(3);
  console.log(
    `${uidCount} uids ${what}: ${each(after.bytes - before.bytes)} bytes each in use, ${each(after.residentBytes - before.residentBytes)} resident`,
  );
}

function inUse(): { readonly bytes: number; readonly residentBytes: number } {
  // What has a finalizer is only gone after a few collections.
  for (let times = 0; times < 5; times++) runInNewContext('gc()');
  const { heapUsed, external, rss } = process.memoryUsage();
  return { bytes: heapUsed + external, residentBytes: rss };
}
