import type { Clock } from '../base/clock.js';
import { optional, SeqError } from '../base/errors.js';
import { Stopper } from '../base/stop.js';
import type { CallOptions } from '../rpc/channel.js';
import { RAISES_PER_REQUEST_MAX } from '../rpc/limits.js';
import type { RaiseOutcome } from './client-values.js';
import type { Caller, RaiseItem } from './command.js';

/**
 * Requests of one lane on their way at once: the second is on the wire while the first is on the disk. What comes while
 * both are under way makes the next one, so the more callers there are the more each request carries.
 */
export const RAISE_REQUESTS_MAX = 2;
/** Calls of one lane that wait for a request; one more is refused with RESOURCE_EXHAUSTED. */
export const RAISE_CALLS_WAITING_MAX = 10_000;
/** When to come back then, in ms. */
const FULL_RETRY_AFTER_MS = 50;

/** All raises of one caller. */
export type RaiseAsk = Caller & { readonly raises: readonly RaiseItem[] };
/** One attempt on the wire: an outcome for each raise, in the order asked. */
export type SendRaises = (address: string, ask: RaiseAsk, options: CallOptions) => Promise<readonly RaiseOutcome[]>;

/**
 * Raises of one caller to one StoreSvr that come while others are under way, or in one turn, travel in one request. A
 * raise that finds nothing under way leaves at the end of its turn: nobody waits for company.
 *
 * Each call keeps its own deadline and signal. One that ends while it waits was never sent, so its error is definite.
 * A refusal of the request is a refusal of each call in it: it can only speak of what they share, for the raises are
 * well-formed by their type, and each has an outcome of its own.
 */
export class RaiseBatches {
  readonly #clock: Clock;
  readonly #send: SendRaises;
  /** Only those that are in use. */
  readonly #lanes = new Map<string, Lane>();

  constructor(options: { readonly clock: Clock; readonly send: SendRaises }) {
    this.#clock = options.clock;
    this.#send = options.send;
  }

  /** One attempt of one call. At most RAISES_PER_REQUEST_MAX raises; rejects as Channel.call does. */
  raise(address: string, { allocId, incarnation, raises }: RaiseAsk, options: CallOptions): Promise<readonly RaiseOutcome[]> {
    const key = `${address} ${allocId} ${incarnation}`;
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = new Lane({
        address,
        clock: this.#clock,
        send: (all, sendOptions) => this.#send(address, { allocId, incarnation, raises: all }, sendOptions),
        onIdle: () => this.#lanes.delete(key),
      });
      this.#lanes.set(key, lane);
    }
    return lane.raise(raises, options);
  }

  /** How many lanes are in use: 0 shows that nothing is left behind. */
  get laneCount(): number {
    return this.#lanes.size;
  }
}

interface LaneOptions {
  readonly address: string;
  readonly clock: Clock;
  readonly send: (raises: readonly RaiseItem[], options: CallOptions) => Promise<readonly RaiseOutcome[]>;
  readonly onIdle: () => void;
}

/** The raises of one caller to one StoreSvr. */
class Lane {
  readonly #options: LaneOptions;
  /** In the order they came. */
  readonly #waiting = new Set<Call>();
  #requestCount = 0;
  #isFlushDue = false;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  raise(raises: readonly RaiseItem[], { timeoutMs, signal }: CallOptions): Promise<readonly RaiseOutcome[]> {
    const { address, clock } = this.#options;
    if (this.#waiting.size >= RAISE_CALLS_WAITING_MAX) {
      const why = `${RAISE_CALLS_WAITING_MAX} calls wait to be sent to ${address}`;
      return Promise.reject(new SeqError('RESOURCE_EXHAUSTED', why, { retryAfterMs: FULL_RETRY_AFTER_MS }));
    }
    return new Promise((resolve, reject) => {
      const end = (): void => {
        cancelTimer();
        signal?.removeEventListener('abort', onAbort);
      };
      const call: Call = {
        raises,
        deadlineMs: clock.nowMs() + timeoutMs,
        request: undefined,
        resolve: (outcomes) => (end(), resolve(outcomes)),
        reject: (error) => (end(), reject(error)),
      };
      const cancelTimer = clock.after(timeoutMs, () => this.#expire(call));
      const onAbort = (): void => this.#abort(call, signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(call);
      this.#schedule();
    });
  }

  /** In a microtask: calls of one turn share a request, and a lone one loses no time. */
  #schedule(): void {
    if (this.#isFlushDue || this.#waiting.size === 0 || this.#requestCount >= RAISE_REQUESTS_MAX) return;
    this.#isFlushDue = true;
    queueMicrotask(() => {
      this.#isFlushDue = false;
      const calls = this.#take();
      if (calls.length > 0) void this.#request(calls);
      // What did not fit goes with the next one.
      this.#schedule();
      this.#endWhenIdle();
    });
  }

  /** As many of the waiting calls as fit into one request, whole ones, in order. */
  #take(): readonly Call[] {
    const nowMs = this.#options.clock.nowMs();
    const calls: Call[] = [];
    let count = 0;
    for (const call of this.#waiting) {
      // Its timer is late; what nobody waits for is not worth a write.
      if (call.deadlineMs <= nowMs) {
        this.#expire(call);
        continue;
      }
      count += call.raises.length;
      if (count > RAISES_PER_REQUEST_MAX) break;
      this.#waiting.delete(call);
      calls.push(call);
    }
    return calls;
  }

  async #request(calls: readonly Call[]): Promise<void> {
    const { clock, send } = this.#options;
    // As long as the most patient call waits: each of the others ends by itself.
    const deadlineMs = Math.max(...calls.map((call) => call.deadlineMs));
    const request: Request = { calls: new Set(calls), deadlineMs, stopper: new Stopper() };
    for (const call of calls) call.request = request;
    this.#requestCount += 1;
    try {
      const outcomes = await send(
        calls.flatMap(({ raises }) => raises),
        { timeoutMs: deadlineMs - clock.nowMs(), signal: request.stopper },
      );
      let from = 0;
      for (const call of calls) {
        const to = from + call.raises.length;
        if (request.calls.has(call)) call.resolve(outcomes.slice(from, to));
        from = to;
      }
    } catch (error) {
      for (const call of request.calls) call.reject(error);
    }
    this.#requestCount -= 1;
    this.#schedule();
    this.#endWhenIdle();
  }

  #expire(call: Call): void {
    // The request ends with it, and says more: by its deadline a channel learns that its connection is stuck.
    if (call.request?.deadlineMs === call.deadlineMs) return;
    const isSent = this.#leave(call);
    const { address } = this.#options;
    const what = isSent ? 'did not answer in time' : 'was not asked: earlier requests took all the time';
    call.reject(new SeqError('TIMEOUT', `${address} ${what}`, { definite: !isSent, endpoint: address }));
  }

  #abort(call: Call, reason: unknown): void {
    const { request } = call;
    const isSent = this.#leave(call);
    call.reject(new SeqError('ABORTED', 'the call was aborted by its signal', { definite: !isSent, ...optional('cause', reason) }));
    if (request?.calls.size === 0) request.stopper.abort(reason);
  }

  /** True when the call was sent: then it may still be carried out. */
  #leave(call: Call): boolean {
    this.#waiting.delete(call);
    call.request?.calls.delete(call);
    this.#endWhenIdle();
    return call.request !== undefined;
  }

  #endWhenIdle(): void {
    if (this.#requestCount === 0 && this.#waiting.size === 0 && !this.#isFlushDue) this.#options.onIdle();
  }
}

interface Call {
  readonly raises: readonly RaiseItem[];
  /** On the Clock's monotonic axis. */
  readonly deadlineMs: number;
  /** Undefined: it waits for one. */
  request: Request | undefined;
  resolve(outcomes: readonly RaiseOutcome[]): void;
  reject(error: unknown): void;
}

interface Request {
  /** Those that still wait for its answer. */
  readonly calls: Set<Call>;
  /** That of its most patient call. */
  readonly deadlineMs: number;
  /** Cuts it when the last of them was aborted. */
  readonly stopper: Stopper;
}
