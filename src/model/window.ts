import type { AllocId, Epoch, SectionId, Seq } from './ids.js';

/** How far one raise may lift the maxSeq of a section: a wrong request must not burn the number space. */
export const RAISE_LIFT_MAX = 2n ** 40n;

/** No raise that an AllocSvr asks for by itself reaches further than this above the hottest counter: bounds the jump after a crash. */
export const RAISE_AHEAD_MAX = 10_000_000n;

/**
 * The counters that the owner of an epoch left behind. Only the opener of the next epoch may install them, once, before
 * its first answer, and only if they have this digest (DESIGN 3.2).
 */
export interface Handoff {
  /** The epoch that ended. */
  readonly epoch: Epoch;
  /** SHA-256 of the counters, 64 hex digits. */
  readonly digest: string;
  /** The AllocSvr that has them. */
  readonly from: AllocId;
}

export function isSameHandoff(one: Handoff | undefined, other: Handoff | undefined): boolean {
  return one === other || (one?.epoch === other?.epoch && one?.digest === other?.digest && one?.from === other?.from);
}

/** Neighbouring sections that a planned move is to bring: their counters may be copied in advance. */
export interface IncomingRun {
  readonly firstSection: SectionId;
  /** At least 1. */
  readonly sectionCount: number;
  /** That of the present owner. */
  readonly epoch: Epoch;
  readonly from: AllocId;
  /** `host:port` of the present owner. */
  readonly fromAddress: string;
}

/** Neighbouring sections of one owner with equal numbers. Invariant: base <= maxSeq, both committed. */
export interface WindowRun {
  readonly firstSection: SectionId;
  /** At least 1. */
  readonly sectionCount: number;
  readonly epoch: Epoch;
  /** Whatever former epochs handed out lies at or below it; this epoch hands out numbers above it. */
  readonly base: Seq;
  /** Numbers up to it, inclusive, may be handed out. */
  readonly maxSeq: Seq;
  /** A planned move waits for the owner to seal and release these sections. */
  readonly leaving: boolean;
  /** Who is to have them, when leaving. */
  readonly next?: AllocId;
  /** What the former epoch left behind, and where it is; absent: nothing. */
  readonly handoff?: Handoff & {
    /** `host:port` of `from`; absent: it is not known any more. */
    readonly fromAddress?: string;
  };
}

/** Lays `next` onto the end of `runs`, joining it with the last one when the two touch and `isAlike` says so. */
export function appendRun<Run extends { readonly firstSection: number; readonly sectionCount: number }>(
  runs: Run[],
  next: Run,
  isAlike: (one: Run, other: Run) => boolean,
): void {
  const last = runs.at(-1);
  if (last !== undefined && last.firstSection + last.sectionCount === next.firstSection && isAlike(last, next)) {
    runs[runs.length - 1] = { ...last, sectionCount: last.sectionCount + next.sectionCount };
  } else {
    runs.push(next);
  }
}

/**
 * Runs of alike neighbours in [0, count): `isAlike(i, j)` compares two places, `make` gets each run. For long lists of
 * which neighbours mostly share one value: nothing is allocated per place.
 */
export function collectRuns<Run>(parts: {
  readonly count: number;
  readonly isAlike: (one: number, other: number) => boolean;
  readonly make: (first: number, count: number) => Run;
}): Run[] {
  const runs: Run[] = [];
  let first = 0;
  for (let place = 1; place <= parts.count; place += 1) {
    if (place < parts.count && parts.isAlike(first, place)) continue;
    runs.push(parts.make(first, place - first));
    first = place;
  }
  return runs;
}
