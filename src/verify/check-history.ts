import { type Operation, operationToLine } from './operation.js';

/**
 * Is a recorded history one that a correct sequence service can give? Exact, in O(n log n), each uid by itself
 * (linearizability is local: Herlihy & Wing). Gaps are allowed.
 *
 * The service, per uid: c, the largest number so far (0 at first), and h, the number handed out last (0 at first).
 *   next(n) -> [first, last]      legal if first > c and last = first + n - 1; then c := h := last
 *   current -> seq, exact: false  legal if seq >= c; then c := seq (a takeover lifts the counter: nothing later is at or below)
 *   current -> seq, exact: true   legal if seq = c = h
 *
 * THEOREM. Give every answered operation a key: a range of numbers its last, a value itself. Let m(o) be the largest key among
 * operations that returned strictly before o was invoked (0 if none). Let every next of unknown outcome have no key. The
 * history is linearizable if and only if
 *   (a) the ranges are disjoint, and no value v lies within a range short of its end (first <= v < last);
 *   (b) every range has first > m(o), every value has v >= m(o);
 *   (c) every exact value v > 0 is the last number of a range, or can be given a `next` of unknown outcome of its own (equal
 *       values share one) with m < v and count <= v - p(v), where p(v) is the largest key below v (0 if none).
 * Proof. (=>) Keys never fall along a legal sequence and rise at every next, so the place of any two operations with different
 * keys, and of a range before its own end as a value, is forced. (a) is legality there; what returned before o was invoked
 * comes before o, hence (b). An exact v is h, so some next ended at v: if no answered one, an unknown one, all of whose numbers lie above
 * p(v); and no two values share it. It was not invoked after a key of v or more had returned, hence (c). (<=) Sort by key, a range
 * before its end as a value, values by invocation; put the unknowns that (c) chose where they end, drop the others (deleting a next leaves
 * every sequence legal). The order is legal by (a) and (c), and by (b) it never turns round what real time ordered. An unknown
 * never returned, so it orders nothing after it. QED.
 * (c) is matched greedily: values ascending, each takes the largest unknown that fits. An unknown with m < v also fits by m
 * for every later value, so a smaller one is never the better choice to keep back for v.
 */
export function checkHistory(operations: readonly Operation[]): CheckResult {
  const violations: Violation[] = [];
  let answeredCount = 0;
  let unknownCount = 0;
  for (const group of byUid(operations).values()) {
    answeredCount += group.ranges.length + group.values.length;
    unknownCount += group.unknowns.length;
    checkShape(group, violations);
    checkUniqueness(group, violations);
    checkRealTime(group, violations);
    checkValues(group, violations);
  }
  return { isValid: violations.length === 0, violations, answeredCount, unknownCount };
}

export interface CheckResult {
  readonly isValid: boolean;
  readonly violations: readonly Violation[];
  readonly answeredCount: number;
  readonly unknownCount: number;
}

/**
 * `shape`: an answer that is none, whatever the others are. `uniqueness`: a number was handed out twice. `order`: a number that is not
 * above one returned before. `current`: a value that no moment of the counter explains.
 */
export interface Violation {
  readonly kind: 'shape' | 'uniqueness' | 'order' | 'current';
  readonly uid: bigint;
  /** What contradicts `operation`, when one other does. */
  readonly earlier: Operation | undefined;
  readonly operation: Operation;
  readonly why: string;
}

/** For people: a line for each violation, its two operations below it, at most `limit` of them. */
export function showViolations(violations: readonly Violation[], limit = 10): string {
  const shown = violations.slice(0, limit).map(({ kind, uid, earlier, operation, why }) => {
    const lines = [earlier, operation].flatMap((one) => (one === undefined ? [] : [`    ${operationToLine(one)}`]));
    return [`${kind}: uid ${uid}: ${why}`, ...lines].join('\n');
  });
  return [...shown, ...(violations.length > limit ? [`and ${violations.length - limit} more`] : [])].join('\n');
}

/** An operation with its numbers at hand. `first` is undefined for a value. */
interface Keyed {
  readonly operation: Operation;
  readonly first: bigint;
  readonly key: bigint;
}

interface Group {
  readonly uid: bigint;
  readonly ranges: Keyed[];
  readonly values: Keyed[];
  readonly unknowns: Operation[];
}

function byUid(operations: readonly Operation[]): ReadonlyMap<bigint, Group> {
  const groups = new Map<bigint, Group>();
  for (const operation of operations) {
    const group = groups.get(operation.uid) ?? { uid: operation.uid, ranges: [], values: [], unknowns: [] };
    groups.set(operation.uid, group);
    const { outcome } = operation;
    if (outcome.type === 'numbers') group.ranges.push({ operation, first: outcome.first, key: outcome.last });
    else if (outcome.type === 'value') group.values.push({ operation, first: outcome.seq, key: outcome.seq });
    else if (outcome.type === 'unknown' && operation.call === 'next') group.unknowns.push(operation);
  }
  return groups;
}

const SEQ_MAX = 2n ** 63n - 1n;

function checkShape({ uid, ranges, values }: Group, violations: Violation[]): void {
  for (const { operation, first, key } of ranges) {
    const isWhole = first >= 1n && key <= SEQ_MAX && key - first + 1n === BigInt(operation.count);
    if (!isWhole) report(violations, 'shape', uid, undefined, operation, `${first}..${key} is not ${operation.count} numbers in [1, 2^63-1]`);
  }
  for (const { operation, key } of values) {
    if (key < 0n || key > SEQ_MAX) report(violations, 'shape', uid, undefined, operation, `${key} is not in [0, 2^63-1]`);
  }
}

/** No clock takes part in this: whatever the times were, no number comes twice. */
function checkUniqueness({ uid, ranges }: Group, violations: Violation[]): void {
  ranges.sort((one, other) => compare(one.first, other.first));
  let highest: Keyed | undefined;
  for (const range of ranges) {
    if (highest !== undefined && range.first <= highest.key) {
      report(violations, 'uniqueness', uid, highest.operation, range.operation, `${range.first} was handed out twice`);
    }
    if (highest === undefined || range.key > highest.key) highest = range;
  }
}

/** (b), by a sweep through time: what has returned before each invocation. */
function checkRealTime({ uid, ranges, values }: Group, violations: Violation[]): void {
  const isValue = new Set(values);
  for (const { item, before } of withHighestBefore([...ranges, ...values], [...ranges, ...values], ({ operation }) => operation)) {
    if (before === undefined) continue;
    const told = isValue.has(before) ? 'told as current' : 'returned';
    if (!isValue.has(item) && item.first <= before.key) {
      report(violations, 'order', uid, before.operation, item.operation, `${item.first} was handed out after ${before.key} had been ${told}`);
    } else if (item.key < before.key) {
      report(violations, 'current', uid, before.operation, item.operation, `current was ${item.key} after ${before.key} had been ${told}`);
    }
  }
}

/** The rest of (a), and (c). `ranges` is sorted by first. */
function checkValues({ uid, ranges, values, unknowns }: Group, violations: Violation[]): void {
  const highestUpTo: Keyed[] = [];
  for (const range of ranges) {
    const highest = highestUpTo.at(-1);
    highestUpTo.push(highest === undefined || range.key > highest.key ? range : highest);
  }
  for (const { operation, key } of values) {
    const around = highestUpTo[countUpTo(ranges, ({ first }) => first <= key) - 1];
    if (around !== undefined && around.key > key) {
      report(violations, 'current', uid, around.operation, operation, `current was ${key}, within the range ${around.first}..${around.key}`);
    }
  }
  explainExact({ uid, ranges, values, unknowns }, violations);
}

/** (c): exact values that no answered `next` ends at need an unknown one each. */
function explainExact({ uid, ranges, values, unknowns }: Group, violations: Violation[]): void {
  const ends = new Set(ranges.map(({ key }) => key));
  const keys = [0n, ...new Set([...ranges, ...values].map(({ key }) => key))].sort(compare);
  const arriving = withHighestBefore(unknowns, [...ranges, ...values], (unknown) => unknown)
    .map(({ item, before }) => ({ count: BigInt(item.count), highestBefore: before?.key ?? 0n }))
    .sort((one, other) => compare(one.highestBefore, other.highestBefore));
  const counts: bigint[] = [];
  let arrived = 0;
  let explained = 0n;
  for (const { operation, key } of values.filter(isExact).sort((one, other) => compare(one.key, other.key))) {
    if (key <= 0n || key === explained || ends.has(key)) continue;
    for (let next = arriving[arrived]; next !== undefined && next.highestBefore < key; next = arriving[++arrived]) {
      counts.splice(
        countUpTo(counts, (count) => count <= next.count),
        0,
        next.count,
      );
    }
    const below = keys[countUpTo(keys, (one) => one < key) - 1] ?? 0n;
    const fitting = countUpTo(counts, (count) => count <= key - below);
    if (fitting === 0) {
      report(violations, 'current', uid, undefined, operation, `current was exactly ${key}, where no next can have ended`);
      continue;
    }
    counts.splice(fitting - 1, 1);
    explained = key;
  }
}

function isExact({ operation: { outcome } }: Keyed): boolean {
  return outcome.type === 'value' && outcome.exact;
}

/** Each item with the highest key that had returned strictly before it was invoked. */
function withHighestBefore<Item>(items: readonly Item[], answered: readonly Keyed[], operationOf: (item: Item) => Operation) {
  const byReturn = [...answered].sort((one, other) => one.operation.returnedNs - other.operation.returnedNs);
  const byInvocation = [...items].sort((one, other) => operationOf(one).invokedNs - operationOf(other).invokedNs);
  let returned = 0;
  let highest: Keyed | undefined;
  return byInvocation.map((item) => {
    const { invokedNs } = operationOf(item);
    for (let next = byReturn[returned]; next !== undefined && next.operation.returnedNs < invokedNs; next = byReturn[++returned]) {
      if (highest === undefined || next.key > highest.key) highest = next;
    }
    return { item, before: highest };
  });
}

/** How many items from the start satisfy `holds`, which holds for a beginning of the sorted list and for nothing after it. */
function countUpTo<Item>(sorted: readonly Item[], holds: (item: Item) => boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(sorted[middle] as Item)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compare(one: bigint, other: bigint): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function report(
  violations: Violation[],
  kind: Violation['kind'],
  uid: bigint,
  earlier: Operation | undefined,
  operation: Operation,
  why: string,
): void {
  violations.push({ kind, uid, earlier, operation, why });
}
