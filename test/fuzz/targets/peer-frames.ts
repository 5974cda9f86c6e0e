import { EventEmitter } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { crc32 } from 'node:zlib';
import type { Message } from '../../../src/raft/message.js';
import { Lane } from '../../../src/rpc/gen/seqsvr/v1/raft.js';
import { deliverRequest, type peerMethods, snapshotRequest } from '../../../src/rpc/peer-frame.js';
import { Handlers } from '../../../src/rpc/server.js';
import { offerToWire } from '../../../src/rpc/snapshot-codec.js';
import { encodeChunk, CHAIN_START } from '../../../src/store/chunk.js';
import { encodeApplied, encodeHardState } from '../../../src/store/level-records.js';
import { EMPTY_DIGEST } from '../../../src/store/state-digest.js';
import { createHash } from 'node:crypto';
import { PeerTransport } from '../../../src/store/peer-transport.js';
import { readBothWays } from '../../unit/rpc/raft-frame-twin.js';
import { append, bytesOf, CLUSTER_ID, heartbeat, helloFrame, helloOf, messagesFrame, snapshotOf, uuidOf } from '../../unit/store/peer-stage.js';
import { SeededRandom } from '../../unit/seeded-random.js';
import { VirtualClock } from '../../unit/virtual-clock.js';
import { entriesOf } from './entries.js';
import { type Frame, packFrames, unpackFrames } from '../frames.js';
import { mustHold, type Outcome, type Target } from '../target.js';
import { noBugs } from '../calls.js';
import { raftWords } from './raft-messages.js';

/** Frame kinds: on which stream the bytes come. Each stream but the first of a method is a newer one of the same node. */
const [DELIVER, SNAPSHOT] = [0, 1];
const METHODS: readonly (keyof typeof peerMethods)[] = ['deliver', 'installSnapshot'];
const SNAPSHOT_BYTES_MAX = 1 << 20;

export const peerFrames: Target = {
  name: 'peer-frames',
  about:
    'streams of frames from other StoreSvrs, up to the Raft core (store/peer-service.ts, peer-inbox.ts, snapshot-intake.ts, rpc/raft-codec.ts, raft-frame.ts)',
  shape: { parts: 'frames', payload: 'proto', seal },
  generate(random) {
    if (random.chance(0.3)) return packFrames(snapshotFrames(random).map((payload) => ({ kind: SNAPSHOT, payload })));
    const frames: Frame[] = [{ kind: DELIVER, payload: helloFrame() }];
    for (let left = 1 + random.below(5); left > 0; left -= 1) frames.push({ kind: DELIVER, payload: anyFrame(random) });
    return packFrames(frames);
  },
  feed(input) {
    const stage = new Stage();
    for (const { kind, payload } of unpackFrames(input)) {
      const { byHand, generated } = readBothWays(Buffer.from(payload));
      mustHold(isDeepStrictEqual(byHand, generated), 'a frame that is read by hand says what the generated code reads in it');
      stage.feed(kind, Buffer.from(payload));
    }
    return stage.end();
  },
};

class Stage {
  readonly #clock = new VirtualClock();
  readonly #received: Message[] = [];
  readonly #bugs = noBugs();
  readonly #streams = new Map<number, Stream>();
  readonly #transport: PeerTransport;
  readonly #implementation: Readonly<Record<string, (stream: Stream) => void>>;

  constructor() {
    this.#transport = new PeerTransport({
      identity: { clusterId: CLUSTER_ID, nodeId: 2, nodeUuid: uuidOf(2) },
      self: { name: 's2', address: 'h:1', peerAddress: 'h:2' },
      peers: () => [{ id: 1, peerAddress: 'h:1', nodeUuid: uuidOf(1) }],
      isRemoved: (nodeUuid) => nodeUuid === uuidOf(3),
      isJoining: () => false,
      receive: (message) => this.#received.push(message),
      onHello: () => undefined,
      onCheckpoint: () => undefined,
      onUnreachable: () => undefined,
      onSnapshotSent: () => undefined,
      onRemoved: () => undefined,
      clock: this.#clock,
      random: new SeededRandom(1),
      observe: () => undefined,
    });
    const { implementation } = this.#transport.service(new Handlers({ clock: this.#clock, onBug: this.#bugs.onBug }));
    this.#implementation = implementation as unknown as Readonly<Record<string, (stream: Stream) => void>>;
  }

  feed(kind: number, bytes: Buffer): void {
    const found = this.#streams.get(kind);
    const stream = found ?? new Stream();
    if (found === undefined) {
      this.#streams.set(kind, stream);
      this.#implementation[METHODS[kind % 2] ?? '']?.(stream);
    }
    stream.emit('data', bytes);
  }

  end(): Outcome[] {
    for (const stream of this.#streams.values()) stream.emit('end');
    this.#bugs.check();
    for (const message of this.#received) checkStorable(message);
    const { refused, badMessages, snapshotsRefused } = this.#transport.counts;
    // Half a snapshot is waited for, for a while; a stream that is over is not.
    this.#transport.close();
    mustHold(this.#clock.timerCount === 0, 'nothing is left of streams that are over');
    const reasons = Object.entries(refused).flatMap(([reason, count]) => (count > 0 ? [`refused ${reason}`] : []));
    const ends = [...this.#streams.values()].flatMap(({ error }) => (error === undefined ? [] : [`ended ${error}`]));
    const bad = [badMessages > 0 ? 'a bad message' : '', snapshotsRefused > 0 ? 'a snapshot refused' : ''].filter((text) => text !== '');
    return [...this.#received.map(({ type }) => `ok ${type}`), ...reasons, ...ends, ...bad];
  }
}

class Stream extends EventEmitter {
  error: string | undefined;

  constructor() {
    super();
    this.on('error', ({ details }: { readonly details: string }) => (this.error = details));
  }

  write(): boolean {
    return true;
  }

  end(): void {
    // Nobody listens.
  }
}

/** What Raft may put on disk of it has a place there: numbers that do not fit would end the process at the next write. */
function checkStorable(message: Message): void {
  const { term } = message;
  encodeHardState({ term: term + 1, votedFor: message.from, commitIndex: 0 });
  if (message.type === 'append' && message.entries.length > 0) encodeChunk(message.entries, CHAIN_START);
  if (message.type !== 'snapshot') return;
  const { index, confState } = message.snapshot;
  encodeApplied({ index: index + 1, digest: EMPTY_DIGEST, confState });
}

function anyFrame(random: SeededRandom): Buffer {
  switch (random.below(5)) {
    case 0:
      return messagesFrame(heartbeat(1, 2, 1 + random.below(9)));
    case 1:
      return messagesFrame(append(1, 2, Uint8Array.of(1, 2, 3), 1 + random.below(9)), heartbeat(1, 2));
    case 2:
      return deliverRequest.seal({ frame: { $case: 'checkpoint', value: { appliedIndex: 100n, stateHash: 'ab'.repeat(16) } } });
    case 3: {
      const entries = entriesOf(random);
      const [first, last] = [entries[0], entries.at(-1)];
      if (first === undefined || last === undefined) return helloFrame();
      const previous = { previousIndex: first.index - 1, previousTerm: first.index === 1 ? 0 : first.term, commitIndex: 0 };
      return messagesFrame({ type: 'append', from: 1, to: 2, term: last.term, ...previous, entries });
    }
    default:
      return messagesFrame(raftWords(random));
  }
}

function snapshotFrames(random: SeededRandom): Buffer[] {
  const snapshot = snapshotOf(bytesOf(random.pick([1, 100, 3_000])), 90);
  const sha256 = createHash('sha256').update(snapshot.data).digest();
  const totalBytes = random.chance(0.9) ? snapshot.data.length : SNAPSHOT_BYTES_MAX;
  const offer = offerToWire({ term: 5, at: snapshot, confState: snapshot.confState, totalBytes, sha256, transferId: 'f'.repeat(32) });
  const hello = snapshotRequest.seal({ frame: { $case: 'hello', value: helloOf({ lane: Lane.LANE_SNAPSHOT }) } });
  const frames = [hello, snapshotRequest.seal({ frame: { $case: 'offer', value: offer } })];
  for (let at = 0; at < snapshot.data.length; at += 1_000) {
    const data = Buffer.from(snapshot.data.subarray(at, at + 1_000));
    frames.push(snapshotRequest.seal({ frame: { $case: 'chunk', value: { offsetBytes: BigInt(at), data } } }));
  }
  return frames;
}

/** The checksum at the end of a frame. */
function seal(payload: Uint8Array): Uint8Array {
  if (payload.length < 5) return payload;
  const bytes = Buffer.from(payload);
  bytes[bytes.length - 5] = (15 << 3) | 5;
  bytes.writeUInt32LE(crc32(bytes.subarray(0, bytes.length - 4)), bytes.length - 4);
  return bytes;
}
