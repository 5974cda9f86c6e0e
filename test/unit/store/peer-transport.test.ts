import { expect } from 'chai';
import { once } from 'node:events';
import { systemClock } from '../../../src/base/clock.js';
import { systemRandom } from '../../../src/base/random.js';
import type { Message } from '../../../src/raft/message.js';
import { Channel } from '../../../src/rpc/channel.js';
import { type DeliverRequest, type DeliverResponse, type Hello, Lane, PeerServiceService } from '../../../src/rpc/gen/seqsvr/v1/raft.js';
import { raftToWire } from '../../../src/rpc/raft-codec.js';
import { GrpcServer, Handlers } from '../../../src/rpc/server.js';
import type { StoreEvent } from '../../../src/store/events.js';
import { PeerTransport } from '../../../src/store/peer-transport.js';
import { entriesOf } from '../raft/memory-storage.js';
import { Door } from '../rpc/fixture.js';
import { CLUSTER_ID } from './fixture.js';

const uuidOf = (nodeId: number): string => String(nodeId).repeat(32);
const heartbeat = (from: number, to: number, term = 1): Message => ({ type: 'heartbeat', from, to, term, commitIndex: 0, readRound: 0 });

/** One StoreSvr's way to its peers, and what came through it. */
class Peer {
  readonly transport: PeerTransport;
  readonly received: Message[] = [];
  readonly events: StoreEvent[] = [];
  readonly known = new Map<number, string>();
  helloCount = 0;
  readonly id: number;
  readonly #peers: { id: number; peerAddress: string }[];
  #server: GrpcServer | undefined;

  constructor(id: number, peerIds: readonly number[] = [1, 2, 3].filter((other) => other !== id)) {
    this.id = id;
    this.#peers = peerIds.map((other) => ({ id: other, peerAddress: '127.0.0.1:1' }));
    this.transport = new PeerTransport({
      identity: { clusterId: CLUSTER_ID, nodeId: id, nodeUuid: uuidOf(id) },
      peers: this.#peers,
      knownUuid: (other) => this.known.get(other),
      receive: (message) => this.received.push(message),
      onHello: () => void (this.helloCount += 1),
      clock: systemClock,
      random: systemRandom,
      observe: (event) => this.events.push(event),
    });
  }

  async listen(address = '127.0.0.1:0'): Promise<string> {
    const handlers = new Handlers({ clock: systemClock, onBug: (error) => expect.fail(String(error)) });
    this.#server = await GrpcServer.start({ address, services: [this.transport.service(handlers)], clock: systemClock });
    return this.#server.address;
  }

  dials(id: number, address: string): void {
    this.#peers.find((peer) => peer.id === id)!.peerAddress = address;
  }

  told(type: StoreEvent['type']): readonly StoreEvent[] {
    return this.events.filter((event) => event.type === type);
  }

  cut(): void {
    this.#server?.cut();
  }

  close(): void {
    this.transport.close();
    this.cut();
  }
}

describe('peer transport', function () {
  this.timeout(20_000);
  const peers: Peer[] = [];
  const channels: Channel[] = [];

  afterEach(() => {
    for (const channel of channels.splice(0)) channel.close();
    for (const peer of peers.splice(0)) peer.close();
  });

  function peer(...args: ConstructorParameters<typeof Peer>): Peer {
    const made = new Peer(...args);
    peers.push(made);
    return made;
  }

  /** Somebody who speaks the wire by hand. */
  function strangerTo(address: string) {
    const channel = new Channel({ address, clock: systemClock });
    channels.push(channel);
    const stream = channel.duplexStream<DeliverRequest, DeliverResponse>(PeerServiceService.deliver);
    // Every stream ends with an error when its test is over.
    return stream.on('error', () => undefined);
  }

  const hello = (change: Partial<Hello> = {}): DeliverRequest => ({
    frame: {
      $case: 'hello',
      value: { clusterId: CLUSTER_ID, nodeId: 1, nodeUuid: uuidOf(1), toNodeId: 2, wireVersion: 1, lane: Lane.LANE_CONTROL, ...change },
    },
  });
  const messages = (...sent: readonly Message[]): DeliverRequest => ({ frame: { $case: 'messages', value: { messages: sent.map(raftToWire) } } });

  describe('says who it is, and believes nobody who does not', () => {
    it('answers a right hello with its own', async () => {
      const two = peer(2);
      const stream = strangerTo(await two.listen());
      stream.write(hello());
      const [answer] = (await once(stream, 'data')) as [DeliverResponse];
      expect(answer.hello).to.deep.equal({
        clusterId: CLUSTER_ID,
        nodeId: 2,
        nodeUuid: uuidOf(2),
        toNodeId: 1,
        wireVersion: 1,
        lane: Lane.LANE_CONTROL,
      });
      stream.write(messages(heartbeat(1, 2)));
      await until(() => two.received.length === 1);
      expect(two.transport.uuidOf(1)).to.equal(uuidOf(1));
    });

    const rows: readonly (readonly [string, Partial<Hello>, string])[] = [
      ['another cluster', { clusterId: 'd'.repeat(32) }, `this node is of cluster ${CLUSTER_ID}`],
      ['one who looks for another node', { toNodeId: 3 }, 'this is node 2, the peer looks for node 3'],
      ['one who is no member', { nodeId: 9 }, 'node 9 is not the member that was expected'],
      ['one who says that it is this very node', { nodeId: 2 }, 'node 2 is not the member'],
      ['another version of the wire', { wireVersion: 2 }, 'peer protocol version must be 1, got 2'],
      ['a data directory that is not the known one', { nodeUuid: 'e'.repeat(32) }, 'a wiped or replaced directory is not the old node'],
    ];
    for (const [name, change, why] of rows) {
      it(`refuses ${name}, and takes no message from it`, async () => {
        const two = peer(2);
        two.known.set(1, uuidOf(1));
        const stream = strangerTo(await two.listen());
        stream.write(hello(change));
        for (let count = 0; count < 5; count += 1) stream.write(messages(heartbeat(1, 2)));
        const [error] = (await once(stream, 'error')) as [Error];
        expect(error.message).to.contain(why);
        expect(two.received).to.deep.equal([]);
        const told = two.told('peerRefused').map((event) => 'why' in event && event.why);
        expect([told.length, String(told[0]).includes(why)], 'once for a stream, whatever it goes on to say').to.deep.equal([1, true]);
      });
    }

    it('refuses a second data directory for a node before the cluster knows the first', async () => {
      const two = peer(2);
      const address = await two.listen();
      const first = strangerTo(address);
      first.write(hello());
      await once(first, 'data');
      const second = strangerTo(address);
      second.write(hello({ nodeUuid: 'e'.repeat(32) }));
      await once(second, 'error');
      expect(two.transport.uuidOf(1)).to.equal(uuidOf(1));
    });

    it('refuses messages before the hello, an empty frame, and a second hello', async () => {
      const two = peer(2);
      const address = await two.listen();
      for (const frames of [[messages(heartbeat(1, 2))], [{ frame: undefined }], [hello(), hello(), messages(heartbeat(1, 2))]]) {
        const stream = strangerTo(address);
        stream.on('data', () => undefined);
        for (const frame of frames) stream.write(frame);
        const [error] = (await once(stream, 'error')) as [Error];
        expect(error.message).to.contain('the first frame, and only the first, is a hello');
      }
      expect(two.received).to.deep.equal([]);
    });

    it('drops a message in the name of another and one that says nothing, and takes the rest of the frame', async () => {
      const two = peer(2);
      const stream = strangerTo(await two.listen());
      stream.on('data', () => undefined);
      stream.write(hello());
      const frame = messages(heartbeat(3, 2), heartbeat(1, 2, 7));
      if (frame.frame?.$case === 'messages') frame.frame.value.messages.push({ from: 1, to: 2, term: 1n, body: undefined });
      stream.write(frame);
      stream.write(messages(heartbeat(1, 2, 8)));
      await until(() => two.received.length === 2);
      expect(two.received.map(({ from, term }) => [from, term])).to.deep.equal([
        [1, 7],
        [1, 8],
      ]);
      expect(two.told('badMessage').map((event) => 'why' in event && event.why)[0]).to.equal('node 1 sent a message in the name of node 3');
      expect(two.told('badMessage').length).to.equal(2);
    });
  });

  describe('between two nodes', () => {
    async function pair(): Promise<readonly [Peer, Peer]> {
      const [one, two] = [peer(1, [2]), peer(2, [1])];
      one.dials(2, await two.listen());
      two.dials(1, await one.listen());
      one.transport.start();
      two.transport.start();
      await until(() => [one, two].every((each) => each.told('peerUp').length === 2));
      return [one, two];
    }

    it('carries messages both ways, each lane in order, entries whole', async () => {
      const [one, two] = await pair();
      const appends = Array.from({ length: 50 }, (_, at): Message => {
        const entries = [...entriesOf([5, 6], at + 1), { index: at + 3, term: 6, data: new Uint8Array(50_000).fill(at) }];
        return { type: 'append', from: 1, to: 2, term: 6, previousIndex: at, previousTerm: 5, commitIndex: at, entries };
      });
      for (const append of appends) one.transport.send(append);
      two.transport.send({ type: 'vote', from: 2, to: 1, term: 9, lastIndex: 4, lastTerm: 3 });
      await until(() => two.received.length === 50 && one.received.length === 1);
      expect(two.received.map((message) => message.type === 'append' && message.previousIndex)).to.deep.equal(appends.map((_, at) => at));
      const last = two.received[49]!;
      expect(last.type === 'append' && last.entries.map(({ index, term, data }) => [index, term, data.length, data.at(-1)])).to.deep.equal([
        [50, 5, 4, 53],
        [51, 6, 4, 54],
        [52, 6, 50_000, 49],
      ]);
      expect(one.received).to.deep.equal([{ type: 'vote', from: 2, to: 1, term: 9, lastIndex: 4, lastTerm: 3 }]);
    });

    it('cuts what one turn sends into frames that the other side takes: a follower far behind keeps its link', async () => {
      const [one, two] = await pair();
      const entry = (index: number) => ({ index, term: 5, data: new Uint8Array(1024 * 1024) });
      for (let at = 0; at < 8; at += 1) {
        one.transport.send({
          type: 'append',
          from: 1,
          to: 2,
          term: 6,
          previousIndex: at,
          previousTerm: 5,
          commitIndex: at,
          entries: [entry(at + 1)],
        });
      }
      const large = { index: 9, term: 5, data: new Uint8Array(3 * 1024 * 1024) };
      one.transport.send({ type: 'append', from: 1, to: 2, term: 6, previousIndex: 8, previousTerm: 5, commitIndex: 8, entries: [large] });
      await until(() => two.received.length === 9 || one.told('peerDown').length > 0);
      expect(one.told('peerDown')).to.deep.equal([]);
      expect(two.received.map((message) => message.type === 'append' && message.previousIndex)).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    });

    it('finds a peer again that went away, and tells each once', async () => {
      const one = peer(1, [2]);
      const two = peer(2, [1]);
      const address = await two.listen();
      one.dials(2, address);
      one.transport.start();
      await until(() => one.told('peerUp').length === 2);
      two.cut();
      await until(() => one.told('peerDown').length === 2);
      one.transport.send(heartbeat(1, 2, 1));
      const again = peer(2, [1]);
      await again.listen(address);
      await until(() => one.told('peerUp').length === 4);
      one.transport.send(heartbeat(1, 2, 2));
      await until(() => again.received.length > 0);
      expect(
        again.received.map(({ term }) => term),
        'what was sent into the void is gone',
      ).to.deep.equal([2]);
      expect(one.told('peerDown').length).to.equal(2);
    });

    it('gives up a connection that is accepted and says nothing, and makes a new one', async () => {
      const two = peer(2, [1]);
      const door = await Door.open({ swallowed: 2, target: await two.listen() });
      const one = peer(1, [2]);
      one.dials(2, door.address);
      one.transport.start();
      await until(() => one.told('peerUp').length === 2);
      expect(one.told('peerDown').map((event) => 'why' in event && event.why)[0]).to.contain('said nothing for 1000 ms');
      one.transport.send(heartbeat(1, 2));
      await until(() => two.received.length === 1);
      await door.close();
    });

    it('does not send to a node that answers in the name of another', async () => {
      const [one, three] = [peer(1, [2, 3]), peer(3, [1])];
      one.dials(2, await three.listen());
      one.transport.start();
      await until(() => one.told('peerDown').length >= 2);
      one.transport.send(heartbeat(1, 2));
      await until(() => three.told('peerRefused').length >= 4);
      expect([one.told('peerUp').length, three.received.length]).to.deep.equal([0, 0]);
    });

    it('drops what it is given for a node that is not there, or after it was closed', async () => {
      const one = peer(1, [2]);
      one.transport.send(heartbeat(1, 2));
      one.transport.start();
      one.transport.send(heartbeat(1, 2));
      one.transport.send(heartbeat(1, 9));
      one.transport.close();
      one.transport.send(heartbeat(1, 2));
      expect(one.transport.uuidOf(2)).to.equal(undefined);
    });
  });
});

/** Waits for other sockets and processes; the suite's timeout is its limit. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}
