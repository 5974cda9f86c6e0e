import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.js';
import { systemRandom } from '../../../src/base/random.js';
import type { Message } from '../../../src/raft/message.js';
import type { Snapshot } from '../../../src/raft/types.js';
import { GrpcChannel } from '../../../src/rpc/channel.js';
import { type Hello, Lane } from '../../../src/rpc/gen/seqsvr/v1/raft.js';
import { deliverRequest, type FrameStream, peerMethods } from '../../../src/rpc/peer-frame.js';
import { type FramedMessage, raftToWire } from '../../../src/rpc/raft-codec.js';
import { GrpcServer, Handlers, type Service } from '../../../src/rpc/server.js';
import type { StoreEvent } from '../../../src/store/events.js';
import type { PeerMember } from '../../../src/store/peer-admission.js';
import type { Checkpoint } from '../../../src/store/peer-inbox.js';
import { PeerTransport } from '../../../src/store/peer-transport.js';

export const CLUSTER_ID = 'c'.repeat(32);
export const uuidOf = (nodeId: number): string => String(nodeId).repeat(32).slice(0, 32);
export const nameOf = (nodeId: number): string => `s${nodeId}`;

export const heartbeat = (from: number, to: number, term = 1): FramedMessage => ({
  type: 'heartbeat',
  from,
  to,
  term,
  commitIndex: 0,
  readRound: 0,
});

export const append = (from: number, to: number, data: Uint8Array = new Uint8Array(), index = 1): FramedMessage => ({
  type: 'append',
  from,
  to,
  term: 5,
  previousIndex: index - 1,
  previousTerm: index === 1 ? 0 : 5,
  commitIndex: 0,
  entries: [{ index, term: 5, type: 'normal', data }],
});

export const helloOf = (change: Partial<Hello> = {}): Hello => ({
  clusterId: CLUSTER_ID,
  nodeId: 1,
  nodeUuid: uuidOf(1),
  toNodeId: 2,
  toNodeUuid: '',
  wireVersion: 2,
  oldestWireVersion: 2,
  lane: Lane.LANE_CONTROL,
  name: nameOf(1),
  address: '127.0.0.1:1',
  peerAddress: '127.0.0.1:1',
  ...change,
});

export const helloFrame = (change: Partial<Hello> = {}): Buffer => deliverRequest.seal({ frame: { $case: 'hello', value: helloOf(change) } });

export const messagesFrame = (...sent: readonly FramedMessage[]): Buffer =>
  deliverRequest.seal({ frame: { $case: 'messages', value: { messages: sent.map(raftToWire) } } });

/** Bytes that no two places of have the same neighbourhood. */
export function bytesOf(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count; at++) bytes[at] = (at * 31 + (at >>> 8) * 7 + (at >>> 16)) & 0xff;
  return bytes;
}

export const snapshotOf = (data: Uint8Array, index = 90): Snapshot => ({
  index,
  term: 4,
  confState: { voters: [1, 2], votersOutgoing: [], learners: [3], learnersNext: [], autoLeave: false },
  data,
});

/** One StoreSvr's way to its peers, and what came through it. */
export class Peer {
  readonly transport: PeerTransport;
  readonly received: Message[] = [];
  readonly events: StoreEvent[] = [];
  readonly checkpoints: (readonly [number, Checkpoint])[] = [];
  readonly unreachable: number[] = [];
  readonly snapshotsSent: (readonly [number, boolean])[] = [];
  readonly removedBy: number[] = [];
  readonly removed = new Set<string>();
  helloCount = 0;
  isJoining = false;
  members: PeerMember[];
  readonly id: number;
  /** Sees each frame of a snapshot stream after the transport has taken it; frames and streams are counted from 1. */
  onSnapshotFrame: (frame: number, stream: number) => void = () => undefined;
  #server: GrpcServer | undefined;

  constructor(id: number, memberIds: readonly number[] = [1, 2, 3], { uuid = uuidOf(id), peerAddress = '127.0.0.1:1' } = {}) {
    this.id = id;
    this.members = memberIds.map((other) => ({ id: other, peerAddress: '127.0.0.1:1', nodeUuid: undefined }));
    this.transport = new PeerTransport({
      identity: { clusterId: CLUSTER_ID, nodeId: id, nodeUuid: uuid },
      self: { name: nameOf(id), address: '127.0.0.1:1', peerAddress },
      peers: () => this.members,
      isRemoved: (removedUuid) => this.removed.has(removedUuid),
      isJoining: () => this.isJoining,
      receive: (message) => this.received.push(message),
      onHello: () => void (this.helloCount += 1),
      onCheckpoint: (from, checkpoint) => this.checkpoints.push([from, checkpoint]),
      onUnreachable: (peerId) => this.unreachable.push(peerId),
      onSnapshotSent: (peerId, ok) => this.snapshotsSent.push([peerId, ok]),
      onRemoved: (by) => this.removedBy.push(by),
      clock: systemClock,
      random: systemRandom,
      observe: (event) => this.events.push(event),
    });
  }

  async listen(address = '127.0.0.1:0'): Promise<string> {
    const handlers = new Handlers({ clock: systemClock, onBug: (error) => expect.fail(String(error)) });
    const service = this.#watched(this.transport.service(handlers));
    this.#server = await GrpcServer.start({ address, services: [service], clock: systemClock, maxRequestBytes: 16 * 1024 * 1024 });
    return this.#server.address;
  }

  /** Where, and under which data directory, this peer knows another. */
  knows(id: number, change: Partial<PeerMember>): void {
    this.members = this.members.map((member) => (member.id === id ? { ...member, ...change } : member));
  }

  dials(id: number, peerAddress: string): void {
    this.knows(id, { peerAddress });
  }

  told<Type extends StoreEvent['type']>(type: Type): readonly Extract<StoreEvent, { type: Type }>[] {
    return this.events.filter((event): event is Extract<StoreEvent, { type: Type }> => event.type === type);
  }

  cut(): void {
    this.#server?.cut();
  }

  close(): void {
    this.transport.close();
    this.cut();
  }

  #watched({ definition, implementation }: Service): Service {
    const installSnapshot = implementation['installSnapshot'] as (stream: FrameStream) => void;
    let streamCount = 0;
    const watched = (stream: FrameStream): void => {
      installSnapshot(stream);
      const number = ++streamCount;
      let count = 0;
      stream.on('data', () => this.onSnapshotFrame(++count, number));
    };
    return { definition, implementation: { ...implementation, installSnapshot: watched } };
  }
}

/** Everything that a test opened, closed after it. */
export class PeerStage {
  readonly #closers: (() => unknown)[] = [];

  peer(...args: ConstructorParameters<typeof Peer>): Peer {
    const made = new Peer(...args);
    this.#closers.push(() => made.close());
    return made;
  }

  opened<Closable extends { close(): unknown }>(thing: Closable): Closable {
    this.#closers.push(() => thing.close());
    return thing;
  }

  /** Somebody who speaks the wire by hand. */
  strangerTo(address: string, method: keyof typeof peerMethods = 'deliver') {
    const channel = this.opened(new GrpcChannel({ address, clock: systemClock }));
    const stream = channel.duplexStream<Buffer, Buffer>(peerMethods[method]);
    // Every stream ends with an error when its test is over.
    return stream.on('error', () => undefined);
  }

  /** Two nodes that know each other, both lanes up. */
  async pair(): Promise<readonly [Peer, Peer]> {
    const [one, two] = [this.peer(1, [1, 2]), this.peer(2, [1, 2])];
    one.dials(2, await two.listen());
    two.dials(1, await one.listen());
    one.transport.start();
    two.transport.start();
    await until(() => [one, two].every((each) => each.told('peerUp').length === 2));
    return [one, two];
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}

/** Waits for other sockets and processes; the suite's timeout is its limit. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}
