import type { Operation } from './operation.js';
import { orderOf, ranksOf } from './order.js';

/**
 * The answered operations of one uid as columns, each operation by its place in `operations`: ranges come first, then values. Numbers
 * are given as ranks among all numbers that occur, which compare as the numbers do and are small.
 */
export interface Answers {
  readonly operations: readonly Operation[];
  /** Places below it are ranges, [first, key]. From it on they are values, first = key. */
  readonly rangeCount: number;
  readonly firsts: Uint32Array;
  readonly keys: Uint32Array;
  readonly rankCount: number;
  readonly invoked: Float64Array;
  readonly returned: Float64Array;
  /** Places in the order of return. */
  readonly byReturn: Uint32Array;
}

export function answersOf({ ranges, values }: { readonly ranges: readonly Operation[]; readonly values: readonly Operation[] }): Answers {
  const operations = ranges.concat(values);
  const { length } = operations;
  const numbers = new BigInt64Array(length * 2);
  const invoked = new Float64Array(length);
  const returned = new Float64Array(length);
  // One walk over the objects: with a million of them it is memory that takes the time.
  for (let place = 0; place < length; place += 1) {
    const operation = operations[place] as Operation;
    numbers[place] = firstOf(operation);
    numbers[length + place] = keyOf(operation);
    invoked[place] = operation.invokedNs;
    returned[place] = operation.returnedNs;
  }
  const { ranks, rankCount } = ranksOf(numbers);
  const columns = { firsts: ranks.subarray(0, length), keys: ranks.subarray(length), invoked, returned };
  return { operations, rangeCount: ranges.length, rankCount, byReturn: orderOf(returned), ...columns };
}

/** The first number of an answer; of a value, itself. */
export function firstOf(operation: Operation): bigint {
  const { outcome } = operation;
  return outcome.type === 'numbers' ? outcome.first : keyOf(operation);
}

/** The last number of an answer; of a value, itself. */
export function keyOf({ outcome }: Operation): bigint {
  if (outcome.type === 'numbers') return outcome.last;
  return outcome.type === 'value' ? outcome.seq : 0n;
}

/**
 * For each moment the place of the answer with the highest key that had returned strictly before it; -1: none had. A sweep through time.
 */
export function highestBefore(answers: Answers, moments: Float64Array): Int32Array {
  const { keys, returned, byReturn } = answers;
  const found = new Int32Array(moments.length);
  let next = 0;
  let highest = -1;
  for (const at of orderOf(moments)) {
    const moment = moments[at] as number;
    for (; next < byReturn.length; next += 1) {
      const place = byReturn[next] as number;
      if ((returned[place] as number) >= moment) break;
      if (highest === -1 || (keys[place] as number) > (keys[highest] as number)) highest = place;
    }
    found[at] = highest;
  }
  return found;
}
