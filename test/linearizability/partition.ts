import type { Call, Model, State } from './model.js';
import { DEFAULT_LIMITS, type Limits, search, type Verdict } from './search.js';

/** The verdict of a whole history, and the part that gave it: the first illegal one, else the first that ran out of its limits. */
export interface WholeVerdict {
  readonly type: Verdict['type'];
  readonly steps: number;
  /** Undefined when all is well. */
  readonly part: { readonly key: string; readonly calls: readonly Call<unknown, unknown>[]; readonly verdict: Verdict } | undefined;
}

/** Steps that each part may take in the first round, and how many times more it may in each that follows. */
const FIRST_STEPS = 20_000;
const MORE_STEPS = 4;

/**
 * Checks each object by itself: a history is linearizable exactly when those of its objects are (linearizability is local: Herlihy & Wing,
 * theorem 1), and the cost falls from the product of the parts to their sum. The limits are for each part. In rounds, the hard parts
 * later with more steps: one part that is soon found illegal decides, however hard the others are. The rounds cost a third more at most.
 */
export function searchEach<S extends State, Input, Output>(
  modelOf: (key: string) => Model<S, Input, Output>,
  calls: readonly Call<Input, Output>[],
  options: { readonly keyOf: (input: Input) => string; readonly limits?: Limits },
): WholeVerdict {
  const limits = options.limits ?? DEFAULT_LIMITS;
  let left = partsOf(calls, options.keyOf);
  let steps = 0;
  let unknown: WholeVerdict['part'];
  for (let stepsMax = Math.min(FIRST_STEPS, limits.stepsMax); left.length > 0; stepsMax = Math.min(stepsMax * MORE_STEPS, limits.stepsMax)) {
    const hard: typeof left = [];
    for (const part of left) {
      const verdict = search(modelOf(part.key), part.calls, { ...limits, stepsMax });
      steps += verdict.steps;
      if (verdict.type === 'illegal') return { type: 'illegal', steps, part: { ...part, verdict } };
      if (verdict.type === 'unknown' && verdict.limit === 'steps' && stepsMax < limits.stepsMax) hard.push(part);
      else if (verdict.type === 'unknown') unknown ??= { ...part, verdict };
    }
    left = hard;
  }
  return { type: unknown === undefined ? 'ok' : 'unknown', steps, part: unknown };
}

function partsOf<Input, Output>(calls: readonly Call<Input, Output>[], keyOf: (input: Input) => string) {
  const parts = new Map<string, Call<Input, Output>[]>();
  for (const call of calls) {
    const key = keyOf(call.input);
    const part = parts.get(key);
    if (part === undefined) parts.set(key, [call]);
    else part.push(call);
  }
  return [...parts].map(([key, part]) => ({ key, calls: part }));
}
