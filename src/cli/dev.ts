import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Clock, sleep, systemClock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import { quietGrpc } from '../rpc/server.js';
import { StoreClient } from '../store/client.js';
import type { ChildSpec } from './child.js';
import { checkData, makeFolder, withData } from './dev-data.js';
import { readyText, toldOf } from './dev-words.js';
import {
  type ClusterRecord,
  checkPort,
  checkStores,
  configOf,
  DEFAULT_PORT,
  DEFAULT_STORES,
  type DevNode,
  HTTP_DOOR,
  httpOf,
  layOut,
  newRecord,
  type PortSlot,
  parseRecord,
  portSlotsOf,
} from './dev-layout.js';
import { DeathReports } from './death-reports.js';
import { requireDependencies } from './dependency-floors.js';
import { waitUntilServing } from './dev-ready.js';
import { EXIT } from './exit.js';
import { anyFreePort, FrontDoor, isPortFree } from './front-door.js';
import type { Output } from './output.js';
import { isAlive, PidFile, type ProcessMark } from './pid-file.js';
import { listenForQuit } from './quit.js';
import { Supervisor } from './supervisor.js';

export interface DevOptions {
  readonly data: string;
  /** 0: any free port. */
  readonly port: number;
  /** Undefined: as many as the data has. */
  readonly stores: number | undefined;
  readonly allocs: number;
  readonly restart: boolean;
}

/** How long children of a supervisor that was killed may take to notice, in ms, before they are killed too. */
const ORPHANS_LIMIT_MS = 3_000;
const ORPHANS_CHECK_EVERY_MS = 50;
/** How often the kernel is asked again for any free port. */
const ANY_PORT_RETRIES_MAX = 20;

/**
 * `seqsvr dev`: a whole cluster on loopback until Ctrl-C. Throws before anything runs, or after stopping what ran.
 * What it is asked for is checked, and its port taken, BEFORE it makes a folder: a refused start leaves nothing behind.
 */
export async function dev(asked: DevOptions, output: Output): Promise<number> {
  quietGrpc();
  requireDependencies();
  checkPort(asked.port);
  const options = { ...asked, data: checkData(asked.data) };
  const pidPath = join(options.data, 'pid');
  // A twin is named as such: without this look its port would be what is in the way.
  withData(asked.data, () => PidFile.refuseTwin(pidPath));
  layOut({ stores: recordOf(options).stores, allocs: options.allocs });
  // The door's port decides the ports of the nodes, and the door asks the supervisor which of them serve.
  const serving: Serving = { ports: () => [] };
  const door = await FrontDoor.open({ port: options.port, clock: systemClock, targets: () => serving.ports() });
  try {
    withData(asked.data, () => makeFolder(options.data));
    const pidFile = withData(asked.data, () => PidFile.acquire(pidPath));
    try {
      await outliveOrphans(pidFile.orphans, systemClock);
      await run(options, { serving, door, pidFile, output });
    } finally {
      pidFile.release();
    }
    return EXIT.ok;
  } finally {
    await door.close();
  }
}

interface Serving {
  /** Of the AllocSvrs that serve now. */
  ports: () => readonly number[];
}

async function run(
  options: DevOptions,
  { serving, door, pidFile, output }: { readonly serving: Serving; readonly door: FrontDoor; readonly pidFile: PidFile; readonly output: Output },
): Promise<void> {
  const clock = systemClock;
  // Read once more: another start may have made the cluster and ended before the pid file was ours.
  const record = recordOf(options);
  const nodes = layOut({ stores: record.stores, allocs: options.allocs });
  const basePort = options.port === 0 ? DEFAULT_PORT : options.port;
  const ports = await choosePorts(portSlotsOf(nodes, { ports: record.ports, basePort }));
  const stores = nodes.filter(({ role }) => role === 'store').map(({ name }) => `127.0.0.1:${ports[name]}`);
  // In a cluster that is there to be tried, what the logs say is enough.
  const reports = new DeathReports({ store: new StoreClient({ endpoints: stores, clock, random: systemRandom }), clock, observe: () => undefined });
  const supervisor = new Supervisor({
    specs: writeConfigs({ ...record, ports: { ...record.ports, ...ports } }, nodes, options.data),
    program: fileURLToPath(new URL('main.js', import.meta.url)),
    restart: options.restart,
    clock,
    random: systemRandom,
    observe: (event) => {
      output.out(`${toldOf(event)}\n`);
      if (event.type === 'gone' && event.child.spec.role === 'alloc') void reports.report(event.child, event.how);
    },
    onPids: (pids) => pidFile.setChildren(pids),
  });
  const portsOf = (listenerOf: (alloc: string) => string): number[] =>
    supervisor.serving('alloc').map(({ spec }) => ports[listenerOf(spec.name)] ?? 0);
  serving.ports = () => portsOf((alloc) => alloc);
  const httpDoor = await FrontDoor.open({ port: ports[HTTP_DOOR] ?? 0, clock, targets: () => portsOf(httpOf) });
  output.out(`starting ${record.stores} stores and ${options.allocs} AllocSvrs on ${options.data}\n`);
  try {
    await superviseUntilAsked({ supervisor, ports, clock, pidFile, output }, () =>
      readyText({ supervisor, ports, doorPort: door.port, httpPort: httpDoor.port, dataDir: options.data, restart: options.restart }),
    );
  } finally {
    await httpDoor.close();
    reports.close();
  }
}

interface Scene {
  readonly supervisor: Supervisor;
  readonly ports: Readonly<Record<string, number>>;
  readonly clock: Clock;
  readonly pidFile: PidFile;
  readonly output: Output;
}

/** Starts the nodes, waits for the wish to end, stops them. Throws what kept them from serving, after stopping what ran. */
async function superviseUntilAsked({ supervisor, ports, clock, pidFile, output }: Scene, whatToTell: () => string): Promise<void> {
  const giveUp = new AbortController();
  const cut = (): never => {
    supervisor.cut();
    pidFile.release();
    process.exit(EXIT.interrupted);
  };
  const quit = listenForQuit({ clock, onSecond: cut });
  const startUp = async (): Promise<string> => {
    await supervisor.start('store');
    await supervisor.start('alloc');
    const allocs = supervisor.serving('alloc').map(({ spec }) => ({ name: spec.name, address: `127.0.0.1:${ports[spec.name]}` }));
    await waitUntilServing(allocs, clock, giveUp.signal);
    output.out(whatToTell());
    return quit.asked;
  };
  try {
    // Who wants to end while it starts need not wait until it serves.
    const reason = await Promise.race([startUp(), quit.asked]);
    output.out(`stopping (${reason}): AllocSvrs give their sections back, then the stores end; once more to cut\n`);
  } finally {
    giveUp.abort();
    await supervisor.stop();
    quit.dispose();
  }
}

/** What the data remembers, or a new cluster. Throws INVALID_ARGUMENT when it cannot be what was asked for. */
function recordOf(options: DevOptions): ClusterRecord {
  const file = join(options.data, 'cluster.json');
  if (!existsSync(file)) return newRecord({ clusterId: systemRandom.id128(), stores: options.stores ?? DEFAULT_STORES });
  const text = withData(options.data, () => readFileSync(file, 'utf8'));
  const record = parseRecord(text, file);
  checkStores(record, options.stores);
  return record;
}

/** The first free candidate of each listener, none twice. Throws UNAVAILABLE when a listener gets none. */
async function choosePorts(slots: readonly PortSlot[]): Promise<Record<string, number>> {
  const chosen: Record<string, number> = {};
  const taken = new Set<number>();
  for (const { listener, candidates } of slots) {
    // The kernel may name a port that was chosen a moment ago, for nobody holds it yet: so it is asked more than once.
    const tries = [...candidates, ...Array.from({ length: ANY_PORT_RETRIES_MAX }, () => 0)];
    for (const candidate of tries) {
      const port = candidate === 0 ? await anyFreePort() : candidate;
      if (taken.has(port) || !(await isPortFree(port))) continue;
      chosen[listener] = port;
      taken.add(port);
      break;
    }
    if (chosen[listener] === undefined) throw new SeqError('UNAVAILABLE', `no free port for ${listener} in ${tries.length} attempts`);
  }
  return chosen;
}

/**
 * Writes cluster.json and every node's config file. The id reaches the disk BEFORE any node uses it, and before the
 * folders are made: a folder without cluster.json is not taken for ours.
 */
function writeConfigs(record: ClusterRecord, nodes: readonly DevNode[], dataDir: string): ChildSpec[] {
  const file = join(dataDir, 'cluster.json');
  writeFileSync(`${file}.new`, `${JSON.stringify(record, null, 2)}\n`, { flush: true });
  renameSync(`${file}.new`, file);
  for (const folder of ['config', 'logs']) mkdirSync(join(dataDir, folder), { recursive: true });
  return nodes.map((node) => {
    const configFile = join(dataDir, 'config', `${node.name}.yaml`);
    writeFileSync(configFile, configOf(node, { record, nodes, ports: record.ports, dataDir: join(dataDir, node.name) }));
    return { ...node, configFile, logFile: join(dataDir, 'logs', `${node.name}.log`) };
  });
}

/** Children end by themselves when their supervisor is killed; one that was paused then cannot, and holds its files. */
async function outliveOrphans(orphans: readonly ProcessMark[], clock: Clock): Promise<void> {
  await untilGone(orphans, clock);
  // Without a start time a pid might be anybody's by now.
  const stuck = orphans.filter((orphan) => orphan.startedAt !== '' && isAlive(orphan));
  for (const { pid } of stuck) process.kill(pid, 'SIGKILL');
  // Even a killed process holds its ports and its lock until it is gone.
  await untilGone(stuck, clock);
}

async function untilGone(marks: readonly ProcessMark[], clock: Clock): Promise<void> {
  const endMs = clock.nowMs() + ORPHANS_LIMIT_MS;
  while (marks.some(isAlive) && clock.nowMs() < endMs) await sleep(clock, ORPHANS_CHECK_EVERY_MS);
}
