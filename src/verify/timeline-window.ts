import type { Fault, Operation } from './operation.js';
import type { Violation } from './violation.js';

/** Operations drawn around a violation at most: a page that a browser scrolls easily. */
export const OPERATIONS_MAX = 400;
const FAULTS_MAX = 50;

/** One operation as a bar. Columns are counted from 0; the bar takes [from, to]. */
export interface Bar {
  readonly operation: Operation;
  readonly lane: number;
  readonly from: number;
  readonly to: number;
  readonly role: 'operation' | 'earlier' | undefined;
}

export interface Band {
  readonly fault: Fault;
  readonly from: number;
  readonly to: number;
}

/**
 * What is drawn of a violation: the operations of its uid around its pair. A column is one moment at which something began or ended, in order and not to
 * scale, so that what overlaps is seen however short it was.
 */
export interface TimelineWindow {
  readonly bars: readonly Bar[];
  readonly bands: readonly Band[];
  /** The time of each column, in ns. */
  readonly columns: readonly number[];
  /** The client of each lane; calls of one client that overlap have a lane each. */
  readonly lanes: readonly string[];
  /** Operations of the uid that are not drawn. */
  readonly leftOutCount: number;
}

export function windowOf(violation: Violation, operations: readonly Operation[], faults: readonly Fault[]): TimelineWindow {
  const ofUid = operations.filter(({ uid }) => uid === violation.uid);
  const drawn = nearest(ofUid, violation);
  const columns = [...new Set(drawn.flatMap(({ invokedNs, returnedNs }) => [invokedNs, returnedNs]))].sort((one, other) => one - other);
  const columnOf = new Map(columns.map((time, column) => [time, column]));
  const lanes: string[] = [];
  const freeFrom: number[] = [];
  const bars = drawn.map((operation): Bar => {
    const [from, to] = [columnOf.get(operation.invokedNs) ?? 0, columnOf.get(operation.returnedNs) ?? 0];
    let lane = lanes.findIndex((client, at) => client === operation.client && (freeFrom[at] ?? 0) <= from);
    if (lane === -1) lane = lanes.push(operation.client) - 1;
    freeFrom[lane] = Math.max(to, from + 1);
    return { operation, lane, from, to, role: roleOf(operation, violation) };
  });
  return { ...sortedLanes(bars, lanes), bands: bandsOf(faults, columns), columns, leftOutCount: ofUid.length - drawn.length };
}

function roleOf(operation: Operation, violation: Violation): Bar['role'] {
  if (operation === violation.operation) return 'operation';
  return operation === violation.earlier ? 'earlier' : undefined;
}

/** The pair, and of the others those invoked nearest to either of them; by invocation. */
function nearest(ofUid: readonly Operation[], { operation, earlier }: Violation): readonly Operation[] {
  const centres = [operation, ...(earlier === undefined ? [] : [earlier])];
  const distance = ({ invokedNs, returnedNs }: Operation): number =>
    Math.min(...centres.map((centre) => Math.max(0, invokedNs - centre.returnedNs, centre.invokedNs - returnedNs)));
  const others = ofUid.filter((one) => !centres.includes(one)).map((one) => ({ one, away: distance(one) }));
  others.sort((one, other) => one.away - other.away);
  const chosen = [...centres, ...others.slice(0, OPERATIONS_MAX - centres.length).map(({ one }) => one)];
  return chosen.sort((one, other) => one.invokedNs - other.invokedNs);
}

/** Lanes of one client side by side, clients by name. */
function sortedLanes(bars: readonly Bar[], lanes: readonly string[]): Pick<TimelineWindow, 'bars' | 'lanes'> {
  const order = [...lanes.keys()].sort((one, other) => (lanes[one] ?? '').localeCompare(lanes[other] ?? '', 'en', { numeric: true }) || one - other);
  const placeOf = new Map(order.map((lane, place) => [lane, place]));
  return { bars: bars.map((bar) => ({ ...bar, lane: placeOf.get(bar.lane) ?? 0 })), lanes: order.map((lane) => lanes[lane] ?? '') };
}

function bandsOf(faults: readonly Fault[], columns: readonly number[]): readonly Band[] {
  const [start = 0, end = 0] = [columns[0], columns.at(-1)];
  return faults
    .filter(({ fromNs, toNs }) => fromNs <= end && (toNs ?? fromNs) >= start)
    .slice(0, FAULTS_MAX)
    .map((fault) => {
      const from = Math.max(
        0,
        columns.findLastIndex((time) => time <= fault.fromNs),
      );
      const to = columns.findIndex((time) => time >= (fault.toNs ?? fault.fromNs));
      return { fault, from, to: to === -1 ? columns.length - 1 : Math.max(from, to) };
    });
}
