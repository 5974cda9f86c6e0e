import type { Message } from '../../../src/raft/message.js';
import type { NodeId } from '../../../src/raft/types.js';
import { EMPTY_CONF_STATE } from '../../../src/raft/types.js';
import { TestNode, type TestNodeOptions } from './test-node.js';

/** Messages carried in one `settle`; more means that the nodes talk for ever. */
const SETTLE_MAX = 100_000;

export interface ClusterOptions {
  /** Voters. */
  readonly size: number;
  /** Their ids come after those of the voters. */
  readonly learners?: number;
  /** Nodes that nobody knows yet, with empty disks; their ids come last. */
  readonly joiners?: number;
  /** The log begins with the members at index 1, as if compacted: joiners need a snapshot. */
  readonly isFounded?: boolean;
  readonly options?: Omit<TestNodeOptions, 'id'>;
  /** What the disks hold at first, and what else is particular to a node. */
  readonly saved?: Readonly<Record<NodeId, TestNodeOptions>>;
}

/** Nodes 1..size and the wires between them. Messages wait in `net` until a test carries them; wires can be cut, one way too. */
export class Cluster {
  readonly nodes: readonly TestNode[];
  net: Message[] = [];
  readonly #cut = new Set<string>();

  constructor({ size, learners: learnerCount = 0, joiners = 0, isFounded = joiners > 0, options = {}, saved = {} }: ClusterOptions) {
    const ids = Array.from({ length: size + learnerCount + joiners }, (_, offset) => offset + 1);
    const voters = ids.slice(0, size);
    const learners = ids.slice(size, size + learnerCount);
    const founding = isFounded ? { start: { index: 1, term: 1 } } : {};
    this.nodes = ids.map((id) => {
      const members = id > size + learnerCount ? { confState: EMPTY_CONF_STATE } : { voters, learners, ...founding };
      return new TestNode({ ...options, ...members, ...saved[id], id });
    });
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

  /** Puts what the nodes have sent on the wires; what goes to a cut one is lost. */
  gather(lose: (message: Message) => void = () => undefined): void {
    for (const node of this.nodes) {
      for (const message of node.sent()) {
        if (this.isCut(message)) lose(message);
        else if (message.to <= this.nodes.length) this.net.push(message);
      }
    }
  }

  /** Carries messages, oldest first, until nobody has anything to say. */
  settle(): void {
    this.gather();
    for (let carried = 0; this.net.length > 0; carried += 1) {
      if (carried > SETTLE_MAX) throw new Error(`more than ${SETTLE_MAX} messages in one settle`);
      this.deliver(this.net.shift()!);
      this.gather();
    }
  }

  /** Hands over one message. Who sent a snapshot hears that it is there. */
  deliver(message: Message): void {
    this.node(message.to).step(message);
    if (message.type === 'snapshot') this.node(message.from).do((core) => core.reportSnapshot(message.to, true));
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
