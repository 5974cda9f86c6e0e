import type { Clock } from '../base/clock.js';
import type { Observer } from '../base/observe.js';
import type { Random } from '../base/random.js';
import type { Message } from '../raft/message.js';
import type { Transport } from '../raft/ports.js';
import type { NodeId } from '../raft/types.js';
import { type Hello, Lane, type Removed } from '../rpc/gen/seqsvr/v1/raft.js';
import type { Handlers, Service } from '../rpc/server.js';
import type { Wire } from '../rpc/wire.js';
import type { StoreEvent } from './events.js';
import { type Heard, PeerAdmission, type PeerAdmissionOptions, type PeerMember } from './peer-admission.js';
import { type Checkpoint, PeerInbox } from './peer-inbox.js';
import { PeerLink } from './peer-link.js';
import { type PeerCounts, PeerNotices } from './peer-notices.js';
import { PeerReception } from './peer-service.js';
import { SnapshotSender } from './peer-snapshot.js';
import { SnapshotIntake } from './snapshot-intake.js';

export interface PeerTransportOptions extends PeerAdmissionOptions {
  /** A message of a believed peer, for this node, well-formed; a snapshot when it is here whole and verified. */
  readonly receive: (message: Message) => void;
  /** A member said hello and was believed: `uuidOf` knows it now. */
  readonly onHello: () => void;
  /** What a peer says its state is. */
  readonly onCheckpoint: (from: NodeId, checkpoint: Checkpoint) => void;
  /** Appends to this peer were lost, or may have been: once until one gets through again. Never called from within `send`. */
  readonly onUnreachable: (id: NodeId) => void;
  /** How the last snapshot given to `send` for this peer ended. Never called from within `send`. */
  readonly onSnapshotSent: (id: NodeId, ok: boolean) => void;
  /** A member says that the cluster has removed this node. Once; nobody is dialed any more. */
  readonly onRemoved: (by: NodeId) => void;
  readonly clock: Clock;
  readonly wire?: Wire | undefined;
  readonly random: Random;
  readonly observe: Observer<StoreEvent>;
}

interface Lanes {
  readonly control: PeerLink;
  readonly append: PeerLink;
}

interface Peer {
  target: PeerMember;
  lanes: Lanes;
  readonly snapshots: SnapshotSender;
}

/**
 * Carries Raft messages between StoreSvrs. Appends and snapshots have lanes of their own, so that a large one never delays a
 * heartbeat. Nobody is believed before its hello: cluster, node, data directory and wire version must be right.
 */
export class PeerTransport implements Transport {
  readonly #options: PeerTransportOptions;
  readonly #notices: PeerNotices;
  readonly #admission: PeerAdmission;
  readonly #intake: SnapshotIntake;
  readonly #reception: PeerReception;
  readonly #peers = new Map<NodeId, Peer>();
  #state: 'idle' | 'running' | 'removed' | 'closed' = 'idle';

  constructor(options: PeerTransportOptions) {
    this.#options = options;
    const { identity, clock, observe } = options;
    const { nodeId } = identity;
    const notices = new PeerNotices(options);
    this.#notices = notices;
    this.#admission = new PeerAdmission(options);
    this.#intake = new SnapshotIntake({ nodeId, receive: options.receive, observe, clock });
    const inbox = new PeerInbox({ ...options, nodeId, intake: this.#intake, notices });
    this.#reception = new PeerReception({ admission: this.#admission, inbox, notices, clock, onWelcome: () => this.#onWelcome() });
  }

  /** Begins to dial the others. */
  start(): void {
    if (this.#state !== 'idle') return;
    this.#state = 'running';
    this.#redial();
  }

  /** The member table has changed: dials who is new, hangs up on who is gone or has moved, and asks again about everybody who is connected. */
  refresh(): void {
    this.#admission.refresh();
    this.#redial();
    this.#reception.refresh();
  }

  send(message: Message): void {
    if (this.#state === 'closed') return;
    const peer = this.#peers.get(message.to);
    if (peer === undefined) return this.#cannotSend(message);
    if (message.type === 'snapshot') peer.snapshots.send(message);
    else if (message.type === 'append' || message.type === 'appendReply') peer.lanes.append.send(message);
    else peer.lanes.control.send(message);
  }

  /** To all peers that are up; nobody misses one that is lost. */
  sendCheckpoint({ appliedIndex, stateHash }: Checkpoint): void {
    const value = { appliedIndex: BigInt(appliedIndex), stateHash };
    for (const { lanes } of this.#peers.values()) lanes.control.sendFrame({ $case: 'checkpoint', value });
  }

  /** The data directory of a peer: what the table says, or else what the peer said itself. */
  uuidOf(id: NodeId): string | undefined {
    return this.#admission.uuidOf(id);
  }

  /** What a peer said of itself when it was believed; undefined while it was not heard. */
  heardOf(id: NodeId): Heard | undefined {
    return this.#admission.heardOf(id);
  }

  get counts(): PeerCounts {
    return this.#notices.counts;
  }

  service(handlers: Handlers): Service {
    return this.#reception.service(handlers);
  }

  close(): void {
    this.#state = 'closed';
    this.#hangUp();
    this.#reception.close();
    this.#intake.close();
  }

  #onWelcome(): void {
    // A node that joins answers whoever knows it, so it may have someone to dial now.
    if (this.#options.isJoining()) this.#redial();
    this.#options.onHello();
  }

  #redial(): void {
    if (this.#state !== 'running') return;
    const targets = this.#admission.targets();
    for (const [id, peer] of this.#peers) {
      if (targets.has(id)) continue;
      hangUp(peer);
      this.#peers.delete(id);
      this.#intake.drop(id);
    }
    for (const [id, target] of targets) {
      const peer = this.#peers.get(id);
      if (peer === undefined) this.#peers.set(id, this.#dial(target));
      else this.#update(peer, target);
    }
  }

  #update(peer: Peer, target: PeerMember): void {
    const hasMoved = peer.target.peerAddress !== target.peerAddress;
    const isAnother = Object.values(peer.lanes).some(
      ({ peerUuid }) => peerUuid !== undefined && target.nodeUuid !== undefined && peerUuid !== target.nodeUuid,
    );
    peer.target = target;
    if (!hasMoved && !isAnother) return;
    closeLanes(peer.lanes);
    peer.lanes = this.#lanesTo(target);
    peer.snapshots.redial();
  }

  #dial(target: PeerMember): Peer {
    const snapshots = new SnapshotSender({
      ...this.#talk(target.id, Lane.LANE_SNAPSHOT),
      address: () => this.#peers.get(target.id)?.target.peerAddress ?? target.peerAddress,
      onSent: (ok) => this.#options.onSnapshotSent(target.id, ok),
    });
    return { target, lanes: this.#lanesTo(target), snapshots };
  }

  #lanesTo({ id, peerAddress }: PeerMember): Lanes {
    const notices = this.#notices;
    const control = new PeerLink({ ...this.#talk(id, Lane.LANE_CONTROL), address: peerAddress, notices, onLost: () => undefined });
    const onLost = (): void => this.#options.onUnreachable(id);
    const append = new PeerLink({ ...this.#talk(id, Lane.LANE_APPEND), address: peerAddress, notices, onLost });
    return { control, append };
  }

  /** What every lane to a peer needs. */
  #talk(peerId: NodeId, lane: Lane) {
    const { clock, wire, random, observe } = this.#options;
    const hello = (): Hello => this.#admission.hello(peerId, lane);
    const onHello = (answered: Hello): void => this.#onAnswered(peerId, answered);
    const onRemoved = (removed: Removed): void => this.#onRemoved(peerId, removed);
    return { peerId, hello, onHello, onRemoved, clock, wire, random, observe };
  }

  /** Throws a SeqError unless the one that was dialed is who it should be. */
  #onAnswered(peerId: NodeId, hello: Hello): void {
    const verdict = this.#admission.judge(hello, peerId);
    if (verdict.type === 'refused') {
      this.#notices.refused(hello.nodeId, verdict.reason, verdict.error.message);
      throw verdict.error;
    }
    // One that is removed is told when it dials; until `refresh` hangs up, talking to it is harmless.
    this.#admission.welcome(hello);
    this.#options.onHello();
  }

  #onRemoved(by: NodeId, removed: Removed): void {
    this.#admission.checkRemoved(removed, by);
    if (this.#state !== 'running') return;
    this.#state = 'removed';
    this.#hangUp();
    this.#options.observe({ type: 'removedFromCluster', by });
    this.#options.onRemoved(by);
  }

  #hangUp(): void {
    for (const peer of this.#peers.values()) hangUp(peer);
    this.#peers.clear();
  }

  /** Raft must not wait for what will never be answered. Reported later, for Raft is in the middle of a step. */
  #cannotSend({ to, type }: Message): void {
    const isAppend = type === 'append' || type === 'appendReply';
    this.#notices.dropped(to, isAppend ? Lane.LANE_APPEND : Lane.LANE_CONTROL, 'unknownPeer', 1);
    const { onUnreachable, onSnapshotSent } = this.#options;
    if (isAppend) queueMicrotask(() => onUnreachable(to));
    if (type === 'snapshot') queueMicrotask(() => onSnapshotSent(to, false));
  }
}

function hangUp({ lanes, snapshots }: Peer): void {
  closeLanes(lanes);
  snapshots.close();
}

function closeLanes({ control, append }: Lanes): void {
  control.close();
  append.close();
}
