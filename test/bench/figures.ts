import type { Cell } from './load.js';

/** One measurement and where it belongs. */
export interface Measurement extends Cell {
  readonly round: number;
  readonly system: string;
  readonly callers: number;
}

/** Of several rounds: the one in the middle, and how far they lie apart. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

type Figure = keyof Cell;

/** What the project promises of its Raft, as ratios within one round: the machine is the same for both. */
export interface Goal {
  readonly words: string;
  readonly figure: Figure;
  readonly callers: number;
  readonly against: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

export const GOALS: readonly Goal[] = [
  { words: "p50 at 1 caller at most 2 x the floor's", figure: 'p50Ms', callers: 1, against: 'floor', atMost: 2 },
  { words: "commits/s at 256 callers at least 10 x etcd's", figure: 'commitsPerSecond', callers: 256, against: 'etcd', atLeast: 10 },
  { words: "commits/s at 256 callers at least 1/3 of the floor's", figure: 'commitsPerSecond', callers: 256, against: 'floor', atLeast: 1 / 3 },
];

/** Undefined of none. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const sorted = values.toSorted((one, other) => one - other);
  const [min] = sorted;
  const max = sorted.at(-1);
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  const upper = sorted[Math.ceil((sorted.length - 1) / 2)];
  if (min === undefined || max === undefined || lower === undefined || upper === undefined) return undefined;
  return { median: (lower + upper) / 2, min, max };
}

/** Ours divided by the other's, round by round. Undefined when one of them was not measured. */
export function ratioOf(
  all: readonly Measurement[],
  what: { readonly figure: Figure; readonly callers: number; readonly against: string },
): Spread | undefined {
  const { figure, callers, against } = what;
  const find = (system: string, round: number): Measurement | undefined =>
    all.find((one) => one.system === system && one.round === round && one.callers === callers);
  const rounds = [...new Set(all.map(({ round }) => round))];
  return spreadOf(
    rounds.flatMap((round) => {
      const ours = find('ours', round);
      const other = find(against, round);
      return ours === undefined || other === undefined ? [] : [ours[figure] / other[figure]];
    }),
  );
}

/** By the median. Undefined: there is nothing to judge by. */
export function isReached(goal: Goal, ratio: Spread | undefined): boolean | undefined {
  return ratio === undefined ? undefined : ratio.median >= (goal.atLeast ?? -Infinity) && ratio.median <= (goal.atMost ?? Infinity);
}
