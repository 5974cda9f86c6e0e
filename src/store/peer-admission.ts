import { SeqError } from '../base/errors.js';
import { isDialable } from '../model/address.js';
import type { NodeId } from '../raft/types.js';
import { type Hello, Lane, type Removed } from '../rpc/gen/seqsvr/v1/raft.js';
import type { Identity } from './data-dir.js';
import type { RefusalReason } from './peer-notices.js';

/** The newest version of the peer protocol that this program speaks, and the oldest. */
const WIRE_VERSION = 2;
const OLDEST_WIRE_VERSION = 2;
/** Nodes outside of its configuration that a joining node takes; the next one is refused. More than a Raft group can use. */
const STRANGERS_MAX = 64;
/** Characters of a name or an address in a hello. */
const TEXT_MAX = 256;
const ID128 = /^[0-9a-f]{32}$/;

/** Another member: of the committed table, or while there is none, of the configuration. */
export interface PeerMember {
  readonly id: NodeId;
  /** `host:port` of its peer listener. */
  readonly peerAddress: string;
  /** Its data directory; undefined while the cluster does not know it. */
  readonly nodeUuid: string | undefined;
}

export interface PeerAdmissionOptions {
  readonly identity: Identity;
  /** What this node says about itself: its name in the configuration and its two addresses, as others dial them. */
  readonly self: { readonly name: string; readonly address: string; readonly peerAddress: string };
  /** The other members as of now; this node itself may be among them. */
  readonly peers: () => readonly PeerMember[];
  /** The committed state says that this data directory was removed. */
  readonly isRemoved: (nodeUuid: string) => boolean;
  /** This node knows no member table yet: it joins, and takes whoever of its cluster knows it by its own uuid. */
  readonly isJoining: () => boolean;
}

/** What a peer says of itself. */
export type Heard = Pick<Hello, 'nodeUuid' | 'name' | 'peerAddress' | 'address'>;

export type Verdict =
  | { readonly type: 'accepted' }
  /** The cluster has removed the speaker, and it is told so. */
  | { readonly type: 'removed' }
  | { readonly type: 'refused'; readonly reason: RefusalReason; readonly error: SeqError };

/** Who is believed to be a peer: cluster, node, data directory and wire version must be right. */
export class PeerAdmission {
  readonly #options: PeerAdmissionOptions;
  /** Who was believed, by node id: data directories that the table may not name yet, and where they are. */
  readonly #heard = new Map<NodeId, Heard>();

  constructor(options: PeerAdmissionOptions) {
    this.#options = options;
  }

  /** What this node says first. */
  hello(to: NodeId, lane: Lane): Hello {
    const { identity, self } = this.#options;
    const { clusterId, nodeId, nodeUuid } = identity;
    const versions = { wireVersion: WIRE_VERSION, oldestWireVersion: OLDEST_WIRE_VERSION };
    return { clusterId, nodeId, nodeUuid, toNodeId: to, toNodeUuid: this.uuidOf(to) ?? '', ...versions, lane, ...self };
  }

  /** What a removed node is told. */
  removed(removedUuid: string): Removed {
    const { clusterId, nodeId, nodeUuid } = this.#options.identity;
    return { clusterId, nodeId, nodeUuid, removedUuid };
  }

  /** Changes nothing, so it may be asked again about a stream that is open. `expected`: the node that was dialed. */
  judge(hello: Hello, expected?: NodeId): Verdict {
    const { identity, isRemoved } = this.#options;
    if (!isWellFormed(hello)) return refused('badFrame', 'PROTOCOL', 'a hello that breaks the rules of its fields');
    const { wireVersion, oldestWireVersion, clusterId, nodeId, nodeUuid, toNodeId, toNodeUuid } = hello;
    if (wireVersion < OLDEST_WIRE_VERSION || oldestWireVersion > WIRE_VERSION) {
      const [theirs, ours] = [`${oldestWireVersion} to ${wireVersion}`, `${OLDEST_WIRE_VERSION} to ${WIRE_VERSION}`];
      return refused('wireVersion', 'PROTOCOL', `the peer speaks versions ${theirs} of the peer protocol, this node ${ours}`);
    }
    if (clusterId !== identity.clusterId) return denied('otherCluster', `this node is of cluster ${identity.clusterId}, the peer of ${clusterId}`);
    if (toNodeId !== identity.nodeId) return denied('otherNode', `this is node ${identity.nodeId}, the peer looks for node ${toNodeId}`);
    if (toNodeUuid !== '' && toNodeUuid !== identity.nodeUuid)
      return denied('otherNode', `this is data directory ${identity.nodeUuid}, the peer looks for ${toNodeUuid}`);
    if (isRemoved(nodeUuid)) return { type: 'removed' };
    return this.#judgeMember(nodeId, nodeUuid, { expected, namesThisDirectory: toNodeUuid === identity.nodeUuid });
  }

  /** An accepted peer: from now on its id is its data directory's. */
  welcome({ nodeId, nodeUuid, name, peerAddress, address }: Hello): void {
    this.#heard.set(nodeId, { nodeUuid, name, peerAddress, address });
  }

  heardOf(id: NodeId): Heard | undefined {
    return this.#heard.get(id);
  }

  /** A peer that was dialed says that the cluster removed this node. Throws PROTOCOL unless it may say so and means this directory. */
  checkRemoved({ clusterId, nodeId, nodeUuid, removedUuid }: Removed, expected: NodeId): void {
    const { identity } = this.#options;
    const known = this.uuidOf(expected);
    const isPeer = clusterId === identity.clusterId && nodeId === expected && (known === undefined || known === nodeUuid);
    if (!isPeer || removedUuid !== identity.nodeUuid)
      throw new SeqError('PROTOCOL', `node ${nodeId} of cluster ${clusterId} says that ${removedUuid} was removed, and may not say so here`);
  }

  /** The data directory of a peer: what the table says, or else what it said itself. */
  uuidOf(id: NodeId): string | undefined {
    return this.#find(id)?.nodeUuid ?? this.#heard.get(id)?.nodeUuid;
  }

  /** Whom to dial, and where. A joining node answers those that dialed it where they say they are, whatever its file says. */
  targets(): ReadonlyMap<NodeId, PeerMember> {
    const { identity, peers, isJoining } = this.#options;
    const targets = new Map(peers().map((peer) => [peer.id, peer]));
    if (isJoining()) {
      for (const [id, heard] of this.#heard)
        if (isDialable(heard.peerAddress)) targets.set(id, { id, nodeUuid: heard.nodeUuid, peerAddress: heard.peerAddress });
    }
    targets.delete(identity.nodeId);
    return targets;
  }

  /** Forgets those who are no longer members. */
  refresh(): void {
    if (this.#options.isJoining()) return;
    for (const id of this.#heard.keys()) if (this.#find(id) === undefined) this.#heard.delete(id);
  }

  #judgeMember(nodeId: NodeId, nodeUuid: string, how: { readonly expected: NodeId | undefined; readonly namesThisDirectory: boolean }): Verdict {
    const { identity, isJoining } = this.#options;
    const expected = how.expected ?? nodeId;
    if (nodeId !== expected || nodeId === identity.nodeId) return denied('unknownMember', `node ${nodeId} is not the member that was expected`);
    if (this.#find(nodeId) === undefined) {
      if (!isJoining() || !how.namesThisDirectory) return denied('unknownMember', `node ${nodeId} is no member`);
      if (!this.#heard.has(nodeId) && this.#heard.size >= STRANGERS_MAX)
        return refused('tooMany', 'RESOURCE_EXHAUSTED', `this node joins and knows ${STRANGERS_MAX} others already`);
    }
    const known = this.uuidOf(nodeId);
    if (known === undefined || known === nodeUuid) return { type: 'accepted' };
    return denied(
      'wrongUuid',
      `node ${nodeId} is known with data directory ${known}, the peer has ${nodeUuid}: a wiped or replaced directory is not the old node`,
    );
  }

  #find(id: NodeId): PeerMember | undefined {
    return this.#options.peers().find((peer) => peer.id === id);
  }
}

function isWellFormed(hello: Hello): boolean {
  const { clusterId, nodeId, nodeUuid, toNodeId, toNodeUuid, lane, wireVersion, oldestWireVersion } = hello;
  const texts = [hello.name, hello.address, hello.peerAddress];
  return (
    ID128.test(clusterId) &&
    ID128.test(nodeUuid) &&
    (toNodeUuid === '' || ID128.test(toNodeUuid)) &&
    nodeId !== 0 &&
    toNodeId !== 0 &&
    oldestWireVersion <= wireVersion &&
    (lane === Lane.LANE_CONTROL || lane === Lane.LANE_APPEND || lane === Lane.LANE_SNAPSHOT) &&
    texts.every((text) => text.length <= TEXT_MAX)
  );
}

function denied(reason: RefusalReason, why: string): Verdict {
  return refused(reason, 'PERMISSION_DENIED', why);
}

function refused(reason: RefusalReason, code: 'PERMISSION_DENIED' | 'PROTOCOL' | 'RESOURCE_EXHAUSTED', why: string): Verdict {
  return { type: 'refused', reason, error: new SeqError(code, why) };
}
