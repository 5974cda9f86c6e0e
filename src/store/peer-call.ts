import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Channel } from '../rpc/channel.js';
import type { Hello, Removed } from '../rpc/gen/seqsvr/v1/raft.js';
import { type FrameCodec, peerMethods } from '../rpc/peer-frame.js';
import { grpcWire, type Wire } from '../rpc/wire.js';

/** How long a peer may take to say hello, in ms; after it the connection is dropped and made anew. */
export const HELLO_TIMEOUT_MS = 1_000;

/** What both methods of the PeerService answer. */
export interface Answer<Body> {
  readonly answer?: Greeting | Body | undefined;
}
type Greeting = { readonly $case: 'hello'; readonly value: Hello } | { readonly $case: 'removed'; readonly value: Removed };

export interface PeerCallOptions<Body> {
  readonly address: string;
  readonly method: keyof typeof peerMethods;
  /** The hello, sealed. */
  readonly hello: Buffer;
  readonly answers: Pick<FrameCodec<Answer<Body>>, 'open'>;
  /** The other side's hello. Throws a SeqError when it is not who it should be; that ends the call. */
  readonly onHello: (hello: Hello) => void;
  /** This node was removed, says the other side. Throws a SeqError when it may not say so. */
  readonly onRemoved: (removed: Removed) => void;
  /** What comes after the hello. Throws a SeqError to end the call. */
  readonly onAnswer: (body: Body) => void;
  /** Once, when the call is over by itself; not after `end`. */
  readonly onDown: (error: SeqError) => void;
  readonly clock: Clock;
  readonly wire?: Wire | undefined;
}

/**
 * One attempt to talk to a peer: a connection of its own, a hello each way, then frames. A connection for each attempt
 * and lane, because one that was accepted by a paused process would never come to life (grpc-node #2785), and because
 * a large frame fills the pipe for everything else in it.
 */
export class PeerCall<Body> {
  readonly #options: PeerCallOptions<Body>;
  readonly #channel: Channel;
  readonly #stream: ReturnType<typeof openStream>;
  readonly #cancelTimer: () => void;
  #isUp = false;
  #isOver = false;

  constructor(options: PeerCallOptions<Body>) {
    this.#options = options;
    this.#channel = (options.wire ?? grpcWire).channel(options);
    const stream = openStream(this.#channel, options.method);
    this.#stream = stream;
    stream.on('data', (bytes: Buffer) => this.#onData(bytes));
    stream.on('error', (error) => this.#down(this.#channel.errorOf(error as Parameters<Channel['errorOf']>[0])));
    stream.on('end', () => this.#down(new SeqError('UNAVAILABLE', 'closed by the peer')));
    this.#cancelTimer = options.clock.after(HELLO_TIMEOUT_MS, () => {
      // It accepted the connection and says nothing: a paused process, or half of a connection.
      this.#down(new SeqError('UNAVAILABLE', `said nothing for ${HELLO_TIMEOUT_MS} ms`));
    });
    stream.write(options.hello);
  }

  /** The other side's hello has come and was believed. */
  get isUp(): boolean {
    return this.#isUp && !this.#isOver;
  }

  /** `onTaken`: the network has it; never called when the call ends before. */
  write(frame: Buffer, onTaken?: () => void): void {
    if (this.#isOver) return;
    this.#stream.write(frame, (error?: Error | null) => {
      if (error === undefined || error === null) onTaken?.();
    });
  }

  end(): void {
    this.#isOver = true;
    this.#cancelTimer();
    this.#stream.cancel();
    this.#channel.close();
  }

  #onData(bytes: Buffer): void {
    if (this.#isOver) return;
    try {
      const { answer } = this.#options.answers.open(bytes);
      if (answer === undefined) throw new SeqError('PROTOCOL', 'it answered with nothing that this version knows');
      if (isGreeting(answer)) this.#onGreeting(answer);
      else if (this.#isUp) this.#options.onAnswer(answer);
      else throw new SeqError('PROTOCOL', 'it answered without a hello');
    } catch (error) {
      if (!(error instanceof SeqError)) throw error;
      this.#down(error);
    }
  }

  #onGreeting(greeting: Greeting): void {
    if (greeting.$case === 'removed') {
      this.#options.onRemoved(greeting.value);
      return;
    }
    if (this.#isUp) throw new SeqError('PROTOCOL', 'it said hello twice');
    this.#cancelTimer();
    this.#isUp = true;
    this.#options.onHello(greeting.value);
  }

  #down(error: SeqError): void {
    if (this.#isOver) return;
    this.end();
    this.#options.onDown(error);
  }
}

function openStream(channel: Channel, method: keyof typeof peerMethods) {
  return channel.duplexStream<Buffer, Buffer>(peerMethods[method]);
}

function isGreeting(answer: unknown): answer is Greeting {
  const { $case } = answer as { readonly $case?: string };
  return $case === 'hello' || $case === 'removed';
}
