import { Memo } from './memo.js';
import type { Call, Model, State } from './model.js';
import { StateTable } from './state-table.js';
import { callOf, END, isInvocation, Timeline } from './timeline.js';

/** What a search may use. Past either limit its verdict is `unknown`: nothing was proved. */
export interface Limits {
  /** Of the configurations it remembers and of their states, in bytes. */
  readonly bytesMax: number;
  /** How often the model may be asked. */
  readonly stepsMax: number;
}

export const DEFAULT_LIMITS: Limits = { bytesMax: 512 * 2 ** 20, stepsMax: 200_000_000 };

/** How many returns ahead a model is asked for a dead end. */
const LOOK_AHEAD = 16;

export type Verdict =
  | { readonly type: 'ok'; readonly steps: number }
  /** `placed`: the longest order that was found, as places in the list of calls. `stuckAt`: the call that had to come next at the latest, and could not. */
  | { readonly type: 'illegal'; readonly steps: number; readonly placed: readonly number[]; readonly stuckAt: number }
  | { readonly type: 'unknown'; readonly steps: number; readonly limit: 'steps' | 'bytes'; readonly why: string };

/**
 * Is there an order of these calls that real time allows and that the model answers so? (Wing & Gong, JPDC 1993, with the memo of Lowe,
 * "Testing for linearizability", 2016.) Iterative: the depth is the number of calls. Exponential in the number of calls that overlap.
 *
 * Two rules cut branches. A call that is legal now and never changes anything is placed at once and nothing else is tried in its stead: whatever
 * order completes the rest, this call can be moved to its front. And one of unknown outcome that changes nothing is not placed: it need
 * not have happened. A model may cut more (`isDeadEnd`).
 */
export function search<S extends State, Input, Output>(
  model: Model<S, Input, Output>,
  calls: readonly Call<Input, Output>[],
  limits: Limits = DEFAULT_LIMITS,
): Verdict {
  return new Search(model, calls, limits).run();
}

class Search<S extends State, Input, Output> {
  readonly #model: Model<S, Input, Output>;
  readonly #calls: readonly Call<Input, Output>[];
  readonly #limits: Limits;
  readonly #timeline: Timeline;
  readonly #readOnly: Uint8Array;
  readonly #states = new StateTable<S>();
  readonly #memo: Memo;
  /** Which calls are placed, and the XOR of their hashes. */
  readonly #words: Uint32Array;
  #hash = 0;
  #state: number;
  /** The order so far: the call, the state before it, and whether another could have been placed instead. */
  readonly #order: { readonly call: number; readonly before: number; readonly isForced: boolean }[] = [];
  /** Calls with an answer that are not placed. When there is none, the rest never happened. */
  #left: number;
  #steps = 0;
  #best: { readonly placed: readonly number[]; readonly stuckAt: number } | undefined;

  constructor(model: Model<S, Input, Output>, calls: readonly Call<Input, Output>[], limits: Limits) {
    this.#model = model;
    this.#calls = calls;
    this.#limits = limits;
    this.#timeline = new Timeline(calls);
    this.#readOnly = Uint8Array.from(calls, ({ input, output }) => (output !== undefined && model.isReadOnly?.(input, output) === true ? 1 : 0));
    this.#words = new Uint32Array(Math.ceil(calls.length / 32));
    this.#memo = new Memo({ wordCount: this.#words.length, bytesMax: limits.bytesMax });
    this.#state = this.#states.numberOf(model.initial);
    this.#left = calls.filter(({ output }) => output !== undefined).length;
  }

  run(): Verdict {
    let from = this.#settle();
    while (this.#left > 0) {
      if (this.#steps > this.#limits.stepsMax) return this.#unknown('steps', this.#limits.stepsMax);
      const found = this.#isDeadEnd() ? 'none' : this.#choose(from);
      if (found === 'full') return this.#unknown('bytes', this.#limits.bytesMax);
      if (found === 'placed') {
        from = this.#settle();
        continue;
      }
      const undone = this.#goBack();
      if (undone === undefined) return { type: 'illegal', steps: this.#steps, placed: [], stuckAt: 0, ...this.#best };
      from = this.#timeline.after(undone * 2);
    }
    return { type: 'ok', steps: this.#steps };
  }

  /** Places whatever is legal now and never changes anything. Gives the entry to look from. */
  #settle(): number {
    for (let entry = this.#timeline.first; entry !== END && isInvocation(entry); ) {
      const call = callOf(entry);
      entry = this.#timeline.after(entry);
      if (this.#readOnly[call] !== 1 || this.#step(call) !== this.#state) continue;
      this.#place(call, this.#state, true);
      // Its return may have been the next entry, and more calls may be due now.
      entry = this.#timeline.first;
    }
    return this.#timeline.first;
  }

  /** Does the model see that one of the next returns can no more be had? */
  #isDeadEnd(): boolean {
    if (this.#model.isDeadEnd === undefined) return false;
    const state = this.#states.stateOf(this.#state);
    const before: Input[] = [];
    let returnsLeft = LOOK_AHEAD;
    for (let entry = this.#timeline.first; entry !== END && returnsLeft > 0; entry = this.#timeline.after(entry)) {
      const { input, output } = this.#calls[callOf(entry)] as Call<Input, Output>;
      if (isInvocation(entry)) before.push(input);
      else if (output !== undefined) {
        if (this.#model.isDeadEnd(state, { input, output }, before)) return true;
        returnsLeft -= 1;
      }
    }
    return false;
  }

  /** Places the first call from there that leads to where the search has not been. */
  #choose(from: number): 'placed' | 'none' | 'full' {
    for (let entry = from; entry !== END && isInvocation(entry); entry = this.#timeline.after(entry)) {
      const call = callOf(entry);
      const state = this.#step(call);
      if (state === undefined || (state === this.#state && this.#calls[call]?.output === undefined)) continue;
      const found = this.#remember(call, state);
      if (found === 'full') return 'full';
      if (found === 'known') continue;
      this.#place(call, state, false);
      return 'placed';
    }
    return 'none';
  }

  #remember(call: number, state: number): 'new' | 'known' | 'full' {
    const { sizeBytes } = this.#states;
    if (sizeBytes + this.#memo.sizeBytes > this.#limits.bytesMax) return 'full';
    this.#flip(call);
    const found = this.#memo.add(this.#words, state, (this.#hash ^ hashOf(state ^ STATE_SALT)) >>> 0);
    this.#flip(call);
    return found;
  }

  #step(call: number): number | undefined {
    this.#steps += 1;
    const { input, output } = this.#calls[call] as Call<Input, Output>;
    const state = this.#model.step(this.#states.stateOf(this.#state), input, output);
    return state === undefined ? undefined : this.#states.numberOf(state);
  }

  #place(call: number, state: number, isForced: boolean): void {
    this.#order.push({ call, before: this.#state, isForced });
    this.#state = state;
    this.#flip(call);
    this.#timeline.take(call);
    if (this.#calls[call]?.output !== undefined) this.#left -= 1;
  }

  /** Undoes up to the last call that was a choice, and gives it; undefined when there is none. */
  #goBack(): number | undefined {
    if (this.#best === undefined || this.#order.length > this.#best.placed.length) {
      this.#best = { placed: this.#order.map(({ call }) => call), stuckAt: this.#firstToReturn() };
    }
    for (let last = this.#order.pop(); last !== undefined; last = this.#order.pop()) {
      this.#state = last.before;
      this.#flip(last.call);
      this.#timeline.putBack(last.call);
      if (this.#calls[last.call]?.output !== undefined) this.#left += 1;
      if (!last.isForced) return last.call;
    }
    return undefined;
  }

  #firstToReturn(): number {
    let entry = this.#timeline.first;
    while (entry !== END && isInvocation(entry)) entry = this.#timeline.after(entry);
    return callOf(entry);
  }

  #flip(call: number): void {
    this.#words[call >>> 5] = (this.#words[call >>> 5] as number) ^ (1 << (call & 31));
    this.#hash ^= hashOf(call);
  }

  #unknown(limit: 'steps' | 'bytes', max: number): Verdict {
    return { type: 'unknown', steps: this.#steps, limit, why: `more than ${max} ${limit}` };
  }
}

const STATE_SALT = 0x5bd1e995;

/** Spreads a small number over 32 bits (the finalizer of MurmurHash3). */
function hashOf(number: number): number {
  let bits = Math.imul(number + 1, 0x9e3779b1);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
