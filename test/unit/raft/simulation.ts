import { assert } from '../../../src/base/assert.js';
import type { RaftCore } from '../../../src/raft/core.js';
import type { Message } from '../../../src/raft/message.js';
import type { NodeId } from '../../../src/raft/types.js';
import { jointVoteResult } from '../../../src/raft/quorum.js';
import { SeededRandom } from '../seeded-random.js';
import { Cluster } from './cluster.js';
import { SafetyChecker } from './safety.js';
import type { TestNode } from './test-node.js';

/** Messages under way; beyond it the oldest is lost. */
const NET_MAX = 300;
/** Nodes that wait to become members. */
const JOINERS = 3;
/** Ticks within which a healed world must be one. */
const HEALED_TICKS = 300;

/** How unkind a world is: chances of one step or one message. */
interface Weather {
  readonly loss: number;
  readonly duplication: number;
  readonly persist: number;
  readonly tick: number;
  readonly crash: number;
  readonly cut: number;
  readonly propose: number;
  readonly read: number;
  readonly change: number;
  readonly compact: number;
  /** Transfer, forgotten leader, leader that gives up, peer said to be unreachable. */
  readonly whim: number;
  /** How often the disk of the slow node lets a chance to write pass. */
  readonly slowDisk: number;
}

/**
 * A cluster of pure cores in which one seed decides everything: which message arrives next, twice or never, which wire
 * is cut one way, whose disk is slow, who loses power before the write, who joins, is promoted, demoted or removed.
 */
export class Simulation {
  readonly checker: SafetyChecker;
  readonly #cluster: Cluster;
  readonly #random: SeededRandom;
  readonly #weather: Weather;
  readonly #dead = new Set<TestNode>();
  #slow: TestNode;
  #proposed = 0;
  #nextContext = 1;
  snapshotCount = 0;
  strandedCount = 0;

  constructor({ seed, size }: { seed: number; size: number }) {
    const random = new SeededRandom(seed);
    this.#random = random;
    this.#weather = {
      loss: random.pick([0, 0.02, 0.15]),
      duplication: random.pick([0, 0.05, 0.2]),
      persist: random.pick([0.1, 0.2, 0.4]),
      tick: random.pick([0.05, 0.1, 0.2]),
      crash: random.pick([0, 0.005, 0.02]),
      cut: random.pick([0, 0.003, 0.01]),
      propose: random.pick([0.03, 0.08]),
      read: random.pick([0.03, 0.08]),
      change: random.pick([0, 0.02, 0.06]),
      compact: random.pick([0, 0.01, 0.05]),
      whim: random.pick([0, 0.005, 0.03]),
      slowDisk: random.pick([0, 0.8, 0.95]),
    };
    this.#cluster = new Cluster({
      size,
      joiners: JOINERS,
      options: {
        random,
        electionTicks: 4,
        maxAppendBytes: random.pick([0, 80, 10_000]),
        maxInflightMessages: random.pick([1, 3, 50]),
        maxInflightBytes: random.pick([0, 30, 10_000]),
        maxUncommittedBytes: random.pick([100, 100_000]),
        maxApplyBytes: random.pick([1, 100, 10_000]),
        forwardsProposals: random.chance(0.3),
        trace: (event, core) => this.#traced(event.name, core),
      },
    });
    for (const node of this.#cluster.nodes) node.isDiskSlow = true;
    this.#slow = random.pick(this.#cluster.nodes);
    this.checker = new SafetyChecker(this.#cluster.nodes, { start: 1 });
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step += 1) {
      const touched = this.#step();
      this.checker.check(touched);
      this.#gather();
    }
  }

  /** Everybody is up and hears everybody: a leader comes, a new command is committed, joint is left, and all logs become one. */
  recover(): void {
    const { nodes } = this.#cluster;
    this.#cluster.heal();
    for (const node of this.#dead) this.#restart(node);
    for (const message of this.#cluster.net.splice(0)) this.#lose(message);
    for (const node of nodes) {
      node.isDiskSlow = false;
      node.persist();
      this.checker.check(node);
    }
    const leader = this.#commitOneMore();
    if (leader === undefined) return;
    const { voters, learners } = leader.core.confState;
    const members = [...voters, ...learners].map((id) => this.#cluster.node(id));
    const states = new Set(
      members.map(({ core, applied, members: conf }) => `${core.log.last.index}@${core.log.last.term} ${applied.length} ${conf}`),
    );
    assert(states.size === 1, `after everything is healed all logs and members are one: ${[...states].join(', ')}`);
    assert(leader.core.log.appliedIndex === leader.core.log.lastIndex, 'after everything is healed all is applied');
  }

  /** Undefined: nobody can lead, for the one known reason. */
  #commitOneMore(): TestNode | undefined {
    for (let tick = 0; tick < HEALED_TICKS; tick += 1) {
      this.#tick();
      const { leader } = this.#cluster;
      if (leader === undefined) continue;
      // An explicit joint configuration is left by hand; one that leaves itself must do so.
      const { votersOutgoing, autoLeave } = leader.core.confState;
      if (votersOutgoing.length > 0 && !autoLeave) leader.change('');
      if (leader.propose('at last').type !== 'accepted') continue;
      const context = this.#nextContext++;
      this.checker.readAsked(context);
      const before = this.checker.readsConfirmed;
      const { term } = leader.core;
      leader.readIndex(context);
      this.#tick(6);
      if (
        leader.core.role !== 'leader' ||
        leader.core.term !== term ||
        leader.appliedTexts.at(-1) !== 'at last' ||
        leader.core.confState.votersOutgoing.length > 0
      )
        continue;
      assert(this.checker.readsConfirmed > before, `after everything is healed reads are confirmed:\n${this.#describe()}`);
      return leader;
    }
    if (this.#isStranded) {
      this.strandedCount += 1;
      return undefined;
    }
    throw new Error(`after everything is healed nothing is committed, or a joint configuration is not left:\n${this.#describe()}`);
  }

  /**
   * A leader that has applied its own removal does not lead, and the news that the removal is committed was lost. The others
   * still count its vote, and its log is longer than theirs. With configurations that count from their application on
   * (etcd) nobody can be elected then: documented there for two members, and the reason why a leader hands over first.
   */
  get #isStranded(): boolean {
    const { nodes } = this.#cluster;
    const hasRemoved = nodes.some(({ core, applied }) => applied.length > 0 && !core.isPromotable);
    const mayWin = (candidate: TestNode): boolean =>
      candidate.core.isPromotable &&
      jointVoteResult(candidate.core.voters, (voter) => this.#cluster.node(voter).core.log.isUpToDate(candidate.core.log.last)) === 'won';
    return hasRemoved && !nodes.some(mayWin);
  }

  /** For who looks for the cause of a failure. */
  #describe(): string {
    const lines = this.#cluster.nodes.map(({ id, core, members }) => {
      const { role, term, leaderId, log, progress } = core;
      const peers = [...progress].map(([peer, { state, match, next, isPaused }]) => `${peer}:${state} ${match}/${next}${isPaused ? ' paused' : ''}`);
      const place = `log ${log.firstIndex}-${log.lastIndex}, committed ${log.commitIndex}, applied ${log.appliedIndex}`;
      return `${id} ${role} of term ${term} under ${leaderId}, members ${members}, ${place}${role === 'leader' ? `, ${peers.join(', ')}` : ''}`;
    });
    return lines.join('\n');
  }

  #tick(count = 1): void {
    for (let done = 0; done < count; done += 1) {
      this.#cluster.tick();
      for (const node of this.#cluster.nodes) this.checker.check(node);
    }
  }

  /** Does one thing somewhere and says to whom it was done. */
  #step(): TestNode {
    const random = this.#random;
    const { persist, tick, crash, cut, propose, read, change, compact, whim } = this.#weather;
    if (random.chance(0.002)) this.#slow = random.pick(this.#cluster.nodes);
    const node = random.pick(this.#cluster.nodes);
    if (this.#dead.has(node)) {
      if (random.chance(0.3)) this.#restart(node);
      return node;
    }
    const dice = random.below(1_000_000) / 1_000_000;
    let edge = 0;
    const falls = (chance: number): boolean => dice < (edge += chance);
    if (falls(persist)) this.#persist(node);
    else if (falls(tick)) node.tick();
    else if (falls(crash)) this.#crash(node);
    else if (falls(cut)) this.#changeWires();
    else if (falls(propose)) this.#propose(node);
    else if (falls(read)) this.#read(node);
    else if (falls(change)) this.#changeMembers(node);
    else if (falls(compact)) node.compact(node.disk.appliedIndex - random.below(4));
    else if (falls(whim)) this.#followWhim(node);
    else return this.#carry() ?? node;
    return node;
  }

  #persist(node: TestNode): void {
    if (node === this.#slow && this.#random.chance(this.#weather.slowDisk)) return;
    node.persist(1 + this.#random.below(node.works.length + 1));
  }

  /** Carries one message, any of those under way. */
  #carry(): TestNode | undefined {
    const random = this.#random;
    const { net } = this.#cluster;
    if (net.length === 0) return undefined;
    // Mostly in order, as a stream has it, but not always.
    const at = random.chance(0.7) ? 0 : random.below(net.length);
    const message = net[at]!;
    if (!random.chance(this.#weather.duplication)) net.splice(at, 1);
    const node = this.#cluster.node(message.to);
    if (this.#dead.has(node) || this.#cluster.isCut(message) || random.chance(this.#weather.loss)) {
      this.#lose(message);
      return undefined;
    }
    if (message.type === 'snapshot') this.snapshotCount += 1;
    this.#cluster.deliver(message);
    return node;
  }

  /** Who sends a snapshot always hears what became of it; of other messages only sometimes. */
  #lose(message: Message): void {
    const sender = this.#cluster.node(message.from);
    if (this.#dead.has(sender)) return;
    if (message.type === 'snapshot') sender.do((core) => core.reportSnapshot(message.to, false));
    else if (this.#random.chance(0.1)) sender.do((core) => core.reportUnreachable(message.to));
  }

  /** Commands differ, so that two entries in one place are told apart. */
  #propose(node: TestNode): void {
    const texts = Array.from({ length: 1 + this.#random.below(3) }, () => `command ${++this.#proposed} at ${node.id}`);
    node.propose(...texts);
  }

  #read(node: TestNode): void {
    const context = this.#nextContext++;
    this.checker.readAsked(context);
    node.readIndex(context);
  }

  /** One of: a single step, a joint change of any kind, leaving one. Whoever leads is asked as often as all others. */
  #changeMembers(node: TestNode): void {
    const random = this.#random;
    const target = random.chance(0.7) ? (this.#cluster.leader ?? node) : node;
    if (this.#dead.has(target)) return;
    if (target.core.confState.votersOutgoing.length > 0 && random.chance(0.6)) return void target.change('');
    const steps = Array.from(
      { length: random.pick([1, 1, 2, 3]) },
      () => `${random.pick(['v', 'v', 'l', 'r'])}${random.pick(this.#cluster.nodes).id}`,
    );
    target.change(steps.join(' '), random.pick(['auto', 'auto', 'implicit', 'explicit']));
    this.checker.check(target);
  }

  #followWhim(node: TestNode): void {
    const random = this.#random;
    const other: NodeId = random.pick(this.#cluster.nodes).id;
    const leader = this.#cluster.leader;
    const whim = random.below(5);
    if (whim === 0) node.do((core) => core.transferLeader(other));
    if (whim === 1 && leader !== undefined && !this.#dead.has(leader)) {
      leader.do((core) => core.transferLeader(other));
      this.checker.check(leader);
    }
    if (whim === 2) node.do((core) => core.forgetLeader());
    if (whim === 3) node.do((core) => core.reportUnreachable(other));
    if (whim === 4 && random.chance(0.2)) node.do((core) => core.stepDown());
  }

  #crash(node: TestNode): void {
    this.#dead.add(node);
    // Its memory is gone at once: nobody may look at what it thought.
    node.restart();
    this.checker.restarted(node);
  }

  #restart(node: TestNode): void {
    this.#dead.delete(node);
    node.restart();
    this.checker.restarted(node);
  }

  #changeWires(): void {
    const random = this.#random;
    if (random.chance(0.4)) return this.#cluster.heal();
    const { nodes } = this.#cluster;
    if (random.chance(0.2)) return this.#cluster.isolate(random.pick(nodes).id);
    this.#cluster.cut({ from: random.pick(nodes).id, to: random.pick(nodes).id });
  }

  #gather(): void {
    this.#cluster.gather((message) => this.#lose(message));
    const { net } = this.#cluster;
    while (net.length > NET_MAX) this.#lose(net.shift()!);
  }

  /** At the very moment: in the same step the members may change. */
  #traced(name: string, core: RaftCore): void {
    if (name === 'Commit') this.checker.counted(core);
  }
}
