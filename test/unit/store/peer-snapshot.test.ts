import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { expect } from 'chai';
import type { MessageOf } from '../../../src/raft/message.js';
import { Lane } from '../../../src/rpc/gen/seqsvr/v1/raft.js';
import { snapshotRequest, snapshotResponse } from '../../../src/rpc/peer-frame.js';
import { type Offer, offerToWire } from '../../../src/rpc/snapshot-codec.js';
import { CHUNK_BYTES_MAX } from '../../../src/store/snapshot-intake.js';
import { Door } from '../rpc/fixture.js';
import { bytesOf, helloOf, type Peer, PeerStage, snapshotOf, until, uuidOf } from './peer-stage.js';

/** Five chunks, the last one short. */
const DATA = bytesOf(4 * CHUNK_BYTES_MAX + 12_345);
const CHUNK_COUNT = 5;
/** Frame 1 is the hello, 2 the offer, 3 the first chunk. */
const chunksAfter = (frame: number): number => CHUNK_COUNT - Math.max(0, frame - 2);
const message = (data: Uint8Array = DATA, index = 90): MessageOf<'snapshot'> => ({
  type: 'snapshot',
  from: 1,
  to: 2,
  term: 7,
  snapshot: snapshotOf(data, index),
});

describe('snapshots between peers', function () {
  this.timeout(30_000);
  const stage = new PeerStage();
  afterEach(() => stage.close());

  /** Node 1, which dials node 2 through a door. */
  async function pair() {
    const two = stage.peer(2, [1, 2]);
    const address = await two.listen();
    const door = stage.opened(await Door.open({ swallowed: 0, target: address }));
    const one = sender(door.address);
    return { one, two, door, address };
  }

  function sender(address: string): Peer {
    const one = stage.peer(1, [1, 2]);
    one.dials(2, address);
    one.transport.start();
    return one;
  }

  function expectWhole(two: Peer, sent = message()): void {
    expect(two.received.length).to.equal(1);
    const { snapshot, ...envelope } = two.received[0] as MessageOf<'snapshot'>;
    expect(envelope).to.deep.equal({ type: 'snapshot', from: 1, to: 2, term: 7 });
    expect([snapshot.index, snapshot.term, snapshot.confState]).to.deep.equal([sent.snapshot.index, sent.snapshot.term, sent.snapshot.confState]);
    expect(Buffer.compare(snapshot.data, sent.snapshot.data)).to.equal(0);
  }

  it('arrive whole, with their members, and the sender hears of it', async () => {
    const { one, two } = await pair();
    one.transport.send(message());
    expect(one.snapshotsSent).to.deep.equal([]);
    await until(() => one.snapshotsSent.length === 1);
    expect(one.snapshotsSent).to.deep.equal([[2, true]]);
    expectWhole(two);
    expect(two.told('snapshotReceived')).to.deep.equal([{ type: 'snapshotReceived', peerId: 1, index: 90, totalBytes: DATA.length }]);
    expect(one.told('snapshotSent').map(({ attemptCount }) => attemptCount)).to.deep.equal([1]);
  });

  it('arrive when they are empty', async () => {
    const { one, two } = await pair();
    one.transport.send(message(new Uint8Array()));
    await until(() => one.snapshotsSent.length === 1);
    expectWhole(two, message(new Uint8Array()));
  });

  it('that are larger than what may be under way arrive in turn', async () => {
    const { one, two } = await pair();
    const large = message(bytesOf(40 * CHUNK_BYTES_MAX));
    one.transport.send(large);
    await until(() => one.snapshotsSent.length === 1);
    expectWhole(two, large);
  });

  for (let frame = 1; frame <= 2 + CHUNK_COUNT; frame += 1) {
    it(`are taken up where they stopped when the connection breaks at frame ${frame}`, async () => {
      const { one, two, door } = await pair();
      let chunksAgain = 0;
      two.onSnapshotFrame = (count, stream) => {
        if (stream === 2 && count > 2) chunksAgain += 1;
        if (stream === 1 && count === frame) door.cut();
      };
      one.transport.send(message());
      await until(() => one.snapshotsSent.length === 1);
      expect(one.snapshotsSent).to.deep.equal([[2, true]]);
      expectWhole(two);
      expect(chunksAgain, 'no chunk that was taken is sent again').to.be.at.most(chunksAfter(frame));
      expect(one.told('snapshotSent')[0]?.attemptCount).to.equal(2);
    });

    it(`begin again with a receiver that died at frame ${frame}`, async () => {
      const { one, two, door } = await pair();
      const again = stage.peer(2, [1, 2]);
      const address = await again.listen();
      two.onSnapshotFrame = (count) => {
        if (count !== frame) return;
        door.target = address;
        door.cut();
        two.close();
      };
      one.transport.send(message());
      await until(() => one.snapshotsSent.length === 1);
      const hadAll = frame === 2 + CHUNK_COUNT;
      expectWhole(again);
      expect(two.received.length, 'a dying receiver installs it whole or not at all').to.equal(hadAll ? 1 : 0);
    });

    it(`go on from where a sender that died at frame ${frame} had come`, async () => {
      const { one, two, address } = await pair();
      let isDead = false;
      let chunksAgain = 0;
      two.onSnapshotFrame = (count, stream) => {
        if (stream === 2 && count > 2) chunksAgain += 1;
        if (stream !== 1 || count !== frame) return;
        isDead = true;
        one.close();
      };
      one.transport.send(message());
      await until(() => isDead);
      const again = sender(address);
      again.transport.send(message());
      await until(() => again.snapshotsSent.length === 1);
      expect(one.snapshotsSent, 'a closed transport reports nothing').to.deep.equal([]);
      // The dead one's last bytes may still have come in: then it was whole, and this is a transfer of its own.
      const wasWhole = two.received.length === 2;
      if (wasWhole) two.received.shift();
      else expect(chunksAgain).to.be.at.most(chunksAfter(frame));
      expectWhole(two);
    });
  }

  it('give way to a newer one', async () => {
    const { one, two, door } = await pair();
    two.onSnapshotFrame = (count) => {
      if (count === 4 && one.told('snapshotSending').length === 1) one.transport.send(message(DATA.slice(0, 700_000), 95));
    };
    one.transport.send(message());
    await until(() => one.snapshotsSent.length > 0);
    expectWhole(two, message(DATA.slice(0, 700_000), 95));
    expect(one.snapshotsSent).to.deep.equal([[2, true]]);
    expect(door.acceptedCount).to.be.greaterThan(3);
  });

  it('fail at once when the other side refuses the sender, and the core hears of it', async () => {
    const { one, two } = await pair();
    two.knows(1, { nodeUuid: 'e'.repeat(32) });
    two.transport.refresh();
    one.transport.send(message());
    await until(() => one.snapshotsSent.length === 1);
    expect(one.snapshotsSent).to.deep.equal([[2, false]]);
    expect(one.told('snapshotFailed')[0]?.why).to.contain('a wiped or replaced directory');
    expect(two.received).to.deep.equal([]);
  });

  it('fail after a limited number of attempts when nobody is there', async () => {
    const one = sender('127.0.0.1:1');
    one.transport.send(message());
    await until(() => one.snapshotsSent.length === 1);
    expect(one.snapshotsSent).to.deep.equal([[2, false]]);
    expect(one.told('snapshotFailed')[0]?.attemptCount).to.equal(20);
  });

  it('fail for a node that nobody knows', async () => {
    const one = sender('127.0.0.1:1');
    one.transport.send({ ...message(), to: 9 });
    await until(() => one.snapshotsSent.length === 1);
    expect(one.snapshotsSent).to.deep.equal([[9, false]]);
  });

  it('whose sender is removed while they are under way are cut off and forgotten', async () => {
    const { one, two } = await pair();
    two.onSnapshotFrame = (count) => {
      if (count !== 4) return;
      two.members = [{ id: 2, peerAddress: '', nodeUuid: undefined }];
      two.removed.add(uuidOf(1));
      two.transport.refresh();
    };
    one.transport.send(message());
    await until(() => one.removedBy.length > 0);
    expect(two.received).to.deep.equal([]);
  });

  describe('from somebody who speaks the wire by hand', () => {
    const offer: Offer = {
      term: 7,
      at: { index: 90, term: 4 },
      confState: snapshotOf(DATA).confState,
      totalBytes: DATA.length,
      sha256: createHash('sha256').update(DATA).digest(),
      transferId: 'a'.repeat(32),
    };
    const helloFrame = snapshotRequest.seal({ frame: { $case: 'hello', value: helloOf({ lane: Lane.LANE_SNAPSHOT }) } });
    const offerFrame = (change: Partial<Offer> = {}): Buffer =>
      snapshotRequest.seal({ frame: { $case: 'offer', value: offerToWire({ ...offer, ...change }) } });
    const chunkFrame = (at: number, data = Buffer.from(DATA.subarray(at * CHUNK_BYTES_MAX, (at + 1) * CHUNK_BYTES_MAX))): Buffer =>
      snapshotRequest.seal({ frame: { $case: 'chunk', value: { offsetBytes: BigInt(at * CHUNK_BYTES_MAX), data } } });
    const flipped = (bytes: Buffer, at: number) => {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ 4;
      return copy;
    };
    const chunks = (count: number): Buffer[] => Array.from({ length: count }, (_, at) => chunkFrame(at));
    const wrongData = flipped(Buffer.from(DATA.subarray(0, CHUNK_BYTES_MAX)), 100_000);

    const rows: readonly (readonly [string, readonly Buffer[], string])[] = [
      ['a chunk with a flipped byte', [helloFrame, offerFrame(), ...chunks(2), flipped(chunkFrame(2), 200_000)], 'with checksum'],
      [
        'a byte that was flipped before it was sent',
        [helloFrame, offerFrame(), chunkFrame(0, wrongData), ...chunks(5).slice(1)],
        'does not have the sha256',
      ],
      ['half a frame', [helloFrame, offerFrame(), chunkFrame(0).subarray(0, 1_000)], 'checksum'],
      ['a chunk that comes twice', [helloFrame, offerFrame(), chunkFrame(0), chunkFrame(0)], 'a chunk at byte 0, the next one is at 262144'],
      ['a chunk too early', [helloFrame, offerFrame(), chunkFrame(1)], 'a chunk at byte 262144, the next one is at 0'],
      ['a chunk before the offer', [helloFrame, chunkFrame(0)], 'the second frame, and only the second, is an offer'],
      ['a second offer', [helloFrame, offerFrame(), offerFrame()], 'the second frame, and only the second, is an offer'],
      ['an empty chunk', [helloFrame, offerFrame(), chunkFrame(0, Buffer.alloc(0))], '1 to 262144 bytes, got 0'],
      ['a chunk too large', [helloFrame, offerFrame(), chunkFrame(0, Buffer.alloc(262_145))], '1 to 262144 bytes, got 262145'],
      ['more than was offered', [helloFrame, offerFrame({ totalBytes: 10 }), chunkFrame(0)], 'a chunk up to byte 262144 of a snapshot of 10'],
      ['a snapshot too large', [helloFrame, offerFrame({ totalBytes: 2 ** 40 })], `at most ${512 * 1024 * 1024} are taken`],
    ];
    for (const [name, frames, why] of rows) {
      it(`refuses ${name}, counts it, and forgets what had come`, async () => {
        const two = stage.peer(2, [1, 2]);
        const address = await two.listen();
        const stream = stage.strangerTo(address, 'installSnapshot');
        stream.on('data', () => undefined);
        for (const frame of frames) stream.write(frame);
        const [error] = (await once(stream, 'error')) as [Error];
        expect(error.message).to.contain(why);
        expect(two.received).to.deep.equal([]);
        expect(two.told('snapshotRefused').map((event) => [event.peerId, event.count, event.why.includes(why)])).to.deep.equal([[1, 1, true]]);
        expect(two.transport.counts.snapshotsRefused).to.equal(1);
        expect(await receivedBytesOf(address), 'it begins anew').to.equal(0n);
      });
    }

    it('is not handed to Raft twice when its last answer was lost', async () => {
      const two = stage.peer(2, [1, 2]);
      const address = await two.listen();
      const first = stage.strangerTo(address, 'installSnapshot');
      first.on('data', () => undefined);
      for (const frame of [helloFrame, offerFrame(), ...chunks(5)]) first.write(frame);
      await until(() => two.received.length === 1);
      expect(await receivedBytesOf(address)).to.equal(BigInt(DATA.length));
      expect(two.received.length).to.equal(1);
    });

    it('cannot make another forget its snapshot without being that node', async () => {
      const two = stage.peer(2, [1, 2]);
      const address = await two.listen();
      const first = stage.strangerTo(address, 'installSnapshot');
      first.on('data', () => undefined);
      for (const frame of [helloFrame, offerFrame(), ...chunks(2)]) first.write(frame);
      await until(() => two.transport.uuidOf(1) !== undefined);
      const liar = stage.strangerTo(address, 'installSnapshot');
      const lie = helloOf({ lane: Lane.LANE_SNAPSHOT, nodeUuid: 'e'.repeat(32) });
      liar.write(snapshotRequest.seal({ frame: { $case: 'hello', value: lie } }));
      await once(liar, 'error');
      for (const frame of chunks(5).slice(2)) first.write(frame);
      await until(() => two.received.length === 1);
    });

    /** What the answer to an offer of the same snapshot says. */
    async function receivedBytesOf(address: string): Promise<bigint | undefined> {
      const stream = stage.strangerTo(address, 'installSnapshot');
      stream.write(helloFrame);
      await once(stream, 'data');
      stream.write(offerFrame());
      const [bytes] = (await once(stream, 'data')) as [Buffer];
      const { answer } = snapshotResponse.open(bytes);
      return answer?.$case === 'progress' ? answer.value.receivedBytes : undefined;
    }
  });
});
