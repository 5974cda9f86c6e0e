import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import { inspect } from 'node:util';
import { crc32 } from 'node:zlib';
import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import type { Message } from '../../../src/raft/message.js';
import { Lane } from '../../../src/rpc/gen/seqsvr/v1/raft.js';
import { deliverRequest, type peerMethods, snapshotRequest } from '../../../src/rpc/peer-frame.js';
import { raftFromWire } from '../../../src/rpc/raft-codec.js';
import { Handlers } from '../../../src/rpc/server.js';
import { offerToWire } from '../../../src/rpc/snapshot-codec.js';
import { PeerTransport } from '../../../src/store/peer-transport.js';
import { SeededRandom } from '../seeded-random.js';
import { VirtualClock } from '../virtual-clock.js';
import { append, bytesOf, CLUSTER_ID, heartbeat, helloFrame, helloOf, messagesFrame, PeerStage, snapshotOf, uuidOf } from './peer-stage.js';

const ROUNDS = 5_000;

type Harm = (frames: readonly Buffer[], random: SeededRandom) => readonly Buffer[];

/** What a network, a program or somebody who means harm may do to the frames of a stream. */
const HARMS: Readonly<Record<string, Harm>> = {
  flipped: (frames, random) => changed(frames, random, (bytes) => flippedBit(bytes, random)),
  truncated: (frames, random) => changed(frames, random, (bytes) => bytes.subarray(0, random.below(bytes.length))),
  lengthened: (frames, random) => changed(frames, random, (bytes) => Buffer.concat([bytes, noise(random, 1 + random.below(40))])),
  noise: (frames, random) => changed(frames, random, () => noise(random, random.below(400))),
  joined: (frames, random) => changed(frames, random, (bytes) => Buffer.concat([bytes, random.pick(frames)])),
  // The checksum is right: a program that is wrong, or somebody who means harm.
  forged: (frames, random) => changed(frames, random, (bytes) => resealed(flippedBit(bytes, random))),
  forgedNoise: (frames, random) =>
    changed(frames, random, () => resealed(Buffer.concat([noise(random, random.below(200)), Buffer.from([125, 0, 0, 0, 0])]))),
  repeated: (frames, random) => {
    const at = random.below(frames.length);
    return [...frames.slice(0, at + 1), ...frames.slice(at)];
  },
  reordered: (frames, random) => {
    const at = random.below(frames.length - 1);
    return [...frames.slice(0, at), frames[at + 1]!, frames[at]!, ...frames.slice(at + 2)];
  },
  dropped: (frames, random) => frames.filter((_, at) => at !== random.below(frames.length)),
  oversized: (frames, random) => changed(frames, random, () => OVERSIZED),
};
const OVERSIZED = messagesFrame(append(1, 2, new Uint8Array(8 * 1024 * 1024 + 70_000)));
/** These may make a frame say something else, and no checksum can tell. */
const FORGERIES: readonly string[] = ['forged', 'forgedNoise'];

/** A stream without a network. */
class FakeStream extends EventEmitter {
  readonly answers: Buffer[] = [];
  isEnded = false;

  write(bytes: Buffer): boolean {
    this.answers.push(bytes);
    return true;
  }

  end(): void {
    this.isEnded = true;
  }
}

describe('bytes from peers that are not as they were sent', function () {
  this.timeout(60_000);

  function reception() {
    const received: Message[] = [];
    const checkpoints: unknown[] = [];
    const clock = new VirtualClock();
    const transport = new PeerTransport({
      identity: { clusterId: CLUSTER_ID, nodeId: 2, nodeUuid: uuidOf(2) },
      self: { name: 's2', address: 'h:1', peerAddress: 'h:2' },
      peers: () => [{ id: 1, peerAddress: 'h:1', nodeUuid: uuidOf(1) }],
      isRemoved: () => false,
      isJoining: () => false,
      receive: (message) => received.push(message),
      onHello: () => undefined,
      onCheckpoint: (from, checkpoint) => checkpoints.push([from, checkpoint]),
      onUnreachable: () => undefined,
      onSnapshotSent: () => undefined,
      onRemoved: () => expect.fail('nobody may say so here'),
      clock,
      random: new SeededRandom(1),
      observe: () => undefined,
    });
    const bugs: unknown[] = [];
    const { implementation } = transport.service(new Handlers({ clock, onBug: (error) => bugs.push(error) }));
    const feed = (method: keyof typeof peerMethods, frames: readonly Buffer[]): FakeStream => {
      const stream = new FakeStream();
      (implementation[method] as unknown as (stream: FakeStream) => void)(stream);
      for (const frame of frames) stream.emit('data', frame);
      stream.emit('end');
      return stream;
    };
    return { received, checkpoints, transport, bugs, feed, clock };
  }

  it(`never throw, and never become a message that was not sent whole (${ROUNDS} streams of messages)`, () => {
    const random = new SeededRandom(20_261);
    const { received, transport, bugs, feed, clock } = reception();
    const harmed = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round += 1) {
      const sent = Array.from({ length: 4 }, (_, at) => (at % 2 === 0 ? heartbeat(1, 2, round + 1) : append(1, 2, noise(random, 30), at + 1)));
      const frames = [helloFrame(), messagesFrame(...sent.slice(0, 2)), messagesFrame(sent[2]!), messagesFrame(sent[3]!)];
      const name = random.pick(Object.keys(HARMS));
      const before = transport.counts;
      feed('deliver', HARMS[name]!(frames, random));
      const after = transport.counts;
      const wasSent = new Set(sent.map(show));
      const taken = received.splice(0);
      for (const message of taken) {
        if (FORGERIES.includes(name)) checkWellFormed(message);
        else expect(wasSent.has(show(message)), `${name}: ${show(message)}`).to.equal(true);
      }
      const refusals = sum(after.refused) - sum(before.refused) + after.badMessages - before.badMessages;
      if (!['repeated', 'reordered', 'dropped', ...FORGERIES].includes(name)) expect(refusals, `${name} is counted`).to.be.greaterThan(0);
      harmed.set(name, (harmed.get(name) ?? 0) + refusals);
    }
    expect(bugs).to.deep.equal([]);
    expect(clock.timerCount, 'no stream is left').to.equal(0);
    for (const name of Object.keys(HARMS)) expect(harmed.get(name), name).to.be.greaterThan(0);
  });

  it('never throw, and never become a snapshot that was not sent whole (2,000 streams of snapshots)', () => {
    const random = new SeededRandom(20_262);
    const { received, transport, bugs, feed } = reception();
    const snapshots = [3_000, 5_000, 700].map((count, at) =>
      snapshotOf(
        bytesOf(count).map((byte) => byte ^ at),
        90 + at,
      ),
    );
    let wholeCount = 0;
    for (let round = 0; round < 2_000; round += 1) {
      const snapshot = random.pick(snapshots);
      const name = random.pick(Object.keys(HARMS).filter((harm) => !FORGERIES.includes(harm)));
      const frames = snapshotFrames(snapshot, random);
      // Sometimes the stream is well and ends early, so that the next one goes on in the middle.
      feed('installSnapshot', random.chance(0.3) ? frames.slice(0, random.below(frames.length + 1)) : HARMS[name]!(frames, random));
      for (const message of received.splice(0)) {
        if (message.type !== 'snapshot') throw new Error(`a ${message.type} came out of a snapshot`);
        const same = snapshots.find(({ index }) => index === message.snapshot.index);
        expect(Buffer.compare(message.snapshot.data, same?.data ?? Buffer.alloc(0))).to.equal(0);
        expect(message.snapshot.confState).to.deep.equal(same?.confState);
        wholeCount += 1;
      }
    }
    expect(bugs).to.deep.equal([]);
    expect(wholeCount).to.be.greaterThan(50);
    expect(transport.counts.snapshotsRefused).to.be.greaterThan(500);
  });

  it('do no harm to a listener: whatever comes in, a right hello is answered', async () => {
    const stage = new PeerStage();
    const random = new SeededRandom(20_264);
    const two = stage.peer(2);
    const address = await two.listen();
    const port = Number(address.split(':')[1]);
    for (let round = 0; round < 100; round += 1) {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined);
      // Noise, and noise behind the beginning of an HTTP/2 connection.
      const bytes = round % 2 === 0 ? noise(random, 500) : Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), noise(random, 500)]);
      // Cut by this side once all is out: half of a frame is no reason for the other one to hang up.
      socket.end(bytes, () => socket.destroy());
      await new Promise((resolve) => void socket.on('close', resolve));
    }
    for (let round = 0; round < 100; round += 1) {
      const stream = stage.strangerTo(address, round % 2 === 0 ? 'deliver' : 'installSnapshot');
      stream.write(random.chance(0.5) ? noise(random, 1 + random.below(100)) : flippedBit(helloFrame(), random));
      const [error] = (await once(stream, 'error')) as [Error];
      expect(error.message).to.match(/checksum/);
    }
    const tooLong = stage.strangerTo(address);
    tooLong.write(Buffer.alloc(17 * 1024 * 1024));
    await once(tooLong, 'error');
    const stream = stage.strangerTo(address);
    stream.write(helloFrame());
    await once(stream, 'data');
    expect([two.received, two.transport.counts.refused.badFrame]).to.deep.equal([[], 100]);
    await stage.close();
  });

  it(`never come out of the codec as a message that breaks a rule (${ROUNDS} forged frames)`, () => {
    const random = new SeededRandom(20_263);
    let refusedCount = 0;
    let takenCount = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const frame = messagesFrame(append(1, 2, noise(random, 20), 1 + random.below(5)), heartbeat(1, 2), {
        from: 1,
        to: 2,
        term: 8,
        type: 'vote',
        lastIndex: 4,
        lastTerm: 3,
        isTransfer: false,
      });
      try {
        const opened = deliverRequest.open(resealed(flippedBit(frame, random)));
        if (opened.frame?.$case !== 'messages') continue;
        for (const wire of opened.frame.value.messages) checkWellFormed(raftFromWire(wire));
        takenCount += 1;
      } catch (error) {
        if (!(error instanceof SeqError)) throw error;
        expect(error.code).to.equal('PROTOCOL');
        refusedCount += 1;
      }
    }
    expect(Math.min(refusedCount, takenCount)).to.be.greaterThan(500);
  });
});

function snapshotFrames({ index, term, confState, data }: ReturnType<typeof snapshotOf>, random: SeededRandom): readonly Buffer[] {
  const sha256 = createHash('sha256').update(data).digest();
  const offer = { term: 7, at: { index, term }, confState, totalBytes: data.length, sha256, transferId: random.id128() };
  const hello = snapshotRequest.seal({ frame: { $case: 'hello', value: helloOf({ lane: Lane.LANE_SNAPSHOT }) } });
  const chunks: Buffer[] = [];
  for (let offset = 0; offset < data.length; offset += 400) {
    const value = { offsetBytes: BigInt(offset), data: Buffer.from(data.subarray(offset, offset + 400)) };
    chunks.push(snapshotRequest.seal({ frame: { $case: 'chunk', value } }));
  }
  return [hello, snapshotRequest.seal({ frame: { $case: 'offer', value: offerToWire(offer) } }), ...chunks];
}

function changed(frames: readonly Buffer[], random: SeededRandom, change: (bytes: Buffer) => Buffer): readonly Buffer[] {
  const at = random.below(frames.length);
  return frames.map((bytes, index) => (index === at ? change(bytes) : bytes));
}

function flippedBit(bytes: Buffer, random: SeededRandom): Buffer {
  const copy = Buffer.from(bytes);
  const at = random.below(copy.length);
  copy[at] = copy[at]! ^ (1 << random.below(8));
  return copy;
}

function noise(random: SeededRandom, count: number): Buffer {
  return Buffer.from(Array.from({ length: count }, () => random.below(256)));
}

function resealed(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt32LE(crc32(copy.subarray(0, copy.length - 4)), copy.length - 4);
  return copy;
}

/** What the core relies on without asking again. */
function checkWellFormed(message: Message): void {
  for (const value of Object.values(message)) if (typeof value === 'number') expect(Number.isSafeInteger(value) && value >= 0).to.equal(true);
  expect(message.from > 0 && message.to > 0).to.equal(true);
  if (message.type !== 'append') return;
  let [index, term] = [message.previousIndex, message.previousTerm];
  for (const entry of message.entries) {
    expect([entry.index, entry.term >= term, entry.term <= message.term, ['normal', 'confChange'].includes(entry.type)]).to.deep.equal([
      index + 1,
      true,
      true,
      true,
    ]);
    [index, term] = [entry.index, entry.term];
  }
}

function show(message: Message): string {
  const entries = 'entries' in message ? message.entries.map((entry) => ({ ...entry, data: Buffer.from(entry.data).toString('hex') })) : undefined;
  return inspect({ ...message, entries }, { sorted: true, depth: 5, breakLength: Infinity });
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
