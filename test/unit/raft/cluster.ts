import type { RaftOptions } from '../../../src/raft/core.js';
import type { Message } from '../../../src/raft/message.js';
import type { NodeId } from '../../../src/raft/types.js';
import type { Saved } from './memory-storage.js';
import { TestNode } from './test-node.js';

/** Messages carried in one `settle`; more means that the nodes talk for ever. */
const SETTLE_MAX = 100_000;

export interface ClusterOptions {
  readonly size: number;
  readonly options?: Partial<Omit<RaftOptions, 'id' | 'voters'>>;
  /** What the disks hold at first. */
  readonly saved?: Readonly<Record<NodeId, Saved>>;
}

/** Nodes 1..size and the wires between them. Messages wait in `net` until a test carries them; wires can be cut, one way too. */
export class Cluster {
  readonly nodes: readonly TestNode[];
  net: Message[] = [];
  readonly #cut = new Set<string>();

  constructor({ size, options = {}, saved = {} }: ClusterOptions) {
    const voters = Array.from({ length: size }, (_, offset) => offset + 1);
    this.nodes = voters.map((id) => new TestNode({ ...options, ...saved[id], id, voters }));
  }

  node(id: NodeId): TestNode {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  get leader(): TestNode | undefined {
    // A deposed leader may not know it yet: the highest term counts.
    return this.nodes.filter(({ core }) => core.role === 'leader').toSorted((one, other) => other.core.term - one.core.term)[0];
  }

  cut({ from, to }: { from: NodeId; to: NodeId }): void {
    this.#cut.add(`${from}>${to}`);
  }

  isCut({ from, to }: Pick<Message, 'from' | 'to'>): boolean {
    return this.#cut.has(`${from}>${to}`);
  }

  /** Cuts a node off from all others, both ways. */
  isolate(id: NodeId): void {
    for (const other of this.nodes) {
      this.cut({ from: id, to: other.id });
      this.cut({ from: other.id, to: id });
    }
  }

  heal(): void {
    this.#cut.clear();
  }

  /** Puts what the nodes have sent on the wires, but for those that are cut. */
  gather(): void {
    for (const node of this.nodes) this.net.push(...node.sent().filter((message) => !this.isCut(message)));
  }

  /** Carries messages, oldest first, until nobody has anything to say. */
  settle(): void {
    this.gather();
    for (let carried = 0; this.net.length > 0; carried += 1) {
      if (carried > SETTLE_MAX) throw new Error(`more than ${SETTLE_MAX} messages in one settle`);
      const message = this.net.shift()!;
      this.node(message.to).step(message);
      this.gather();
    }
  }

  /** Time passes everywhere, tick by tick, and messages are carried in between. */
  tick(count = 1): void {
    for (let done = 0; done < count; done += 1) {
      for (const node of this.nodes) node.tick();
      this.settle();
    }
  }

  /** Makes `id` the leader; the others have not heard from one for a while, unless they lead. */
  elect(id: NodeId): TestNode {
    const node = this.node(id);
    for (const other of this.nodes) if (other.core.role !== 'leader') other.core.electionElapsed = other.core.options.electionTicks;
    node.campaign();
    this.settle();
    if (node.core.role !== 'leader') throw new Error(`node ${id} was meant to lead, it is a ${node.core.role}`);
    return node;
  }

  /** Ticks until somebody leads; throws when that takes more than `ticksMax`. */
  awaitLeader(ticksMax = 200): TestNode {
    for (let done = 0; done < ticksMax; done += 1) {
      const leader = this.leader;
      if (leader !== undefined) return leader;
      this.tick();
    }
    throw new Error(`nobody leads after ${ticksMax} ticks`);
  }
}
