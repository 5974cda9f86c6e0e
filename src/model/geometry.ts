import { SeqError } from '../base/errors.js';
import type { SectionId, Slot, Uid } from './ids.js';
import { UID_MAX } from './ids.js';

/** How many sections one set may have: bounds the table, the state and the planner. */
export const SECTIONS_MAX = 1_000_000;
/** How many uids one section may have: bounds a slot number and a page table. */
export const UIDS_PER_SECTION_MAX = 10_000_000;

/** The uid range of a set and how it is cut into sections. Fixed when the set is made. */
export interface Geometry {
  /** First uid of the set. */
  readonly firstUid: bigint;
  /** Last uid of the set, inclusive. */
  readonly lastUid: bigint;
  /** Neighbouring uids that share one maxSeq (article: 100,000). The last section may be shorter. */
  readonly uidsPerSection: number;
}

/** The article's: 2^32 users in sections of 100,000. */
export const DEFAULT_GEOMETRY: Geometry = { firstUid: 0n, lastUid: 2n ** 32n - 1n, uidsPerSection: 100_000 };

/** Throws INVALID_ARGUMENT, with the value and the rule, unless every number of it makes sense. */
export function checkGeometry({ firstUid, lastUid, uidsPerSection }: Geometry): void {
  if (firstUid < 0n || lastUid > UID_MAX || firstUid > lastUid) {
    throw new SeqError('INVALID_ARGUMENT', `a set needs 0 <= firstUid <= lastUid <= ${UID_MAX}, got ${firstUid}..${lastUid}`);
  }
  if (!Number.isInteger(uidsPerSection) || uidsPerSection < 1 || uidsPerSection > UIDS_PER_SECTION_MAX) {
    throw new SeqError('INVALID_ARGUMENT', `uidsPerSection must be a whole number in [1, ${UIDS_PER_SECTION_MAX}], got ${uidsPerSection}`);
  }
  const sections = (lastUid - firstUid) / BigInt(uidsPerSection) + 1n;
  if (sections > BigInt(SECTIONS_MAX)) {
    throw new SeqError(
      'INVALID_ARGUMENT',
      `a set has at most ${SECTIONS_MAX} sections, ${firstUid}..${lastUid} by ${uidsPerSection} makes ${sections}`,
    );
  }
}

export function sectionCountOf({ firstUid, lastUid, uidsPerSection }: Geometry): number {
  return Number((lastUid - firstUid) / BigInt(uidsPerSection)) + 1;
}

/** How many uids the section has: uidsPerSection, but for the last one. */
export function uidCountOf(geometry: Geometry, section: SectionId): number {
  const first = geometry.firstUid + BigInt(section) * BigInt(geometry.uidsPerSection);
  const left = geometry.lastUid - first + 1n;
  return left < BigInt(geometry.uidsPerSection) ? Number(left) : geometry.uidsPerSection;
}

export function contains({ firstUid, lastUid }: Geometry, uid: Uid): boolean {
  return uid >= firstUid && uid <= lastUid;
}

/** Splits a uid, once, at the gateway. Throws INVALID_ARGUMENT when it lies outside the set. */
export function locate(geometry: Geometry, uid: Uid): { readonly section: SectionId; readonly slot: Slot } {
  if (!contains(geometry, uid)) {
    throw new SeqError('INVALID_ARGUMENT', `uid must be in this cluster's range [${geometry.firstUid}, ${geometry.lastUid}], got ${uid}`);
  }
  const offset = uid - geometry.firstUid;
  // An offset below 2^53 divides exactly as a number, and much faster than as a bigint.
  if (offset <= 9_007_199_254_740_991n) {
    const place = Number(offset);
    return { section: Math.floor(place / geometry.uidsPerSection) as SectionId, slot: (place % geometry.uidsPerSection) as Slot };
  }
  const size = BigInt(geometry.uidsPerSection);
  return { section: Number(offset / size) as SectionId, slot: Number(offset % size) as Slot };
}

/** A geometry as numbers, for paths where a bigint for each uid would cost most of the time. */
export interface Grid {
  readonly firstLow: number;
  readonly firstHigh: number;
  readonly uidsPerSection: number;
  /** The last uid that this arithmetic is exact for, as a distance from the first: below 2^53 no bit is lost, nor when it is divided. */
  readonly offsetMax: number;
}

export function gridOf({ firstUid, lastUid, uidsPerSection }: Geometry): Grid {
  const offsetMax = lastUid - firstUid;
  return {
    firstLow: Number(firstUid & 0xffff_ffffn),
    firstHigh: Number(firstUid >> 32n),
    uidsPerSection,
    offsetMax: offsetMax > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : Number(offsetMax),
  };
}

/** How far a uid, in halves of 32 bits, is above the first one of its set; -1: outside of it, or too far for numbers, so that locate() must say. */
export function offsetIn({ firstLow, firstHigh, offsetMax }: Grid, low: number, high: number): number {
  const offset = (high - firstHigh) * 2 ** 32 + (low - firstLow);
  return offset >= 0 && offset <= offsetMax ? offset : -1;
}

export function isSameGeometry(one: Geometry, other: Geometry): boolean {
  return one.firstUid === other.firstUid && one.lastUid === other.lastUid && one.uidsPerSection === other.uidsPerSection;
}

export function showGeometry({ firstUid, lastUid, uidsPerSection }: Geometry): string {
  return `uids ${firstUid}..${lastUid} in sections of ${uidsPerSection}`;
}
