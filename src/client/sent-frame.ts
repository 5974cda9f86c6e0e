import type { SeqError } from '../base/errors.js';
import type { ColumnRoom } from '../rpc/columns.js';
import { OPS_PER_FRAME_MAX } from '../rpc/limits.js';
import type { OpsReply } from '../rpc/ops-codec.js';
import type { ClientMemory } from './memory.js';
import type { Ops } from './ops.js';
import { protocol } from './remote-error.js';

const TWO_32 = 2 ** 32;
const WORDS = 5;
/** Operations that a frame has room for at first. */
const OPS_FIRST = 16;

/** Who judges answers, and remembers what was seen. */
export interface Judge {
  /** What is wrong with an answer; undefined: it is believed, and remembered. */
  judge(answer: Answer): SeqError | undefined;
  /** The error of one operation, as this client tells it. */
  refusal(error: OpsReply['errors'][number]['error']): SeqError;
}

/** An answer with what it answers; one object for all of them. */
export interface Answer {
  uidLow: number;
  uidHigh: number;
  floorLow: number;
  floorHigh: number;
  count: number;
  low: number;
  high: number;
  lastLow: number;
  lastHigh: number;
  epoch: number;
  isExact: boolean;
}

/** The columns that a frame is written in. */
export interface Columns {
  readonly uids: ColumnRoom;
  readonly counts: ColumnRoom;
  readonly floors: ColumnRoom;
}

/** A frame on its way: whose operation stands in which place, and what it asked for. Used again once it is over. */
export class SentFrame {
  id = 0;
  sentAtMs = 0;
  /** The first moment at which some operation of it must have been answered. */
  deadlineMs = 0;
  /** No reply has come yet. */
  isUnheard = true;
  opCount = 0;
  /** Some count is not 1; some floor is not 0. */
  hasCounts = false;
  hasFloors = false;
  #leftCount = 0;
  /** Undefined: settled. */
  readonly #owners: (Ops | undefined)[] = [];
  #indexes = new Uint32Array(OPS_FIRST);
  /** For each place: uid low and high, floor low and high, count. */
  #words = new Uint32Array(OPS_FIRST * WORDS);

  begin(id: number, sentAtMs: number, deadlineMs: number): void {
    this.id = id;
    this.sentAtMs = sentAtMs;
    this.deadlineMs = deadlineMs;
    this.isUnheard = true;
    this.opCount = 0;
    this.hasCounts = false;
    this.hasFloors = false;
    this.#leftCount = 0;
  }

  get isOver(): boolean {
    return this.#leftCount === 0;
  }

  /** Takes in the operations [from, end) of `owner`, with the floors that are known of their uids, and writes their columns. */
  add(owner: Ops, from: number, end: number, { memory, columns }: { readonly memory: ClientMemory; readonly columns: Columns }): void {
    const { uids, counts, floors } = columns;
    if (this.opCount + end - from > this.#indexes.length) this.#grow();
    const words = this.#words;
    const given = owner.floor;
    for (let index = from; index < end; index++) {
      const place = this.opCount++;
      const uidLow = owner.uidLow(index);
      const uidHigh = owner.uidHigh(index);
      const count = owner.count(index);
      const known = memory.find(uidLow, uidHigh);
      let floorLow = memory.floorLow(known);
      let floorHigh = memory.floorHigh(known);
      if (given !== undefined && (given.high > floorHigh || (given.high === floorHigh && given.low > floorLow))) {
        floorLow = given.low;
        floorHigh = given.high;
      }
      this.#owners[place] = owner;
      this.#indexes[place] = index;
      const at = place * WORDS;
      words[at] = uidLow;
      words[at + 1] = uidHigh;
      words[at + 2] = floorLow;
      words[at + 3] = floorHigh;
      words[at + 4] = count;
      uids.put(place, uidLow, uidHigh);
      counts.put(place, count);
      floors.put(place, floorLow, floorHigh);
      if (count !== 1) this.hasCounts = true;
      if (known >= 0 || given !== undefined) this.hasFloors = true;
    }
    owner.sent(from);
    this.#leftCount += end - from;
    if (owner.deadlineMs < this.deadlineMs) this.deadlineMs = owner.deadlineMs;
  }

  /** To what any frame needs: most clients never send so many. */
  #grow(): void {
    const indexes = new Uint32Array(OPS_PER_FRAME_MAX);
    const words = new Uint32Array(OPS_PER_FRAME_MAX * WORDS);
    indexes.set(this.#indexes);
    words.set(this.#words);
    this.#indexes = indexes;
    this.#words = words;
  }

  /** Settles what the reply answers. Throws PROTOCOL when it does not fit; what it settled until there stays settled. */
  take(reply: OpsReply, judge: Judge): void {
    this.isUnheard = false;
    const { opCount, places, seqs, epoch, epochs } = reply;
    if (places === undefined && opCount !== this.opCount) throw protocol(`${opCount} answers for a frame of ${this.opCount}`);
    const errors = errorsOf(reply);
    const inexact = reply.inexact.length === 0 ? undefined : new Set(reply.inexact);
    for (let at = 0; at < opCount; at++) {
      const place = places === undefined ? at : places.low(at);
      const owner = this.#owners[place];
      if (place >= this.opCount || owner === undefined)
        throw protocol(`an answer for place ${place} of a frame of ${this.opCount}, which waits for none`);
      const index = this.#indexes[place] ?? 0;
      const detail = errors?.get(place);
      // An error that cannot be read is the stream's: whoever waits must still be here to be told.
      const refusal = detail === undefined ? undefined : judge.refusal(detail);
      this.#owners[place] = undefined;
      this.#leftCount -= 1;
      if (refusal !== undefined) {
        owner.failed(index, refusal);
        continue;
      }
      const answer = this.#read(place, seqs.low(at), seqs.high(at));
      answer.epoch = epochs === undefined ? epoch : epochs.high(at) * TWO_32 + epochs.low(at);
      answer.isExact = inexact === undefined || !inexact.has(place);
      const wrong = judge.judge(answer);
      if (wrong === undefined) owner.answered(index, answer.low, answer.high, answer.isExact);
      else owner.failed(index, wrong);
    }
  }

  /** Every operation that was not answered fails. */
  fail(error: SeqError): void {
    for (let place = 0; place < this.opCount; place++) this.#failPlace(place, error);
  }

  /** Those fail whose own time is over; the others go on. `limitMs`: what every operation of the frame may take. */
  expire(nowMs: number, error: SeqError, limitMs: number): void {
    let next = this.sentAtMs + limitMs;
    for (let place = 0; place < this.opCount; place++) {
      const deadlineMs = this.#owners[place]?.deadlineMs ?? Number.POSITIVE_INFINITY;
      if (deadlineMs <= nowMs) this.#failPlace(place, error);
      else if (deadlineMs < next) next = deadlineMs;
    }
    this.deadlineMs = next;
  }

  #failPlace(place: number, error: SeqError): void {
    const owner = this.#owners[place];
    if (owner === undefined) return;
    this.#owners[place] = undefined;
    this.#leftCount -= 1;
    owner.failed(this.#indexes[place] ?? 0, error);
  }

  #read(place: number, low: number, high: number): Answer {
    const words = this.#words;
    const at = place * WORDS;
    const count = words[at + 4] ?? 0;
    ANSWER.uidLow = words[at] ?? 0;
    ANSWER.uidHigh = words[at + 1] ?? 0;
    ANSWER.floorLow = words[at + 2] ?? 0;
    ANSWER.floorHigh = words[at + 3] ?? 0;
    ANSWER.count = count;
    ANSWER.low = low;
    ANSWER.high = high;
    const last = count > 1 ? low + count - 1 : low;
    ANSWER.lastLow = last >>> 0;
    ANSWER.lastHigh = last < TWO_32 ? high : high + 1;
    return ANSWER;
  }
}

const ANSWER: Answer = {
  uidLow: 0,
  uidHigh: 0,
  floorLow: 0,
  floorHigh: 0,
  count: 0,
  low: 0,
  high: 0,
  lastLow: 0,
  lastHigh: 0,
  epoch: 0,
  isExact: true,
};

function errorsOf({ errors }: OpsReply): Map<number, OpsReply['errors'][number]['error']> | undefined {
  if (errors.length === 0) return undefined;
  return new Map(errors.map(({ place, error }) => [place, error]));
}
