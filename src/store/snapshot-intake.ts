import { createHash, type Hash } from 'node:crypto';
import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import type { MessageOf } from '../raft/message.js';
import type { NodeId } from '../raft/types.js';
import { numberFromWire } from '../rpc/codec.js';
import type { SnapshotChunk } from '../rpc/gen/seqsvr/v1/raft.js';
import type { Offer } from '../rpc/snapshot-codec.js';
import type { StoreEvent } from './events.js';

/** A chunk has at most so many bytes; a longer one is refused. */
export const CHUNK_BYTES_MAX = 256 * 1024;
/** A snapshot has at most so many bytes, and so have all that come in at once; a larger one is refused. */
export const SNAPSHOT_BYTES_MAX = 512 * 1024 * 1024;
/** Without a chunk for so long, in ms, what has come is forgotten. Longer than a sender goes on trying. */
const IDLE_MAX_MS = 60_000;

export interface Progress {
  readonly receivedBytes: number;
  /** It was handed over. */
  readonly isComplete: boolean;
}

export interface SnapshotIntakeOptions {
  /** This node. */
  readonly nodeId: NodeId;
  /** Takes a snapshot that is whole and what was offered. */
  readonly receive: (message: MessageOf<'snapshot'>) => void;
  /** Most bytes at once. Default SNAPSHOT_BYTES_MAX. */
  readonly bytesMax?: number;
  readonly clock: Clock;
  readonly observe: Observer<StoreEvent>;
}

interface Arrival {
  /** Of the newest stream: the term of the leader may have grown since the first. */
  offer: Offer;
  readonly bytes: Buffer;
  readonly hash: Hash;
  receivedBytes: number;
  cancelIdle: () => void;
}

/**
 * Puts snapshots together from their chunks, in memory, at most one for each sender. A stream that breaks leaves what
 * has come, and the next stream with the same snapshot goes on there. Nothing of it reaches Raft before all of it is
 * here and is what was offered; whatever is wrong throws PROTOCOL, and the caller drops what has come.
 */
export class SnapshotIntake {
  readonly #options: SnapshotIntakeOptions;
  readonly #arrivals = new Map<NodeId, Arrival>();
  /** The last transfer of each sender that was handed over. */
  readonly #completed = new Map<NodeId, string>();

  constructor(options: SnapshotIntakeOptions) {
    this.#options = options;
  }

  /** A stream begins: where to go on. Throws RESOURCE_EXHAUSTED when there is no room for the snapshot. */
  open(from: NodeId, offer: Offer): Progress {
    if (this.#completed.get(from) === offer.transferId) return { receivedBytes: offer.totalBytes, isComplete: true };
    const found = this.#arrivals.get(from);
    if (found !== undefined && isSameSnapshot(found.offer, offer)) {
      found.offer = offer;
      return this.#advance(from, found);
    }
    this.drop(from);
    this.#makeRoom(offer);
    const bytes = Buffer.allocUnsafeSlow(offer.totalBytes);
    const arrival: Arrival = { offer, bytes, hash: createHash('sha256'), receivedBytes: 0, cancelIdle: () => undefined };
    this.#arrivals.set(from, arrival);
    return this.#advance(from, arrival);
  }

  /** Throws PROTOCOL unless the chunk is exactly the next one. */
  take(from: NodeId, { offsetBytes, data }: SnapshotChunk): Progress {
    const arrival = this.#arrivals.get(from);
    if (arrival === undefined) throw new SeqError('UNAVAILABLE', 'what has come of this snapshot was forgotten');
    const offset = numberFromWire(offsetBytes, 'offset');
    if (offset !== arrival.receivedBytes) throw protocol(`a chunk at byte ${offset}, the next one is at ${arrival.receivedBytes}`);
    if (data.length === 0 || data.length > CHUNK_BYTES_MAX) throw protocol(`a chunk must have 1 to ${CHUNK_BYTES_MAX} bytes, got ${data.length}`);
    if (offset + data.length > arrival.bytes.length)
      throw protocol(`a chunk up to byte ${offset + data.length} of a snapshot of ${arrival.bytes.length}`);
    data.copy(arrival.bytes, offset);
    arrival.hash.update(data);
    arrival.receivedBytes += data.length;
    return this.#advance(from, arrival);
  }

  /** Forgets what has come from this sender. True: there was something. */
  drop(from: NodeId): boolean {
    this.#arrivals.get(from)?.cancelIdle();
    return this.#arrivals.delete(from);
  }

  close(): void {
    for (const from of this.#arrivals.keys()) this.drop(from);
  }

  /** Hands it over when it is whole; otherwise waits for more, for a while. */
  #advance(from: NodeId, arrival: Arrival): Progress {
    const { offer, bytes, receivedBytes } = arrival;
    arrival.cancelIdle();
    if (receivedBytes < bytes.length) {
      arrival.cancelIdle = this.#options.clock.after(IDLE_MAX_MS, () => this.drop(from));
      return { receivedBytes, isComplete: false };
    }
    this.drop(from);
    if (!arrival.hash.digest().equals(offer.sha256))
      throw protocol(`a snapshot of ${bytes.length} bytes that does not have the sha256 it was offered with`);
    this.#completed.set(from, offer.transferId);
    this.#options.observe({ type: 'snapshotReceived', peerId: from, index: offer.at.index, totalBytes: bytes.length });
    const snapshot = { ...offer.at, confState: offer.confState, data: bytes };
    this.#options.receive({ type: 'snapshot', from, to: this.#options.nodeId, term: offer.term, snapshot });
    return { receivedBytes, isComplete: true };
  }

  /** The offer of a later term goes before those of former ones: their senders lead no more. */
  #makeRoom({ term, totalBytes }: Offer): void {
    const bytesMax = this.#options.bytesMax ?? SNAPSHOT_BYTES_MAX;
    if (totalBytes > bytesMax) throw full(`a snapshot of ${totalBytes} bytes, at most ${bytesMax} are taken`);
    let heldBytes = [...this.#arrivals.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
    for (const [from, { offer, bytes }] of this.#arrivals) {
      if (heldBytes + totalBytes <= bytesMax || offer.term >= term) continue;
      this.drop(from);
      heldBytes -= bytes.length;
    }
    if (heldBytes + totalBytes > bytesMax)
      throw full(`a snapshot of ${totalBytes} bytes beside ${heldBytes} that are coming in, at most ${bytesMax} are taken`);
  }
}

/** The term of the leader is no part of it: another leader may send the same snapshot. */
function isSameSnapshot(one: Offer, other: Offer): boolean {
  return one.at.index === other.at.index && one.at.term === other.at.term && one.totalBytes === other.totalBytes && one.sha256.equals(other.sha256);
}

function protocol(message: string): SeqError {
  return new SeqError('PROTOCOL', message);
}

function full(message: string): SeqError {
  return new SeqError('RESOURCE_EXHAUSTED', message);
}
