import { expect } from 'chai';
import { Lane } from '../../../src/rpc/gen/seqsvr/v1/raft.js';
import type { StoreEvent } from '../../../src/store/events.js';
import { PeerNotices } from '../../../src/store/peer-notices.js';
import { VirtualClock } from '../virtual-clock.js';

describe('peer notices', () => {
  it('tells a thing at once, then once a minute with how often it happened, and counts all', () => {
    const clock = new VirtualClock();
    const told: StoreEvent[] = [];
    const notices = new PeerNotices({ clock, observe: (event) => told.push(event) });
    for (let second = 0; second < 61; second += 1) {
      notices.refused(3, 'otherCluster', `at ${second}`);
      clock.advance(1_000);
    }
    notices.refused(4, 'otherCluster', 'another');
    notices.dropped(3, Lane.LANE_APPEND, 'full', 5);
    expect(told).to.deep.equal([
      { type: 'peerRefused', nodeId: 3, reason: 'otherCluster', why: 'at 0', count: 1 },
      { type: 'peerRefused', nodeId: 3, reason: 'otherCluster', why: 'at 60', count: 60 },
      { type: 'peerRefused', nodeId: 4, reason: 'otherCluster', why: 'another', count: 1 },
      { type: 'peerDropped', peerId: 3, lane: Lane.LANE_APPEND, why: 'full', count: 5 },
    ]);
    expect([notices.counts.refused.otherCluster, notices.counts.dropped.full]).to.deep.equal([62, 5]);
  });

  it('remembers 256 things, so that made-up ids cost no memory', () => {
    const told: number[] = [];
    const notices = new PeerNotices({ clock: new VirtualClock(), observe: (event) => event.type === 'peerRefused' && told.push(event.nodeId) });
    for (const nodeId of [1, ...Array.from({ length: 256 }, (_, at) => at + 2), 1, 257]) notices.refused(nodeId, 'unknownMember', '');
    expect(told.length).to.equal(258);
    expect(told.at(-1), 'forgotten, so it is news; the newest is not').to.equal(1);
  });
});
