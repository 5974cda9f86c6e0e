import type { Instant } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { type Grid, gridOf, locate, offsetIn } from '../model/geometry.js';
import { parseCount, parseFloor, parseUid, type SectionId, type Slot } from '../model/ids.js';
import type { Column } from '../rpc/columns.js';
import { RANGE_COUNT_MAX } from '../rpc/limits.js';
import type { OpsFrame } from '../rpc/ops-codec.js';
import type { AllocNode, Ask, Confirmed, Taken } from './node.js';
import { ReplyDraft } from './reply-draft.js';

const TWO_32 = 2 ** 32;
/** Below every counter: no floor was given. */
const NO_FLOOR = -1;

/** Operations of frames that may wait in this AllocSvr at the same time; more are told to come back. */
export const LATE_OPS_MAX = 100_000;
/** Operations of one frame that go the slow way in one turn, about a ms: the rest of the frame is served in the next one, so that others get their turn. */
export const SLOW_OPS_PER_TURN = 64;
/** What the turned-away are told to wait, in ms: a few commits. */
const FULL_RETRY_AFTER_MS = 50;

/** An operation that must wait: for a raise, or for a section on the move. `count` 0: it asks for the last number handed out. */
export interface WaitingOp {
  readonly place: number;
  readonly ask: Ask;
}

/**
 * Answers the operations of a frame that can be answered at once, in one loop over its columns: no object and no bigint for any of them.
 * What stands in the way of an operation is left to the slow way, which says why.
 */
export class FrameServer {
  readonly #node: AllocNode;
  /** Read by encode() right after serve(); the next frame writes over it. */
  readonly draft = new ReplyDraft();
  /** Up to here serve() has come; the frame's length, when it was served whole. */
  stoppedAt = 0;
  /** Of the set, once it is known. */
  #grid: Grid | undefined;
  /** Operations that wait, of all streams. */
  #lateCount = 0;

  constructor(node: AllocNode) {
    this.#node = node;
  }

  /**
   * Answers into the draft what can be answered at once, by the lease at `now`, and returns what must wait. Begins at `from`, and may stop before
   * the end. `confirmed`: of a STRICT frame.
   */
  serve(
    frame: OpsFrame,
    { now, confirmed, from = 0 }: { readonly now: Instant; readonly confirmed?: Confirmed | undefined; readonly from?: number },
  ): readonly WaitingOp[] {
    this.draft.begin();
    const refusal = this.#node.refusalAt(now);
    if (refusal !== undefined) return this.refuse(frame, refusal, from);
    if (this.#grid === undefined && this.#node.registration !== undefined) this.#grid = gridOf(this.#node.registration.geometry);
    const slow = new SlowWay({ node: this.#node, frame, now, confirmed, draft: this.draft, room: LATE_OPS_MAX - this.#lateCount });
    if (this.#grid !== undefined) this.#loop(frame, this.#grid, slow, from);
    else this.#loopSlowly(frame, slow, from);
    this.#lateCount += slow.waiting.length;
    return slow.waiting;
  }

  /** So many operations wait from here until left(): for a table, or for a confirmation. False: too many wait already. */
  entered(opCount: number): boolean {
    if (this.#lateCount + opCount > LATE_OPS_MAX) return false;
    this.#lateCount += opCount;
    return true;
  }

  /** So many of those that waited, by entered() or by serve(), do not any more. */
  left(opCount: number): void {
    this.#lateCount -= opCount;
  }

  /** Every operation from there on fails for one reason. */
  refuse(frame: OpsFrame, error: SeqError, from = 0): readonly WaitingOp[] {
    this.draft.begin();
    this.stoppedAt = frame.opCount;
    for (let place = from; place < frame.opCount; place++) this.draft.failed(place, error, this.#node.table?.version);
    return NOTHING;
  }

  #loop({ opCount, uids, counts, floors }: OpsFrame, grid: Grid, slow: SlowWay, from: number): void {
    const { draft } = this;
    const { uidsPerSection } = grid;
    let takenCount = 0;
    const { confirmed } = slow;
    let place = from;
    for (; place < opCount && !slow.isTired; place++) {
      const offset = offsetIn(grid, uids.low(place), uids.high(place));
      const count = counts === undefined ? 1 : counts.low(place);
      const section = Math.floor(offset / uidsPerSection);
      const allocator = section < 0 ? undefined : this.#node.at(section as SectionId);
      if (allocator === undefined || count > RANGE_COUNT_MAX || (confirmed !== undefined && confirmed.get(allocator.section) !== allocator)) {
        slow.serve(place);
        continue;
      }
      const { defaultLow, defaultHigh } = allocator;
      // Far from exact only where it is far from every counter of a page that the fast way knows.
      const floor = floors === undefined ? NO_FLOOR : (floors.high(place) - defaultHigh) * TWO_32 + (floors.low(place) - defaultLow);
      const slot = (offset - section * uidsPerSection) as Slot;
      const last = count === 0 ? allocator.currentAtOnce(slot, floor) : allocator.takeAtOnce(slot, count, floor);
      if (last < 0) {
        slow.serve(place);
        continue;
      }
      takenCount += count;
      const low = defaultLow + (count === 0 ? last : last - count + 1);
      draft.number(place, low, low < TWO_32 ? defaultHigh : defaultHigh + 1, allocator.epoch);
    }
    this.stoppedAt = place;
    if (takenCount > 0) this.#node.tookAtOnce(takenCount);
  }

  #loopSlowly({ opCount }: OpsFrame, slow: SlowWay, from: number): void {
    let place = from;
    for (; place < opCount && !slow.isTired; place++) slow.serve(place);
    this.stoppedAt = place;
  }
}

const NOTHING: readonly WaitingOp[] = [];

interface SlowParts {
  readonly node: AllocNode;
  readonly frame: OpsFrame;
  readonly now: Instant;
  readonly confirmed: Confirmed | undefined;
  readonly draft: ReplyDraft;
  /** How many may wait. */
  readonly room: number;
}

/** The operations of one frame that need more than the loop knows; one by one, as unary calls are served. */
class SlowWay {
  readonly #parts: SlowParts;
  /** A section that is not served refuses all its uids for one reason: one error is enough, and errors cost much. */
  #refusals: Map<SectionId, SeqError> | undefined;
  #waiting: WaitingOp[] | undefined;
  #servedCount = 0;

  constructor(parts: SlowParts) {
    this.#parts = parts;
  }

  get confirmed(): Confirmed | undefined {
    return this.#parts.confirmed;
  }

  /** It has served as many as one turn is good for. */
  get isTired(): boolean {
    return this.#servedCount >= SLOW_OPS_PER_TURN;
  }

  get waiting(): readonly WaitingOp[] {
    return this.#waiting ?? NOTHING;
  }

  serve(place: number): void {
    const { node, draft, frame } = this.#parts;
    this.#servedCount += 1;
    let section: SectionId | undefined;
    try {
      const ask = askAt(node, frame, place);
      section = ask.section;
      const known = this.#refusals?.get(section);
      if (known !== undefined) draft.failed(place, known, node.table?.version);
      else if (!this.#answer(place, ask)) this.#wait({ place, ask });
    } catch (error) {
      if (!SeqError.is(error)) throw error;
      // Only an open section looks at a counter, and may refuse one uid and serve the next.
      if (section !== undefined && node.at(section)?.isOpen !== true) (this.#refusals ??= new Map()).set(section, error);
      draft.failed(place, error, node.table?.version);
    }
  }

  #wait(op: WaitingOp): void {
    this.#waiting ??= [];
    if (this.#waiting.length >= this.#parts.room) throw tooManyWait();
    this.#waiting.push(op);
  }

  /** False: it must wait. */
  #answer(place: number, ask: Ask): boolean {
    const { node, now, confirmed, draft } = this.#parts;
    if (ask.count === 0) {
      const current = node.tryCurrent(ask, now, confirmed);
      if (current === undefined) return false;
      if (current.exact) draft.seq(place, current.seq, current.epoch);
      else draft.bound(place, current.seq, current.epoch);
      return true;
    }
    const taken: Taken | undefined = node.tryNext(ask, now, confirmed);
    if (taken === undefined) return false;
    draft.seq(place, taken.first, taken.epoch);
    return true;
  }
}

export function tooManyWait(): SeqError {
  return new SeqError('RESOURCE_EXHAUSTED', `${LATE_OPS_MAX} operations of frames wait already`, { retryAfterMs: FULL_RETRY_AFTER_MS });
}

/** One operation, checked. Throws INVALID_ARGUMENT, or UNAVAILABLE while the set is not known. */
export function askAt(node: AllocNode, { uids, counts, floors }: OpsFrame, place: number): Ask {
  const uid = parseUid(bigAt(uids, place));
  const count = counts === undefined ? 1 : counts.low(place);
  if (count !== 0) parseCount(count, RANGE_COUNT_MAX);
  return { ...locate(node.geometry, uid), count, floor: floors === undefined ? 0n : parseFloor(bigAt(floors, place)) };
}

function bigAt(column: Column, place: number): bigint {
  return (BigInt(column.high(place)) << 32n) | BigInt(column.low(place));
}
