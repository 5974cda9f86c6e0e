import type { Epoch, SectionId, Seq } from './ids.js';

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
