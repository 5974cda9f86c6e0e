import { checkHistory, showViolations } from '../../src/verify/check-history.js';
import type { Operation } from '../../src/verify/operation.js';
import { InvariantError } from '../../src/base/assert.js';
import { SimCluster } from './cluster.js';
import type { Fault } from './fault-kinds.js';
import { FaultInjector } from './faults.js';
import { OnlineCheck } from './online-check.js';
import type { SimOptions } from './options.js';
import { Oracles, type Violation, type ViolationKind } from './oracles.js';
import { drawSchedule } from './schedule.js';
import { TimeStandsStill } from './world.js';

/** A cluster that has not served everybody after so long without faults never will, in ms. */
const START_LIMIT_MS = 120_000;
const LIVENESS_LIMIT_MS = 180_000;
/** After the last call everything that is on its way arrives, in ms. */
const QUIET_MS = 6_000;
/** A run that shows more than this is broken enough. */
const VIOLATIONS_MAX = 5;

export interface SimResult {
  readonly options: SimOptions;
  readonly schedule: readonly Fault[];
  readonly violations: readonly Violation[];
  /** Of everything that happened: the same seed gives the same one. */
  readonly hash: string;
  readonly simulatedMs: number;
  readonly eventCount: number;
  readonly operationCount: number;
  readonly answeredCount: number;
  /** How often each situation was reached. */
  readonly situations: ReadonlyMap<string, number>;
  readonly recent: readonly string[];
  readonly operations: readonly Operation[];
}

/** One run: a warm-up, faults, healing, and then everybody must be served again. Everything follows from the options. `onLine` hears each event of the product. */
export async function simulate(
  options: SimOptions,
  schedule: readonly Fault[] = drawSchedule(options),
  onLine?: (line: string) => void,
): Promise<SimResult> {
  const run = new Run(options, schedule, onLine);
  await run.play();
  return run.result();
}

class Run {
  readonly #options: SimOptions;
  readonly #schedule: readonly Fault[];
  readonly #cluster: SimCluster;
  readonly #oracles: Oracles;
  readonly #online: OnlineCheck;
  readonly #injector: FaultInjector;
  readonly #violations: Violation[] = [];
  readonly #situations = new Map<string, number>();

  constructor(options: SimOptions, schedule: readonly Fault[], onLine: ((line: string) => void) | undefined) {
    this.#options = options;
    this.#schedule = schedule;
    const report = (kind: ViolationKind, why: string): void => this.#report(kind, why);
    this.#cluster = new SimCluster(options, {
      onBug: (name, error) => this.#report('bug', `${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
      onOperation: (operation) => this.#online.check(operation),
      onSituation: (name) => this.#reached(name),
      onEvent: (name, event) => onLine?.(`${this.#cluster.world.nowMs.toFixed(1)} ${name} ${JSON.stringify(event, withBigints)}`),
    });
    this.#oracles = new Oracles({
      stores: () => this.#cluster.stores,
      allocs: () => this.#cluster.allocs,
      report,
      holdsLeases: !options.isBeyondDrift,
    });
    this.#online = new OnlineCheck({ report, holdsOrder: (operation) => this.#holdsOrder(operation) });
    this.#injector = new FaultInjector(this.#cluster, (kind) => this.#reached(`fault.${kind}`));
  }

  async play(): Promise<void> {
    const { world, net } = this.#cluster;
    this.#cluster.start();
    this.#cluster.startClients();
    if (!(await this.#untilServed(START_LIMIT_MS))) {
      if (this.#violations.length === 0) this.#report('stuck', `not every uid was served within ${START_LIMIT_MS} ms of the start`);
      return;
    }
    const { minMs, meanMs, loss, duplicate, replay } = this.#options.net;
    net.rates = { minMs, meanMs, loss, duplicate, replay };
    for (const fault of this.#schedule) world.after(fault.atMs, 'fault', () => this.#injector.inject(fault));
    await this.#go(this.#options.safetyMs);
    if (this.#violations.length > 0) return;
    this.#injector.healAll(this.#core());
    if (!(await this.#untilServed(LIVENESS_LIMIT_MS))) {
      if (this.#violations.length === 0) this.#report('stuck', this.#whatIsMissing());
      return;
    }
    for (const client of this.#cluster.clients) client.stop();
    await this.#go(QUIET_MS);
    this.#checkWhole();
  }

  result(): SimResult {
    const { world, recorder } = this.#cluster;
    const { operations } = recorder;
    return {
      options: this.#options,
      schedule: this.#schedule,
      violations: this.#violations,
      hash: world.hash,
      simulatedMs: world.nowMs,
      eventCount: world.eventCount,
      operationCount: operations.length,
      answeredCount: operations.filter(({ outcome }) => outcome.type === 'numbers' || outcome.type === 'value').length,
      situations: this.#situations,
      recent: world.recent.map(({ atMs, kind }) => `${atMs.toFixed(3)} ${kind}`),
      operations,
    };
  }

  async #go(forMs: number, isDone: () => boolean = () => false): Promise<void> {
    try {
      await this.#cluster.world.run(forMs, () => {
        this.#guarded(() => this.#oracles.check(this.#cluster.world.touched));
        return this.#violations.length > 0 || isDone();
      });
    } catch (error) {
      if (!(error instanceof TimeStandsStill)) throw error;
      this.#report('stuck', error.message);
    }
  }

  /** Runs until `next` has been answered for each uid, from now on. False: that did not come within the limit, or something broke. */
  async #untilServed(limitMs: number): Promise<boolean> {
    const { uids, wanted } = this.#cluster;
    for (const uid of uids) wanted.add(uid);
    await this.#go(limitMs, () => wanted.size === 0);
    return this.#violations.length === 0 && wanted.size === 0;
  }

  #whatIsMissing(): string {
    const { wanted, stores, allocs, leader } = this.#cluster;
    const storeWords = stores.map(({ name, node, disk, isUp }) =>
      node === undefined
        ? `${name} ${isUp ? 'starting' : 'down'}${disk.quarantine === undefined ? '' : ' quarantined'}`
        : `${name} ${node.raft.role} term ${node.raft.term} applied ${node.raft.log.appliedIndex}`,
    );
    const allocWords = allocs.map(({ name, node, isUp }) =>
      node === undefined ? `${name} ${isUp ? 'starting' : 'down'}` : `${name} ${node.sectionCount} sections`,
    );
    const leaderWord = leader === undefined ? 'no leader' : `leader ${leader.identity.nodeId}`;
    return `${LIVENESS_LIMIT_MS} ms after healing uids ${[...wanted].slice(0, 5).join(', ')} are not served: ${leaderWord}; ${[...storeWords, ...allocWords].join('; ')}`;
  }

  /** A majority that can go on, and half of the AllocSvrs; undefined: everybody is healed. */
  #core(): ReadonlySet<string> | undefined {
    const { healsCoreOnly } = this.#options;
    const { stores, allocs, founders, net } = this.#cluster;
    if (!healsCoreOnly) return undefined;
    const nodes = stores.flatMap(({ node }) => (node === undefined ? [] : [node]));
    const newest = nodes.sort((one, other) => other.raft.log.appliedIndex - one.raft.log.appliedIndex)[0];
    // Who votes must be known for sure, or a majority of them might be left out.
    const isFounding = stores.every(({ joins, isRemoved, isSuspect }) => !joins && !isRemoved && !isSuspect);
    if (newest === undefined || !isFounding || this.#injector.mayBeChangingMembers) return undefined;
    const shuffled = [...founders].sort(() => net.random.below(3) - 1);
    const majority = shuffled.slice(0, Math.floor(founders.length / 2) + 1).map(({ name }) => name);
    // More than half of the AllocSvrs silent, and the arbiter's brake holds everything as it is.
    const serving = [...allocs].sort(() => net.random.below(3) - 1).slice(0, Math.ceil(allocs.length / 2));
    return new Set([...majority, ...serving.map(({ name }) => name)]);
  }

  /** A call's order is promised when the clocks are within their bound, and always when it is STRICT. */
  #holdsOrder({ client }: Operation): boolean {
    return !this.#options.isBeyondDrift || client.endsWith('!');
  }

  #checkWhole(): void {
    const { isBeyondDrift } = this.#options;
    const { violations } = checkHistory(this.#cluster.recorder.operations);
    const counted = isBeyondDrift ? violations.filter(({ kind }) => kind === 'uniqueness' || kind === 'shape') : violations;
    for (const violation of counted.slice(0, VIOLATIONS_MAX)) {
      const kind = violation.kind === 'shape' ? 'uniqueness' : violation.kind;
      this.#report(kind, showViolations([violation]));
    }
    this.#guarded(() => this.#oracles.checkAllocs());
  }

  #guarded(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof InvariantError)) throw error;
      this.#report('bug', String(error.stack));
    }
  }

  #reached(name: string): void {
    this.#situations.set(name, (this.#situations.get(name) ?? 0) + 1);
  }

  #report(kind: ViolationKind, why: string): void {
    if (this.#violations.length < VIOLATIONS_MAX) this.#violations.push({ kind, why, atMs: this.#cluster.world.nowMs });
  }
}

function withBigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
