import { TestCluster } from '../../../jepsen/cluster.js';
import { until } from '../../../jepsen/until.js';
import { familyOf } from '../process-figures.js';
import { UIDS_PER_SECTION } from './ours.js';

/** As many as the load asks for, so that every worker has a share of it. */
const SECTIONS = 10;
const SHARED_LIMIT_MS = 30_000;
const SUPERVISOR = 'alloc-1';

/** Three StoreSvrs on disk and one host: a supervisor with so many AllocSvrs under it, as `workers: N` makes them. */
export class WorkerHost {
  readonly workers: number;
  readonly #cluster: TestCluster;
  #stopping: Promise<void> | undefined;

  private constructor(cluster: TestCluster, workers: number) {
    this.#cluster = cluster;
    this.workers = workers;
  }

  /** Resolves once the sections are shared evenly. */
  static async start({ folder, workers }: { readonly folder: string; readonly workers: number }): Promise<WorkerHost> {
    const geometry = { firstUid: 0, lastUid: SECTIONS * UIDS_PER_SECTION - 1, uidsPerSection: UIDS_PER_SECTION };
    const cluster = await TestCluster.startWorkers({ workers, parentFolder: folder, storeConfig: { geometry } });
    const host = new WorkerHost(cluster, workers);
    try {
      await until('the workers share the sections evenly', SHARED_LIMIT_MS, () => host.#isShared());
      return host;
    } catch (error) {
      await host.stop();
      throw error;
    }
  }

  get endpoints(): readonly string[] {
    return this.#workerNames.map((name) => this.#cluster.addressOf(name));
  }

  get supervisorPid(): number {
    return this.#cluster.pidOf(SUPERVISOR);
  }

  /** The AllocSvrs. */
  get workerPids(): readonly number[] {
    return familyOf(this.supervisorPid).filter((pid) => pid !== this.supervisorPid);
  }

  get storePids(): readonly number[] {
    return this.#cluster.storeNames.map((name) => this.#cluster.pidOf(name));
  }

  /** The second call waits for the first. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    // Cleanly, for a supervisor that is killed has no time to stop its children.
    if (this.#cluster.isRunning(SUPERVISOR)) await this.#cluster.stop(SUPERVISOR);
    await this.#cluster.dispose();
  }

  get #workerNames(): readonly string[] {
    return Array.from({ length: this.workers }, (_, at) => `${SUPERVISOR}-${at + 1}`);
  }

  async #isShared(): Promise<true | undefined> {
    const statuses = await Promise.all(this.#workerNames.map((name) => this.#cluster.allocStatus(name)));
    return statuses.every(({ sectionCount }) => sectionCount === SECTIONS / this.workers) || undefined;
  }
}
