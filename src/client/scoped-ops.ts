import { SeqError } from '../base/errors.js';
import type { Seq, Uid } from '../model/ids.js';
import type { AttemptScope } from './attempt.js';
import { bigOf, type Halves, highOf, lowOf } from './halves.js';
import type { Lane } from './lane.js';
import type { Ops } from './ops.js';

/** What one operation came to, in halves of 32 bits. */
export interface OneAnswer {
  readonly low: number;
  readonly high: number;
  readonly isExact: boolean;
}

/** Operations that end with their call's scope, whatever becomes of them on the way. */
abstract class ScopedOps<Value> implements Ops {
  abstract readonly size: number;
  readonly deadlineMs = Number.POSITIVE_INFINITY;
  readonly #address: string;
  readonly #scope: AttemptScope;
  readonly #onStop = (): void => this.#stop();
  #isSent = false;
  #isOver = false;
  #resolve: (value: Value) => void = () => undefined;
  #reject: (error: SeqError) => void = () => undefined;

  constructor({ address, scope }: { readonly address: string; readonly scope: AttemptScope }) {
    this.#address = address;
    this.#scope = scope;
  }

  /** Goes on that lane; resolves or rejects once. */
  on(lane: Pick<Lane, 'send'>): Promise<Value> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      if (this.isOver) return;
      this.#scope.signal.addEventListener('abort', this.#onStop, { once: true });
      lane.send(this);
    });
  }

  /** A busy process may be late with the timer that says so: the budget is over when the clock says it. */
  get isOver(): boolean {
    if (!this.#isOver && this.#scope.stopError !== undefined) this.#stop();
    return this.#isOver;
  }

  abstract uidLow(index: number): number;
  abstract uidHigh(index: number): number;
  abstract count(index: number): number;
  abstract answered(index: number, low: number, high: number, isExact: boolean): void;
  abstract failed(index: number, error: SeqError): void;

  sent(): void {
    this.#isSent = true;
  }

  protected done(value: Value): void {
    if (this.#end()) this.#resolve(value);
  }

  protected lost(error: SeqError): void {
    if (this.#end()) this.#reject(error);
  }

  /** False: it was over before. */
  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#scope.signal.removeEventListener('abort', this.#onStop);
    return true;
  }

  #stop(): void {
    const { stopError } = this.#scope;
    if (!this.#isSent && stopError !== undefined) return this.lost(stopError.with({ definite: true }));
    this.lost(
      new SeqError('ABORTED', 'the call was aborted by its signal', {
        definite: !this.#isSent,
        endpoint: this.#address,
        attempts: this.#isSent ? 1 : 0,
      }),
    );
  }
}

/** One operation. */
export class OneOp extends ScopedOps<OneAnswer> {
  readonly size = 1;
  readonly floor: Halves | undefined;
  readonly #low: number;
  readonly #high: number;
  readonly #count: number;

  /** `count` 0: the last number handed out. `floor` 0: the caller names none. */
  constructor(options: {
    readonly address: string;
    readonly uid: Uid;
    readonly count: number;
    readonly floor: bigint;
    readonly scope: AttemptScope;
  }) {
    super(options);
    this.floor = options.floor === 0n ? undefined : { low: lowOf(options.floor), high: highOf(options.floor) };
    this.#low = lowOf(options.uid);
    this.#high = highOf(options.uid);
    this.#count = options.count;
  }

  uidLow(): number {
    return this.#low;
  }

  uidHigh(): number {
    return this.#high;
  }

  count(): number {
    return this.#count;
  }

  answered(_index: number, low: number, high: number, isExact: boolean): void {
    this.done({ low, high, isExact });
  }

  failed(_index: number, error: SeqError): void {
    this.lost(error);
  }
}

/** One number for each of many uids: a number or an error in each place. */
export class ManyOps extends ScopedOps<(Seq | SeqError)[]> {
  readonly #uids: readonly Uid[];
  readonly #items: (Seq | SeqError)[] = [];
  #leftCount: number;

  constructor(options: { readonly address: string; readonly uids: readonly Uid[]; readonly scope: AttemptScope }) {
    super(options);
    this.#uids = options.uids;
    this.#leftCount = options.uids.length;
  }

  get size(): number {
    return this.#uids.length;
  }

  uidLow(index: number): number {
    return lowOf(this.#uids[index] ?? 0n);
  }

  uidHigh(index: number): number {
    return highOf(this.#uids[index] ?? 0n);
  }

  count(): number {
    return 1;
  }

  answered(index: number, low: number, high: number): void {
    this.#settle(index, bigOf(low, high) as Seq);
  }

  failed(index: number, error: SeqError): void {
    this.#settle(index, error);
  }

  #settle(index: number, item: Seq | SeqError): void {
    this.#items[index] = item;
    this.#leftCount -= 1;
    if (this.#leftCount === 0) this.done(this.#items);
  }
}
