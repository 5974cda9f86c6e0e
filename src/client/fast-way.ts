import type { SeqError } from '../base/errors.js';
import type { Seq } from '../model/ids.js';
import { bigOf, highOf, lowOf } from './halves.js';
import type { Lane } from './lane.js';
import type { Ops } from './ops.js';
import { NEXT_MANY_UIDS_MAX } from './options.js';
import type { SetLink } from './set-link.js';

const TWO_32 = 2 ** 32;
const UID_MAX = 2n ** 64n - 1n;
/** A string of so many digits is an exact number. */
const DIGITS_MAX = 15;

/** What the client does for calls that went the fast way. */
export interface FastHost {
  readonly timeoutMs: number;
  readonly home: SetLink;
  /** False: there are too many calls already. */
  begin(link: SetLink): boolean;
  end(link: SetLink): void;
  /** The call goes on the long way after its first attempt failed. */
  nextAfter(uid: bigint, startedMs: number, error: SeqError): Promise<bigint>;
  nextManyAfter(uids: readonly bigint[], startedMs: number, items: readonly (Seq | SeqError)[]): Promise<(bigint | SeqError)[]>;
}

/**
 * Calls as nearly all of them are: no options, a uid of the home set, an owner in the table, an answer at the first attempt. Such a call is
 * a promise and one object, with no timer and no scope of its own. Whatever is otherwise takes the long way, which knows all the rules;
 * so does what fails here.
 */
export class FastWay {
  readonly #host: FastHost;

  constructor(host: FastHost) {
    this.#host = host;
  }

  /** Undefined: not this way. */
  next(uid: unknown): Promise<bigint> | undefined {
    const high = highHalfOf(uid);
    if (high < 0) return undefined;
    const low = lowHalfOf(uid);
    const { home } = this.#host;
    const lane = home.laneAt(low, high);
    if (lane === undefined || !this.#host.begin(home)) return undefined;
    return new Promise((resolve, reject) => lane.send(new OneFast(low, high, { host: this.#host, startedMs: lane.turnMs(), resolve, reject })));
  }

  /** As next(): one number for each. */
  nextMany(uids: readonly unknown[]): Promise<(bigint | SeqError)[]> | undefined {
    if (!Array.isArray(uids) || uids.length === 0 || uids.length > NEXT_MANY_UIDS_MAX) return undefined;
    const { home } = this.#host;
    const words = new Uint32Array(uids.length * 2);
    let first: Lane | undefined;
    let byLane: Map<Lane, number[]> | undefined;
    for (let index = 0; index < uids.length; index++) {
      const uid: unknown = uids[index];
      const high = highHalfOf(uid);
      if (high < 0) return undefined;
      const low = lowHalfOf(uid);
      const lane = home.laneAt(low, high);
      if (lane === undefined) return undefined;
      words[index * 2] = low;
      words[index * 2 + 1] = high;
      first ??= lane;
      if (lane !== first) byLane ??= new Map([[first, Array.from({ length: index }, (_, at) => at)]]);
      if (byLane !== undefined) pushTo(byLane, lane, index);
    }
    if (first === undefined || !this.#host.begin(home)) return undefined;
    const lane = first;
    return new Promise((resolve, reject) => {
      const many = new ManyFast(words, { host: this.#host, startedMs: lane.turnMs(), resolve, reject });
      if (byLane === undefined) lane.send(new Share(many, undefined));
      else for (const [each, indexes] of byLane) each.send(new Share(many, indexes));
    });
  }
}

interface Call<Value> {
  readonly host: FastHost;
  readonly startedMs: number;
  readonly resolve: (value: Value) => void;
  readonly reject: (error: unknown) => void;
}

class OneFast implements Ops {
  readonly size = 1;
  readonly isOver = false;
  readonly deadlineMs: number;
  readonly #low: number;
  readonly #high: number;
  readonly #host: FastHost;
  readonly #resolve: (seq: bigint) => void;
  readonly #reject: (error: unknown) => void;

  constructor(low: number, high: number, { host, startedMs, resolve, reject }: Call<bigint>) {
    this.#low = low;
    this.#high = high;
    this.deadlineMs = startedMs + host.timeoutMs;
    this.#host = host;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  uidLow(): number {
    return this.#low;
  }

  uidHigh(): number {
    return this.#high;
  }

  count(): number {
    return 1;
  }

  sent(): void {
    // An attempt that fails here says itself whether it was sent.
  }

  answered(_index: number, low: number, high: number): void {
    this.#host.end(this.#host.home);
    this.#resolve(bigOf(low, high));
  }

  failed(_index: number, error: SeqError): void {
    const host = this.#host;
    host.end(host.home);
    host.nextAfter(bigOf(this.#low, this.#high), this.deadlineMs - host.timeoutMs, error).then(this.#resolve, this.#reject);
  }
}

/** A nextMany: settled when each of its shares is. */
class ManyFast {
  readonly words: Uint32Array;
  readonly deadlineMs: number;
  readonly #call: Call<(bigint | SeqError)[]>;
  readonly #items: (Seq | SeqError)[] = [];
  #leftCount: number;
  #failedCount = 0;

  constructor(words: Uint32Array, call: Call<(bigint | SeqError)[]>) {
    this.words = words;
    this.deadlineMs = call.startedMs + call.host.timeoutMs;
    this.#call = call;
    this.#leftCount = words.length / 2;
  }

  answered(index: number, low: number, high: number): void {
    this.#items[index] = bigOf(low, high) as Seq;
    if (--this.#leftCount === 0) this.#done();
  }

  failed(index: number, error: SeqError): void {
    this.#items[index] = error;
    this.#failedCount += 1;
    if (--this.#leftCount === 0) this.#done();
  }

  #done(): void {
    const { host, startedMs, resolve, reject } = this.#call;
    host.end(host.home);
    if (this.#failedCount === 0) return resolve(this.#items);
    const { words } = this;
    const uids = Array.from({ length: words.length / 2 }, (_, index) => bigOf(words[index * 2] ?? 0, words[index * 2 + 1] ?? 0));
    host.nextManyAfter(uids, startedMs, this.#items).then(resolve, reject);
  }
}

/** The part of a nextMany that goes to one AllocSvr; without indexes all of it. */
class Share implements Ops {
  readonly size: number;
  readonly isOver = false;
  readonly deadlineMs: number;
  readonly #many: ManyFast;
  readonly #words: Uint32Array;
  readonly #indexes: readonly number[] | undefined;

  constructor(many: ManyFast, indexes: readonly number[] | undefined) {
    this.#many = many;
    this.#words = many.words;
    this.deadlineMs = many.deadlineMs;
    this.#indexes = indexes;
    this.size = indexes?.length ?? many.words.length / 2;
  }

  uidLow(index: number): number {
    return this.#words[this.#at(index) * 2] ?? 0;
  }

  uidHigh(index: number): number {
    return this.#words[this.#at(index) * 2 + 1] ?? 0;
  }

  count(): number {
    return 1;
  }

  sent(): void {
    // As for one.
  }

  answered(index: number, low: number, high: number): void {
    this.#many.answered(this.#at(index), low, high);
  }

  failed(index: number, error: SeqError): void {
    this.#many.failed(this.#at(index), error);
  }

  #at(index: number): number {
    return this.#indexes === undefined ? index : (this.#indexes[index] ?? 0);
  }
}

/** -1: not a uid of the plain kind, and parseUid() has the word. */
function highHalfOf(uid: unknown): number {
  if (typeof uid === 'number') return Number.isSafeInteger(uid) && uid >= 0 ? Math.floor(uid / TWO_32) : -1;
  if (typeof uid === 'bigint') return uid >= 0n && uid <= UID_MAX ? highOf(uid) : -1;
  if (typeof uid === 'string') return uid.length <= DIGITS_MAX && /^\d+$/.test(uid) ? Math.floor(Number(uid) / TWO_32) : -1;
  return -1;
}

/** Of what highHalfOf() took. */
function lowHalfOf(uid: unknown): number {
  return typeof uid === 'bigint' ? lowOf(uid) : Number(uid) % TWO_32;
}

function pushTo(byLane: Map<Lane, number[]>, lane: Lane, index: number): void {
  const indexes = byLane.get(lane);
  if (indexes === undefined) byLane.set(lane, [index]);
  else indexes.push(index);
}
