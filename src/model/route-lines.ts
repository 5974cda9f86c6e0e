import type { RoutingTable } from './routing.js';

/** Neighbouring sections with one owner, with the uids that they hold: a run of a routing table, for people and programs. */
export interface RouteLine {
  readonly firstSection: number;
  readonly lastSection: number;
  readonly firstUid: bigint;
  readonly lastUid: bigint;
  /** '' while nobody owns them. */
  readonly alloc: string;
  readonly address: string;
  readonly epoch: number;
}

/** The runs of a table, in order: those that reach `fromSection` or beyond, at most `limit` of them. Default: all. */
export function routeLinesOf(
  { geometry, allocs, runs }: RoutingTable,
  { fromSection = 0, limit = runs.length }: { readonly fromSection?: number; readonly limit?: number } = {},
): RouteLine[] {
  const size = BigInt(geometry.uidsPerSection);
  const lines: RouteLine[] = [];
  let nextSection = 0;
  for (const run of runs) {
    if (lines.length === limit) break;
    const firstSection = nextSection;
    nextSection += run.sectionCount;
    if (nextSection <= fromSection) continue;
    const end = geometry.firstUid + BigInt(nextSection) * size - 1n;
    const owner = run.alloc === undefined ? undefined : allocs[run.alloc];
    lines.push({
      firstSection,
      lastSection: nextSection - 1,
      firstUid: geometry.firstUid + BigInt(firstSection) * size,
      // The last section may be shorter than the others.
      lastUid: end < geometry.lastUid ? end : geometry.lastUid,
      alloc: owner?.id ?? '',
      address: owner?.address ?? '',
      epoch: run.epoch,
    });
  }
  return lines;
}
