import { assert } from '../../../src/base/assert.js';
import { SeededRandom } from '../seeded-random.js';
import { Cluster } from './cluster.js';
import { SafetyChecker } from './safety.js';
import type { TestNode } from './test-node.js';

/** Messages under way; beyond it the oldest is lost. */
const NET_MAX = 300;

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
  /** How often the disk of the slow node lets a chance to write pass. */
  readonly slowDisk: number;
}

/**
 * A cluster of pure cores in which one seed decides everything: which message arrives next, twice or never, which wire
 * is cut one way, whose disk is slow, who loses power before the write.
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
      slowDisk: random.pick([0, 0.8, 0.95]),
    };
    this.#cluster = new Cluster({
      size,
      options: {
        random,
        electionTicks: 4,
        maxAppendBytes: random.pick([1, 80, 10_000]),
        maxInflightMessages: random.pick([1, 3, 50]),
        maxUncommittedBytes: random.pick([100, 100_000]),
        maxApplyBytes: random.pick([1, 10_000]),
      },
    });
    for (const node of this.#cluster.nodes) node.isDiskSlow = true;
    this.#slow = random.pick(this.#cluster.nodes);
    this.checker = new SafetyChecker(this.#cluster.nodes);
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step += 1) {
      const touched = this.#step();
      this.checker.check(touched);
      this.#gather();
    }
  }

  /** Everybody is up and hears everybody: a leader comes, a new command is committed, and all logs become one. */
  recover(): void {
    this.#cluster.heal();
    for (const node of this.#dead) this.#restart(node);
    for (const node of this.#cluster.nodes) {
      node.isDiskSlow = false;
      node.persist();
      this.checker.check(node);
    }
    const leader = this.#commitOneMore();
    const { nodes } = this.#cluster;
    for (const node of nodes) this.checker.check(node);
    const logs = new Set(nodes.map(({ entries }) => entries.map(({ index, term }) => `${index}@${term}`).join()));
    assert(logs.size === 1, 'after everything is healed all logs are one');
    assert(
      nodes.every(({ applied }) => applied.length === leader.core.log.lastIndex),
      'after everything is healed all is applied everywhere',
    );
  }

  #commitOneMore(): TestNode {
    const { nodes } = this.#cluster;
    for (let tick = 0; tick < 200; tick += 1) {
      this.#cluster.tick();
      for (const node of nodes) this.checker.check(node);
      const leader = this.#cluster.leader;
      if (leader === undefined || leader.propose('at last').type === 'refused') continue;
      const context = this.#nextContext++;
      this.checker.readAsked(context);
      const before = this.checker.readsConfirmed;
      leader.readIndex(context);
      this.#cluster.tick(5);
      this.checker.check(leader);
      if (leader.core.role !== 'leader' || leader.appliedTexts.at(-1) !== 'at last') continue;
      assert(this.checker.readsConfirmed > before, 'after everything is healed reads are confirmed');
      return leader;
    }
    throw new Error('after everything is healed nothing is committed');
  }

  /** Does one thing somewhere and says to whom it was done. */
  #step(): TestNode {
    const random = this.#random;
    const { persist, tick, crash, cut, propose, read } = this.#weather;
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
    if (this.#dead.has(node) || this.#cluster.isCut(message) || random.chance(this.#weather.loss)) return undefined;
    node.step(message);
    return node;
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

  #crash(node: TestNode): void {
    this.#dead.add(node);
    node.works = [];
    node.outbox = [];
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
    this.#cluster.gather();
    const { net } = this.#cluster;
    while (net.length > NET_MAX) net.shift();
  }
}
