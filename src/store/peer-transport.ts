import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import type { Random } from '../base/random.js';
import type { Message } from '../raft/message.js';
import type { Transport } from '../raft/ports.js';
import type { NodeId } from '../raft/types.js';
import { type DeliverRequest, type DeliverResponse, type Hello, Lane, PeerServiceService } from '../rpc/gen/seqsvr/v1/raft.js';
import { raftFromWire } from '../rpc/raft-codec.js';
import type { Handlers, Service } from '../rpc/server.js';
import type { Identity } from './data-dir.js';
import type { StoreEvent } from './events.js';
import { PeerLink } from './peer-link.js';

/** The version of the peer protocol that this program speaks; a peer of another one is refused. */
const WIRE_VERSION = 1;

export interface PeerTransportOptions {
  readonly identity: Identity;
  /** The other members. */
  readonly peers: readonly { readonly id: NodeId; readonly peerAddress: string }[];
  /** The data directory that the cluster knows for a node id; undefined while it knows none. */
  readonly knownUuid: (id: NodeId) => string | undefined;
  readonly receive: (message: Message) => void;
  /** A member said hello and was believed. */
  readonly onHello: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly observe: Observer<StoreEvent>;
}

type Lanes = Readonly<Record<'control' | 'append', PeerLink>>;

/**
 * Carries Raft messages between StoreSvrs. Appends have a lane of their own, so that a large one never delays a
 * heartbeat. Nobody is believed before its hello: cluster, node, data directory and wire version must be right.
 */
export class PeerTransport implements Transport {
  readonly #options: PeerTransportOptions;
  readonly #lanes = new Map<NodeId, Lanes>();
  /** Who said hello here, by node id: uuids that the cluster may not know yet. */
  readonly #heard = new Map<NodeId, string>();

  constructor(options: PeerTransportOptions) {
    this.#options = options;
  }

  /** Begins to dial the others. */
  start(): void {
    for (const { id, peerAddress } of this.#options.peers) {
      const link = (lane: Lane): PeerLink =>
        new PeerLink({ ...this.#options, address: peerAddress, hello: this.#hello(id, lane), checkPeer: (hello) => this.#check(hello, id) });
      this.#lanes.set(id, { control: link(Lane.LANE_CONTROL), append: link(Lane.LANE_APPEND) });
    }
  }

  send(message: Message): void {
    const lanes = this.#lanes.get(message.to);
    const isAppend = message.type === 'append' || message.type === 'appendReply';
    if (isAppend) lanes?.append.send(message);
    else lanes?.control.send(message);
  }

  /** The uuid a member said hello with, when it did. */
  uuidOf(id: NodeId): string | undefined {
    return this.#heard.get(id);
  }

  service(handlers: Handlers): Service {
    const deliver = handlers.duplex<DeliverRequest, DeliverResponse>((stream) => {
      let from: NodeId | undefined;
      let isRefused = false;
      stream.on('data', ({ frame }: DeliverRequest) => {
        // Frames that were already on their way when it was refused.
        if (isRefused) return;
        try {
          if (frame?.$case === 'hello' && from === undefined) {
            this.#check(frame.value, frame.value.nodeId);
            from = frame.value.nodeId;
            stream.write({ hello: this.#hello(from, frame.value.lane) });
          } else if (frame?.$case === 'messages' && from !== undefined) {
            this.#receive(from, frame.value.messages);
          } else {
            throw new SeqError('PROTOCOL', 'the first frame, and only the first, is a hello');
          }
        } catch (error) {
          if (!(error instanceof SeqError)) throw error;
          isRefused = true;
          this.#options.observe({ type: 'peerRefused', why: error.message });
          handlers.refuse(stream, error);
        }
      });
      stream.on('end', () => stream.end());
    });
    return { definition: PeerServiceService, implementation: { deliver } };
  }

  close(): void {
    for (const { control, append } of this.#lanes.values()) {
      control.close();
      append.close();
    }
    this.#lanes.clear();
  }

  #receive(from: NodeId, messages: readonly Parameters<typeof raftFromWire>[0][]): void {
    for (const wire of messages) {
      let message: Message;
      try {
        message = raftFromWire(wire);
        if (message.from !== from) throw new SeqError('PROTOCOL', `node ${from} sent a message in the name of node ${message.from}`);
      } catch (error) {
        if (!(error instanceof SeqError)) throw error;
        this.#options.observe({ type: 'badMessage', peerId: from, why: error.message });
        continue;
      }
      this.#options.receive(message);
    }
  }

  #hello(to: NodeId, lane: Lane): Hello {
    const { clusterId, nodeId, nodeUuid } = this.#options.identity;
    return { clusterId, nodeId, nodeUuid, toNodeId: to, wireVersion: WIRE_VERSION, lane };
  }

  /** Throws PERMISSION_DENIED or PROTOCOL, with both values, unless the speaker is the member `expected`. */
  #check(hello: Hello, expected: NodeId): void {
    const { identity, peers, knownUuid } = this.#options;
    const deny = (why: string): SeqError => new SeqError('PERMISSION_DENIED', why);
    if (hello.wireVersion !== WIRE_VERSION) throw new SeqError('PROTOCOL', `peer protocol version must be ${WIRE_VERSION}, got ${hello.wireVersion}`);
    if (hello.clusterId !== identity.clusterId) throw deny(`this node is of cluster ${identity.clusterId}, the peer of ${hello.clusterId}`);
    if (hello.toNodeId !== identity.nodeId) throw deny(`this is node ${identity.nodeId}, the peer looks for node ${hello.toNodeId}`);
    if (hello.nodeId !== expected || !peers.some(({ id }) => id === hello.nodeId))
      throw deny(`node ${hello.nodeId} is not the member that was expected`);
    const known = knownUuid(hello.nodeId) ?? this.#heard.get(hello.nodeId);
    if (known !== undefined && known !== hello.nodeUuid) {
      throw deny(
        `node ${hello.nodeId} is known with data directory ${known}, the peer has ${hello.nodeUuid}: a wiped or replaced directory is not the old node`,
      );
    }
    this.#heard.set(hello.nodeId, hello.nodeUuid);
    this.#options.onHello();
  }
}
