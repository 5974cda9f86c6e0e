import { once } from 'node:events';
import { expect } from 'chai';
import type { Message } from '../../../src/raft/message.js';
import { type Hello, Lane } from '../../../src/rpc/gen/seqsvr/v1/raft.js';
import { deliverRequest, deliverResponse } from '../../../src/rpc/peer-frame.js';
import { raftToWire } from '../../../src/rpc/raft-codec.js';
import { Door } from '../rpc/fixture.js';
import { append, CLUSTER_ID, heartbeat, helloFrame, helloOf, messagesFrame, nameOf, PeerStage, until, uuidOf } from './peer-stage.js';

describe('peer transport', function () {
  this.timeout(20_000);
  const stage = new PeerStage();
  afterEach(() => stage.close());

  describe('says who it is, and believes nobody who does not', () => {
    it('answers a right hello with its own', async () => {
      const two = stage.peer(2);
      const stream = stage.strangerTo(await two.listen());
      stream.write(helloFrame());
      const [answer] = (await once(stream, 'data')) as [Buffer];
      expect(deliverResponse.open(answer).answer).to.deep.equal({
        $case: 'hello',
        value: helloOf({ nodeId: 2, nodeUuid: uuidOf(2), toNodeId: 1, toNodeUuid: uuidOf(1), name: nameOf(2) }),
      });
      stream.write(messagesFrame(heartbeat(1, 2)));
      await until(() => two.received.length === 1);
      expect(two.transport.uuidOf(1)).to.equal(uuidOf(1));
    });

    const rows: readonly (readonly [string, Partial<Hello>, string, string])[] = [
      ['another cluster', { clusterId: 'd'.repeat(32) }, 'otherCluster', `this node is of cluster ${CLUSTER_ID}`],
      ['one who looks for another node', { toNodeId: 3 }, 'otherNode', 'this is node 2, the peer looks for node 3'],
      ['one who looks for the directory that was here before', { toNodeUuid: 'e'.repeat(32) }, 'otherNode', 'the peer looks for eee'],
      ['one who is no member', { nodeId: 9 }, 'unknownMember', 'node 9 is no member'],
      ['one who says that it is this very node', { nodeId: 2 }, 'unknownMember', 'node 2 is not the member'],
      [
        'a version of the wire that is gone',
        { wireVersion: 1, oldestWireVersion: 1 },
        'wireVersion',
        'versions 1 to 1 of the peer protocol, this node 2 to 2',
      ],
      ['a version of the wire that is to come', { wireVersion: 9, oldestWireVersion: 3 }, 'wireVersion', 'versions 3 to 9'],
      ['a data directory that is not the known one', { nodeUuid: 'e'.repeat(32) }, 'wrongUuid', 'a wiped or replaced directory is not the old node'],
      ['a hello of no lane', { lane: Lane.LANE_UNSPECIFIED }, 'badFrame', 'lane 0'],
      ['a snapshot on the way of messages', { lane: Lane.LANE_SNAPSHOT }, 'badFrame', 'lane 3 has another method'],
      ['a uuid that is none', { nodeUuid: 'x' }, 'badFrame', 'breaks the rules'],
    ];
    for (const [name, change, reason, why] of rows) {
      it(`refuses ${name}, counts it, and takes no message from it`, async () => {
        const two = stage.peer(2);
        two.knows(1, { nodeUuid: uuidOf(1) });
        const stream = stage.strangerTo(await two.listen());
        stream.write(helloFrame(change));
        for (let count = 0; count < 5; count += 1) stream.write(messagesFrame(heartbeat(1, 2)));
        const [error] = (await once(stream, 'error')) as [Error];
        expect(error.message).to.contain(why);
        expect(two.received).to.deep.equal([]);
        const told = two.told('peerRefused').map((event) => [event.reason, event.count, event.why.includes(why)]);
        expect(told, 'once for a stream, whatever it goes on to say').to.deep.equal([[reason, 1, true]]);
        expect(two.transport.counts.refused).to.include({ [reason]: 1 });
      });
    }

    it('takes a newer version that still speaks this one', async () => {
      const two = stage.peer(2);
      const stream = stage.strangerTo(await two.listen());
      stream.write(helloFrame({ wireVersion: 9 }));
      await once(stream, 'data');
    });

    it('tells a refusal once for a spell and counts every one', async () => {
      const two = stage.peer(2);
      const address = await two.listen();
      for (let count = 0; count < 4; count += 1) {
        const stream = stage.strangerTo(address);
        stream.write(helloFrame({ nodeId: 9 }));
        await once(stream, 'error');
      }
      expect([two.told('peerRefused').length, two.transport.counts.refused.unknownMember]).to.deep.equal([1, 4]);
    });

    it('refuses a second data directory for a node before the cluster knows the first', async () => {
      const two = stage.peer(2);
      const address = await two.listen();
      const first = stage.strangerTo(address);
      first.write(helloFrame());
      await once(first, 'data');
      const second = stage.strangerTo(address);
      second.write(helloFrame({ nodeUuid: 'e'.repeat(32) }));
      await once(second, 'error');
      expect(two.transport.uuidOf(1)).to.equal(uuidOf(1));
    });

    it('refuses messages before the hello, an empty frame, and a second hello', async () => {
      const two = stage.peer(2);
      const address = await two.listen();
      const empty = deliverRequest.seal({});
      for (const frames of [[messagesFrame(heartbeat(1, 2))], [empty], [helloFrame(), helloFrame(), messagesFrame(heartbeat(1, 2))]]) {
        const stream = stage.strangerTo(address);
        stream.on('data', () => undefined);
        for (const frame of frames) stream.write(frame);
        const [error] = (await once(stream, 'error')) as [Error];
        expect(error.message).to.match(/the first frame, and only the first, is a hello|a frame that this version does not know/);
      }
      expect(two.received).to.deep.equal([]);
    });

    it('ends a stream that does not say who it is in time', async () => {
      const two = stage.peer(2);
      const stream = stage.strangerTo(await two.listen());
      const [error] = (await once(stream, 'error')) as [Error];
      expect(error.message).to.contain('no hello within 1000 ms');
      expect(two.told('peerRefused').map(({ nodeId, reason }) => [nodeId, reason])).to.deep.equal([[0, 'silent']]);
    });

    it('refuses the 65th stream that has not said hello', async () => {
      const two = stage.peer(2);
      const address = await two.listen();
      const streams = Array.from({ length: 66 }, () => stage.strangerTo(address));
      await until(() => two.transport.counts.refused.tooMany === 2);
      for (const stream of streams) stream.cancel();
    });

    it('drops a message in the name of another, one for another and one that says nothing, and takes the rest of the frame', async () => {
      const two = stage.peer(2);
      const stream = stage.strangerTo(await two.listen());
      stream.on('data', () => undefined);
      stream.write(helloFrame());
      const bad = [raftToWire(heartbeat(3, 2)), raftToWire(heartbeat(1, 3)), { from: 1, to: 2, term: 1n, body: undefined }];
      const value = { messages: [...bad, raftToWire(heartbeat(1, 2, 7))] };
      stream.write(deliverRequest.seal({ frame: { $case: 'messages', value } }));
      stream.write(messagesFrame(heartbeat(1, 2, 8)));
      await until(() => two.received.length === 2);
      expect(two.received.map(({ from, term }) => [from, term])).to.deep.equal([
        [1, 7],
        [1, 8],
      ]);
      expect(two.told('badMessage').map(({ why }) => why)).to.deep.equal(['node 1 sent a message in the name of node 3']);
      expect(two.transport.counts.badMessages).to.equal(3);
    });

    it('hears a member only on its newest stream of a lane', async () => {
      const two = stage.peer(2);
      const address = await two.listen();
      const [first, second, other] = [stage.strangerTo(address), stage.strangerTo(address), stage.strangerTo(address)];
      first.write(helloFrame());
      await once(first, 'data');
      other.write(helloFrame({ lane: Lane.LANE_APPEND }));
      await once(other, 'data');
      second.write(helloFrame());
      const [[error]] = (await Promise.all([once(first, 'error'), once(second, 'data')])) as [[Error], unknown];
      expect(error.message).to.contain('has opened a newer stream');
      other.write(messagesFrame(append(1, 2)));
      second.write(messagesFrame(heartbeat(1, 2, 3)));
      await until(() => two.received.length === 2);
      expect(two.told('peerRefused'), 'nobody is to blame').to.deep.equal([]);
    });
  });

  describe('between two nodes', () => {
    it('carries messages both ways, each lane in order, entries whole', async () => {
      const [one, two] = await stage.pair();
      const data = (at: number): Uint8Array => new Uint8Array(50_000).fill(at);
      const appends = Array.from({ length: 50 }, (_, at) => append(1, 2, data(at), at + 1));
      for (const message of appends) one.transport.send(message);
      const vote: Message = { type: 'vote', from: 2, to: 1, term: 9, lastIndex: 4, lastTerm: 3, isTransfer: true };
      two.transport.send(vote);
      await until(() => two.received.length === 50 && one.received.length === 1);
      expect(one.received).to.deep.equal([vote]);
      for (const [at, message] of two.received.entries()) {
        expect(message.type === 'append' && [message.previousIndex, message.entries[0]!.data.length, message.entries[0]!.data.at(-1)]).to.deep.equal([
          at,
          50_000,
          at,
        ]);
      }
    });

    it('cuts what one turn sends into frames that the other side takes: a follower far behind keeps its link', async () => {
      const [one, two] = await stage.pair();
      for (let index = 1; index <= 8; index += 1) one.transport.send(append(1, 2, new Uint8Array(1024 * 1024), index));
      one.transport.send(append(1, 2, new Uint8Array(5 * 1024 * 1024), 9));
      await until(() => two.received.length === 9 || one.told('peerDown').length > 0);
      expect(one.told('peerDown')).to.deep.equal([]);
      expect(two.received.map((message) => message.type === 'append' && message.previousIndex)).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    });

    it('drops a message that no frame can hold, says so, and carries on', async () => {
      const [one, two] = await stage.pair();
      one.transport.send(append(1, 2, new Uint8Array(9 * 1024 * 1024)));
      await until(() => one.unreachable.length === 1);
      expect(one.told('peerDropped')).to.deep.equal([{ type: 'peerDropped', peerId: 2, lane: Lane.LANE_APPEND, why: 'tooLarge', count: 1 }]);
      one.transport.send(append(1, 2));
      await until(() => two.received.length === 1);
    });

    it('finds a peer again that went away, and tells each once', async () => {
      const one = stage.peer(1, [2]);
      const two = stage.peer(2, [1]);
      const address = await two.listen();
      one.dials(2, address);
      one.transport.start();
      await until(() => one.told('peerUp').length === 2);
      two.cut();
      await until(() => one.told('peerDown').length === 2);
      one.transport.send(heartbeat(1, 2, 1));
      const again = stage.peer(2, [1]);
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
      const two = stage.peer(2, [1]);
      const door = stage.opened(await Door.open({ swallowed: 2, target: await two.listen() }));
      const one = stage.peer(1, [2]);
      one.dials(2, door.address);
      one.transport.start();
      await until(() => one.told('peerUp').length === 2);
      expect(one.told('peerDown').map(({ why }) => why)[0]).to.contain('said nothing for 1000 ms');
      one.transport.send(heartbeat(1, 2));
      await until(() => two.received.length === 1);
    });

    it('does not send to a node that answers in the name of another', async () => {
      const [one, three] = [stage.peer(1, [2, 3]), stage.peer(3, [1])];
      one.dials(2, await three.listen());
      one.transport.start();
      await until(() => one.told('peerDown').length >= 2);
      one.transport.send(heartbeat(1, 2));
      await until(() => three.transport.counts.refused.otherNode >= 4);
      expect([one.told('peerUp').length, three.received.length]).to.deep.equal([0, 0]);
    });

    it('tells the others what its state is', async () => {
      const [one, two] = await stage.pair();
      one.transport.sendCheckpoint({ appliedIndex: 7, stateHash: 'ab12' });
      await until(() => two.checkpoints.length === 1);
      expect(two.checkpoints).to.deep.equal([[1, { appliedIndex: 7, stateHash: 'ab12' }]]);
    });
  });

  describe('reports appends that may be lost, once until one gets through', () => {
    it('when there is no connection', async () => {
      const one = stage.peer(1, [2]);
      one.transport.start();
      for (let count = 0; count < 10; count += 1) one.transport.send(append(1, 2));
      expect(one.unreachable, 'never from within send').to.deep.equal([]);
      await until(() => one.unreachable.length > 0);
      one.transport.send(append(1, 2));
      one.transport.send(heartbeat(1, 2));
      await until(() => one.transport.counts.dropped.down === 12);
      expect(one.unreachable).to.deep.equal([2]);
      expect(one.told('peerDropped').map(({ lane, why, count }) => [lane, why, count])).to.deep.equal([
        [Lane.LANE_APPEND, 'down', 10],
        [Lane.LANE_CONTROL, 'down', 1],
      ]);
    });

    it('when the stream breaks, and again when it breaks after one got through', async () => {
      const two = stage.peer(2, [1]);
      const door = stage.opened(await Door.open({ swallowed: 0, target: await two.listen() }));
      const one = stage.peer(1, [2]);
      one.dials(2, door.address);
      one.transport.start();
      for (let round = 1; round <= 2; round += 1) {
        await until(() => one.told('peerUp').length === 2 * round);
        one.transport.send(append(1, 2));
        await until(() => two.received.length === round);
        door.cut();
        await until(() => one.unreachable.length === round);
      }
    });

    it('when the other side does not read: what waits is bounded', async () => {
      const two = stage.peer(2, [1]);
      const door = stage.opened(await Door.open({ swallowed: 0, target: await two.listen() }));
      const one = stage.peer(1, [2]);
      one.dials(2, door.address);
      one.transport.start();
      await until(() => one.told('peerUp').length === 2);
      door.stopReading();
      const data = new Uint8Array(1024 * 1024);
      await until(() => {
        one.transport.send(append(1, 2, data));
        return one.transport.counts.dropped.full > 0;
      });
      expect(one.unreachable).to.deep.equal([2]);
      expect(one.told('peerSlow')).to.deep.equal([{ type: 'peerSlow', peerId: 2, lane: Lane.LANE_APPEND }]);
    });

    it('for an id that nobody has, and a snapshot for it has failed', async () => {
      const one = stage.peer(1, [2]);
      one.transport.start();
      one.transport.send(append(1, 9));
      await until(() => one.unreachable.length === 1);
      expect(one.unreachable).to.deep.equal([9]);
      one.transport.close();
      one.transport.send(append(1, 9));
      one.transport.send(heartbeat(1, 2));
      expect(one.transport.counts.dropped.unknownPeer).to.equal(1);
    });
  });
});
