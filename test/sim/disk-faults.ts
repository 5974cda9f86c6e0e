import type { SeededRandom } from '../unit/seeded-random.js';
import type { SimCluster } from './cluster.js';
import { FAST_DISK } from './disk.js';
import type { StoreHost } from './store-host.js';

/** After an old copy of a disk nothing else goes wrong for so long, in ms: a leader must get to see it. */
const OLD_COPY_QUIET_MS = 10_000;
/** How long an operator takes to replace what is damaged, in ms. */
const OPERATOR_MS = 3_000;

/** What befalls disks. Damage stays within what the design promises to survive: a minority of the voters at a time. */
export class DiskFaults {
  readonly #cluster: SimCluster;
  /** No membership change and no damage beside one that is under way, until this moment of the world. */
  changingUntilMs = 0;
  /** Nothing else at all goes wrong before this moment. */
  quietUntilMs = 0;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  healAll(): void {
    for (const { disk } of this.#cluster.stores) {
      disk.pace = FAST_DISK;
      disk.refusal = undefined;
      disk.hungUntilMs = 0;
      disk.isLying = false;
    }
  }

  slow({ disk }: StoreHost, meanMs: number, forMs: number): boolean {
    disk.pace = { minMs: 1, meanMs };
    this.#cluster.world.after(forMs, 'disk is fast again', () => (disk.pace = FAST_DISK));
    return true;
  }

  hang({ disk }: StoreHost, forMs: number): boolean {
    disk.hungUntilMs = this.#cluster.world.nowMs + forMs;
    return true;
  }

  refuse({ disk }: StoreHost, refusal: 'EIO' | 'ENOSPC', forMs: number): boolean {
    disk.refusal = refusal;
    this.#cluster.world.after(forMs, 'disk works again', () => (disk.refusal = undefined));
    return true;
  }

  /** Bits turn, files go, while the process is down. */
  damage(host: StoreHost, forMs: number, random: SeededRandom): boolean {
    return this.#injure(host, forMs, () => {
      const how = random.below(8);
      if (how === 0) host.disk.loseDatabase();
      else if (how === 1) host.disk.loseMarker();
      else for (let flips = 1 + random.below(3); flips > 0; flips--) host.disk.flipBit();
    });
  }

  wipe(host: StoreHost, forMs: number): boolean {
    return this.#injure(host, forMs, () => {
      host.disk.wipe('wiped');
      host.joins = true;
    });
  }

  /**
   * An old copy of a data directory is told from the real one only by a leader that knows how far it had come, so there must be one, and
   * it must go on: DESIGN 3.6 promises no more.
   */
  oldCopy(host: StoreHost, forMs: number, isWhole: boolean): boolean {
    const { leader, world, net, keptDown, stores, allocs } = this.#cluster;
    const isCalm =
      keptDown.size === 0 && isWhole && net.rates.loss === 0 && [...stores, ...allocs].every(({ process }) => process?.isPaused !== true);
    if (leader === undefined || !isCalm || !this.#mayHurt(host) || leader.identity.nodeId === host.disk.identity?.nodeId) return false;
    if (!host.disk.hasDatabase) return false;
    const copy = host.disk.copy();
    this.quietUntilMs = world.nowMs + forMs + OLD_COPY_QUIET_MS;
    world.after(Math.min(forMs, 2_000), `${host.name} gets an old copy`, () => {
      if (this.#cluster.leader !== leader || host.disk.quarantine !== undefined || !host.isUp) return;
      host.kill();
      host.isSuspect = true;
      host.disk.restore(copy);
    });
    return true;
  }

  /** It acknowledges what it does not sync, and then the power fails. */
  lie(host: StoreHost, forMs: number): boolean {
    if (!this.#mayHurt(host)) return false;
    const { disk } = host;
    disk.isLying = true;
    host.isSuspect = true;
    this.#cluster.world.after(forMs, `${host.name} lied and loses its power`, () => {
      if (!disk.isLying) return;
      host.powerLoss();
      disk.isLying = false;
      this.#cluster.keptDown.delete(host.name);
      this.#cluster.world.after(OPERATOR_MS, 'an operator replaces', () => this.#cluster.replaceDamaged());
    });
    return true;
  }

  /** Whose data cannot be counted on now. */
  get hurt(): readonly StoreHost[] {
    return this.#cluster.stores.filter(
      (host) => host.isSuspect || host.disk.quarantine !== undefined || (host.joins && host.node?.raft.isPromotable !== true),
    );
  }

  #injure(host: StoreHost, forMs: number, injure: () => void): boolean {
    if (!this.#mayHurt(host) || !this.#cluster.down(host, forMs, () => host.kill())) return false;
    host.isSuspect = true;
    injure();
    this.#cluster.world.after(forMs + OPERATOR_MS, 'an operator replaces', () => this.#cluster.replaceDamaged());
    return true;
  }

  #mayHurt(host: StoreHost): boolean {
    const { leader, world } = this.#cluster;
    if (leader === undefined || host.disk.quarantine !== undefined || host.disk.identity === undefined) return false;
    const { voters, votersOutgoing } = leader.raft.confState;
    const isChanging = votersOutgoing.length > 0 || world.nowMs < this.changingUntilMs;
    return !isChanging && voters.length - this.hurt.length - 1 > voters.length / 2;
  }
}
