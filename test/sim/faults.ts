import { SeededRandom } from '../unit/seeded-random.js';
import type { AllocHost } from './alloc-host.js';
import type { SimCluster } from './cluster.js';
import { DiskFaults } from './disk-faults.js';
import type { Fault, FaultKind } from './fault-kinds.js';
import { NetworkFaults } from './network-faults.js';
import { OperatorFaults } from './operator-faults.js';
import type { SimProcess } from './process.js';
import type { StoreHost } from './store-host.js';

/** Whom a fault befalls, and for how long, drawn from its own dice. */
interface Target {
  readonly random: SeededRandom;
  readonly store: StoreHost;
  readonly alloc: AllocHost;
  readonly forMs: number;
}

/** Carries faults out. Each answers whether it could be done. */
export class FaultInjector {
  readonly #cluster: SimCluster;
  readonly #network: NetworkFaults;
  readonly #disks: DiskFaults;
  readonly #operators: OperatorFaults;
  readonly #onFault: (kind: FaultKind) => void;
  readonly #acts: Readonly<Record<FaultKind, (target: Target) => boolean>>;

  constructor(cluster: SimCluster, onFault: (kind: FaultKind) => void) {
    this.#cluster = cluster;
    this.#network = new NetworkFaults(cluster);
    this.#disks = new DiskFaults(cluster);
    this.#operators = new OperatorFaults(cluster);
    this.#onFault = onFault;
    this.#acts = this.#table();
  }

  inject({ kind, dice }: Fault): void {
    const { world, stores, allocs, options } = this.#cluster;
    if (world.nowMs < this.#disks.quietUntilMs) return;
    const random = new SeededRandom(dice);
    const alloc = random.pick(allocs);
    const store = random.pick(stores.filter((host, place) => place < options.storeCount || host.joins));
    const forMs = 50 + random.below(random.pick([500, 5_000, 20_000]));
    const isDone = this.#acts[kind]({ random, store, alloc, forMs });
    world.note(`fault ${kind} ${isDone ? 'yes' : 'no'}`);
    if (isDone) this.#onFault(kind);
  }

  /** A removal of a member may still be on its way. */
  get mayBeChangingMembers(): boolean {
    return this.#cluster.world.nowMs < this.#disks.changingUntilMs;
  }

  /** Everything that was done and can be undone is. `only`: the others end and stay down. */
  healAll(only: ReadonlySet<string> | undefined): void {
    const { stores, allocs, clients, keptDown } = this.#cluster;
    this.#network.healAll();
    this.#disks.healAll();
    keptDown.clear();
    this.#cluster.mayPauseArbiter = false;
    for (const host of [...stores, ...allocs]) {
      if (only === undefined || only.has(host.name)) {
        host.process?.resume();
      } else {
        keptDown.add(host.name);
        host.kill();
      }
    }
    for (const { process } of clients) process.resume();
  }

  #table(): Readonly<Record<FaultKind, (target: Target) => boolean>> {
    const cluster = this.#cluster;
    const { stores, clients, net } = cluster;
    const [network, disks, operators] = [this.#network, this.#disks, this.#operators];
    return {
      storeKill: ({ store, forMs }) => cluster.down(store, forMs, () => store.kill()),
      storePowerLoss: ({ store, forMs }) => cluster.down(store, forMs, () => void store.powerLoss()),
      allPowerLoss: () => {
        for (const host of stores) if (host.isUp) host.powerLoss();
        return true;
      },
      storePause: ({ store, forMs }) => this.#pause(store.process, forMs),
      storeSuspend: ({ store, forMs }) => this.#suspend(store, forMs),
      allocKill: ({ alloc, forMs }) => cluster.down(alloc, forMs, () => alloc.kill()),
      allocKillReported: ({ alloc, forMs }) =>
        cluster.down(alloc, forMs, () => {
          alloc.kill();
          cluster.reportDeath(alloc);
        }),
      allocPause: ({ alloc, forMs }) => this.#pause(alloc.process, forMs),
      allocSuspend: ({ alloc, forMs }) => this.#suspend(alloc, forMs),
      allocDrain: ({ alloc, forMs }) => cluster.down(alloc, forMs + 2_000, () => alloc.drain()),
      partition: ({ random, forMs }) => network.partition(random, forMs, true),
      oneWay: ({ random, forMs }) => network.partition(random, forMs, false),
      clog: ({ random, forMs }) => {
        net.clog(this.#anyHost(random), this.#anyHost(random), forMs);
        return true;
      },
      lateReplies: ({ alloc, random }) => network.lateReplies(alloc.name, { byMs: 50 + random.below(900), forMs: 1_000 + random.below(5_000) }),
      wallJump: ({ random, alloc, store }) => {
        const { machine } = random.chance(0.5) ? alloc : store;
        machine.jump((random.chance(0.5) ? 1 : -1) * random.below(random.pick([1_000, 60_000, 3_600_000, 7 * 86_400_000])));
        return true;
      },
      slowDisk: ({ store, random, forMs }) => disks.slow(store, random.below(300), forMs),
      hungDisk: ({ store, forMs }) => disks.hang(store, forMs),
      diskError: ({ store, forMs }) => disks.refuse(store, 'EIO', forMs),
      diskFull: ({ store, forMs }) => disks.refuse(store, 'ENOSPC', forMs),
      damage: ({ store, forMs, random }) => disks.damage(store, forMs, random),
      wipe: ({ store, forMs }) => disks.wipe(store, forMs),
      oldCopy: ({ store, forMs }) => disks.oldCopy(store, forMs, network.isWhole),
      lyingDisk: ({ store, forMs }) => disks.lie(store, forMs),
      transfer: ({ random, store }) => operators.transfer(random.chance(0.5) ? undefined : store.name),
      grow: ({ random }) => operators.grow(random),
      shrink: ({ random }) => {
        const tookMs = operators.shrink(random, disks.hurt.length > 0);
        if (tookMs > 0) disks.changingUntilMs = cluster.world.nowMs + tookMs;
        return tookMs > 0;
      },
      upgrade: ({ random, store, alloc, forMs }) => operators.upgrade(random.chance(0.5) ? store : alloc, forMs),
      rebalance: ({ random }) => operators.move(random),
      pauseArbiter: ({ forMs }) => operators.pauseArbiter(forMs),
      clientPause: ({ random, forMs }) => this.#pause(random.pick(clients).process, forMs),
    };
  }

  #pause(process: SimProcess | undefined, forMs: number): boolean {
    if (process === undefined || !process.isAlive || process.isPaused) return false;
    process.pause();
    this.#cluster.world.after(forMs, `${process.name} goes on`, () => process.resume());
    return true;
  }

  /** The machine sleeps: its monotonic clock stands still. */
  #suspend({ process, machine }: StoreHost | AllocHost, forMs: number): boolean {
    if (!this.#pause(process, forMs)) return false;
    machine.suspended(forMs);
    return true;
  }

  #anyHost(random: SeededRandom): string {
    const { stores, allocs, clients } = this.#cluster;
    return random.pick([...stores, ...allocs, ...clients]).name;
  }
}
