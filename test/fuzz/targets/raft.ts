import { InvariantError } from '../../../src/base/assert.js';
import { SeqError } from '../../../src/base/errors.js';
import { LogLostError } from '../../../src/raft/log.js';
import type { Message } from '../../../src/raft/message.js';
import { RaftMessage } from '../../../src/rpc/gen/seqsvr/v1/raft.js';
import { raftFromWire, raftToWire } from '../../../src/rpc/raft-codec.js';
import { Cluster } from '../../unit/raft/cluster.js';
import { SafetyChecker } from '../../unit/raft/safety.js';
import type { TestNode } from '../../unit/raft/test-node.js';
import { SeededRandom } from '../../unit/seeded-random.js';
import { noise } from '../mutate.js';
import { Tape } from '../tape.js';
import type { Outcome, Target } from '../target.js';

/** Messages under way; beyond it the oldest is lost. */
const NET_MAX = 200;
const STEPS_MAX = 400;
/** What a node may stop with when somebody lies to it in the name of a member; it never goes on with a wrong log instead. */
const FAIL_STOPS: readonly string[] = [
  'committed entries never change',
  'a change that was committed can be read',
  'a change that was committed can be applied: the leader tried it first',
];

/**
 * A tape of decisions for three to five nodes: which message arrives, twice, late or never, whose disk writes, who crashes, who is
 * proposed what. In half of the tapes messages are also changed on the way, as a member that lies or is broken would send them;
 * then only what a node can see by itself must hold, and otherwise all that Raft promises.
 */
export const raft: Target = {
  name: 'raft',
  about: 'messages in any order, and changed ones, to three to five Raft cores with their disks (raft/core.ts, rpc/raft-codec.ts)',
  shape: { parts: 'one', payload: 'raw' },
  generate: (random) => noise(random, 40 + random.below(600)),
  feed: (input) => new Run(new Tape(input)).play(),
};

class Run {
  readonly #tape: Tape;
  readonly #cluster: Cluster;
  readonly #checker: SafetyChecker;
  readonly #mayForge: boolean;
  #forgedCount = 0;
  #proposedCount = 0;
  #contextCount = 0;
  readonly #seen = new Set<Outcome>();

  constructor(tape: Tape) {
    this.#tape = tape;
    const options = tape.byte();
    this.#mayForge = options % 2 === 1;
    this.#cluster = new Cluster({
      size: 3 + ((options >> 1) % 3),
      joiners: (options >> 3) % 2,
      isFounded: true,
      options: {
        random: new SeededRandom(tape.byte()),
        electionTicks: 4,
        maxAppendBytes: [0, 80, 10_000][tape.byte() % 3] ?? 0,
        maxInflightMessages: 1 + (tape.byte() % 4),
        trace: (event, core) => {
          if (event.name === 'Commit' && this.#forgedCount === 0) this.#checker.counted(core);
        },
      },
    });
    this.#checker = new SafetyChecker(this.#cluster.nodes, { start: 1 });
    if ((options >> 6) % 2 === 0) this.#cluster.elect(1);
    for (const node of this.#cluster.nodes) node.isDiskSlow = true;
  }

  play(): Outcome[] {
    for (let step = 0; step < STEPS_MAX && !this.#tape.isAtEnd; step += 1) {
      try {
        const touched = this.#step();
        // Who was lied to may believe what nobody else does.
        if (this.#forgedCount === 0) this.#checker.check(touched);
        this.#gather();
      } catch (error) {
        this.#stopped(error);
        break;
      }
    }
    return [...this.#seen];
  }

  #stopped(error: unknown): void {
    const isStop = error instanceof LogLostError || (error instanceof InvariantError && FAIL_STOPS.includes(error.message));
    if (this.#forgedCount === 0 || !isStop) throw error;
    this.#seen.add(`ok stopped ${error.name}`);
  }

  #step(): TestNode {
    const tape = this.#tape;
    const { nodes, net } = this.#cluster;
    const node = tape.pick(nodes);
    const operation = tape.byte() % 32;
    if (operation < 14) return this.#carry(tape.below(net.length), 1) ?? node;
    if (operation === 14) return this.#carry(tape.below(net.length), 2) ?? node;
    if (operation === 15) net.splice(tape.below(net.length), 1);
    else if (operation < 20) node.persist(1 + tape.below(4));
    else if (operation < 22) node.tick(1 + tape.below(3));
    else if (operation < 24) node.propose(`command ${(this.#proposedCount += 1)}`);
    else if (operation === 24) this.#read(node);
    else if (operation === 25) this.#change(node);
    else if (operation === 26) this.#whim(node);
    else if (operation === 27) this.#crash(node);
    else if (operation === 28) node.compact(Math.max(0, node.disk.appliedIndex - tape.below(4)));
    else if (this.#mayForge) return this.#forge() ?? node;
    return node;
  }

  #carry(at: number, times: number): TestNode | undefined {
    const message = this.#cluster.net.splice(at, 1)[0];
    if (message === undefined) return undefined;
    for (let left = times; left > 0; left -= 1) this.#deliver(message);
    return this.#cluster.node(message.to);
  }

  #deliver(message: Message): void {
    this.#cluster.deliver(message);
    this.#seen.add(`ok ${message.type} ${this.#cluster.node(message.to).core.role}`);
  }

  /** One message under way, changed in a few bytes of its wire form. What the codec refuses never arrives. */
  #forge(): TestNode | undefined {
    const tape = this.#tape;
    const { net } = this.#cluster;
    const message = net[tape.below(net.length)];
    if (message === undefined || message.type === 'snapshot') return undefined;
    const bytes = Buffer.from(RaftMessage.encode(raftToWire(message)).finish());
    for (let changes = 1 + tape.below(4); changes > 0; changes -= 1) bytes[tape.below(bytes.length)] = tape.byte();
    const forged = taken(bytes, message);
    if (forged === undefined) return undefined;
    this.#forgedCount += 1;
    this.#deliver(forged);
    this.#seen.add(`ok forged ${forged.type} ${this.#cluster.node(forged.to).core.role}`);
    return this.#cluster.node(forged.to);
  }

  #read(node: TestNode): void {
    const context = (this.#contextCount += 1);
    this.#checker.readAsked(context);
    node.readIndex(context);
  }

  #change(node: TestNode): void {
    const tape = this.#tape;
    const steps = Array.from({ length: tape.below(3) }, () => `${tape.pick(['v', 'l', 'r', 'u'])}${tape.pick(this.#cluster.nodes).id}`);
    node.change(steps.join(' '), tape.pick(['auto', 'implicit', 'explicit']));
  }

  #whim(node: TestNode): void {
    const other = this.#tape.pick(this.#cluster.nodes).id;
    const whims = [
      () => node.do((core) => core.transferLeader(other)),
      () => node.do((core) => core.forgetLeader()),
      () => node.do((core) => core.reportUnreachable(other)),
      () => node.do((core) => core.stepDown()),
      () => node.campaign(),
    ];
    this.#tape.pick(whims)();
  }

  #crash(node: TestNode): void {
    node.restart();
    if (this.#forgedCount === 0) this.#checker.restarted(node);
  }

  /** Who sends a snapshot always hears what became of it. */
  #gather(): void {
    const { net } = this.#cluster;
    this.#cluster.gather();
    for (const message of net.splice(0, Math.max(0, net.length - NET_MAX)))
      if (message.type === 'snapshot') this.#cluster.node(message.from).do((core) => core.reportSnapshot(message.to, false));
  }
}

/** What a peer's inbox would hand on: a message that can be read, of whom it says it is from, for whom it is. */
function taken(bytes: Uint8Array, { from, to }: Message): Message | undefined {
  let wire: RaftMessage;
  try {
    wire = RaftMessage.decode(bytes);
  } catch {
    return undefined;
  }
  try {
    const message = raftFromWire(wire);
    return message.from === from && message.to === to ? message : undefined;
  } catch (error) {
    if (error instanceof SeqError) return undefined;
    throw error;
  }
}
