import type { Clock, Instant } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { OPS_TIMEOUT_DEFAULT_MS, OPS_TIMEOUT_MAX_MS } from '../rpc/limits.js';
import type { OpsFrame, OpsServerStream } from '../rpc/ops-codec.js';
import type { Handlers } from '../rpc/server.js';
import { askAt, type FrameServer, tooManyWait, type WaitingOp } from './frame-server.js';
import type { SectionId } from '../model/ids.js';
import { LateAnswers } from './late-answers.js';
import type { AllocNode, Confirmed, Patience } from './node.js';
import { routeFor } from './route-reply.js';
import type { Quota } from './quotas.js';
import type { Turns } from './turns.js';

/** Frames of one stream that are not answered whole; with so many nothing more is read of it. */
export const FRAMES_PENDING_MAX = 64;

/** What has been served on Exchange streams, since the process started. */
export interface ExchangeFigures {
  streamCount: number;
  frameCount: number;
  opCount: number;
  /** Operations that could not be answered at once. */
  lateOpCount: number;
  /** Operations that were refused because their caller had used up what it may take, unary calls included. */
  overQuotaCount: number;
}

export interface ExchangeOptions {
  readonly node: AllocNode;
  readonly frames: FrameServer;
  /** Of all streams. */
  readonly turns: Turns;
  readonly clock: Clock;
  readonly handlers: Handlers;
  readonly figures: ExchangeFigures;
  /** Every frame is STRICT, whatever it says itself. */
  readonly isStrict: boolean;
  /** What its caller may take; undefined: as much as it likes. */
  readonly quota: Quota | undefined;
  /** Waits for a table that the caller has heard of; undefined: there is nothing to wait for. */
  readonly whenHeard: (frame: OpsFrame, patience: Patience) => Promise<void> | undefined;
  readonly onOver: (exchange: Exchange) => void;
}

/** A caller over its quota is not read on before this time, in ms: each refusal of a full frame costs a server about a ms. */
export const OVER_QUOTA_REST_MS = 50;

/** A frame on its way. */
interface Course {
  readonly frame: OpsFrame;
  readonly patience: Patience;
  /** Of a STRICT frame. */
  confirmed: Confirmed | undefined;
  /** A reply has carried the route. */
  isRouteTold: boolean;
  /** How much of it goes on after the turn in which it came. */
  partCount: number;
}

/**
 * One stream of frames. What can be answered at once is, before the next frame is looked at; a caller that does not read its replies,
 * or has too many frames under way, is not read either, so that it holds no more memory than that.
 */
export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #stream: OpsServerStream;
  /** By their ids, the frames that are not answered whole. */
  readonly #pending = new Map<number, Course>();
  #isOver = false;
  #isEnding = false;
  /** What was written was not taken yet. */
  #isFull = false;
  /** A frame that takes long goes on in the next turn. */
  #isResting = false;
  /** While its caller is over its quota: ends the wait until it is read on. */
  #endRest: (() => void) | undefined;

  constructor(stream: OpsServerStream, options: ExchangeOptions) {
    this.#stream = stream;
    this.#options = options;
    options.figures.streamCount += 1;
    stream.on('data', (frame: OpsFrame | SeqError) => this.#onFrame(frame));
    stream.on('drain', () => this.#onDrain());
    stream.on('end', () => this.#onEnd());
    stream.on('cancelled', () => this.#over());
    stream.on('close', () => this.#over());
  }

  /** Ends it with a status that says why. */
  refuse(error: SeqError): void {
    if (this.#isOver) return;
    this.#over();
    this.#options.handlers.refuse(this.#stream, error);
  }

  #onFrame(frame: OpsFrame | SeqError): void {
    if (this.#isOver) return;
    if (frame instanceof SeqError) return this.refuse(frame);
    if (this.#pending.has(frame.id)) return this.refuse(new SeqError('INVALID_ARGUMENT', `frame ${frame.id} is not answered yet, and came again`));
    const { figures, clock, whenHeard, isStrict, quota } = this.#options;
    figures.frameCount += 1;
    figures.opCount += frame.opCount;
    const now = clock.now();
    const timeoutMs = frame.timeoutMs === 0 ? OPS_TIMEOUT_DEFAULT_MS : Math.min(frame.timeoutMs, OPS_TIMEOUT_MAX_MS);
    const patience: Patience = { deadlineMs: now.monoMs + timeoutMs, isCancelled: () => this.#isOver };
    const course: Course = { frame, patience, confirmed: undefined, isRouteTold: false, partCount: 0 };
    const overQuota = quota?.refusal(frame.opCount, now.monoMs);
    if (overQuota !== undefined) return this.#refuseForNow(course, overQuota);
    const heard = whenHeard(frame, patience);
    if (heard === undefined && !frame.strict && !isStrict) return this.#serve(course, now, 0);
    if (!this.#options.frames.entered(frame.opCount)) return this.#refuseAll(course, tooManyWait());
    this.#begin(course);
    void this.#serveLater(course, heard).catch((error: unknown) => this.#fail(error));
  }

  /** Answers what it can and leaves the rest for later: what must wait, and what would take too long for one turn. */
  #serve(course: Course, now: Instant, from: number): void {
    const { frame, confirmed } = course;
    const { frames, clock, turns, quota, node } = this.#options;
    const takenBefore = quota === undefined ? 0 : node.handedOutCount;
    const waiting = frames.serve(frame, { now, confirmed, from });
    if (quota !== undefined) quota.took(node.handedOutCount - takenBefore + countOf(waiting));
    const { stoppedAt } = frames;
    this.#reply(course);
    if (waiting.length > 0) this.#wait(course, waiting);
    if (stoppedAt === frame.opCount) return;
    this.#begin(course);
    this.#isResting = true;
    this.#stream.pause();
    turns.next(() => {
      this.#isResting = false;
      if (this.#isOver) return;
      this.#serve(course, clock.now(), stoppedAt);
      this.#done(course);
      // It may wait for long yet, and others need not.
      this.#resume();
    });
  }

  /** What it sends next waits in its own connection, and costs nothing here. */
  #refuseForNow(course: Course, error: SeqError): void {
    this.#options.figures.overQuotaCount += course.frame.opCount;
    this.#refuseAll(course, error);
    if (this.#endRest !== undefined) return;
    this.#stream.pause();
    this.#endRest = this.#options.clock.after(OVER_QUOTA_REST_MS, () => {
      this.#endRest = undefined;
      if (!this.#isOver) this.#resume();
    });
  }

  #refuseAll(course: Course, error: SeqError): void {
    this.#options.frames.refuse(course.frame, error);
    this.#reply(course);
  }

  /** After a table that is on its way, or after ownership was confirmed. */
  async #serveLater(course: Course, heard: Promise<void> | undefined): Promise<void> {
    const { frames, clock, isStrict } = this.#options;
    const { frame, patience } = course;
    let confirmed: Confirmed | SeqError | undefined;
    try {
      await heard;
      if (frame.strict || isStrict) confirmed = await this.#confirm(frame, patience);
    } finally {
      frames.left(frame.opCount);
    }
    if (this.#isOver) return;
    if (confirmed instanceof SeqError) this.#refuseAll(course, confirmed);
    else {
      course.confirmed = confirmed;
      this.#serve(course, clock.now(), 0);
    }
    this.#done(course);
  }

  /** Operations that are none fail alone later: here they have no section to ask about. */
  async #confirm(frame: OpsFrame, patience: Patience): Promise<Confirmed | SeqError> {
    const { node } = this.#options;
    try {
      // Before the set is known no section is.
      void node.geometry;
      const sections = new Set<SectionId>();
      for (let place = 0; place < frame.opCount; place++) {
        const ask = orError(() => askAt(node, frame, place));
        if (!(ask instanceof SeqError)) sections.add(ask.section);
      }
      return await node.confirm(sections, patience);
    } catch (error) {
      if (SeqError.is(error)) return error;
      throw error;
    }
  }

  #wait(course: Course, waiting: readonly WaitingOp[]): void {
    this.#begin(course);
    const { node, frames, figures, clock } = this.#options;
    const { patience, confirmed } = course;
    figures.lateOpCount += waiting.length;
    const late = new LateAnswers({
      node,
      clock,
      waiting,
      patience,
      confirmed,
      flush: (write) => {
        frames.draft.begin();
        write(frames.draft);
        this.#reply(course);
      },
    });
    void late
      .run()
      .finally(() => frames.left(waiting.length))
      .then(
        () => this.#done(course),
        (error: unknown) => this.#fail(error),
      );
  }

  #begin(course: Course): void {
    course.partCount += 1;
    this.#pending.set(course.frame.id, course);
    if (this.#pending.size >= FRAMES_PENDING_MAX) this.#stream.pause();
  }

  #done(course: Course): void {
    course.partCount -= 1;
    if (this.#isOver || course.partCount > 0) return;
    this.#pending.delete(course.frame.id);
    if (this.#isEnding && this.#pending.size === 0) return this.#end();
    this.#resume();
  }

  /** Writes what the draft has, if it has anything. The route rides on the first reply of a frame. */
  #reply(course: Course): void {
    const { node, frames } = this.#options;
    if (this.#isOver || frames.draft.answerCount === 0) return;
    const { id, opCount, routingVersion } = course.frame;
    const route = course.isRouteTold ? undefined : routeFor(node, routingVersion);
    course.isRouteTold = true;
    if (this.#stream.write(frames.draft.encode({ id, opCount, route }))) return;
    this.#isFull = true;
    this.#stream.pause();
  }

  #onDrain(): void {
    this.#isFull = false;
    this.#resume();
  }

  #resume(): void {
    if (!this.#isFull && !this.#isResting && this.#endRest === undefined && this.#pending.size < FRAMES_PENDING_MAX) this.#stream.resume();
  }

  #onEnd(): void {
    this.#isEnding = true;
    if (this.#pending.size === 0) this.#end();
  }

  #end(): void {
    this.#over();
    this.#stream.end();
  }

  /** A bug: the caller learns only that. */
  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#over();
    this.#options.handlers.refuse(this.#stream, error);
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#endRest?.();
    this.#options.figures.streamCount -= 1;
    this.#options.onOver(this);
  }
}

/** Numbers that will be handed out, unless their wait ends in an error: what is asked for counts. */
function countOf(waiting: readonly WaitingOp[]): number {
  let count = 0;
  for (const { ask } of waiting) count += ask.count;
  return count;
}

function orError<Value>(run: () => Value): Value | SeqError {
  try {
    return run();
  } catch (error) {
    if (SeqError.is(error)) return error;
    throw error;
  }
}
