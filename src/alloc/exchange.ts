import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { OPS_TIMEOUT_DEFAULT_MS, OPS_TIMEOUT_MAX_MS } from '../rpc/limits.js';
import type { OpsFrame, OpsServerStream } from '../rpc/ops-codec.js';
import type { Handlers } from '../rpc/server.js';
import { askAt, type FrameServer, tooManyWait, type WaitingOp } from './frame-server.js';
import type { SectionId } from '../model/ids.js';
import { LateAnswers } from './late-answers.js';
import type { AllocNode, Confirmed, Patience } from './node.js';
import { routeFor } from './route-reply.js';

/** Frames of one stream that are not answered whole; with so many nothing more is read of it. */
export const FRAMES_PENDING_MAX = 64;

/** What has been served on Exchange streams, since the process started. */
export interface ExchangeFigures {
  streamCount: number;
  frameCount: number;
  opCount: number;
  /** Operations that could not be answered at once. */
  lateOpCount: number;
}

export interface ExchangeOptions {
  readonly node: AllocNode;
  readonly frames: FrameServer;
  readonly clock: Clock;
  readonly handlers: Handlers;
  readonly figures: ExchangeFigures;
  /** Every frame is STRICT, whatever it says itself. */
  readonly isStrict: boolean;
  /** Waits for a table that the caller has heard of; undefined: there is nothing to wait for. */
  readonly whenHeard: (frame: OpsFrame, patience: Patience) => Promise<void> | undefined;
  readonly onOver: (exchange: Exchange) => void;
}

interface Later {
  readonly frame: OpsFrame;
  readonly waiting: readonly WaitingOp[];
  readonly patience: Patience;
  readonly confirmed: Confirmed | undefined;
  /** An earlier reply carried the route. */
  readonly isRouteTold: boolean;
}

/**
 * One stream of frames. What can be answered at once is, before the next frame is looked at; a caller that does not read its replies,
 * or has too many frames under way, is not read either, so that it holds no more memory than that.
 */
export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #stream: OpsServerStream;
  /** Ids of frames that are not answered whole. */
  readonly #pending = new Set<number>();
  #isOver = false;
  #isEnding = false;
  /** What was written was not taken yet. */
  #isFull = false;

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
    const { figures, clock, whenHeard, isStrict } = this.#options;
    figures.frameCount += 1;
    figures.opCount += frame.opCount;
    const now = clock.now();
    const timeoutMs = frame.timeoutMs === 0 ? OPS_TIMEOUT_DEFAULT_MS : Math.min(frame.timeoutMs, OPS_TIMEOUT_MAX_MS);
    const patience: Patience = { deadlineMs: now.monoMs + timeoutMs, isCancelled: () => this.#isOver };
    const heard = whenHeard(frame, patience);
    if (heard === undefined && !frame.strict && !isStrict) {
      this.#answer(frame, this.#options.frames.serve(frame, { now }), patience, undefined);
      return;
    }
    if (!this.#options.frames.entered(frame.opCount)) {
      this.#options.frames.refuse(frame, tooManyWait());
      this.#reply(frame, true);
      return;
    }
    this.#begin(frame);
    void this.#serveLater(frame, patience, heard).catch((error: unknown) => this.#fail(error));
  }

  /** After a table that is on its way, or after ownership was confirmed. */
  async #serveLater(frame: OpsFrame, patience: Patience, heard: Promise<void> | undefined): Promise<void> {
    const { frames, clock, isStrict } = this.#options;
    let confirmed: Confirmed | SeqError | undefined;
    try {
      await heard;
      if (frame.strict || isStrict) confirmed = await this.#confirm(frame, patience);
    } finally {
      frames.left(frame.opCount);
    }
    if (this.#isOver) return;
    if (confirmed instanceof SeqError) this.#answer(frame, frames.refuse(frame, confirmed), patience, undefined);
    else this.#answer(frame, frames.serve(frame, { now: clock.now(), confirmed }), patience, confirmed);
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

  /** Sends what is in the draft; what must wait is answered by later replies. */
  #answer(frame: OpsFrame, waiting: readonly WaitingOp[], patience: Patience, confirmed: Confirmed | undefined): void {
    const isRouteTold = this.#reply(frame, true);
    if (waiting.length === 0) this.#done(frame);
    else this.#wait({ frame, waiting, patience, confirmed, isRouteTold });
  }

  #wait({ frame, waiting, patience, confirmed, isRouteTold }: Later): void {
    this.#begin(frame);
    const { node, frames, figures, clock } = this.#options;
    figures.lateOpCount += waiting.length;
    let isFirst = !isRouteTold;
    const late = new LateAnswers({
      node,
      clock,
      waiting,
      patience,
      confirmed,
      flush: (write) => {
        frames.draft.begin();
        write(frames.draft);
        if (this.#reply(frame, isFirst)) isFirst = false;
      },
    });
    void late
      .run()
      .finally(() => frames.left(waiting.length))
      .then(
        () => this.#done(frame),
        (error: unknown) => this.#fail(error),
      );
  }

  #begin(frame: OpsFrame): void {
    this.#pending.add(frame.id);
    if (this.#pending.size >= FRAMES_PENDING_MAX) this.#stream.pause();
  }

  #done(frame: OpsFrame): void {
    // Most frames never were: they are over in the turn in which they came.
    if (this.#isOver || !this.#pending.delete(frame.id)) return;
    if (this.#isEnding && this.#pending.size === 0) return this.#end();
    this.#resume();
  }

  /** Writes what the draft has; false: it has nothing. The route rides on the first reply of a frame. */
  #reply(frame: OpsFrame, isFirst: boolean): boolean {
    const { node, frames } = this.#options;
    if (this.#isOver || frames.draft.answerCount === 0) return false;
    const route = isFirst ? routeFor(node, frame.routingVersion) : undefined;
    if (!this.#stream.write(frames.draft.encode({ id: frame.id, opCount: frame.opCount, route }))) {
      this.#isFull = true;
      this.#stream.pause();
    }
    return true;
  }

  #onDrain(): void {
    this.#isFull = false;
    this.#resume();
  }

  #resume(): void {
    if (!this.#isFull && this.#pending.size < FRAMES_PENDING_MAX) this.#stream.resume();
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
    this.#options.figures.streamCount -= 1;
    this.#options.onOver(this);
  }
}

function orError<Value>(run: () => Value): Value | SeqError {
  try {
    return run();
  } catch (error) {
    if (SeqError.is(error)) return error;
    throw error;
  }
}
