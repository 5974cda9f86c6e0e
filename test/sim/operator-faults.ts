import { SeqError } from '../../src/base/errors.js';
import { toSectionId } from '../../src/model/ids.js';
import type { SeededRandom } from '../unit/seeded-random.js';
import type { AllocHost } from './alloc-host.js';
import type { SimCluster } from './cluster.js';
import type { StoreHost } from './store-host.js';

/** How long a removal may take until it is decided, in ms. */
const SHRINK_MS = 20_000;

/** What operators do to a cluster, at the worst of times. */
export class OperatorFaults {
  readonly #cluster: SimCluster;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  transfer(to: string | undefined): boolean {
    this.#cluster.ask('transfer', (leader) => leader.transferLeader(to));
    return true;
  }

  grow(random: SeededRandom): boolean {
    const { stores, options, keptDown, world } = this.#cluster;
    const spare = stores.slice(options.storeCount).find((host) => !host.joins);
    if (spare === undefined) return false;
    spare.joins = true;
    keptDown.delete(spare.name);
    spare.start();
    world.after(1_000 + random.below(2_000), 'an operator adds', () => this.#cluster.replaceDamaged());
    return true;
  }

  /** `isHurt`: who loses a disk and is made smaller at the same time has lost two members, and that is more than is promised. Returns how long to leave disks alone, in ms; 0: it was not done. */
  shrink(random: SeededRandom, isHurt: boolean): number {
    const { leader, stores } = this.#cluster;
    if (leader === undefined || leader.raft.confState.voters.length <= 2 || isHurt) return 0;
    const host = random.pick(stores.filter(({ name }) => leader.state.members.some((member) => member.name === name)));
    this.#cluster.ask(`remove ${host.name}`, async (at) => {
      await at.members.remove(host.name);
      host.isRemoved = true;
    });
    return SHRINK_MS;
  }

  /** The process comes back as a later version of the program. */
  upgrade(host: StoreHost | AllocHost, forMs: number): boolean {
    if (host.isUpgraded) return false;
    host.isUpgraded = true;
    return this.#cluster.down(host, Math.min(forMs, 1_000), () => ('drain' in host ? host.drain() : host.kill()));
  }

  /** Moves sections, as `seqctl section move` does. */
  move(random: SeededRandom): boolean {
    const { allocs, options } = this.#cluster;
    const first = random.below(options.sectionCount);
    const to = random.pick(allocs).name;
    const sectionCount = 1 + random.below(options.sectionCount - first);
    this.#cluster.ask('move', async (leader) => {
      const { state } = leader;
      const target = state.allocs.find(({ id }) => id === to);
      if (target === undefined || target.state !== 'joined') throw new SeqError('UNAVAILABLE', `${to} is not there`);
      const run = { firstSection: toSectionId(first), sectionCount, allocId: target.id, incarnation: target.incarnation };
      const guard = { arbiterTerm: leader.raft.term, basedOn: state.version };
      await leader.propose({ type: 'planMove', ...guard, runs: [run], reason: 'operator', atMs: 0 });
    });
    return true;
  }

  pauseArbiter(forMs: number): boolean {
    const cluster = this.#cluster;
    cluster.mayPauseArbiter = true;
    cluster.setArbiterPaused(true);
    cluster.world.after(forMs, 'the arbiter goes on', () => {
      cluster.mayPauseArbiter = false;
      cluster.setArbiterPaused(false);
    });
    return true;
  }
}
