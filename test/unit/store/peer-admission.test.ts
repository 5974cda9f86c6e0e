import { expect } from 'chai';
import { type Hello, Lane } from '../../../src/rpc/gen/seqsvr/v1/raft.js';
import { PeerAdmission, type PeerMember, type Verdict } from '../../../src/store/peer-admission.js';

const CLUSTER_ID = 'c'.repeat(32);
const OWN_UUID = '1'.repeat(32);
const UUID_OF_2 = '2'.repeat(32);
const OTHER_UUID = 'e'.repeat(32);

describe('PeerAdmission', () => {
  it('takes the member that the table knows, with the data directory that it knows', () => {
    expect(judged(memberWith(UUID_OF_2))).to.equal('accepted');
  });

  it('refuses a data directory that is not the known one: a wiped or replaced directory is not the old node', () => {
    expect(judged(memberWith(OTHER_UUID))).to.equal('wrongUuid');
  });

  it('holds on to the first directory that speaks for a member, while the table does not know it', () => {
    const admission = memberWith(undefined);
    expect(judged(admission)).to.equal('accepted');
    admission.welcome(hello());
    expect(judged(admission, { nodeUuid: OTHER_UUID })).to.equal('wrongUuid');
    expect(judged(admission)).to.equal('accepted');
  });

  it('refuses who speaks of another cluster, to another node, or to another directory of this one', () => {
    const admission = memberWith(UUID_OF_2);
    expect(judged(admission, { clusterId: 'd'.repeat(32) })).to.equal('otherCluster');
    expect(judged(admission, { toNodeId: 3 })).to.equal('otherNode');
    expect(judged(admission, { toNodeUuid: OTHER_UUID })).to.equal('otherNode');
  });
});

function memberWith(nodeUuid: string | undefined): PeerAdmission {
  const peers: readonly PeerMember[] = [{ id: 2, peerAddress: 's2:7200', nodeUuid }];
  return new PeerAdmission({
    identity: { clusterId: CLUSTER_ID, nodeId: 1, nodeUuid: OWN_UUID },
    self: { name: 's1', address: 's1:7100', peerAddress: 's1:7200' },
    peers: () => peers,
    isRemoved: () => false,
    isJoining: () => false,
  });
}

/** Why not, or that it is. */
function judged(admission: PeerAdmission, said: Partial<Hello> = {}): string {
  const verdict: Verdict = admission.judge(hello(said));
  return verdict.type === 'refused' ? verdict.reason : verdict.type;
}

function hello(said: Partial<Hello> = {}): Hello {
  return {
    clusterId: CLUSTER_ID,
    nodeId: 2,
    nodeUuid: UUID_OF_2,
    toNodeId: 1,
    toNodeUuid: OWN_UUID,
    wireVersion: 2,
    oldestWireVersion: 2,
    lane: Lane.LANE_CONTROL,
    name: 's2',
    address: 's2:7100',
    peerAddress: 's2:7200',
    ...said,
  };
}
