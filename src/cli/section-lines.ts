import { SeqError, show } from '../base/errors.js';
import { SEQ_MAX } from '../model/ids.js';
import type { Geometry } from '../rpc/gen/seqsvr/v1/common.js';
import type { PlannedMove, SectionView } from '../rpc/gen/seqsvr/v1/placement.js';
import type { Column } from './table.js';

/** Neighbouring sections with the same numbers: one line of `seqctl section list`. */
export interface SectionLine {
  readonly firstSection: number;
  readonly lastSection: number;
  readonly firstUid: bigint;
  readonly lastUid: bigint;
  /** '' while nobody owns them. */
  readonly alloc: string;
  readonly epoch: bigint;
  readonly base: bigint;
  readonly maxSeq: bigint;
  /** Numbers above maxSeq that each uid can still have. */
  readonly headroom: bigint;
  /** Where a planned move takes them; '' when none is planned. */
  readonly next: string;
}

export const SECTION_COLUMNS: readonly Column<SectionLine>[] = [
  { title: 'SECTIONS', cell: ({ firstSection, lastSection }) => runText(firstSection, lastSection) },
  { title: 'COUNT', isWide: true, cell: ({ firstSection, lastSection }) => String(lastSection - firstSection + 1) },
  { title: 'UIDS', cell: ({ firstUid, lastUid }) => `${firstUid}..${lastUid}` },
  { title: 'ALLOC', cell: ({ alloc }) => alloc },
  { title: 'EPOCH', cell: ({ epoch }) => String(epoch) },
  { title: 'BASE', cell: ({ base }) => String(base) },
  { title: 'MAX-SEQ', cell: ({ maxSeq }) => String(maxSeq) },
  { title: 'HEADROOM', cell: ({ headroom }) => String(headroom) },
  { title: 'NEXT', cell: ({ next }) => next },
];

/** Sections that move, or would: one line of a plan. */
export interface MoveLine {
  readonly firstSection: number;
  readonly lastSection: number;
  readonly sectionCount: number;
  /** '' when nobody owns them. */
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

export const MOVE_COLUMNS: readonly Column<MoveLine>[] = [
  { title: 'SECTIONS', cell: ({ firstSection, lastSection }) => runText(firstSection, lastSection) },
  { title: 'COUNT', cell: ({ sectionCount }) => String(sectionCount) },
  { title: 'FROM', cell: ({ from }) => from },
  { title: 'TO', cell: ({ to }) => to },
  { title: 'REASON', cell: ({ reason }) => reason },
];

/** A run, with the uids that it covers. Pure. */
export function sectionLine({ firstSection, sectionCount, ...section }: SectionView, geometry: Geometry): SectionLine {
  const size = BigInt(geometry.uidsPerSection);
  const end = geometry.firstUid + BigInt(firstSection + sectionCount) * size - 1n;
  return {
    firstSection,
    lastSection: firstSection + sectionCount - 1,
    firstUid: geometry.firstUid + BigInt(firstSection) * size,
    // The last section may be shorter than the others.
    lastUid: end < geometry.lastUid ? end : geometry.lastUid,
    alloc: section.allocId,
    epoch: section.epoch,
    base: section.base,
    maxSeq: section.maxSeq,
    headroom: SEQ_MAX - section.maxSeq,
    next: section.nextAllocId,
  };
}

export function moveLine({ firstSection, sectionCount, fromAllocId, toAllocId, reason }: PlannedMove): MoveLine {
  return { firstSection, lastSection: firstSection + sectionCount - 1, sectionCount, from: fromAllocId, to: toAllocId, reason };
}

/** 'ID' or 'ID..ID', both ends included. Throws INVALID_ARGUMENT with the value and the rule. */
export function parseSectionRun(text: string): { readonly firstSection: number; readonly sectionCount: number } {
  const match = /^(\d{1,7})(?:\.\.(\d{1,7}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || last < first)
    throw new SeqError('INVALID_ARGUMENT', `sections are ID or FIRST..LAST, whole numbers from 0, got ${show(text)}`);
  return { firstSection: first, sectionCount: last - first + 1 };
}

/** How many of the sections of these moves are where they were to go, and how many are on their way there. Pure. */
export function progressOf(
  moves: readonly MoveLine[],
  sections: readonly Pick<SectionView, 'firstSection' | 'sectionCount' | 'allocId' | 'nextAllocId'>[],
): { readonly total: number; readonly done: number; readonly underWay: number } {
  let total = 0;
  let done = 0;
  let underWay = 0;
  for (const move of moves) {
    total += move.sectionCount;
    for (const { firstSection, sectionCount, allocId, nextAllocId } of sections) {
      const shared = Math.min(move.lastSection + 1, firstSection + sectionCount) - Math.max(move.firstSection, firstSection);
      if (shared <= 0) continue;
      // One that is to go on from there has been there.
      if (allocId === move.to) done += shared;
      else if (nextAllocId === move.to) underWay += shared;
    }
  }
  return { total, done, underWay };
}

function runText(first: number, last: number): string {
  return first === last ? String(first) : `${first}..${last}`;
}
