import { SeqError } from '../base/errors.js';
import type { Halves } from './halves.js';
import type { Ops } from './ops.js';

/** Operations that wait for their frame, in the order of asking. Bounded by the calls that a client may have in flight. */
export class Line {
  #waiting: Ops[] = [];
  /** Those before it are gone. */
  #first = 0;
  /** Of the first one, how many operations are gone. */
  #gone = 0;
  #opCount = 0;

  get opCount(): number {
    return this.#opCount;
  }

  /** When the first one in line has waited long enough; Infinity: never. Those behind it came later. */
  get deadlineMs(): number {
    return this.#waiting[this.#first]?.deadlineMs ?? Number.POSITIVE_INFINITY;
  }

  push(ops: Ops): void {
    this.#waiting.push(ops);
    this.#opCount += ops.size;
  }

  /** Hands on up to `opCountMax` operations, as [from, end) of their owner; what nobody waits for is left out. */
  take(opCountMax: number, hand: (ops: Ops, from: number, end: number) => void): void {
    let left = opCountMax;
    while (left > 0) {
      const ops = this.#waiting[this.#first];
      if (ops === undefined) break;
      const end = Math.min(ops.size, this.#gone + left);
      this.#opCount -= end - this.#gone;
      if (!ops.isOver) {
        left -= end - this.#gone;
        hand(ops, this.#gone, end);
      }
      this.#gone = end;
      if (end === ops.size) this.#shift();
    }
  }

  /** Fails what `errorFor` has an error for; it was not sent. */
  drop(errorFor: (uidLow: number, uidHigh: number) => SeqError | undefined): void {
    const line = this.#empty();
    for (const { ops, from } of line) {
      const kept: number[] = [];
      for (let index = from; index < ops.size; index++) {
        const error = errorFor(ops.uidLow(index), ops.uidHigh(index));
        if (error === undefined) kept.push(index);
        else ops.failed(index, error);
      }
      if (kept.length > 0) this.push(kept.length === ops.size ? ops : new Some(ops, kept));
    }
  }

  /** Fails those whose time is over; they were not sent. */
  expire(nowMs: number): void {
    while (this.deadlineMs <= nowMs) {
      const ops = this.#waiting[this.#first];
      const from = this.#gone;
      if (ops === undefined) return;
      this.#opCount -= ops.size - from;
      this.#shift();
      failFrom(ops, from, new SeqError('TIMEOUT', 'the call waited in line for all of its budget', { definite: true }));
    }
  }

  fail(error: SeqError): void {
    for (const { ops, from } of this.#empty()) failFrom(ops, from, error);
  }

  #empty(): { readonly ops: Ops; readonly from: number }[] {
    const line = this.#waiting.slice(this.#first).map((ops, at) => ({ ops, from: at === 0 ? this.#gone : 0 }));
    this.#waiting = [];
    this.#first = 0;
    this.#gone = 0;
    this.#opCount = 0;
    return line;
  }

  #shift(): void {
    this.#gone = 0;
    this.#first += 1;
    // What is gone takes no more room than what waits.
    if (this.#first * 2 < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#first);
    this.#first = 0;
  }
}

function failFrom(ops: Ops, from: number, error: SeqError): void {
  for (let index = from; index < ops.size; index++) ops.failed(index, error);
}

/** Some operations of others. */
class Some implements Ops {
  readonly #ops: Ops;
  readonly #indexes: readonly number[];

  constructor(ops: Ops, indexes: readonly number[]) {
    this.#ops = ops;
    this.#indexes = indexes;
  }

  get size(): number {
    return this.#indexes.length;
  }

  get floor(): Halves | undefined {
    return this.#ops.floor;
  }

  get deadlineMs(): number {
    return this.#ops.deadlineMs;
  }

  get isOver(): boolean {
    return this.#ops.isOver;
  }

  uidLow(index: number): number {
    return this.#ops.uidLow(this.#at(index));
  }

  uidHigh(index: number): number {
    return this.#ops.uidHigh(this.#at(index));
  }

  count(index: number): number {
    return this.#ops.count(this.#at(index));
  }

  sent(from: number): void {
    this.#ops.sent(this.#at(from));
  }

  answered(index: number, low: number, high: number, isExact: boolean): void {
    this.#ops.answered(this.#at(index), low, high, isExact);
  }

  failed(index: number, error: SeqError): void {
    this.#ops.failed(this.#at(index), error);
  }

  #at(index: number): number {
    return this.#indexes[index] ?? 0;
  }
}
