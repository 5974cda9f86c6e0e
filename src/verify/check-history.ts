import { ADVANCE, type Answers, answersOf, Columns, EXACT, firstOf, highestBefore, keyOf } from './answers.js';
import type { Operation } from './operation.js';
import { orderOf } from './order.js';
import type { Violation } from './violation.js';

export { showViolations, type Violation } from './violation.js';

/**
 * Is a recorded history one that a correct sequence service can give? Exact, in O(n log n), each uid by itself
 * (linearizability is local: Herlihy & Wing). Gaps are allowed.
 *
 * The service, per uid: c, the largest number so far (0 at first), and h, where the counter is known to stand (0 at first).
 *   next(n) -> [first, last]      legal if first > c and last = first + n - 1; then c := h := last
 *   current -> seq, exact: false  legal if seq >= c; then c := seq (a takeover lifts the counter: nothing later is at or below)
 *   current -> seq, exact: true   legal if seq = c = h
 *   advance(to) -> seq            legal if seq >= to and seq >= c; then h := to if seq = to > c, and c := seq (above `to`: it stood there)
 *
 * THEOREM. Give every answered operation a key: a range of numbers its last, a value (of `current` and `advance`) itself. Let m(o) be the
 * largest key among operations that returned strictly before o was invoked (0 if none). Operations of unknown outcome have no key. The
 * history is linearizable if and only if
 *   (a) the ranges are disjoint, and no value v lies within a range short of its end (first <= v < last);
 *   (b) every range has first > m(o), every value has v >= m(o), that of advance(to) v >= to;
 *   (c) every exact value v > 0 is the last number of a range, or is what an advance(v) with m < v lifted to (it answered v, or its outcome is unknown), or
 *       can be given a `next` of unknown outcome of its own (equal values share one) with m < v and count <= v - p(v), where p(v) is the
 *       largest key below v (0 if none).
 * Proof. (=>) Keys never fall along a legal sequence and rise at every next, so the place of any two operations with different
 * keys, and of a range before its own end as a value, is forced. (a) is legality there; what returned before o was invoked
 * comes before o, hence (b). An exact v is h, so some next ended at v or some advance(v) lifted to it, from below. If no answered next did, then either
 * an advance, or an unknown next, all of whose numbers lie above p(v); and no two values share that. None of them was invoked after a key of v or more
 * had returned, or it would have found c >= v: hence (c). (<=) Sort by key; among equal keys first the range, or else whatever (c) found for v, then values by
 * invocation. Drop the other unknowns (deleting one leaves every sequence legal, for it only raises c). The order is legal by (a) and (c), and by (b) it never turns round what real time
 * ordered: an answered advance(v) that (c) chose has m < v, so no other value v returned before it was invoked, and an unknown never returned, so it orders nothing
 * after it. QED.
 * (c) is matched greedily: values ascending, each takes the largest unknown `next` that fits. One with m < v also fits by m
 * for every later value, so a smaller one is never the better choice to keep back for v.
 */
export function checkHistory(operations: readonly Operation[]): CheckResult {
  const violations: Violation[] = [];
  const reportOf =
    (uid: bigint): Report =>
    (kind, pair, why) =>
      void violations.push({ kind, uid, ...pair, why });
  const columns = new Columns(operations);
  const counts = { answered: 0, unknown: 0 };
  for (const group of byUid(columns, counts, reportOf).values()) {
    const report = reportOf(group.uid);
    const answers = answersOf(columns, group);
    checkUniqueness(answers, report);
    checkRealTime(answers, report);
    checkWithin(answers, report);
    checkExact(answers, group.unknowns, report);
  }
  return { isValid: violations.length === 0, violations, answeredCount: counts.answered, unknownCount: counts.unknown };
}

export interface CheckResult {
  readonly isValid: boolean;
  readonly violations: readonly Violation[];
  readonly answeredCount: number;
  readonly unknownCount: number;
}

type Pair = Pick<Violation, 'earlier' | 'operation'>;
type Report = (kind: Violation['kind'], pair: Pair, why: string) => void;

/** Of one uid. Answered operations are given by where they are in the columns; one whose numbers cannot be compared is left out. */
interface Group {
  readonly uid: bigint;
  readonly ranges: number[];
  readonly values: number[];
  /** What may have happened: a `current` that may have happened says nothing. */
  readonly unknowns: Operation[];
}

/** The one walk over all operations: counts them, fills the columns and checks what can be said of an answer alone. */
function byUid(columns: Columns, counts: { answered: number; unknown: number }, reportOf: (uid: bigint) => Report): ReadonlyMap<bigint, Group> {
  const groups = new Map<bigint, Group>();
  let group: Group | undefined;
  for (const [index, operation] of columns.operations.entries()) {
    const { uid, outcome, call } = operation;
    if (group?.uid !== uid) group = groups.get(uid);
    if (group === undefined) {
      group = { uid, ranges: [], values: [], unknowns: [] };
      groups.set(uid, group);
    }
    if (outcome.type === 'unknown' && call !== 'current') {
      counts.unknown += 1;
      group.unknowns.push(operation);
    }
    if (outcome.type !== 'numbers' && outcome.type !== 'value') continue;
    counts.answered += 1;
    const wrong = outcome.type === 'numbers' ? wrongRange(operation) : wrongValue(operation);
    if (wrong !== undefined) reportOf(uid)('shape', { earlier: undefined, operation }, wrong);
    if (wrong !== undefined && !isComparable(operation)) continue;
    columns.set(index, operation);
    (outcome.type === 'numbers' ? group.ranges : group.values).push(index);
  }
  return groups;
}

const SEQ_MAX = 2n ** 63n - 1n;

function wrongRange(operation: Operation): string | undefined {
  const [first, last] = [firstOf(operation), keyOf(operation)];
  if (first >= 1n && last <= SEQ_MAX && last - first === BigInt(operation.count - 1)) return undefined;
  return `${first}..${last} is not ${operation.count} numbers in [1, 2^63-1]`;
}

function wrongValue(operation: Operation): string | undefined {
  const { call, to } = operation;
  const value = keyOf(operation);
  if (value < 0n || value > SEQ_MAX) return `${value} is not in [0, 2^63-1]`;
  return call === 'advance' && to !== undefined && value < to ? `advance to ${to} left the counter at ${value}` : undefined;
}

function isComparable(operation: Operation): boolean {
  const [first, key] = [firstOf(operation), keyOf(operation)];
  return first >= 0n && first <= key && key <= SEQ_MAX;
}

/** The ranges are disjoint. No clock takes part in this: whatever the times were, no number comes twice. */
function checkUniqueness({ operationAt, rangeCount, firsts, keys }: Answers, report: Report): void {
  let highest = -1;
  for (const place of orderOf(new Float64Array(firsts.subarray(0, rangeCount)))) {
    if (highest !== -1 && at(firsts, place) <= at(keys, highest)) {
      const operation = operationAt(place);
      report('uniqueness', { earlier: operationAt(highest), operation }, `${firstOf(operation)} was handed out twice`);
    }
    if (highest === -1 || at(keys, place) > at(keys, highest)) highest = place;
  }
}

/** (b): what has returned before each invocation. */
function checkRealTime(answers: Answers, report: Report): void {
  const { operationAt, rangeCount, firsts, keys, invoked } = answers;
  const before = highestBefore(answers, invoked);
  for (const place of orderOf(invoked)) {
    const earlierPlace = at(before, place);
    if (earlierPlace === -1 || at(firsts, place) > at(keys, earlierPlace)) continue;
    const pair = { earlier: operationAt(earlierPlace), operation: operationAt(place) };
    const told = `${keyOf(pair.earlier)} had been ${earlierPlace < rangeCount ? 'returned' : 'told as current'}`;
    if (place < rangeCount) report('order', pair, `${firstOf(pair.operation)} was handed out after ${told}`);
    else if (at(keys, place) < at(keys, earlierPlace)) report('current', pair, `${pair.operation.call} said ${keyOf(pair.operation)} after ${told}`);
  }
}

/** The rest of (a): no value within a range. */
function checkWithin({ operationAt, count, rangeCount, firsts, keys, rankCount }: Answers, report: Report): void {
  // By rank: the range that reaches highest among those that begin at or below it; 0: none, else 1 + its place.
  const reaching = new Uint32Array(rankCount);
  for (let place = 0; place < rangeCount; place += 1) {
    const known = at(reaching, at(firsts, place));
    if (known === 0 || at(keys, place) > at(keys, known - 1)) reaching[at(firsts, place)] = place + 1;
  }
  for (let rank = 1; rank < rankCount; rank += 1) {
    const [below, here] = [at(reaching, rank - 1), at(reaching, rank)];
    if (below !== 0 && (here === 0 || at(keys, below - 1) > at(keys, here - 1))) reaching[rank] = below;
  }
  for (let place = rangeCount; place < count; place += 1) {
    const around = at(reaching, at(keys, place)) - 1;
    if (around === -1 || at(keys, around) <= at(keys, place)) continue;
    const pair = { earlier: operationAt(around), operation: operationAt(place) };
    const range = `${firstOf(pair.earlier)}..${keyOf(pair.earlier)}`;
    report('current', pair, `${pair.operation.call} said ${keyOf(pair.operation)}, within the range ${range}`);
  }
}

/** (c): exact values that no answered `next` ends at were lifted to by an advance, or need an unknown `next` each. */
function checkExact(answers: Answers, unknowns: readonly Operation[], report: Report): void {
  const { operationAt, count, rangeCount, keys, marks } = answers;
  // By rank: the place of an answer with that key, a range if there is one; -1: it is no key.
  const placeOf = new Int32Array(answers.rankCount).fill(-1);
  for (let place = count - 1; place >= 0; place -= 1) placeOf[at(keys, place)] = place;
  const open: number[] = [];
  for (let place = rangeCount; place < count; place += 1) {
    if (at(marks, place) === EXACT && at(placeOf, at(keys, place)) >= rangeCount && keyOf(operationAt(place)) > 0n) open.push(place);
  }
  if (open.length === 0) return;
  open.sort((one, other) => at(keys, one) - at(keys, other));
  const lifted = liftedTo(answers, unknowns);
  const nexts = new UnknownNexts(
    answers,
    unknowns.filter(({ call }) => call === 'next'),
  );
  let explained = -1;
  for (const place of open) {
    const rank = at(keys, place);
    const value = keyOf(operationAt(place));
    if (rank === explained || lifted.has(value)) continue;
    let belowRank = rank - 1;
    while (belowRank >= 0 && at(placeOf, belowRank) === -1) belowRank -= 1;
    const below = belowRank === -1 ? 0n : keyOf(operationAt(at(placeOf, belowRank)));
    if (nexts.take({ value, below })) explained = rank;
    else report('current', { earlier: undefined, operation: operationAt(place) }, `current was exactly ${value}, where no next can have ended`);
  }
}

/** What advances may have lifted to: none had found the counter there already. */
function liftedTo(answers: Answers, unknowns: readonly Operation[]): ReadonlySet<bigint> {
  const { count, rangeCount, marks, operationAt } = answers;
  const answered: Operation[] = [];
  for (let place = rangeCount; place < count; place += 1) if (at(marks, place) === ADVANCE) answered.push(operationAt(place));
  const lifting = answered.filter((operation) => keyOf(operation) === operation.to);
  const advances = [...lifting, ...unknowns.filter(({ call }) => call === 'advance')];
  const before = highestKeyBefore(answers, advances);
  return new Set(advances.flatMap(({ to = 0n }, index) => (at(before, index) < to ? [to] : [])));
}

/** The unknown `next`s that no value has taken yet. */
class UnknownNexts {
  /** By the highest key before them, lowest first: each may explain any value above that. */
  readonly #arriving: readonly { readonly count: bigint; readonly highest: bigint }[];
  #arrived = 0;
  /** How many numbers those took that have arrived, in ascending order. */
  readonly #counts: bigint[] = [];

  constructor(answers: Answers, unknowns: readonly Operation[]) {
    const before = highestKeyBefore(answers, unknowns);
    this.#arriving = unknowns
      .map((unknown, index) => ({ count: BigInt(unknown.count), highest: at(before, index) }))
      .sort((one, other) => compare(one.highest, other.highest));
  }

  /** Takes the largest that can have ended at `value` with all its numbers above `below`. Values must come in ascending order. */
  take({ value, below }: { readonly value: bigint; readonly below: bigint }): boolean {
    for (let next = this.#arriving[this.#arrived]; next !== undefined && next.highest < value; next = this.#arriving[++this.#arrived]) {
      const { count } = next;
      this.#counts.splice(
        countUpTo(this.#counts, (other) => other <= count),
        0,
        count,
      );
    }
    const fitting = countUpTo(this.#counts, (count) => count <= value - below);
    if (fitting === 0) return false;
    this.#counts.splice(fitting - 1, 1);
    return true;
  }
}

/** m of each operation. */
function highestKeyBefore(answers: Answers, operations: readonly Operation[]): bigint[] {
  const places = highestBefore(
    answers,
    Float64Array.from(operations, ({ invokedNs }) => invokedNs),
  );
  return Array.from(places, (place) => (place === -1 ? 0n : keyOf(answers.operationAt(place))));
}

/** How many items from the start satisfy `holds`, which holds for a beginning of the sorted list and for nothing after it. */
function countUpTo<Item>(sorted: readonly Item[], holds: (item: Item) => boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(at(sorted, middle))) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compare(one: bigint, other: bigint): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** For places that are known to be there. */
function at<Item>(list: ArrayLike<Item>, place: number): Item {
  return list[place] as Item;
}
