import { TestCluster } from '../../../jepsen/cluster.js';
import { freePorts } from '../../../jepsen/ports.js';
import { metricOf } from '../../metric.js';
import type { RivalSystem, Target } from '../system.js';

/** The article's section. */
export const UIDS_PER_SECTION = 100_000;
/** As many as the widest load touches; those that nobody asks for cost nothing. */
export const SECTIONS = 10_000;

export interface OurOptions {
  /** Where its folder is made. */
  readonly folder: string;
  readonly stores: number;
  /** Laid over the environment of the AllocSvr. */
  readonly allocEnv: Readonly<Record<string, string>>;
}

/** The real cluster: StoreSvrs on disk, one AllocSvr, each a process of the program as it ships. */
export class OurCluster {
  readonly #cluster: TestCluster;
  readonly #metrics: string;
  #isStopped = false;

  private constructor(cluster: TestCluster, metrics: string) {
    this.#cluster = cluster;
    this.#metrics = metrics;
  }

  static async start({ folder, stores, allocEnv }: OurOptions): Promise<OurCluster> {
    const [port] = await freePorts(1);
    const adminListen = `127.0.0.1:${port}`;
    const cluster = await TestCluster.start({
      stores,
      allocs: 1,
      storeConfig: { geometry: { firstUid: 0, lastUid: SECTIONS * UIDS_PER_SECTION - 1, uidsPerSection: UIDS_PER_SECTION } },
      allocConfig: { adminListen },
      parentFolder: folder,
      placeOf: (name) => ({ host: '127.0.0.1', env: name.startsWith('alloc') ? allocEnv : {} }),
    });
    return new OurCluster(cluster, `http://${adminListen}/metrics`);
  }

  /** As one of the systems, reached in one of its ways. */
  as(name: string, target: Target): RivalSystem {
    return { name, target, pids: this.pids, isShared: false, stop: () => this.stop() };
  }

  get endpoints(): readonly string[] {
    return this.#cluster.endpoints;
  }

  get pids(): readonly number[] {
    return [...this.#cluster.pids.keys()];
  }

  get allocPid(): number {
    return this.#cluster.pidOf('alloc-1');
  }

  /** One sample of the AllocSvr's page of metrics, which is made anew for it. */
  metric(name: string): Promise<number> {
    return metricOf(this.#metrics, name);
  }

  /** Entries of the StoreSvrs' log that are committed. */
  async committedEntries(): Promise<number> {
    return Number((await this.#cluster.storeStatus(await this.#cluster.leader())).commitIndex);
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    // Cleanly, for a profile is written at the end of its process.
    if (this.#cluster.isRunning('alloc-1')) await this.#cluster.stop('alloc-1');
    await this.#cluster.dispose();
  }
}
