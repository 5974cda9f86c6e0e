import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { NodeId } from '../raft/types.js';
import type { Hello, Lane, Removed } from '../rpc/gen/seqsvr/v1/raft.js';
import type { FrameStream } from '../rpc/peer-frame.js';
import type { Handlers } from '../rpc/server.js';
import { HELLO_TIMEOUT_MS } from './peer-call.js';
import type { RefusalReason } from './peer-notices.js';

export type HelloFrame = { readonly $case: 'hello'; readonly value: Hello };
type Greeting = HelloFrame | { readonly $case: 'removed'; readonly value: Removed };

/** What one of the two methods does with a stream. */
export interface GuestMethod<Body> {
  /** Throws PROTOCOL; undefined is a frame that this version does not know. */
  readonly open: (bytes: Buffer) => HelloFrame | Body | undefined;
  readonly seal: (answer: Greeting) => Buffer;
  readonly lanes: readonly Lane[];
  /** Made for each stream: takes what comes after the hello, and gives the answer if there is one. Throws a SeqError to end the stream. */
  readonly taker: () => (from: NodeId, body: Body) => Buffer | undefined;
  /** Counts an error of a believed peer. */
  readonly onBad: (from: NodeId, error: SeqError) => void;
}

/** Who looks after the guests. */
export interface GuestHost {
  /** Somebody says who it is: answers with `welcome`, `sayRemoved` or `refuse`. */
  onHello(guest: Guest, hello: Hello): void;
  onRefused(guest: Guest, reason: RefusalReason, error: SeqError): void;
  /** The stream is over. */
  onGone(guest: Guest): void;
}

export interface Guest {
  /** Undefined until it was believed. */
  readonly hello: Hello | undefined;
  /** Lets it in, with this node's own hello. */
  welcome(theirs: Hello, ours: Hello): void;
  /** The last thing it hears. */
  sayRemoved(removed: Removed): void;
  /** Ends the stream, with a reason that is counted. */
  refuse(reason: RefusalReason, error: SeqError): void;
  /** Ends the stream; nobody is to blame. */
  cut(why: string): void;
}

/** One stream that another node opened. What was on its way when it ended is ignored. */
export class PeerGuest<Body extends { readonly $case: string }> implements Guest {
  readonly #stream: FrameStream;
  readonly #method: GuestMethod<Body>;
  readonly #handlers: Handlers;
  readonly #host: GuestHost;
  readonly #take: (from: NodeId, body: Body) => Buffer | undefined;
  readonly #cancelTimer: () => void;
  #hello: Hello | undefined;
  #isOver = false;

  constructor(options: {
    readonly stream: FrameStream;
    readonly method: GuestMethod<Body>;
    readonly handlers: Handlers;
    readonly host: GuestHost;
    readonly clock: Clock;
  }) {
    const { stream, method } = options;
    this.#stream = stream;
    this.#method = method;
    this.#handlers = options.handlers;
    this.#host = options.host;
    this.#take = method.taker();
    this.#cancelTimer = options.clock.after(HELLO_TIMEOUT_MS, () =>
      this.refuse('silent', new SeqError('UNAVAILABLE', `no hello within ${HELLO_TIMEOUT_MS} ms`)),
    );
    stream.on('data', (bytes: Buffer) => this.#onData(bytes));
    stream.on('end', () => {
      this.#over();
      stream.end();
    });
    stream.on('cancelled', () => this.#over());
  }

  get hello(): Hello | undefined {
    return this.#hello;
  }

  welcome(theirs: Hello, ours: Hello): void {
    this.#cancelTimer();
    this.#hello = theirs;
    this.#answer(this.#method.seal({ $case: 'hello', value: ours }));
  }

  sayRemoved(removed: Removed): void {
    if (this.#isOver) return;
    this.#answer(this.#method.seal({ $case: 'removed', value: removed }));
    this.#over();
    this.#stream.end();
  }

  refuse(reason: RefusalReason, error: SeqError): void {
    if (this.#isOver) return;
    this.#host.onRefused(this, reason, error);
    this.#end(error);
  }

  cut(why: string): void {
    if (!this.#isOver) this.#end(new SeqError('CLOSED', why));
  }

  #onData(bytes: Buffer): void {
    if (this.#isOver) return;
    try {
      this.#onFrame(this.#method.open(bytes));
    } catch (error) {
      if (!(error instanceof SeqError)) throw error;
      if (this.#hello === undefined) return this.refuse('badFrame', error);
      this.#method.onBad(this.#hello.nodeId, error);
      this.#end(error);
    }
  }

  #onFrame(frame: HelloFrame | Body | undefined): void {
    if (frame === undefined) throw new SeqError('PROTOCOL', 'a frame that this version does not know');
    const hello = isHello(frame) ? frame.value : undefined;
    if ((hello === undefined) === (this.#hello === undefined)) throw new SeqError('PROTOCOL', 'the first frame, and only the first, is a hello');
    if (hello !== undefined) {
      if (!this.#method.lanes.includes(hello.lane)) throw new SeqError('PROTOCOL', `lane ${hello.lane} has another method`);
      return this.#host.onHello(this, hello);
    }
    if (this.#hello === undefined || isHello(frame)) return;
    const answer = this.#take(this.#hello.nodeId, frame);
    if (answer !== undefined) this.#answer(answer);
  }

  #answer(bytes: Buffer): void {
    if (!this.#isOver) this.#stream.write(bytes);
  }

  #end(error: SeqError): void {
    this.#over();
    this.#handlers.refuse(this.#stream, error);
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelTimer();
    this.#host.onGone(this);
  }
}

function isHello(frame: { readonly $case: string }): frame is HelloFrame {
  return frame.$case === 'hello';
}
