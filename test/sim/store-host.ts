import { SeqError } from '../../src/base/errors.js';
import { arbiterRole } from '../../src/cli/placement-port.js';
import type { LeaseTerms } from '../../src/model/lease.js';
import type { Geometry } from '../../src/model/geometry.js';
import { DamageError } from '../../src/store/damage.js';
import { drawJoinerId } from '../../src/store/data-dir.js';
import type { StoreEvent } from '../../src/store/events.js';
import type { ConfiguredMember } from '../../src/store/founding.js';
import { LevelStorage } from '../../src/store/level-storage.js';
import type { StoreNode } from '../../src/store/node.js';
import { QuarantineServer } from '../../src/store/quarantine-server.js';
import { StoreServer } from '../../src/store/server.js';
import { SimDisk } from './disk.js';
import type { SimNet } from './net.js';
import { type MachineClock, SimProcess } from './process.js';
import { type Listeners, simWire } from './wire.js';
import type { World } from './world.js';

export const CLUSTER_ID = '5e95eed0000000000000000000000001';
const BUILD = { version: 'sim', pid: 1 };

export interface StoreSettings {
  readonly geometry: Geometry;
  readonly lease: LeaseTerms;
  readonly raiseBy: bigint;
  readonly heartbeatMs: number;
  readonly electionMinMs: number;
  readonly keepLogEntries: number;
}

/** What hosts tell the run that they belong to. */
export interface Witness {
  onStoreEvent(host: StoreHost, event: StoreEvent): void;
  /** A process ended by itself. */
  onEnded(name: string, error: unknown): void;
  /** Something happened that no fault explains. */
  onBug(name: string, error: unknown): void;
}

/** One machine with a StoreSvr on it: the real server on its own disk and clock, run after run. */
export class StoreHost {
  readonly name: string;
  readonly nodeId: number;
  readonly disk: SimDisk;
  readonly machine: MachineClock;
  process: SimProcess | undefined;
  server: StoreServer | undefined;
  /** It comes as a joiner, whatever founded the cluster. */
  joins = false;
  isUpgraded = false;
  isRemoved = false;
  /** Its data was hurt, or its disk lies, and it has not shown since that it is a good member. */
  isSuspect = false;
  readonly #world: World;
  readonly #net: SimNet;
  readonly #listeners: Listeners;
  readonly #settings: StoreSettings;
  readonly #members: readonly ConfiguredMember[];
  readonly #witness: Witness;

  constructor(options: {
    readonly name: string;
    readonly nodeId: number;
    readonly machine: MachineClock;
    readonly world: World;
    readonly net: SimNet;
    readonly listeners: Listeners;
    readonly settings: StoreSettings;
    readonly members: readonly ConfiguredMember[];
    readonly witness: Witness;
  }) {
    this.name = options.name;
    this.nodeId = options.nodeId;
    this.machine = options.machine;
    this.#world = options.world;
    this.#net = options.net;
    this.#listeners = options.listeners;
    this.#settings = options.settings;
    this.#members = options.members;
    this.#witness = options.witness;
    this.disk = new SimDisk(options.world.fork());
  }

  get address(): string {
    return `${this.name}:1`;
  }

  get peerAddress(): string {
    return `${this.name}:2`;
  }

  /** Undefined while it is down or quarantined. */
  get node(): StoreNode | undefined {
    return this.process?.isAlive === true ? this.server?.node : undefined;
  }

  get isUp(): boolean {
    return this.process?.isAlive === true;
  }

  /** Starts a process; what it does goes on in the world's time. */
  start(): void {
    if (this.isUp) return;
    const process = new SimProcess({ name: this.name, host: this.name, world: this.#world, machine: this.machine });
    this.process = process;
    this.server = undefined;
    process.onEnd(() => this.disk.processEnded());
    process.due(1, 'start', false, () => {
      this.#serve(process).catch((error: unknown) => this.#ended(process, error));
    });
  }

  /** As SIGKILL. */
  kill(): void {
    this.process?.kill();
  }

  /** The machine loses its power. Returns how many acknowledged writes its disk lost. */
  powerLoss(): number {
    const lostCount = this.disk.powerLost();
    this.process?.kill();
    return lostCount;
  }

  async #serve(process: SimProcess): Promise<void> {
    const { quarantine } = this.disk;
    if (quarantine !== undefined) return this.#serveQuarantined(process);
    const { random } = process;
    const nodeId = this.joins ? drawJoinerId(random) : this.nodeId;
    const dataDir = this.disk.dataDir({ clusterId: CLUSTER_ID, nodeId, nodeUuid: random.id128() });
    const { identity } = dataDir;
    const begin = this.joins ? ({ type: 'joining' } as const) : ({ type: 'founding', voters: this.#members.map(({ id }) => id) } as const);
    const onFatal = (error: unknown): void => this.#ended(process, error);
    const opened = await LevelStorage.open(dataDir, begin, onFatal, this.disk.mountedBy(process));
    if (!process.isAlive) return;
    const { geometry, lease, raiseBy, heartbeatMs, electionMinMs, keepLogEntries } = this.#settings;
    const server = await StoreServer.serve(
      {
        name: this.name,
        listen: this.address,
        peerListen: this.peerAddress,
        advertise: this.address,
        peerAdvertise: this.peerAddress,
        members: this.#members,
        bootstrap: { geometry, lease, raiseBy },
        heartbeatMs,
        electionMinMs,
        keepLogEntries,
        build: BUILD,
        makeArbiter: (node) => arbiterRole(node, { clock: process.clock, onFatal }),
        clock: process.clock,
        wire: simWire(process, this.#net, this.#listeners, this),
        random,
        observe: (event) => this.#witness.onStoreEvent(this, event),
        onFatal,
        onRemoved: () => {
          this.isRemoved = true;
          this.#ended(process, new SeqError('PERMISSION_DENIED', `${this.name} was removed`));
        },
      },
      identity,
      opened,
    );
    if (process.isAlive) this.server = server;
  }

  async #serveQuarantined(process: SimProcess): Promise<void> {
    const { quarantine, identity } = this.disk;
    if (quarantine === undefined) return;
    const server = await QuarantineServer.start({
      name: this.name,
      clusterId: CLUSTER_ID,
      identity,
      quarantine,
      listen: this.address,
      advertise: this.address,
      peerAdvertise: this.peerAddress,
      build: BUILD,
      clock: process.clock,
      wire: simWire(process, this.#net, this.#listeners, this),
      setAside: () => {
        this.disk.wipe('put aside');
        this.joins = true;
        return Promise.resolve('aside');
      },
      onFatal: (error) => this.#ended(process, error),
    });
    void server.rejoined.then(async () => {
      await server.stop();
      if (process.isAlive) await this.#serve(process);
    });
  }

  /** The process ends, as main would let it: damage is noted first. A broken invariant is a bug whatever came before. */
  #ended(process: SimProcess, error: unknown): void {
    if (!process.isAlive) return;
    if (error instanceof DamageError && this.disk.quarantine === undefined) {
      this.disk.quarantine = { reason: error.message, sinceUnixMs: Math.floor(process.clock.wallMs()) };
      if (this.disk.injuries.length === 0) this.#witness.onBug(this.name, error);
    } else if (!(error instanceof SeqError) && !(error instanceof DamageError) && !isDiskError(error)) {
      this.#witness.onBug(this.name, error);
    }
    this.#witness.onEnded(this.name, error);
    process.kill();
  }
}

function isDiskError(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('IO error: ');
}
