import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.js';
import type { SectionId } from '../../src/model/ids.js';
import { RoutingIndex } from '../../src/model/routing.js';
import { ChannelPool } from '../../src/rpc/channel-pool.js';
import { tableFromWire } from '../../src/rpc/codec.js';
import { AdminServiceService, type AllocStatus, type StoreStatus } from '../../src/rpc/gen/seqsvr/v1/admin.js';
import { RouteServiceService } from '../../src/rpc/gen/seqsvr/v1/seq.js';
import { NodeProcess, PROGRAM } from './node-process.js';
import { freePorts } from './ports.js';
import type { ProxyRoute } from './proxy.js';
import { until } from './until.js';

const ASK_LIMIT_MS = 1_000;
const LEADER_LIMIT_MS = 20_000;
const SERVING_LIMIT_MS = 60_000;
const LOG_LINES_SHOWN = 40;
/** One command of the program, waits of its own included. */
const RUN_LIMIT_MS = 60_000;

/** What a command of the program ended with. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where a node runs, when not simply on loopback. */
export interface Place {
  readonly host: string;
  readonly prefix?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** When something stands before the node at `host`: where the node itself listens. */
  readonly listenHost?: string;
}

export interface ClusterOptions {
  /** `dataDir`: where the node will have its data. */
  readonly placeOf?: (name: string, dataDir: string) => Place;
  /** Opens what stands before a node with a `listenHost`. */
  readonly front?: (name: string, route: ProxyRoute) => Promise<void>;
  readonly stores?: number;
  readonly allocs?: number;
  /** Laid over the config of every store: the keys of a config file. */
  readonly storeConfig?: Readonly<Record<string, unknown>>;
  readonly allocConfig?: Readonly<Record<string, unknown>>;
  /** Where the folder of the cluster is made. Absent: the system's temporary folder. */
  readonly parentFolder?: string;
}

/** A real cluster: every node its own process, with data of its own, on loopback. */
export class TestCluster {
  readonly #folder: string;
  readonly #nodes = new Map<string, NodeProcess>();
  readonly #addresses = new Map<string, string>();
  readonly #pool = new ChannelPool({ clock: systemClock });
  readonly #storeNames: string[];
  readonly #storeConfig: Readonly<Record<string, unknown>>;
  readonly #placeOf: (name: string) => Place;
  readonly #front: (name: string, route: ProxyRoute) => Promise<void>;
  readonly clusterId = randomBytes(16).toString('hex');
  readonly allocNames: readonly string[];
  #founders: readonly object[] = [];

  private constructor(options: ClusterOptions) {
    this.#folder = mkdtempSync(join(options.parentFolder ?? tmpdir(), 'seqsvr-test-'));
    this.#storeNames = namesOf('store', options.stores ?? 3);
    this.#storeConfig = options.storeConfig ?? {};
    const { placeOf = () => ({ host: '127.0.0.1' }), front = () => Promise.resolve() } = options;
    const places = new Map<string, Place>();
    this.#placeOf = (name) => {
      const place = places.get(name) ?? placeOf(name, this.dataDirOf(name));
      places.set(name, place);
      return place;
    };
    this.#front = front;
    this.allocNames = namesOf('alloc', options.allocs ?? 3);
  }

  /** Resolves once every section has an owner that serves, and every AllocSvr has a share. Leaves nothing behind when that fails. */
  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    const cluster = new TestCluster(options);
    try {
      await cluster.#layOut(options);
      await cluster.startAll();
      return cluster;
    } catch (error) {
      console.error(cluster.lastWords());
      await cluster.dispose();
      throw error;
    }
  }

  /** Everything but the processes: whoever calls brings the data, and starts them. */
  static async prepare(options: ClusterOptions = {}): Promise<TestCluster> {
    const cluster = new TestCluster(options);
    await cluster.#layOut(options);
    return cluster;
  }

  /** Founding stores and those that joined later, whether they run or not. */
  get storeNames(): readonly string[] {
    return this.#storeNames;
  }

  /** A store that is no member yet: it waits to be added. Returns where it listens. */
  async startJoiner(name: string): Promise<string> {
    const ports = await freePorts(4);
    const [api, peer] = [await this.#doorOf(name, ports), await this.#doorOf(name, ports.slice(2))];
    const founders = this.#founders;
    this.#storeNames.push(name);
    const own = { role: 'store', name, join: true, cluster: this.clusterId, dataDir: this.dataDirOf(name), members: founders };
    const addresses = { listen: api.listen, peerListen: peer.listen, advertise: api.address, peerAdvertise: peer.address };
    this.#add(name, api.address, { ...own, ...addresses, ...this.#storeConfig });
    await this.start(name);
    return api.address;
  }

  /** It is out of the cluster for good. */
  forget(name: string): void {
    if (this.isRunning(name)) throw new Error(`${name} still runs`);
    this.#storeNames.splice(this.#storeNames.indexOf(name), 1);
    this.#nodes.delete(name);
  }

  /** Of every node that runs: its process, and its name. */
  get pids(): ReadonlyMap<number, string> {
    return new Map(this.#running().map(({ pid, name }) => [pid ?? fail(`${name} has no process`), name]));
  }

  pidOf(name: string): number {
    return this.#node(name).pid ?? fail(`${name} does not run`);
  }

  dataDirOf(name: string): string {
    return join(this.#folder, name);
  }

  configOf(name: string): string {
    return join(this.#folder, `${name}.yaml`);
  }

  /** Changes the file of a node; it counts from its next start on. */
  editConfig(name: string, edit: (config: Record<string, unknown>) => object): void {
    const config = JSON.parse(readFileSync(this.configOf(name), 'utf8')) as Record<string, unknown>;
    writeFileSync(this.configOf(name), JSON.stringify(edit(config), undefined, 2));
  }

  isRunning(name: string): boolean {
    return this.#node(name).isRunning;
  }

  /** Waits until the process has ended by itself. Returns its exit code. */
  ended(name: string, limitMs: number): Promise<number> {
    return until(`${name} ends by itself`, limitMs, () => this.#node(name).exitCode);
  }

  /** Runs seqctl, or seqsvr: they are one program. Never throws for its exit code. */
  run(...args: readonly string[]): Promise<Ran> {
    return runProgram(args);
  }

  /** As run(), with a Ctrl-C after so many ms. */
  runInterrupted(afterMs: number, ...args: readonly string[]): Promise<Ran> {
    return runProgram(args, afterMs);
  }

  /** The endpoints of the running stores, as the command line takes them. */
  get storeEndpoints(): string {
    return this.#storeNames
      .filter((name) => this.isRunning(name))
      .map((name) => this.addressOf(name))
      .join(',');
  }

  /** Starts every node that is not running, and waits until the whole cluster serves. */
  async startAll(): Promise<void> {
    await Promise.all([...this.#nodes.values()].filter(({ isRunning }) => !isRunning).map((node) => node.start()));
    await this.untilServing();
  }

  start(name: string): Promise<void> {
    return this.#node(name).start();
  }

  /** kill -9. Resolves once the process is gone. */
  async kill(name: string): Promise<void> {
    await this.#node(name).stop('SIGKILL');
  }

  /** SIGTERM: a clean stop. Resolves with the exit code once the process is gone. */
  stop(name: string): Promise<number | string | null> {
    return this.#node(name).stop('SIGTERM');
  }

  /** Sends a signal and waits for nothing: SIGSTOP pauses the process, SIGCONT lets it go on. */
  signal(name: string, signal: NodeJS.Signals): void {
    process.kill(this.#node(name).pid ?? fail(`${name} does not run`), signal);
  }

  async killAll(): Promise<void> {
    await Promise.all(this.#running().map((node) => node.stop('SIGKILL')));
  }

  /** A clean stop of everything, AllocSvrs first. Returns what each process ended with: 0 when it was content. */
  async stopAll(): Promise<ReadonlyMap<string, number | string | null>> {
    const ends = new Map<string, number | string | null>();
    for (const names of [this.allocNames, this.storeNames]) {
      await Promise.all(names.map(async (name) => void ends.set(name, await this.#node(name).stop('SIGTERM'))));
    }
    return ends;
  }

  addressOf(name: string): string {
    return this.#addresses.get(name) ?? fail(`no node is called ${name}`);
  }

  /** Where clients begin. */
  get endpoints(): string[] {
    return this.allocNames.map((name) => this.addressOf(name));
  }

  /** The name of the store that leads now, as it says itself. */
  leader(): Promise<string> {
    return until('a store leads', LEADER_LIMIT_MS, async () => {
      const leading = await Promise.all(
        this.storeNames.map(async (name) => ({
          name,
          status: this.#node(name).isRunning ? await this.storeStatus(name).catch(() => undefined) : undefined,
        })),
      );
      const sorted = leading
        .filter(({ status }) => status?.raftRole === 'leader')
        .sort((one, other) => Number(other.status!.term - one.status!.term));
      return sorted[0]?.name;
    });
  }

  async storeStatus(name: string): Promise<StoreStatus> {
    const { role } = await this.#status(name);
    return role?.$case === 'store' ? role.value : fail(`${name} is no store`);
  }

  async allocStatus(name: string): Promise<AllocStatus> {
    const { role } = await this.#status(name);
    return role?.$case === 'alloc' ? role.value : fail(`${name} is no AllocSvr`);
  }

  /** The sections that a node owns, by the table that `teller` has. */
  async sectionsOf(owner: string, teller: string): Promise<SectionId[]> {
    const { routing } = await this.#pool
      .to(this.addressOf(teller))
      .call(RouteServiceService.getRoute, { setsVersion: 0n }, { timeoutMs: ASK_LIMIT_MS });
    const index = new RoutingIndex(tableFromWire(routing ?? fail(`${teller} has no table`)));
    const count = index.table.runs.reduce((sum, { sectionCount }) => sum + sectionCount, 0);
    return Array.from({ length: count }, (_, section) => section as SectionId).filter((section) => index.ownerOf(section).alloc?.id === owner);
  }

  /** Waits until every section has an owner and every running AllocSvr serves a share of them. */
  async untilServing(): Promise<void> {
    await until('every section has an owner and every AllocSvr has a share', SERVING_LIMIT_MS, async () => {
      const { unassignedCount } = await this.storeStatus(await this.leader());
      const running = this.allocNames.filter((name) => this.#node(name).isRunning);
      const statuses = await Promise.all(running.map((name) => this.allocStatus(name)));
      return (unassignedCount === 0 && statuses.every(({ isServing, sectionCount }) => isServing && sectionCount > 0)) || undefined;
    });
  }

  /** For a failed test: what each node said last. */
  lastWords(): string {
    return [...this.#nodes.values()].map((node) => `--- ${node.name} (pid ${node.pid})\n${node.lastWords(LOG_LINES_SHOWN)}`).join('\n');
  }

  /** What the last run of a node ended with; undefined while it runs, and before. */
  endOf(name: string): number | string | undefined {
    return this.#node(name).end;
  }

  /** The end of the log of the last run of a node. */
  lastLines(name: string, count: number): string {
    return this.#node(name).lastWords(count);
  }

  /** Whether the log of its last run tells of an event. */
  logHas(name: string, event: string): boolean {
    return readFileSync(this.logOf(name), 'utf8').includes(`"${event}"`);
  }

  /** The log of the last run of a node. */
  logOf(name: string): string {
    return this.#node(name).logFile;
  }

  /** A path in the cluster's folder, which goes with it. */
  path(name: string): string {
    return join(this.#folder, name);
  }

  /** Ends every process by its own pid and removes the data, unless `keep`: then it says where everything is. */
  async dispose({ keep = false } = {}): Promise<void> {
    await this.killAll();
    this.#pool.close();
    if (keep) console.error(`logs, data and history are in ${this.#folder}`);
    else rmSync(this.#folder, { recursive: true });
  }

  /** Three stores, and one supervisor 'alloc-1' with as many workers, each an AllocSvr: 'alloc-1-1' and so on. */
  static async startWorkers(options: Pick<ClusterOptions, 'storeConfig' | 'parentFolder'> & { readonly workers: number }): Promise<TestCluster> {
    const cluster = new TestCluster({ ...options, allocs: 1 });
    try {
      await cluster.#layOut({ ...options, allocConfig: { workers: options.workers } });
      const [host, port] = cluster.addressOf('alloc-1').split(':');
      for (let worker = 1; worker <= options.workers; worker += 1)
        cluster.#addresses.set(`alloc-1-${worker}`, `${host}:${Number(port) + worker - 1}`);
      await Promise.all([...cluster.#nodes.values()].map((node) => node.start()));
      await until('every section has an owner', SERVING_LIMIT_MS, async () => {
        const { unassignedCount } = await cluster.storeStatus(await cluster.leader());
        return unassignedCount === 0 || undefined;
      });
      return cluster;
    } catch (error) {
      console.error(cluster.lastWords());
      await cluster.dispose();
      throw error;
    }
  }

  /** Starts the stores and nothing else; whoever calls brings the load. */
  static async startStores(options: Omit<ClusterOptions, 'allocs' | 'allocConfig'> = {}): Promise<TestCluster> {
    const cluster = new TestCluster({ ...options, allocs: 0 });
    try {
      await cluster.#layOut(options);
      await Promise.all([...cluster.#nodes.values()].map((node) => node.start()));
      await cluster.leader();
      return cluster;
    } catch (error) {
      console.error(cluster.lastWords());
      await cluster.dispose();
      throw error;
    }
  }

  async #layOut({ storeConfig, allocConfig }: ClusterOptions): Promise<void> {
    const ports = await freePorts(this.storeNames.length * 4 + this.allocNames.length * 2);
    const doorOf = (name: string): Promise<Door> => this.#doorOf(name, ports.splice(0, 2));
    const cluster = this.clusterId;
    const doors = await Promise.all(this.storeNames.map(async (name) => ({ name, api: await doorOf(name), peer: await doorOf(name) })));
    const members = doors.map(({ name, api, peer }, at) => ({ id: at + 1, name, address: api.address, peerAddress: peer.address }));
    this.#founders = members;
    mkdirSync(join(this.#folder, 'logs'));
    for (const [at, { name, api, peer }] of doors.entries()) {
      const own = {
        role: 'store',
        name,
        cluster,
        nodeId: at + 1,
        dataDir: this.dataDirOf(name),
        listen: api.listen,
        peerListen: peer.listen,
        members,
      };
      this.#add(name, api.address, { ...own, ...storeConfig });
    }
    for (const name of this.allocNames) {
      const { address, listen } = await doorOf(name);
      this.#add(name, address, {
        role: 'alloc',
        name,
        listen,
        ...(address !== listen && { advertise: address }),
        dataDir: this.dataDirOf(name),
        stores: members.map(({ address }) => address),
        ...allocConfig,
      });
    }
  }

  /** Of the two ports the second is for what stands before the node, when something does. */
  async #doorOf(name: string, [port, frontPort]: readonly number[]): Promise<Door> {
    const { host, listenHost } = this.#placeOf(name);
    if (port === undefined || frontPort === undefined) return fail('a door takes two ports');
    if (listenHost === undefined) return { address: `${host}:${port}`, listen: `${host}:${port}` };
    await this.#front(name, { host, port: frontPort, targetHost: listenHost, targetPort: port });
    return { address: `${host}:${frontPort}`, listen: `${listenHost}:${port}` };
  }

  #add(name: string, address: string, config: object): void {
    const configFile = join(this.#folder, `${name}.yaml`);
    // JSON is YAML. Nodes in network namespaces listen where others reach them.
    writeFileSync(configFile, JSON.stringify({ insecure: true, ...config }, undefined, 2));
    this.#addresses.set(name, address);
    this.#nodes.set(name, new NodeProcess({ name, configFile, logFolder: join(this.#folder, 'logs'), ...this.#placeOf(name) }));
  }

  #status(name: string) {
    return this.#pool.to(this.addressOf(name)).call(AdminServiceService.getStatus, {}, { timeoutMs: ASK_LIMIT_MS });
  }

  #running(): NodeProcess[] {
    return [...this.#nodes.values()].filter(({ isRunning }) => isRunning);
  }

  #node(name: string): NodeProcess {
    return this.#nodes.get(name) ?? fail(`no node is called ${name}`);
  }
}

/** Where others dial a service of a node, and where the node listens for it. */
interface Door {
  readonly address: string;
  readonly listen: string;
}

function namesOf(role: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${role}-${at + 1}`);
}

function fail(message: string): never {
  throw new Error(message);
}

function runProgram(args: readonly string[], interruptAfterMs?: number): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [PROGRAM, ...args], { timeout: RUN_LIMIT_MS }, (error, stdout, stderr) => {
      clearTimeout(timer);
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
    // Not by execFile's own timeout: that throws away what comes after it.
    const timer = interruptAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGINT'), interruptAfterMs);
  });
}
