import type { Fault } from './fault-kinds.js';
import type { SimOptions } from './options.js';
import { simulate } from './run.js';

/** Runs that shrinking may take. */
const RUNS_MAX = 150;

/** The smallest schedule found that still fails in the same way: delta debugging (Zeller, ddmin) over the faults. */
export async function shrink(options: SimOptions, schedule: readonly Fault[], kind: string): Promise<readonly Fault[]> {
  const fails = async (faults: readonly Fault[]): Promise<boolean> =>
    (await simulate(options, faults)).violations.some((violation) => violation.kind === kind);
  let kept = schedule;
  let pieceCount = 2;
  for (let runs = 0; kept.length > 0 && runs < RUNS_MAX; ) {
    const pieces = withoutPieces(kept, pieceCount);
    let smaller: readonly Fault[] | undefined;
    for (const piece of pieces) {
      runs += 1;
      if (!(await fails(piece))) continue;
      smaller = piece;
      break;
    }
    if (smaller === undefined && pieceCount >= kept.length) break;
    pieceCount = smaller === undefined ? Math.min(kept.length, pieceCount * 2) : Math.max(2, pieceCount - 1);
    kept = smaller ?? kept;
  }
  return kept;
}

/** The schedule, each time without another piece of it. */
function withoutPieces(faults: readonly Fault[], pieceCount: number): readonly (readonly Fault[])[] {
  const size = Math.ceil(faults.length / pieceCount);
  const count = Math.ceil(faults.length / size);
  return Array.from({ length: count }, (_, piece) => [...faults.slice(0, piece * size), ...faults.slice((piece + 1) * size)]);
}
