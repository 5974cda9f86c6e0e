import { once } from 'node:events';
import { expect } from 'chai';
import { Lane } from '../../../src/rpc/gen/seqsvr/v1/raft.js';
import { deliverResponse } from '../../../src/rpc/peer-frame.js';
import { append, heartbeat, helloFrame, messagesFrame, type Peer, PeerStage, until, uuidOf } from './peer-stage.js';

describe('peers that come and go', function () {
  this.timeout(20_000);
  const stage = new PeerStage();
  afterEach(() => stage.close());

  function removes(peer: Peer, id: number): void {
    peer.members = peer.members.filter((member) => member.id !== id);
    peer.removed.add(uuidOf(id));
    peer.transport.refresh();
  }

  it('tells a removed node that dials, and it stops', async () => {
    const [one, two] = [stage.peer(1, [2, 3]), stage.peer(2, [3])];
    two.removed.add(uuidOf(1));
    one.dials(2, await two.listen());
    one.transport.start();
    await until(() => one.removedBy.length > 0);
    expect(one.removedBy).to.deep.equal([2]);
    expect(one.told('removedFromCluster')).to.deep.equal([{ type: 'removedFromCluster', by: 2 }]);
    expect(two.transport.counts.refused.removed).to.be.greaterThan(0);
    // Nobody is dialed any more: what is sent now is for nobody.
    one.transport.send(append(1, 3));
    await until(() => one.unreachable.includes(3));
    expect(one.transport.counts.dropped.unknownPeer).to.equal(1);
  });

  it('tells a node that is removed while it is connected, and hangs up', async () => {
    const [one, two] = await stage.pair();
    removes(two, 1);
    await until(() => one.removedBy.length > 0);
    expect(one.removedBy).to.deep.equal([2]);
    two.transport.send(heartbeat(2, 1));
    expect(two.transport.counts.dropped.unknownPeer).to.equal(1);
  });

  it('refuses a removed node that the state no longer remembers, and does not say removed', async () => {
    const two = stage.peer(2, [3]);
    const stream = stage.strangerTo(await two.listen());
    stream.write(helloFrame());
    const [error] = (await once(stream, 'error')) as [Error];
    expect(error.message).to.contain('node 1 is no member');
  });

  it('does not believe a stranger, or a peer of the wrong directory, that says removed', async () => {
    for (const uuid of [undefined, 'e'.repeat(32)]) {
      const [one, two] = [stage.peer(1, [2]), stage.peer(2, [], uuid === undefined ? {} : { uuid })];
      two.removed.add(uuidOf(1));
      one.knows(2, { nodeUuid: uuidOf(2) });
      if (uuid === undefined) one.members = [{ id: 3, peerAddress: await two.listen(), nodeUuid: undefined }];
      else one.dials(2, await two.listen());
      one.transport.start();
      await until(() => one.told('peerDown').length > 0);
      expect(one.removedBy).to.deep.equal([]);
    }
  });

  it('cuts a stream whose data directory is no longer that of the member', async () => {
    const two = stage.peer(2);
    const stream = stage.strangerTo(await two.listen());
    stream.write(helloFrame());
    await once(stream, 'data');
    two.transport.refresh();
    stream.write(messagesFrame(heartbeat(1, 2)));
    await until(() => two.received.length === 1);
    two.knows(1, { nodeUuid: 'e'.repeat(32) });
    two.transport.refresh();
    const [error] = (await once(stream, 'error')) as [Error];
    expect(error.message).to.contain('a wiped or replaced directory is not the old node');
    stream.write(messagesFrame(heartbeat(1, 2)));
    expect(two.received.length).to.equal(1);
  });

  it('hangs up on a node that turns out to be another directory than the table says', async () => {
    const [one, two] = await stage.pair();
    one.knows(2, { nodeUuid: 'e'.repeat(32) });
    one.transport.refresh();
    one.transport.send(heartbeat(1, 2));
    await until(() => two.transport.counts.refused.otherNode > 0 && one.transport.counts.dropped.down > 0);
    expect(two.received).to.deep.equal([]);
  });

  it('dials who is new, leaves alone who stays, and finds who has moved', async () => {
    const [one, two] = await stage.pair();
    const three = stage.peer(3, [1, 2, 3]);
    one.members = [...one.members, { id: 3, peerAddress: await three.listen(), nodeUuid: uuidOf(3) }];
    one.transport.refresh();
    await until(() => one.told('peerUp').length === 4);
    one.transport.send(heartbeat(1, 2));
    await until(() => two.received.length === 1);
    expect(one.told('peerDown'), 'the links to node 2 are the same').to.deep.equal([]);

    const moved = stage.peer(3, [1, 2, 3]);
    one.dials(3, await moved.listen());
    one.transport.refresh();
    await until(() => one.told('peerUp').length === 6);
    one.transport.send(heartbeat(1, 3));
    await until(() => moved.received.length === 1);
    expect(three.received).to.deep.equal([]);
  });

  describe('a node that joins', () => {
    const JOINER = 70_007;
    const uuid = 'f'.repeat(32);

    async function joining(): Promise<readonly [Peer, string]> {
      const joiner = stage.peer(JOINER, [1, 2], { uuid });
      joiner.isJoining = true;
      const address = await joiner.listen();
      joiner.transport.start();
      return [joiner, address];
    }

    it('takes a leader that is not in its file and names it by its directory, and answers where the leader says it is', async () => {
      const [joiner, address] = await joining();
      const leader = stage.peer(4, [JOINER], { peerAddress: '' });
      const leaderAddress = await leader.listen();
      const known = stage.peer(4, [4, JOINER], { peerAddress: leaderAddress });
      leader.cut();
      await known.listen(leaderAddress);
      known.knows(JOINER, { nodeUuid: uuid, peerAddress: address });
      known.transport.start();
      await until(() => known.told('peerUp').length === 2 && joiner.told('peerUp').length === 2);
      known.transport.send(heartbeat(4, JOINER));
      await until(() => joiner.received.length === 1);
      joiner.transport.send({ type: 'heartbeatReply', from: JOINER, to: 4, term: 1, readRound: 0 });
      await until(() => known.received.length === 1);
    });

    it('refuses a stranger that does not name it by its directory', async () => {
      const [, address] = await joining();
      const stream = stage.strangerTo(address);
      stream.write(helloFrame({ nodeId: 9, nodeUuid: uuidOf(9), toNodeId: JOINER }));
      const [error] = (await once(stream, 'error')) as [Error];
      expect(error.message).to.contain('node 9 is no member');
    });

    it('takes who is in its file, whatever it knows of this directory', async () => {
      const [joiner, address] = await joining();
      const stream = stage.strangerTo(address);
      stream.write(helloFrame({ toNodeId: JOINER }));
      const [answer] = (await once(stream, 'data')) as [Buffer];
      expect(deliverResponse.open(answer).answer?.$case).to.equal('hello');
      stream.write(messagesFrame(heartbeat(1, JOINER)));
      await until(() => joiner.received.length === 1);
    });

    it('takes 64 strangers, and refuses the next one', async () => {
      const [joiner, address] = await joining();
      const strangerOf = (id: number): Buffer =>
        helloFrame({
          nodeId: id,
          nodeUuid: String(id).padStart(32, '0'),
          toNodeId: JOINER,
          toNodeUuid: uuid,
          lane: Lane.LANE_CONTROL,
          peerAddress: '',
        });
      for (let id = 1_000; id < 1_064; id += 1) {
        const stream = stage.strangerTo(address);
        stream.write(strangerOf(id));
        await once(stream, 'data');
      }
      const last = stage.strangerTo(address);
      last.write(strangerOf(1_064));
      const [error] = (await once(last, 'error')) as [Error];
      expect(error.message).to.contain('knows 64 others already');
      expect(joiner.transport.counts.refused.tooMany).to.equal(1);
    });

    it('forgets whom it heard and who is no member, once it has the table', async () => {
      const [joiner, address] = await joining();
      const stream = stage.strangerTo(address);
      stream.write(helloFrame({ nodeId: 9, nodeUuid: uuidOf(9), toNodeId: JOINER, toNodeUuid: uuid }));
      await once(stream, 'data');
      expect(joiner.transport.uuidOf(9)).to.equal(uuidOf(9));
      joiner.isJoining = false;
      joiner.transport.refresh();
      const [error] = (await once(stream, 'error')) as [Error];
      expect(error.message).to.contain('node 9 is no member');
      expect(joiner.transport.uuidOf(9)).to.equal(undefined);
    });
  });
});
