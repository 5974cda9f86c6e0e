import { unreachable } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import type { Message } from '../raft/message.js';
import type { NodeId } from '../raft/types.js';
import { numberFromWire } from '../rpc/codec.js';
import { type Checkpoint as WireCheckpoint, Lane, type RaftMessages, type SnapshotRequest } from '../rpc/gen/seqsvr/v1/raft.js';
import { deliverResponse, snapshotRequest, snapshotResponse } from '../rpc/peer-frame.js';
import { type FramedMessage, raftFromWire } from '../rpc/raft-codec.js';
import { type DeliverFrame, openDeliver } from '../rpc/raft-frame.js';
import { offerFromWire } from '../rpc/snapshot-codec.js';
import type { StoreEvent } from './events.js';
import type { GuestMethod } from './peer-guest.js';
import { FRAME_BYTES_MAX } from './peer-link.js';
import type { PeerNotices } from './peer-notices.js';
import type { Progress, SnapshotIntake } from './snapshot-intake.js';

/** A frame of the largest message, with its envelope. A larger one is refused; grpc-js itself stops at the listener's limit. */
const FRAME_TAKEN_BYTES_MAX = FRAME_BYTES_MAX + 64 * 1024;
/** Hex digits of a state hash. */
const HASH_TEXT_MAX = 128;

/** A replica's state at one place in the log. */
export interface Checkpoint {
  readonly appliedIndex: number;
  /** Hex digits. */
  readonly stateHash: string;
}

export interface PeerInboxOptions {
  /** This node. */
  readonly nodeId: NodeId;
  readonly receive: (message: Message) => void;
  readonly onCheckpoint: (from: NodeId, checkpoint: Checkpoint) => void;
  readonly intake: SnapshotIntake;
  readonly notices: PeerNotices;
  readonly observe: Observer<StoreEvent>;
}

type DeliverBody = Exclude<DeliverFrame, { $case: 'hello' }>;
type SnapshotBody = Exclude<NonNullable<SnapshotRequest['frame']>, { $case: 'hello' }>;

/** What believed peers send: checked, and handed to Raft and the other listeners. */
export class PeerInbox {
  readonly #options: PeerInboxOptions;

  constructor(options: PeerInboxOptions) {
    this.#options = options;
  }

  get deliver(): GuestMethod<DeliverBody> {
    return {
      open: (bytes) => openDeliver(checkSize(bytes)),
      seal: (answer) => deliverResponse.seal({ answer }),
      lanes: [Lane.LANE_CONTROL, Lane.LANE_APPEND],
      taker: () => (from, body) => this.#take(from, body),
      onBad: (from, error) => this.#options.notices.refused(from, 'badFrame', error.message),
    };
  }

  get installSnapshot(): GuestMethod<SnapshotBody> {
    return {
      open: (bytes) => snapshotRequest.open(checkSize(bytes)).frame,
      seal: (answer) => snapshotResponse.seal({ answer }),
      lanes: [Lane.LANE_SNAPSHOT],
      taker: () => {
        let isOffered = false;
        return (from, body) => {
          if ((body.$case === 'offer') === isOffered) throw new SeqError('PROTOCOL', 'the second frame, and only the second, is an offer');
          isOffered = true;
          return sealProgress(this.#takeSnapshot(from, body));
        };
      },
      onBad: (from, error) => {
        this.#options.intake.drop(from);
        this.#options.notices.snapshotRefused(from, error.message);
      },
    };
  }

  #take(from: NodeId, body: DeliverBody): undefined {
    switch (body.$case) {
      case 'steady':
        for (const message of body.value) this.#guarded(from, () => this.#takeMessage(from, message));
        return undefined;
      case 'messages':
        return this.#takeMessages(from, body.value);
      case 'checkpoint':
        return this.#guarded(from, () => this.#options.onCheckpoint(from, checkpointFromWire(body.value)));
      default:
        return unreachable(body);
    }
  }

  #takeMessages(from: NodeId, { messages }: RaftMessages): undefined {
    if (messages.length === 0) this.#options.notices.badMessage(from, 'a frame without messages');
    for (const message of messages) this.#guarded(from, () => this.#takeMessage(from, raftFromWire(message)));
  }

  #takeMessage(from: NodeId, message: FramedMessage): void {
    if (message.from !== from) throw new SeqError('PROTOCOL', `node ${from} sent a message in the name of node ${message.from}`);
    const { nodeId, receive } = this.#options;
    if (message.to !== nodeId) throw new SeqError('PROTOCOL', `node ${from} sent a message for node ${message.to} to node ${nodeId}`);
    receive(message);
  }

  /** A message that breaks a rule is dropped alone: it came whole, so the stream is sound. */
  #guarded(from: NodeId, take: () => void): undefined {
    try {
      take();
    } catch (error) {
      if (!(error instanceof SeqError)) throw error;
      this.#options.notices.badMessage(from, error.message);
    }
  }

  #takeSnapshot(from: NodeId, body: SnapshotBody): Progress {
    const { intake } = this.#options;
    return body.$case === 'offer' ? intake.open(from, offerFromWire(body.value)) : intake.take(from, body.value);
  }
}

function checkSize(bytes: Buffer): Buffer {
  if (bytes.length > FRAME_TAKEN_BYTES_MAX)
    throw new SeqError('PROTOCOL', `a frame must have at most ${FRAME_TAKEN_BYTES_MAX} bytes, got ${bytes.length}`);
  return bytes;
}

function sealProgress({ receivedBytes, isComplete }: Progress): Buffer {
  return snapshotResponse.seal({ answer: { $case: 'progress', value: { receivedBytes: BigInt(receivedBytes), isComplete } } });
}

function checkpointFromWire({ appliedIndex, stateHash }: WireCheckpoint): Checkpoint {
  const index = numberFromWire(appliedIndex, 'applied index');
  if (index === 0) throw new SeqError('PROTOCOL', 'a checkpoint of nothing');
  if (stateHash.length > HASH_TEXT_MAX || !/^[0-9a-f]+$/.test(stateHash))
    throw new SeqError('PROTOCOL', `a state hash must be 1 to ${HASH_TEXT_MAX} hex digits`);
  return { appliedIndex: index, stateHash };
}
