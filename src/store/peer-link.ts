import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import { backoffMs, type Random } from '../base/random.js';
import type { Message } from '../raft/message.js';
import { totalSize } from '../raft/types.js';
import { Channel } from '../rpc/channel.js';
import { type DeliverRequest, type DeliverResponse, type Hello, PeerServiceService } from '../rpc/gen/seqsvr/v1/raft.js';
import { raftToWire } from '../rpc/raft-codec.js';
import type { StoreEvent } from './events.js';

/** How long a peer may take to say hello, in ms; after it the connection is dropped and made anew. */
const HELLO_TIMEOUT_MS = 1_000;
const REDIAL = { baseMs: 50, maxMs: 500 };
/** Bytes of entries in one frame; a larger message travels alone. Well below what the peer listener takes. */
const FRAME_BYTES_MAX = 2 * 1024 * 1024;
/** What a message weighs besides its entries, in bytes; generous. */
const MESSAGE_BYTES = 64;
/** Frames that wait in one stream; what comes then is dropped, and Raft sends it again when it matters. */
const WAITING_FRAMES_MAX = 64;

export interface PeerLinkOptions {
  readonly address: string;
  /** What this node says first. */
  readonly hello: Hello;
  /** Refuses a peer that is not who it should be; the reason ends the stream. */
  readonly checkPeer: (hello: Hello) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly observe: Observer<StoreEvent>;
}

type Stream = ReturnType<typeof openStream>;

/** One lane to one peer: dials it, says hello, and carries messages one way; dials again for ever until closed. */
export class PeerLink {
  readonly #options: PeerLinkOptions;
  #channel: Channel;
  #stream: Stream | undefined;
  /** The peer's hello has come and was believed. */
  #isUp = false;
  #isClosed = false;
  #attempt = 0;
  #batch: Message[] = [];
  #droppedCount = 0;
  #cancelTimer: () => void = () => undefined;

  constructor(options: PeerLinkOptions) {
    this.#options = options;
    this.#channel = new Channel({ address: options.address, clock: options.clock });
    this.#dial();
  }

  /** Never waits: messages of one turn travel in one frame, and what cannot travel is dropped. */
  send(message: Message): void {
    if (!this.#isUp) return;
    this.#batch.push(message);
    if (this.#batch.length === 1) queueMicrotask(() => this.#flush());
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
    this.#stream?.cancel();
    this.#channel.close();
  }

  #flush(): void {
    const messages = this.#batch;
    this.#batch = [];
    const stream = this.#stream;
    if (stream === undefined || !this.#isUp) return;
    if (stream.writableLength >= WAITING_FRAMES_MAX) {
      if (this.#droppedCount === 0) this.#options.observe({ type: 'peerSlow', peerId: this.#options.hello.toNodeId, lane: this.#options.hello.lane });
      this.#droppedCount += messages.length;
      return;
    }
    this.#droppedCount = 0;
    for (const frame of framesOf(messages)) stream.write({ frame: { $case: 'messages', value: { messages: frame.map(raftToWire) } } });
  }

  #dial(): void {
    if (this.#isClosed) return;
    const { clock, hello } = this.#options;
    const stream = openStream(this.#channel);
    this.#stream = stream;
    stream.on('data', (response: DeliverResponse) => this.#onHello(stream, response.hello));
    stream.on('error', (error) => this.#down(stream, error.message));
    stream.on('end', () => this.#down(stream, 'closed by the peer'));
    this.#cancelTimer = clock.after(HELLO_TIMEOUT_MS, () => {
      // It accepted the connection and says nothing: a paused process, or half of a connection. Start afresh.
      this.#channel.close();
      this.#channel = new Channel({ address: this.#options.address, clock });
      this.#down(stream, `said nothing for ${HELLO_TIMEOUT_MS} ms`);
    });
    stream.write({ frame: { $case: 'hello', value: hello } });
  }

  #onHello(stream: Stream, hello: Hello | undefined): void {
    if (stream !== this.#stream || this.#isUp) return;
    try {
      if (hello === undefined) throw new SeqError('PROTOCOL', 'it answered without a hello');
      this.#options.checkPeer(hello);
    } catch (error) {
      if (!(error instanceof SeqError)) throw error;
      return this.#down(stream, error.message);
    }
    this.#cancelTimer();
    this.#isUp = true;
    this.#attempt = 0;
    this.#options.observe({ type: 'peerUp', peerId: hello.nodeId, lane: hello.lane });
  }

  #down(stream: Stream, why: string): void {
    if (stream !== this.#stream) return;
    this.#stream = undefined;
    this.#cancelTimer();
    stream.cancel();
    const { clock, random, observe, hello } = this.#options;
    if (this.#isClosed) return;
    // Told when it was up, or at the first failure: not once for each of a thousand attempts.
    if (this.#isUp || this.#attempt === 0) observe({ type: 'peerDown', peerId: hello.toNodeId, lane: hello.lane, why });
    this.#isUp = false;
    this.#cancelTimer = clock.after(REDIAL.baseMs + backoffMs(random, { attempt: this.#attempt++, ...REDIAL }), () => this.#dial());
  }
}

/** Cuts the messages of one turn into frames that the other side takes, in order. */
function framesOf(messages: readonly Message[]): readonly (readonly Message[])[] {
  const frames: Message[][] = [];
  let leftBytes = 0;
  for (const message of messages) {
    const bytes = MESSAGE_BYTES + (message.type === 'append' ? totalSize(message.entries) : 0);
    const last = frames.at(-1);
    if (last === undefined || bytes > leftBytes) {
      frames.push([message]);
      leftBytes = FRAME_BYTES_MAX - bytes;
    } else {
      last.push(message);
      leftBytes -= bytes;
    }
  }
  return frames;
}

function openStream(channel: Channel) {
  return channel.duplexStream<DeliverRequest, DeliverResponse>(PeerServiceService.deliver);
}
