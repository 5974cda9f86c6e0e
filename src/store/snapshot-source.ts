import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { SaveSnapshotResponse } from '../rpc/gen/seqsvr/v1/admin.js';
import type { Growth } from './growth.js';
import { CHUNK_BYTES_MAX } from './snapshot-intake.js';
import { sha256Of } from './snapshot-sha.js';
import { titleToWire } from './snapshot-title.js';
import type { StoreState } from './state.js';

/** Without room for a further byte for so long, in ms, the reader is given up: a copy that nobody reads holds memory. */
export const STALL_MAX_MS = 10_000;
/** When another one is being read. A copy is a few hundred KB. */
const BUSY_RETRY_AFTER_MS = 1_000;

/** The whole state at one place in the log. */
export interface StateCopy {
  readonly index: number;
  /** The one that the node is in; never below that of the entry at `index`. */
  readonly term: number;
  /** A StateSnapshot. */
  readonly data: Uint8Array;
  readonly stateHash: string;
  readonly growth: Growth | undefined;
}

/** What a copy needs of a StoreNode. */
export interface CopiedNode {
  readonly state: StoreState;
  copyState(): StateCopy;
  /** Rejects with NOT_LEADER unless a quorum confirms that this node leads, and all that was committed is applied here. */
  confirmLeadership(): Promise<void>;
}

/** The stream of one reader, as far as it is used here. */
export interface SnapshotStream {
  /** False: wait for 'drain'. */
  write(response: SaveSnapshotResponse): boolean;
  end(): void;
  on(event: 'drain' | 'cancelled' | 'close' | 'error', listener: () => void): unknown;
}

interface Reader {
  readonly stream: SnapshotStream;
  readonly refuse: (error: unknown) => void;
  isGone: boolean;
  /** Takes back what was to happen later. */
  cancel: () => void;
  /** There is room again. */
  resume: () => void;
}

/** Sends copies of the state to operators, one at a time: the copy is in memory once, and the stream holds a chunk or two of it. */
export class SnapshotSource {
  readonly #node: CopiedNode;
  readonly #clock: Clock;
  #reader: Reader | undefined;

  constructor({ node, clock }: { readonly node: CopiedNode; readonly clock: Clock }) {
    this.#node = node;
    this.#clock = clock;
  }

  /** Throws RESOURCE_EXHAUSTED while another copy is being read. `refuse` ends the stream with a refusal. */
  send(stream: SnapshotStream, refuse: (error: unknown) => void): void {
    if (this.#reader !== undefined) throw new SeqError('RESOURCE_EXHAUSTED', 'another snapshot is being read', { retryAfterMs: BUSY_RETRY_AFTER_MS });
    const reader: Reader = { stream, refuse, isGone: false, cancel: () => undefined, resume: () => undefined };
    this.#reader = reader;
    stream.on('drain', () => reader.resume());
    for (const event of ['cancelled', 'close', 'error'] as const) stream.on(event, () => this.#forget(reader));
    this.#node.confirmLeadership().then(
      () => this.#begin(reader),
      (error: unknown) => this.#giveUp(reader, error),
    );
  }

  /** In the turn after the confirmation: whatever was done before it is in the copy. */
  #begin(reader: Reader): void {
    if (reader.isGone) return;
    const { cluster } = this.#node.state;
    if (cluster === undefined) return this.#giveUp(reader, new SeqError('UNAVAILABLE', 'the cluster is not initialised yet', { definite: true }));
    const copy = this.#node.copyState();
    const takenAtMs = this.#clock.wallMs();
    reader.cancel = sha256Of(copy.data, this.#clock, (sha256) => {
      const about = { ...copy, clusterId: cluster.clusterId, version: cluster.version, takenAtMs, totalBytes: copy.data.length, sha256 };
      reader.stream.write({ part: { $case: 'title', value: titleToWire(about) } });
      this.#pump(reader, copy.data, 0);
    });
  }

  #pump(reader: Reader, data: Uint8Array, fromBytes: number): void {
    let atBytes = fromBytes;
    while (!reader.isGone && atBytes < data.length) {
      const chunk = data.subarray(atBytes, atBytes + CHUNK_BYTES_MAX);
      atBytes += chunk.length;
      const value = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      if (!reader.stream.write({ part: { $case: 'data', value } })) return this.#waitForRoom(reader, () => this.#pump(reader, data, atBytes));
    }
    if (reader.isGone) return;
    this.#forget(reader);
    reader.stream.end();
  }

  #waitForRoom(reader: Reader, goOn: () => void): void {
    const stalled = new SeqError('UNAVAILABLE', `the reader of the snapshot took nothing for ${STALL_MAX_MS} ms`, { definite: true });
    const cancelStall = this.#clock.after(STALL_MAX_MS, () => this.#giveUp(reader, stalled));
    reader.cancel = cancelStall;
    reader.resume = () => {
      reader.resume = () => undefined;
      cancelStall();
      goOn();
    };
  }

  #giveUp(reader: Reader, error: unknown): void {
    if (reader.isGone) return;
    this.#forget(reader);
    reader.refuse(error);
  }

  #forget(reader: Reader): void {
    reader.isGone = true;
    reader.cancel();
    if (this.#reader === reader) this.#reader = undefined;
  }
}
