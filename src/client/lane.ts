import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Version } from '../model/version.js';
import type { Channel, StreamError } from '../rpc/channel.js';
import { ColumnRoom } from '../rpc/columns.js';
import { OPS_PER_FRAME_MAX } from '../rpc/limits.js';
import { encodeOpsFrame, exchangeMethod, type OpsClientStream, type OpsReply } from '../rpc/ops-codec.js';
import { ATTEMPT_MAX_MS } from './call-scope.js';
import { Line } from './line.js';
import type { ClientMemory } from './memory.js';
import type { Ops } from './ops.js';
import { protocol } from './remote-error.js';
import { ReplyQueue } from './reply-queue.js';
import { type Judge, SentFrame } from './sent-frame.js';

/** How many frames may be on their way without any reply: enough that client and server are both busy. */
export const FRAMES_IN_FLIGHT = 2;
/** With so many operations a frame goes at once while there is room on the way; with fewer it waits for the end of the turn. */
export const OPS_TO_GO = 128;
/** Frames with operations that wait at the server, for a raise or for a section on the move; as many as the server takes. */
export const FRAMES_PENDING_MAX = 1_000;
/** What the server is told to wait at most, in ms: its own answer comes before this side gives up. */
const SERVER_PATIENCE_MS = 900;
const FRAME_ID_MAX = 2 ** 32 - 1;

/** Of all lanes: a frame is written and encoded in one go. */
const COLUMNS = {
  uids: new ColumnRoom({ width: 8, lengthMax: OPS_PER_FRAME_MAX }),
  counts: new ColumnRoom({ width: 4, lengthMax: OPS_PER_FRAME_MAX }),
  floors: new ColumnRoom({ width: 8, lengthMax: OPS_PER_FRAME_MAX }),
};

/** What a lane asks about the table and what was seen. */
export interface Guide extends Judge {
  readonly memory: ClientMemory;
  versions(): { readonly routingVersion: Version; readonly heardVersion: Version };
  /** Keeps what a reply says of the route. */
  heard(reply: OpsReply): void;
  /** The stream answered, or failed: `error` as it happened. Returns it as the callers see it. */
  outcome(error: SeqError): SeqError;
  answered(): void;
}

export interface LaneOptions {
  readonly channel: () => Pick<Channel, 'duplexStream' | 'errorOf'>;
  readonly clock: Clock;
  readonly guide: Guide;
  readonly strict: boolean;
}

/**
 * The operations of one client on their way to one AllocSvr: frames of one turn's calls on one stream, several on their way at once, the
 * rest in line. A stream that breaks, stalls or talks nonsense is given up with what is on it, which failed as one attempt; the next
 * frame opens another.
 */
export class Lane {
  readonly #options: LaneOptions;
  readonly #line = new Line();
  readonly #frames = new Map<number, SentFrame>();
  readonly #spare: SentFrame[] = [];
  readonly #replies: ReplyQueue<() => void>;
  #stream: OpsClientStream | undefined;
  #lastId = 0;
  /** Frames without any reply. */
  #unheardCount = 0;
  #isFull = false;
  #isFlushDue = false;
  #cancelTimer: (() => void) | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  /** Read once a turn. */
  #nowMs = Number.NaN;
  #isClosed = false;
  #isRetired = false;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#replies = new ReplyQueue(options.clock, (take) => take());
  }

  /** The time of this turn, in ms of the clock's monotonic axis: good for budgets. */
  turnMs(): number {
    if (Number.isNaN(this.#nowMs)) {
      this.#nowMs = this.#options.clock.nowMs();
      this.#dueFlush();
    }
    return this.#nowMs;
  }

  /** Operations are in line. */
  get isWaiting(): boolean {
    return this.#line.opCount > 0;
  }

  /** Never throws: what goes wrong is told to `ops`, and not before this turn is over. */
  send(ops: Ops): void {
    this.#line.push(ops);
    // Who comes with many at once fills a frame with others of the same turn, unless there is nothing to wait for.
    const isReady = ops.size === 1 ? this.#line.opCount >= OPS_TO_GO : this.#unheardCount === 0;
    if (!isReady || !this.#hasRoom()) return this.#dueFlush();
    this.#sendFrame(ops.size === 1 ? OPS_TO_GO : OPS_PER_FRAME_MAX);
  }

  /** Those that wait in line for nothing fail: `isStale` says why, or nothing. */
  dropStale(errorFor: (uidLow: number, uidHigh: number) => SeqError | undefined): void {
    this.#line.drop(errorFor);
  }

  /** Nobody will be sent here any more; what is on its way may still be answered. */
  retire(): void {
    this.#isRetired = true;
    if (this.#frames.size === 0 && !this.isWaiting) this.#letGo();
  }

  /** Ends everything: what is in line fails with the error for certain, and what is on the way may have been done. */
  close(error: SeqError): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#giveUp(error.with({ definite: false }));
    this.#line.fail(error.with({ definite: true }));
  }

  #hasRoom(): boolean {
    return !this.#isFull && this.#unheardCount < FRAMES_IN_FLIGHT && this.#frames.size < FRAMES_PENDING_MAX;
  }

  #dueFlush(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    queueMicrotask(() => {
      this.#isFlushDue = false;
      this.#flush();
      this.#nowMs = Number.NaN;
    });
  }

  #flush(): void {
    while (this.#line.opCount > 0 && this.#hasRoom() && !this.#isClosed) this.#sendFrame(OPS_PER_FRAME_MAX);
    this.#watch(this.#line.deadlineMs);
  }

  #sendFrame(opCountMax: number): void {
    const { guide, strict } = this.#options;
    const nowMs = this.turnMs();
    const frame = this.#spare.pop() ?? new SentFrame();
    frame.begin(this.#nextId(), nowMs, nowMs + ATTEMPT_MAX_MS);
    const known = { memory: guide.memory, columns: COLUMNS };
    this.#line.take(opCountMax, (ops, from, end) => frame.add(ops, from, end, known));
    if (frame.opCount === 0) return void this.#spare.push(frame);
    const { uids, counts, floors } = COLUMNS;
    const bytes = encodeOpsFrame({
      id: frame.id,
      ...guide.versions(),
      strict,
      timeoutMs: SERVER_PATIENCE_MS,
      opCount: frame.opCount,
      uids,
      counts: frame.hasCounts ? counts : undefined,
      floors: frame.hasFloors ? floors : undefined,
    });
    this.#frames.set(frame.id, frame);
    this.#unheardCount += 1;
    this.#watch(frame.deadlineMs);
    this.#stream ??= this.#open();
    this.#isFull = !this.#stream.write(bytes);
  }

  #nextId(): number {
    do this.#lastId = this.#lastId === FRAME_ID_MAX ? 1 : this.#lastId + 1;
    while (this.#frames.has(this.#lastId));
    return this.#lastId;
  }

  #open(): OpsClientStream {
    const channel = this.#options.channel();
    const stream = channel.duplexStream(exchangeMethod);
    const isInUse = (): boolean => this.#stream === stream;
    stream.on('data', (reply: OpsReply | SeqError) => {
      if (isInUse()) this.#replies.push(() => isInUse() && this.#take(reply));
    });
    stream.on('drain', () => {
      if (!isInUse()) return;
      this.#isFull = false;
      this.#flush();
    });
    stream.on('error', (error: StreamError) => {
      // A connection that is stuck is replaced there, so it hears of streams that were given up, too.
      const told = channel.errorOf(error);
      if (isInUse()) this.#fail(told);
    });
    stream.on('end', () => isInUse() && this.#fail(new SeqError('UNAVAILABLE', 'the server ended the stream', { definite: false })));
    return stream;
  }

  #take(reply: OpsReply | SeqError): void {
    if (reply instanceof SeqError) return this.#fail(reply);
    const frame = this.#frames.get(reply.id);
    if (frame === undefined) return this.#fail(protocol(`a reply to frame ${reply.id}, which was not sent`));
    const { guide } = this.#options;
    guide.answered();
    guide.heard(reply);
    if (frame.isUnheard) this.#unheardCount -= 1;
    try {
      frame.take(reply, guide);
    } catch (error) {
      if (!(error instanceof SeqError)) throw error;
      return this.#fail(error);
    }
    this.#retire(frame);
    if (this.isWaiting) this.#dueFlush();
    else if (this.#isRetired && this.#frames.size === 0) this.#letGo();
  }

  #retire(frame: SentFrame): void {
    if (!frame.isOver) return;
    this.#frames.delete(frame.id);
    if (this.#spare.length < FRAMES_IN_FLIGHT) this.#spare.push(frame);
  }

  #letGo(): void {
    this.#cancelTimer?.();
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.cancel();
  }

  /** The stream is of no use any more. */
  #fail(error: SeqError): void {
    this.#giveUp(this.#options.guide.outcome(error));
    if (this.#line.opCount > 0) this.#dueFlush();
  }

  #giveUp(error: SeqError): void {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#isFull = false;
    this.#unheardCount = 0;
    this.#replies.clear();
    const frames = [...this.#frames.values()];
    this.#frames.clear();
    stream?.cancel();
    for (const frame of frames) frame.fail(error);
  }

  /** One timer for all: it fires no later than the first deadline, and looks what is over. */
  #watch(atMs: number): void {
    if (atMs >= this.#timerAtMs || this.#isClosed) return;
    this.#cancelTimer?.();
    this.#timerAtMs = atMs;
    this.#cancelTimer = this.#options.clock.after(Math.max(0, atMs - this.#options.clock.nowMs()), () => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.#expire(this.#options.clock.nowMs());
    });
  }

  #expire(nowMs: number): void {
    this.#line.expire(nowMs);
    const isStalled = [...this.#frames.values()].some((frame) => frame.sentAtMs + ATTEMPT_MAX_MS <= nowMs);
    if (isStalled) return this.#fail(new SeqError('TIMEOUT', `no answer within ${ATTEMPT_MAX_MS} ms`, { definite: false }));
    for (const frame of this.#frames.values()) {
      if (frame.deadlineMs <= nowMs)
        frame.expire(nowMs, new SeqError('TIMEOUT', 'no answer within the budget of the call', { definite: false }), ATTEMPT_MAX_MS);
      this.#watch(frame.deadlineMs);
    }
    this.#watch(this.#line.deadlineMs);
  }
}
