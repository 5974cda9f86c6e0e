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
