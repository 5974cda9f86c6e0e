import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../src/base/errors.js';
import type { SeededRandom } from '../unit/seeded-random.js';
import { TestCluster } from './cluster.js';
import { buildShim, FaultyDisk } from './faulty-disk.js';
import { LoopbackWires, NamespaceWires, type Wires } from './wires.js';
import { pause, until } from './until.js';

/** Shorter than what users get, so that leases end in little time; the arithmetic between the figures is the same. */
export const LEASE_MS = 2_000;
const TIMES = { lease: `${LEASE_MS}ms`, election: '400ms', heartbeat: '80ms', keepLogEntries: 200 };
const RENEW_EVERY = '400ms';
export const SECTIONS = 12;
export const UIDS_PER_SECTION = 100;
const WHOLE_LIMIT_MS = 60_000;
const LOOK_EVERY_MS = 200;
const LINES_LOOKED_AT = 20;
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';

/** What nemeses may ask of the machine. */
export type Need = 'namespaces' | 'proxy' | 'shim' | 'faketime' | 'cgroup' | 'prlimit';

/** A process that ended although nobody ended it. */
export interface Ending {
  readonly name: string;
  readonly end: string;
  readonly lastLine: string;
  /** It broke an invariant, or threw what no code expects. */
  readonly isBug: boolean;
}

export interface WorldOptions {
  readonly stores: number;
  readonly allocs: number;
  readonly needs: ReadonlySet<Need>;
  readonly inNamespaces: boolean;
}

/** A real cluster and all that can go wrong with it. Nodes that end by themselves are started again, as a service manager would, and noted. */
export class World {
  readonly cluster: TestCluster;
  readonly wires: Wires;
  readonly #folder: string;
  readonly #disks: ReadonlyMap<string, FaultyDisk>;
  readonly endings: Ending[] = [];
  /** Nodes that a nemesis has stopped, or is about to. */
  readonly #held = new Set<string>();
  readonly #guard: Promise<void>;
  #isEnding = false;
  #joiners: number;

  private constructor(parts: { cluster: TestCluster; wires: Wires; folder: string; disks: ReadonlyMap<string, FaultyDisk> }) {
    this.cluster = parts.cluster;
    this.wires = parts.wires;
    this.#folder = parts.folder;
    this.#disks = parts.disks;
    this.#joiners = parts.cluster.storeNames.length;
    this.#guard = this.#watchOver();
  }

  /** Resolves once the whole cluster serves. */
  static async start({ stores, allocs, needs, inNamespaces }: WorldOptions): Promise<World> {
    const folder = mkdtempSync(join(tmpdir(), 'seqsvr-test-'));
    const library = needs.has('shim') ? buildShim(folder) : undefined;
    const disks = new Map<string, FaultyDisk>();
    let pids = (): ReadonlyMap<number, string> => new Map();
    const wires = inNamespaces ? new NamespaceWires({ isProxied: needs.has('proxy') }) : new LoopbackWires(() => pids());
    try {
      const cluster = await TestCluster.start({
        stores,
        allocs,
        placeOf: (name, dataDir) => {
          const parts = [needs.has('faketime') ? clockEnv(folder, name) : {}];
          if (library !== undefined && name.startsWith('store')) {
            const disk = new FaultyDisk({ library, folder: join(folder, `disk-${name}`), dataDir });
            disks.set(name, disk);
            parts.push(disk.env);
          }
          return { ...wires.placeOf(name), env: merge(parts) };
        },
        front: (name, route) => wires.front(name, route),
        storeConfig: {
          geometry: { firstUid: 0, lastUid: SECTIONS * UIDS_PER_SECTION - 1, uidsPerSection: UIDS_PER_SECTION },
          raiseBy: 2_000,
          ...TIMES,
        },
        allocConfig: { renewEvery: RENEW_EVERY },
      });
      pids = () => cluster.pids;
      return new World({ cluster, wires, folder, disks });
    } catch (error) {
      wires.dispose();
      for (const disk of disks.values()) disk.close();
      rmSync(folder, { recursive: true });
      throw error;
    }
  }

  get stores(): readonly string[] {
    return this.cluster.storeNames;
  }

  get allocs(): readonly string[] {
    return this.cluster.allocNames;
  }

  get nodes(): readonly string[] {
    return [...this.stores, ...this.allocs];
  }

  /** Throws when this world has no faulty disks. */
  diskOf(store: string): FaultyDisk {
    const disk = this.#disks.get(store);
    if (disk === undefined) throw new Error(`${store} has no faulty disk`);
    return disk;
  }

  hasDisk(store: string): boolean {
    return this.#disks.has(store);
  }

  /** The name of a store that is none yet. */
  newStoreName(): string {
    this.#joiners += 1;
    return `store-${this.#joiners}`;
  }

  /** A random store: by chance the leader, else a follower. */
  async anyStore(random: SeededRandom): Promise<string> {
    const wantsLeader = random.chance(0.5);
    const leader = await this.cluster.leader();
    const followers = this.stores.filter((name) => name !== leader);
    const follower = random.pick(followers.length === 0 ? this.stores : followers);
    return wantsLeader ? leader : follower;
  }

  /** While `act` runs, these nodes are the nemesis's own to stop and to start. */
  async holding<Result>(names: readonly string[], act: () => Promise<Result>): Promise<Result> {
    for (const name of names) this.#held.add(name);
    try {
      return await act();
    } finally {
      for (const name of names) this.#held.delete(name);
    }
  }

  /** The wall clock of a node is off by so many seconds from now on. */
  setClock(name: string, seconds: number): void {
    writeFileSync(join(this.#folder, `clock-${name}`), offset(seconds));
  }

  /** Starts a node that may not want to: its first start can end with a storage error or a note of damage. */
  async revive(name: string, tries = 5): Promise<void> {
    for (let attempt = 1; !this.cluster.isRunning(name); attempt += 1) {
      try {
        await this.cluster.start(name);
      } catch (error) {
        if (attempt === tries)
          throw new Error(`${name} does not start: ${messageOf(error)}\n${this.cluster.lastLines(name, LINES_LOOKED_AT)}`, { cause: error });
      }
    }
  }

  /** A store that came up after its disk was in trouble: when it is quarantined, the operator's command makes it a new member. True when that was needed. */
  async mend(store: string): Promise<boolean> {
    const { quarantine } = await until(`${store} says how it is`, WHOLE_LIMIT_MS, () => this.cluster.storeStatus(store));
    if (quarantine === undefined) return false;
    await this.seqctl('member', 'replace', store, '--yes');
    return true;
  }

  /** A command of an operator that must work. It may meet an election, so it is given three times. */
  async seqctl(...args: readonly string[]): Promise<string> {
    for (let attempt = 1; ; attempt += 1) {
      const { code, stdout, stderr } = await this.cluster.run(...args, '-o', 'json', '--endpoints', this.cluster.storeEndpoints);
      if (code === 0) return stdout;
      if (attempt === 3) throw new Error(`seqctl ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`);
      await pause(1_000);
    }
  }

  /** Resolves once nothing is wrong: every node runs, every store is a voter that counts, every AllocSvr serves. Stores that are quarantined are replaced. */
  async untilWhole(): Promise<void> {
    let last = '';
    await until(`the cluster is whole`, WHOLE_LIMIT_MS, async () => {
      last = await this.#lacking();
      if (last !== '') throw new Error(last);
      return true;
    });
  }

  async dispose({ keep = false } = {}): Promise<void> {
    this.#isEnding = true;
    await this.#guard;
    await this.cluster.dispose({ keep });
    this.wires.dispose();
    for (const disk of this.#disks.values()) disk.close();
    rmSync(this.#folder, { recursive: true });
  }

  /** Nothing more is started again, so that what ends now is at its end. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  async #lacking(): Promise<string> {
    const down = this.nodes.filter((name) => !this.cluster.isRunning(name));
    if (down.length > 0) return `${down.join(', ')} does not run`;
    const leader = await this.cluster.leader();
    const { members, unassignedCount } = await this.cluster.storeStatus(leader);
    for (const name of this.stores) {
      const status = await this.cluster.storeStatus(name);
      if (status.quarantine !== undefined) await this.mend(name);
      const member = members.find((one) => one.name === name && one.nodeUuid === status.nodeUuid);
      if (member?.role !== 'voter') return `${name} is no voter: ${member?.role ?? 'no member'}`;
    }
    if (unassignedCount > 0) return `${unassignedCount} sections have no owner`;
    for (const name of this.allocs) if (!(await this.cluster.allocStatus(name)).isServing) return `${name} does not serve`;
    return '';
  }

  /** The service manager: starts again what ended by itself. */
  async #watchOver(): Promise<void> {
    while (!this.#isEnding) {
      for (const name of this.nodes) if (!this.#held.has(name) && !this.cluster.isRunning(name)) await this.#startAgain(name);
      await pause(LOOK_EVERY_MS);
    }
  }

  async #startAgain(name: string): Promise<void> {
    const lines = this.cluster.lastLines(name, LINES_LOOKED_AT);
    const isBug = /InvariantError|TypeError|RangeError|ReferenceError|unhandled/i.test(lines);
    this.endings.push({ name, end: String(this.cluster.endOf(name)), lastLine: lines.split('\n').at(-1) ?? '', isBug });
    await this.cluster.start(name).catch((error: unknown) => console.error(`      ${name} was started again, and ${messageOf(error)}`));
  }
}

/** Why the machine cannot give what is needed; undefined when it can. */
export function whyNotFaketime(): string | undefined {
  return existsSync(FAKETIME) ? undefined : 'the clock of a process cannot be faked here (package faketime)';
}

function clockEnv(folder: string, name: string): Record<string, string> {
  const file = join(folder, `clock-${name}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, offset(0));
  const steady = { DONT_FAKE_MONOTONIC: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
  return { LD_PRELOAD: FAKETIME, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1', ...steady };
}

/** Several libraries to load before, one after the other. */
function merge(parts: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const preloads = parts.flatMap(({ LD_PRELOAD }) => LD_PRELOAD ?? []);
  return { ...Object.assign({}, ...parts), ...(preloads.length > 0 && { LD_PRELOAD: preloads.join(':') }) } as Record<string, string>;
}

function offset(seconds: number): string {
  return `${seconds < 0 ? '' : '+'}${seconds}\n`;
}
