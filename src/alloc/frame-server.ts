import type { Instant } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { type Geometry, locate } from '../model/geometry.js';
import { parseCount, parseFloor, parseUid, type SectionId, type Slot } from '../model/ids.js';
import type { Column } from '../rpc/columns.js';
import { RANGE_COUNT_MAX } from '../rpc/limits.js';
import type { OpsFrame } from '../rpc/ops-codec.js';
import type { AllocNode, Ask, Confirmed, Taken } from './node.js';
import { ReplyDraft } from './reply-draft.js';

const TWO_32 = 2 ** 32;
/** What is below has neither lost a bit on the way to a number nor will it when divided. */
const EXACT_MAX = 2 ** 53 - 1;
/** Below every counter: no floor was given. */
const NO_FLOOR = -1;

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
  /** Of the set, once it is known. */
  #grid: Grid | undefined;

  constructor(node: AllocNode) {
    this.#node = node;
  }

  /** Numbers whose section refuses them for one reason need only one error, and errors cost much. */
  serve(frame: OpsFrame, { now, confirmed }: { readonly now: Instant; readonly confirmed?: Confirmed | undefined }): readonly WaitingOp[] {
    this.draft.begin();
    const refusal = this.#node.refusalAt(now);
    if (refusal !== undefined) return this.refuse(frame, refusal);
    this.#grid ??= gridOf(this.#node.registration?.geometry);
    const slow = new SlowWay({ node: this.#node, frame, now, confirmed, draft: this.draft });
    if (confirmed === undefined && this.#grid !== undefined) this.#loop(frame, this.#grid, slow);
    else for (let place = 0; place < frame.opCount; place++) slow.serve(place);
    return slow.waiting;
  }

  /** Every operation fails for one reason. */
  refuse(frame: OpsFrame, error: SeqError): readonly WaitingOp[] {
    this.draft.begin();
    for (let place = 0; place < frame.opCount; place++) this.draft.failed(place, error, this.#node.table?.version);
    return NOTHING;
  }

  #loop({ opCount, uids, counts, floors }: OpsFrame, { firstLow, firstHigh, uidsPerSection, offsetMax }: Grid, slow: SlowWay): void {
    const { draft } = this;
    let takenCount = 0;
    for (let place = 0; place < opCount; place++) {
      const offset = (uids.high(place) - firstHigh) * TWO_32 + (uids.low(place) - firstLow);
      const count = counts === undefined ? 1 : counts.low(place);
      const section = offset >= 0 && offset <= offsetMax ? Math.floor(offset / uidsPerSection) : -1;
      const allocator = section < 0 ? undefined : this.#node.at(section as SectionId);
      if (allocator === undefined || count === 0 || count > RANGE_COUNT_MAX) {
        slow.serve(place);
        continue;
      }
      const { defaultLow, defaultHigh } = allocator;
      // Far from exact only where it is far from every counter of a page that the fast way knows.
      const floor = floors === undefined ? NO_FLOOR : (floors.high(place) - defaultHigh) * TWO_32 + (floors.low(place) - defaultLow);
      const last = allocator.takeAtOnce((offset - section * uidsPerSection) as Slot, count, floor);
      if (last < 0) {
        slow.serve(place);
        continue;
      }
      takenCount += count;
      const low = defaultLow + (last - count + 1);
      draft.number(place, low, low < TWO_32 ? defaultHigh : defaultHigh + 1, allocator.epoch);
    }
    if (takenCount > 0) this.#node.tookAtOnce(takenCount);
  }
}

const NOTHING: readonly WaitingOp[] = [];

interface SlowParts {
  readonly node: AllocNode;
  readonly frame: OpsFrame;
  readonly now: Instant;
  readonly confirmed: Confirmed | undefined;
  readonly draft: ReplyDraft;
}

/** The operations of one frame that need more than the loop knows; one by one, as unary calls are served. */
class SlowWay {
  readonly #parts: SlowParts;
  #refusals: Map<SectionId, SeqError> | undefined;
  #waiting: WaitingOp[] | undefined;

  constructor(parts: SlowParts) {
    this.#parts = parts;
  }

  get waiting(): readonly WaitingOp[] {
    return this.#waiting ?? NOTHING;
  }

  serve(place: number): void {
    const { node, draft, frame } = this.#parts;
    let section: SectionId | undefined;
    try {
      const ask = askAt(node, frame, place);
      section = ask.section;
      const known = this.#refusals?.get(section);
      if (known !== undefined) draft.failed(place, known, node.table?.version);
      else if (!this.#answer(place, ask)) (this.#waiting ??= []).push({ place, ask });
    } catch (error) {
      if (!SeqError.is(error)) throw error;
      if (section !== undefined && isOfSection(error)) (this.#refusals ??= new Map()).set(section, error);
      draft.failed(place, error, node.table?.version);
    }
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

/** A floor above the counter is between one call and its uid; what these say is true of the whole section. */
function isOfSection(error: SeqError): boolean {
  return error.code === 'NOT_OWNER';
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

/** A geometry as numbers. */
interface Grid {
  readonly firstLow: number;
  readonly firstHigh: number;
  readonly uidsPerSection: number;
  /** The last uid that this arithmetic is exact for, as a distance from the first. */
  readonly offsetMax: number;
}

function gridOf(geometry: Geometry | undefined): Grid | undefined {
  if (geometry === undefined) return undefined;
  const { firstUid, lastUid, uidsPerSection } = geometry;
  return {
    firstLow: Number(firstUid & 0xffff_ffffn),
    firstHigh: Number(firstUid >> 32n),
    uidsPerSection,
    offsetMax: Math.min(EXACT_MAX, Number(lastUid - firstUid)),
  };
}
