import type { Clock } from '../base/clock.js';
import type { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import { backoffMs, type Random } from '../base/random.js';
import { type NodeId, totalSize } from '../raft/types.js';
import type { DeliverRequest, Hello, Removed } from '../rpc/gen/seqsvr/v1/raft.js';
import { deliverRequest, deliverResponse } from '../rpc/peer-frame.js';
import type { FramedMessage } from '../rpc/raft-codec.js';
import { sealMessages } from '../rpc/raft-frame.js';
import type { Wire } from '../rpc/wire.js';
import type { StoreEvent } from './events.js';
import { PeerCall } from './peer-call.js';
import type { DropReason, PeerNotices } from './peer-notices.js';

export const REDIAL = { baseMs: 50, maxMs: 500 };
/** Messages of one turn share a frame up to so many bytes of entries: a large frame delays what comes behind it. */
const SHARED_FRAME_BYTES_MAX = 2 * 1024 * 1024;
/** A message of more bytes than this is dropped and reported. The core cuts appends far below; one entry alone may reach 4 MiB, what a client may send. */
export const FRAME_BYTES_MAX = 8 * 1024 * 1024;
/** What a message weighs besides its entries, in bytes; generous. */
const MESSAGE_BYTES = 64;
/** Frames that wait in one lane until the network takes them; what comes then is dropped, and Raft sends it again when it matters. */
const WAITING_FRAMES_MAX = 256;
/** Bytes that wait in one lane, after which the same is done. Twice what Raft lets be under way to one follower. */
const WAITING_BYTES_MAX = 32 * 1024 * 1024;
/** Messages of one turn; the core's own limits keep it far below. What comes then is dropped. */
const TURN_MESSAGES_MAX = 4_096;

export interface PeerLinkOptions {
  readonly peerId: NodeId;
  readonly address: string;
  /** What this node says first, made anew for each attempt. */
  readonly hello: () => Hello;
  /** Believes or refuses the other side: throws a SeqError that ends the attempt. */
  readonly onHello: (hello: Hello) => void;
  readonly onRemoved: (removed: Removed) => void;
  /** Messages were lost, or may have been: once until one gets through again. Never called from within `send`. */
  readonly onLost: () => void;
  readonly notices: PeerNotices;
  readonly clock: Clock;
  readonly wire?: Wire | undefined;
  readonly random: Random;
  readonly observe: Observer<StoreEvent>;
}

interface Frame {
  readonly messages: FramedMessage[];
  bytes: number;
}

/** One lane to one peer: dials it, says hello, and carries messages one way; dials again for ever until closed. */
export class PeerLink {
  readonly #options: PeerLinkOptions;
  readonly #lane: Hello['lane'];
  #call: PeerCall<never> | undefined;
  /** The data directory at the other end of the call. */
  #peerUuid: string | undefined;
  #isClosed = false;
  #attempt = 0;
  #batch: FramedMessage[] = [];
  /** Messages of this turn beyond its limit. */
  #surplusCount = 0;
  #isFlushDue = false;
  #waitingFrames = 0;
  #waitingBytes = 0;
  /** Reported as lost, and nothing got through since. */
  #isLost = false;
  #cancelTimer: () => void = () => undefined;

  constructor(options: PeerLinkOptions) {
    this.#options = options;
    this.#lane = options.hello().lane;
    this.#dial();
  }

  get isUp(): boolean {
    return this.#call?.isUp === true;
  }

  /** The data directory that the other end said hello with; undefined while the link is down. */
  get peerUuid(): string | undefined {
    return this.isUp ? this.#peerUuid : undefined;
  }

  /** Never waits: messages of one turn travel in one frame, and what cannot travel is dropped and reported. */
  send(message: FramedMessage): void {
    if (this.#isClosed) return;
    if (this.#batch.length < TURN_MESSAGES_MAX) this.#batch.push(message);
    else this.#surplusCount += 1;
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    queueMicrotask(() => this.#flush());
  }

  /** A frame that nobody misses: sent when the link is up and has room. */
  sendFrame(frame: NonNullable<DeliverRequest['frame']>): void {
    if (this.#obstacle(0) === undefined) this.#write(deliverRequest.seal({ frame }));
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
    this.#call?.end();
  }

  #flush(): void {
    this.#isFlushDue = false;
    const frames = framesOf(this.#batch);
    const surplusCount = this.#surplusCount;
    this.#batch = [];
    this.#surplusCount = 0;
    if (this.#isClosed) return;
    for (const { messages, bytes } of frames) {
      const obstacle = this.#obstacle(bytes);
      if (obstacle !== undefined) {
        this.#drop(messages.length, obstacle);
        continue;
      }
      this.#write(sealMessages(messages));
      this.#isLost = false;
    }
    if (surplusCount > 0) this.#drop(surplusCount, 'full');
  }

  #obstacle(bytes: number): DropReason | undefined {
    if (!this.isUp) return 'down';
    if (bytes > FRAME_BYTES_MAX) return 'tooLarge';
    return this.#waitingFrames >= WAITING_FRAMES_MAX || this.#waitingBytes >= WAITING_BYTES_MAX ? 'full' : undefined;
  }

  #write(bytes: Buffer): void {
    const call = this.#call;
    this.#waitingFrames += 1;
    this.#waitingBytes += bytes.length;
    call?.write(bytes, () => {
      if (call !== this.#call) return;
      this.#waitingFrames -= 1;
      this.#waitingBytes -= bytes.length;
    });
  }

  #drop(messageCount: number, why: DropReason): void {
    const { peerId, notices, observe } = this.#options;
    if (why === 'full' && !this.#isLost) observe({ type: 'peerSlow', peerId, lane: this.#lane });
    notices.dropped(peerId, this.#lane, why, messageCount);
    this.#lost();
  }

  #lost(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#options.onLost();
  }

  #dial(): void {
    if (this.#isClosed) return;
    const { address, clock, wire, hello, onRemoved } = this.#options;
    this.#waitingFrames = 0;
    this.#waitingBytes = 0;
    this.#call = new PeerCall<never>({
      address,
      method: 'deliver',
      hello: deliverRequest.seal({ frame: { $case: 'hello', value: hello() } }),
      answers: deliverResponse,
      onHello: (answered) => this.#onHello(answered),
      onRemoved,
      onAnswer: () => undefined,
      onDown: (error) => this.#onDown(error),
      clock,
      wire,
    });
  }

  #onHello(hello: Hello): void {
    const { onHello, observe, peerId } = this.#options;
    onHello(hello);
    this.#peerUuid = hello.nodeUuid;
    this.#attempt = 0;
    observe({ type: 'peerUp', peerId, lane: this.#lane });
  }

  #onDown({ message }: SeqError): void {
    const { clock, random, observe, peerId } = this.#options;
    const wasUp = this.#peerUuid !== undefined;
    this.#call = undefined;
    this.#peerUuid = undefined;
    if (this.#isClosed) return;
    // Told when it was up, or at the first failure: not once for each of a thousand attempts.
    if (wasUp || this.#attempt === 0) observe({ type: 'peerDown', peerId, lane: this.#lane, why: message });
    this.#cancelTimer = clock.after(REDIAL.baseMs + backoffMs(random, { attempt: this.#attempt++, ...REDIAL }), () => this.#dial());
    // What was under way is lost or not, and nobody knows.
    if (wasUp) this.#lost();
  }
}

/** Cuts the messages of one turn into frames that the other side takes, in order. */
function framesOf(messages: readonly FramedMessage[]): readonly Frame[] {
  const frames: Frame[] = [];
  for (const message of messages) {
    const bytes = weightOf(message);
    const last = frames.at(-1);
    if (last === undefined || last.bytes + bytes > SHARED_FRAME_BYTES_MAX) frames.push({ messages: [message], bytes });
    else {
      last.messages.push(message);
      last.bytes += bytes;
    }
  }
  return frames;
}

function weightOf(message: FramedMessage): number {
  if (message.type === 'append') return MESSAGE_BYTES + totalSize(message.entries);
  if (message.type === 'propose') return message.entries.reduce((sum, { data }) => sum + MESSAGE_BYTES + data.length, MESSAGE_BYTES);
  return MESSAGE_BYTES;
}
