import type { Clock } from '../base/clock.js';
import { type ErrorCode, SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import { backoffMs, type Random } from '../base/random.js';
import type { MessageOf } from '../raft/message.js';
import type { NodeId } from '../raft/types.js';
import { numberFromWire } from '../rpc/codec.js';
import type { Hello, Removed, SnapshotProgress, SnapshotRequest, SnapshotResponse } from '../rpc/gen/seqsvr/v1/raft.js';
import { snapshotRequest, snapshotResponse } from '../rpc/peer-frame.js';
import { offerToWire } from '../rpc/snapshot-codec.js';
import type { Wire } from '../rpc/wire.js';
import type { StoreEvent } from './events.js';
import { PeerCall } from './peer-call.js';
import { REDIAL } from './peer-link.js';
import { CHUNK_BYTES_MAX, SNAPSHOT_BYTES_MAX } from './snapshot-intake.js';
import { sha256Of } from './snapshot-sha.js';

/** Bytes that may be on their way without an answer; then the sender waits. */
const WINDOW_BYTES = 16 * CHUNK_BYTES_MAX;
/** Without any answer for so long, in ms, the stream is given up and made anew. */
const STALL_MS = 5_000;
/** Streams in a row that brought nothing further; then the transfer has failed, and Raft starts another when it is due. */
const FRUITLESS_ATTEMPTS_MAX = 20;
/** Times that the other side dropped what it had; then the transfer has failed. */
const RESTARTS_MAX = 3;
/** A transfer takes no longer than this, in ms; then it has failed. The log has moved on meanwhile: a newer snapshot is better. */
const TRANSFER_MAX_MS = 600_000;
/** What no further attempt can mend. */
const FINAL: ReadonlySet<ErrorCode> = new Set(['PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'INVALID_ARGUMENT']);

type Progress = Extract<NonNullable<SnapshotResponse['answer']>, { $case: 'progress' }>;

export interface SnapshotSenderOptions {
  readonly peerId: NodeId;
  readonly address: () => string;
  readonly hello: () => Hello;
  readonly onHello: (hello: Hello) => void;
  readonly onRemoved: (removed: Removed) => void;
  /** The last snapshot that was given to `send`: handed to Raft over there, or given up. Never called from within `send`. */
  readonly onSent: (ok: boolean) => void;
  readonly clock: Clock;
  readonly wire?: Wire | undefined;
  readonly random: Random;
  readonly observe: Observer<StoreEvent>;
}

interface Transfer {
  readonly message: MessageOf<'snapshot'>;
  readonly transferId: string;
  readonly startedMs: number;
  /** Undefined until it is made. */
  sha256: Buffer | undefined;
  attemptCount: number;
  /** Since the last answer that brought it further. */
  fruitlessCount: number;
  restartCount: number;
  /** The most that the other side ever had. */
  bestBytes: number;
  /** What the other side has now. */
  ackedBytes: number;
  sentBytes: number;
  /** The other side has said where to begin on this stream. */
  isBegun: boolean;
}

/**
 * Sends snapshots to one peer, one at a time: a newer one takes the place of the one under way. A stream that breaks is
 * made anew, and goes on where the other side stopped.
 */
export class SnapshotSender {
  readonly #options: SnapshotSenderOptions;
  #transfer: Transfer | undefined;
  #call: PeerCall<Progress> | undefined;
  #cancelHash: () => void = () => undefined;
  #cancelRetry: () => void = () => undefined;
  #cancelStall: () => void = () => undefined;
  #cancelLimit: () => void = () => undefined;

  constructor(options: SnapshotSenderOptions) {
    this.#options = options;
  }

  send(message: MessageOf<'snapshot'>): void {
    this.close();
    const { clock, random } = this.#options;
    const none = {
      sha256: undefined,
      attemptCount: 0,
      fruitlessCount: 0,
      restartCount: 0,
      bestBytes: 0,
      ackedBytes: 0,
      sentBytes: 0,
      isBegun: false,
    };
    const transfer: Transfer = { message, transferId: random.id128(), startedMs: clock.nowMs(), ...none };
    this.#transfer = transfer;
    this.#cancelLimit = clock.after(TRANSFER_MAX_MS, () => this.#finish(transfer, `not done after ${TRANSFER_MAX_MS} ms`));
    // Deferred, so that the caller is done with its own step before anything is reported.
    clock.defer(() => {
      const { data } = message.snapshot;
      if (data.length > SNAPSHOT_BYTES_MAX)
        return this.#finish(transfer, `a snapshot must have at most ${SNAPSHOT_BYTES_MAX} bytes, got ${data.length}`);
      if (transfer === this.#transfer) this.#cancelHash = sha256Of(data, clock, (sha256) => this.#begin(transfer, sha256));
    });
  }

  /** The peer is somewhere else now. */
  redial(): void {
    if (this.#call === undefined || this.#transfer === undefined) return;
    this.#stopCall();
    this.#dial(this.#transfer);
  }

  /** Gives up the transfer under way, and reports nothing. */
  close(): void {
    this.#transfer = undefined;
    this.#cancelHash();
    this.#cancelLimit();
    this.#stopCall();
  }

  #begin(transfer: Transfer, sha256: Buffer): void {
    transfer.sha256 = sha256;
    const { snapshot } = transfer.message;
    const { peerId, observe } = this.#options;
    observe({ type: 'snapshotSending', peerId, index: snapshot.index, totalBytes: snapshot.data.length });
    this.#dial(transfer);
  }

  #dial(transfer: Transfer): void {
    const { address, hello, onHello, onRemoved, clock, wire } = this.#options;
    transfer.attemptCount += 1;
    transfer.fruitlessCount += 1;
    transfer.isBegun = false;
    this.#call = new PeerCall<Progress>({
      address: address(),
      method: 'installSnapshot',
      hello: snapshotRequest.seal({ frame: { $case: 'hello', value: hello() } }),
      answers: snapshotResponse,
      onHello: (answered) => {
        onHello(answered);
        this.#offer(transfer);
      },
      onRemoved,
      onAnswer: ({ value }) => this.#onProgress(transfer, value),
      onDown: (error) => this.#onDown(transfer, error),
      clock,
      wire,
    });
  }

  #offer(transfer: Transfer): void {
    const { sha256, transferId, message } = transfer;
    if (sha256 === undefined) return;
    const { term, snapshot } = message;
    const offer = { term, at: snapshot, confState: snapshot.confState, totalBytes: snapshot.data.length, sha256, transferId };
    this.#write({ $case: 'offer', value: offerToWire(offer) });
    this.#watchStall(transfer);
  }

  #onProgress(transfer: Transfer, { receivedBytes, isComplete }: SnapshotProgress): void {
    const received = numberFromWire(receivedBytes, 'received bytes');
    const totalBytes = transfer.message.snapshot.data.length;
    const isPossible = transfer.isBegun ? received > transfer.ackedBytes && received <= transfer.sentBytes : received <= totalBytes;
    if (!isPossible || isComplete !== (received === totalBytes))
      throw new SeqError('PROTOCOL', `it says that it has ${received} of ${totalBytes} bytes, and was sent ${transfer.sentBytes}`);
    if (!transfer.isBegun) {
      transfer.isBegun = true;
      transfer.sentBytes = received;
    }
    transfer.ackedBytes = received;
    if (received > transfer.bestBytes) {
      transfer.bestBytes = received;
      transfer.fruitlessCount = 0;
    }
    if (isComplete) return this.#finish(transfer, undefined);
    this.#watchStall(transfer);
    this.#sendChunks(transfer);
  }

  #sendChunks(transfer: Transfer): void {
    const { data } = transfer.message.snapshot;
    while (transfer.sentBytes < data.length && transfer.sentBytes - transfer.ackedBytes < WINDOW_BYTES) {
      const chunk = data.subarray(transfer.sentBytes, transfer.sentBytes + CHUNK_BYTES_MAX);
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      this.#write({ $case: 'chunk', value: { offsetBytes: BigInt(transfer.sentBytes), data: bytes } });
      transfer.sentBytes += chunk.length;
    }
  }

  #write(frame: NonNullable<SnapshotRequest['frame']>): void {
    this.#call?.write(snapshotRequest.seal({ frame }));
  }

  #watchStall(transfer: Transfer): void {
    this.#cancelStall();
    this.#cancelStall = this.#options.clock.after(STALL_MS, () => {
      this.#stopCall();
      this.#onDown(transfer, new SeqError('UNAVAILABLE', `no answer for ${STALL_MS} ms`));
    });
  }

  #onDown(transfer: Transfer, error: SeqError): void {
    this.#stopCall();
    // It drops what it has when something about it is wrong.
    if (error.code === 'PROTOCOL') transfer.restartCount += 1;
    const isHopeless = FINAL.has(error.code) || transfer.restartCount > RESTARTS_MAX || transfer.fruitlessCount >= FRUITLESS_ATTEMPTS_MAX;
    if (isHopeless) return this.#finish(transfer, error.message);
    const { clock, random } = this.#options;
    const waitMs = REDIAL.baseMs + backoffMs(random, { attempt: transfer.fruitlessCount, ...REDIAL });
    this.#cancelRetry = clock.after(waitMs, () => this.#dial(transfer));
  }

  #finish(transfer: Transfer, failure: string | undefined): void {
    if (transfer !== this.#transfer) return;
    this.close();
    const { peerId, observe, clock, onSent } = this.#options;
    const { attemptCount, message, startedMs } = transfer;
    const about = { peerId, index: message.snapshot.index, totalBytes: message.snapshot.data.length, attemptCount };
    if (failure === undefined) observe({ type: 'snapshotSent', ...about, tookMs: clock.nowMs() - startedMs });
    else observe({ type: 'snapshotFailed', ...about, why: failure });
    onSent(failure === undefined);
  }

  #stopCall(): void {
    this.#cancelRetry();
    this.#cancelStall();
    this.#call?.end();
    this.#call = undefined;
  }
}
