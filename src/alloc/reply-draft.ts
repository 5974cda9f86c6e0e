import type { SeqError } from '../base/errors.js';
import type { Version } from '../model/version.js';
import { ColumnRoom } from '../rpc/columns.js';
import { OPS_PER_FRAME_MAX } from '../rpc/limits.js';
import { encodeOpsReply, type PlacedError } from '../rpc/ops-codec.js';
import { errorToDetail } from '../rpc/status.js';
import { NO_ROUTE, type RouteReply } from './route-reply.js';

const TWO_32 = 2 ** 32;

/** A reply that is being written, answer by answer in the order of their places; one is used for all frames. Columns that say nothing are left out. */
export class ReplyDraft {
  readonly #seqs = new ColumnRoom({ width: 8, lengthMax: OPS_PER_FRAME_MAX });
  readonly #places = new ColumnRoom({ width: 4, lengthMax: OPS_PER_FRAME_MAX });
  readonly #epochs = new ColumnRoom({ width: 8, lengthMax: OPS_PER_FRAME_MAX });
  #answerCount = 0;
  /** An operation before some answer is not among them. */
  #isPartial = false;
  /** Of all answers until now; 0: no number was given yet. */
  #epoch = 0;
  #isMixed = false;
  #inexact: number[] = [];
  #errors: PlacedError[] = [];

  get answerCount(): number {
    return this.#answerCount;
  }

  begin(): void {
    this.#answerCount = 0;
    this.#isPartial = false;
    this.#epoch = 0;
    this.#isMixed = false;
    if (this.#inexact.length > 0) this.#inexact = [];
    if (this.#errors.length > 0) this.#errors = [];
  }

  /** The number, or the first of several, in halves of 32 bits. */
  number(place: number, low: number, high: number, epoch: number): void {
    const at = this.#next(place);
    if (epoch !== this.#epoch && !this.#isMixed) this.#meetEpoch(at, epoch);
    if (this.#isMixed) this.#putEpoch(at, epoch);
    this.#seqs.put(at, low, high);
  }

  /** As number(). */
  seq(place: number, seq: bigint, epoch: number): void {
    this.number(place, Number(seq & 0xffff_ffffn), Number(seq >> 32n), epoch);
  }

  /** What was handed out before is at most `seq`. */
  bound(place: number, seq: bigint, epoch: number): void {
    this.seq(place, seq, epoch);
    this.#inexact.push(place);
  }

  failed(place: number, error: SeqError, version: Version | undefined): void {
    const at = this.#next(place);
    if (this.#isMixed) this.#putEpoch(at, 0);
    this.#seqs.put(at, 0, 0);
    this.#errors.push({ place, error: errorToDetail(error, version) });
  }

  /** `opCount`: of the frame. */
  encode({ id, opCount, route = NO_ROUTE }: { readonly id: number; readonly opCount: number; readonly route?: RouteReply | undefined }): Buffer {
    if (this.#answerCount < opCount && !this.#isPartial) this.#leaveOut(this.#answerCount);
    return encodeOpsReply({
      id,
      opCount: this.#answerCount,
      places: this.#isPartial ? this.#places : undefined,
      epoch: this.#isMixed ? 0 : this.#epoch,
      epochs: this.#isMixed ? this.#epochs : undefined,
      seqs: this.#seqs,
      inexact: this.#inexact,
      errors: this.#errors,
      routing: route.routing,
      routingDelta: route.routingDelta,
    });
  }

  #next(place: number): number {
    const at = this.#answerCount++;
    if (place !== at && !this.#isPartial) this.#leaveOut(at);
    if (this.#isPartial) this.#places.put(at, place);
    return at;
  }

  /** The first answers had the places 0, 1, 2 and so on. */
  #leaveOut(answerCount: number): void {
    this.#isPartial = true;
    for (let at = 0; at < answerCount; at++) this.#places.put(at, at);
  }

  /** Answers without a number have no epoch, so the first one with a number speaks for those before it, too. */
  #meetEpoch(at: number, epoch: number): void {
    if (this.#epoch === 0) {
      this.#epoch = epoch;
      return;
    }
    this.#isMixed = true;
    for (let before = 0; before < at; before++) this.#putEpoch(before, this.#epoch);
  }

  #putEpoch(at: number, epoch: number): void {
    this.#epochs.put(at, epoch % TWO_32, Math.floor(epoch / TWO_32));
  }
}
