import type { Operation } from './operation.js';
import { orderOf, ranksOf } from './order.js';

/** An exact `current`. */
export const EXACT = 1;
/** What an advance answered; its `exact` says nothing. */
export const ADVANCE = 2;

/**
 * A whole history as columns, filled in one walk over its operations: with a million of them it is memory that takes the time, and who
 * walks uid by uid waits for each object.
 */
export class Columns {
  readonly operations: readonly Operation[];
  readonly firsts: BigInt64Array;
  readonly keys: BigInt64Array;
  readonly invoked: Float64Array;
  readonly returned: Float64Array;
  /** What a value is: EXACT, ADVANCE, or 0 for any other answer. */
  readonly marks: Uint8Array;

  constructor(operations: readonly Operation[]) {
    const { length } = operations;
    this.operations = operations;
    this.firsts = new BigInt64Array(length);
    this.keys = new BigInt64Array(length);
    this.invoked = new Float64Array(length);
    this.returned = new Float64Array(length);
    this.marks = new Uint8Array(length);
  }

  /** Call it for each answered operation whose numbers fit into 63 bits. */
  set(index: number, operation: Operation): void {
    const { outcome } = operation;
    this.firsts[index] = firstOf(operation);
    this.keys[index] = keyOf(operation);
    this.invoked[index] = operation.invokedNs;
    this.returned[index] = operation.returnedNs;
    this.marks[index] = operation.call === 'advance' ? ADVANCE : outcome.type === 'value' && outcome.exact ? EXACT : 0;
  }
}

/**
 * The answered operations of one uid, each by its place: ranges come first, then values. Numbers are given as ranks among all numbers
 * that occur, which compare as the numbers do and are small.
 */
export interface Answers {
  readonly count: number;
  /** Places below it are ranges, [first, key]. From it on they are values, first = key. */
  readonly rangeCount: number;
  readonly firsts: Uint32Array;
  readonly keys: Uint32Array;
  readonly rankCount: number;
  readonly marks: Uint8Array;
  readonly invoked: Float64Array;
  readonly returned: Float64Array;
  /** Places in the order of return. */
  readonly byReturn: Uint32Array;
  readonly operationAt: (place: number) => Operation;
}

/** `ranges` and `values`: where in the columns the operations of the uid are. */
export function answersOf(columns: Columns, { ranges, values }: { readonly ranges: readonly number[]; readonly values: readonly number[] }): Answers {
  const indices = ranges.concat(values);
  const count = indices.length;
  const numbers = new BigInt64Array(count * 2);
  const invoked = new Float64Array(count);
  const returned = new Float64Array(count);
  const marks = new Uint8Array(count);
  for (let place = 0; place < count; place += 1) {
    const index = indices[place] as number;
    numbers[place] = columns.firsts[index] as bigint;
    numbers[count + place] = columns.keys[index] as bigint;
    invoked[place] = columns.invoked[index] as number;
    returned[place] = columns.returned[index] as number;
    marks[place] = columns.marks[index] as number;
  }
  const { ranks, rankCount } = ranksOf(numbers);
  const operationAt = (place: number): Operation => columns.operations[indices[place] as number] as Operation;
  const byPlace = { firsts: ranks.subarray(0, count), keys: ranks.subarray(count), marks, invoked, returned, operationAt };
  return { count, rangeCount: ranges.length, rankCount, byReturn: orderOf(returned), ...byPlace };
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
