import type { AllocEvent } from '../../src/alloc/events.js';
import { SeqError } from '../../src/base/errors.js';
import { parseAllocId } from '../../src/model/ids.js';
import { StoreClient } from '../../src/store/client.js';
import type { StoreEvent } from '../../src/store/events.js';
import type { StoreNode } from '../../src/store/node.js';
import type { Operation } from '../../src/verify/operation.js';
import { AllocHost } from './alloc-host.js';
import { ClientHost, Recorder } from './client-host.js';
import { SimNet } from './net.js';
import type { SimOptions } from './options.js';
import { MachineClock, SimProcess } from './process.js';
import { StoreHost, type Witness } from './store-host.js';
import { type Listeners, simWire } from './wire.js';
import { World } from './world.js';

/** How long a supervisor takes to start a process again, in ms. */
const RESTART_MS = 200;
/** How often an operator looks for stores to replace, in ms. */
const OPERATOR_EVERY_MS = 5_000;
/** Joiners that may come later. */
const SPARE_STORES = 2;

export interface ClusterListener {
  onBug(name: string, error: unknown): void;
  onOperation(operation: Operation): void;
  /** What a product process said. */
  onEvent(name: string, event: StoreEvent | AllocEvent): void;
  /** For the counters that show which situations a run has reached. */
  onSituation(name: string): void;
}

/** A whole simulated site: StoreSvrs, AllocSvrs and clients, each the real one, on machines of one world. */
export class SimCluster implements Witness {
  readonly world: World;
  readonly net: SimNet;
  readonly options: SimOptions;
  readonly stores: readonly StoreHost[];
  readonly allocs: readonly AllocHost[];
  readonly clients: ClientHost[] = [];
  readonly recorder: Recorder;
  readonly uids: readonly bigint[];
  /** Where operators sit. */
  readonly desk: SimProcess;
  readonly #listeners: Listeners = new Map();
  readonly #listener: ClusterListener;
  /** Uids that are still to be served before a run goes on; clients see to them first. */
  readonly wanted = new Set<bigint>();
  /** Operators have paused the arbiter, and not yet said that it goes on. */
  mayPauseArbiter = false;
  /** Hosts that are to stay down. */
  readonly keptDown = new Set<string>();

  constructor(options: SimOptions, listener: ClusterListener) {
    this.options = options;
    this.#listener = listener;
    this.world = new World(options.seed);
    this.net = new SimNet(this.world);
    this.recorder = new Recorder(this.world, (operation) => listener.onOperation(operation));
    this.net.onUnheard = (sentMs, path, request) => this.recorder.unheard(sentMs, path, request);
    this.uids = uidsOf(options);
    this.stores = this.#makeStores();
    this.allocs = this.#makeAllocs();
    const machine = new MachineClock(this.world, { rate: 1, wallOffMs: 0 });
    this.desk = new SimProcess({ name: 'desk', host: 'desk', world: this.world, machine });
  }

  /** The founders that vote from the beginning. */
  get founders(): readonly StoreHost[] {
    return this.stores.slice(0, this.options.storeCount);
  }

  /** Everything but the clients starts. */
  start(): void {
    for (const store of this.founders) store.start();
    for (const alloc of this.allocs) alloc.start();
    this.#keepRunning();
    this.#operate();
  }

  startClients(): void {
    const endpoints = [...this.allocs, ...this.stores].map(({ address }) => address);
    for (let number = 1; number <= this.options.clientCount; number++) {
      this.clients.push(
        new ClientHost({
          name: `c${number}`,
          world: this.world,
          machine: new MachineClock(this.world, { rate: 1, wallOffMs: 0 }),
          net: this.net,
          listeners: this.#listeners,
          endpoints,
          options: this.options,
          uids: this.uids,
          wanted: this.wanted,
          recorder: this.recorder,
          onBug: (name, error) => this.onBug(name, error),
        }),
      );
    }
  }

  /** The StoreSvr that leads and may answer, if one does. */
  get leader(): StoreNode | undefined {
    let found: StoreNode | undefined;
    for (const { node, process } of this.stores) {
      if (node?.isLeading === true && process?.isPaused === false && (found === undefined || node.raft.term > found.raft.term)) found = node;
    }
    return found;
  }

  /** An operator's request to whoever leads; refused or unanswered, it is given up. */
  ask(what: string, act: (leader: StoreNode) => Promise<unknown>): void {
    const { leader } = this;
    if (leader === undefined) return;
    this.world.note(`ask ${what}`);
    act(leader).catch((error: unknown) => {
      if (!(error instanceof SeqError)) this.onBug('desk', error);
    });
  }

  /** A parent that saw its child end says so. */
  reportDeath({ name, incarnation }: AllocHost): void {
    if (incarnation === undefined) return;
    const { clock, random } = this.desk;
    const wire = simWire(this.desk, this.net, this.#listeners, { isUpgraded: false });
    const store = new StoreClient({ endpoints: this.stores.map(({ address }) => address), clock, random, wire });
    store.reportDeath({ allocId: parseAllocId(name), incarnation, reason: 'simulated' }, { timeoutMs: 10_000 }).then(
      () => store.close(),
      (error: unknown) => {
        store.close();
        if (!(error instanceof SeqError)) this.onBug('desk', error);
      },
    );
  }

  /** Puts what is quarantined aside and lets the node come back as a new member; what operators do with `seqctl member replace`. */
  replaceDamaged(): void {
    for (const host of this.stores) {
      if (host.disk.quarantine !== undefined && !this.keptDown.has(host.name)) {
        host.kill();
        host.disk.wipe('put aside');
        host.joins = true;
      }
      const { identity } = host.disk;
      const member = this.leader?.state.members.find(({ name }) => name === host.name);
      if (!host.joins || identity === undefined || !host.isUp || host.node === undefined) continue;
      const isMember = this.leader?.state.members.some(({ nodeUuid }) => nodeUuid === identity.nodeUuid) === true;
      if (isMember || (member === undefined && host.isRemoved)) continue;
      const { name, peerAddress, address } = host;
      const joiner = { id: identity.nodeId, name, nodeUuid: identity.nodeUuid, peerAddress, address, isLearner: false, replacesId: member?.id };
      this.ask(`add ${name}`, (leader) => leader.members.add(joiner));
    }
  }

  /** Down for a while; then the supervisor starts it again. False: it is down already. */
  down(host: StoreHost | AllocHost, forMs: number, end: () => void): boolean {
    const { keptDown, world } = this;
    if (!host.isUp || keptDown.has(host.name)) return false;
    keptDown.add(host.name);
    world.after(forMs, `${host.name} may start again`, () => keptDown.delete(host.name));
    end();
    return true;
  }

  setArbiterPaused(isPaused: boolean): void {
    const policy = this.leader?.state.cluster?.policy;
    if (policy === undefined || policy.isPaused === isPaused) return;
    this.ask('policy', (leader) => leader.propose({ type: 'setPolicy', policy: { ...policy, isPaused }, reason: 'operator', atMs: 0 }));
  }

  onStoreEvent(host: StoreHost, event: StoreEvent): void {
    this.#listener.onEvent(host.name, event);
    this.#listener.onSituation(`store.${event.type}`);
  }

  onAllocEvent(host: AllocHost, event: AllocEvent): void {
    this.#listener.onEvent(host.name, event);
    this.#listener.onSituation(`alloc.${event.type}`);
  }

  onEnded(name: string, error: unknown): void {
    this.world.note(`${name} ended`);
    const what = error instanceof SeqError ? error.code : error instanceof Error ? error.name : 'unknown';
    this.#listener.onSituation(`ended.${name.startsWith('s') ? 'store' : 'alloc'}.${what}`);
  }

  onBug(name: string, error: unknown): void {
    this.#listener.onBug(name, error);
  }

  /** Whoever is down and is not to stay so is started again. */
  #keepRunning(): void {
    this.world.after(RESTART_MS, 'supervisor', () => {
      const members = this.stores.filter((host, place) => place < this.options.storeCount || host.joins);
      for (const host of [...members, ...this.allocs]) {
        if (!host.isUp && !this.keptDown.has(host.name) && !('isRemoved' in host && host.isRemoved)) host.start();
      }
      this.#keepRunning();
    });
  }

  #operate(): void {
    this.world.after(OPERATOR_EVERY_MS, 'operator', () => {
      this.replaceDamaged();
      if (!this.mayPauseArbiter) this.setArbiterPaused(false);
      for (const host of this.stores) if (host.isSuspect && !host.disk.isLying && this.#isSound(host)) host.isSuspect = false;
      this.#operate();
    });
  }

  /** A voter that has all that the leader has committed a moment ago. */
  #isSound({ node, disk }: StoreHost): boolean {
    const { leader } = this;
    if (node === undefined || leader === undefined || disk.quarantine !== undefined) return false;
    const isVoter = leader.raft.confState.voters.includes(node.identity.nodeId);
    return isVoter && node.raft.term === leader.raft.term && node.raft.log.appliedIndex >= leader.raft.log.commitIndex - 1;
  }

  #makeStores(): StoreHost[] {
    const { options, world, net } = this;
    const { storeCount, sectionCount, uidsPerSection, leaseMs, driftPpm, marginMs, raiseBy, heartbeatMs, electionMinMs, keepLogEntries } = options;
    const geometry = { firstUid: 0n, lastUid: BigInt(sectionCount) * BigInt(uidsPerSection) - 1n, uidsPerSection };
    const lease = { leaseMs, driftPpm, marginMs };
    const settings = { geometry, lease, raiseBy: BigInt(raiseBy), heartbeatMs, electionMinMs, keepLogEntries };
    const members = Array.from({ length: storeCount }, (_, place) => ({
      id: place + 1,
      name: `s${place + 1}`,
      peerAddress: `s${place + 1}:2`,
      address: `s${place + 1}:1`,
    }));
    return Array.from({ length: storeCount + SPARE_STORES }, (_, place) => {
      const host = new StoreHost({
        name: `s${place + 1}`,
        nodeId: place + 1,
        machine: this.#machine(),
        world,
        net,
        listeners: this.#listeners,
        settings,
        members,
        witness: this,
      });
      host.disk.pace = { minMs: 0.05, meanMs: options.diskMs };
      return host;
    });
  }

  #makeAllocs(): AllocHost[] {
    const { allocCount, renewEveryMs, raiseAheadMs } = this.options;
    // Operators keep the configuration up to date: whoever may ever be a member is in it.
    const stores = this.stores.map(({ address }) => address);
    return Array.from({ length: allocCount }, (_, place) => {
      const zone = place % 2 === 0 ? 'north' : 'south';
      const parts = { zone, stores, renewEveryMs, raiseAheadMs, world: this.world, net: this.net, listeners: this.#listeners, witness: this };
      return new AllocHost(`a${place + 1}`, this.#machine(), parts);
    });
  }

  /** Rates lie anywhere within what the seed allows, dates within a few minutes. */
  #machine(): MachineClock {
    const random = this.world.fork();
    const ppm = random.below(2 * this.options.skewPpm + 1) - this.options.skewPpm;
    return new MachineClock(this.world, { rate: 1 + ppm / 1e6, wallOffMs: random.below(600_000) - 300_000 });
  }
}

function uidsOf({ uidCount, sectionCount, uidsPerSection }: SimOptions): readonly bigint[] {
  const all = sectionCount * uidsPerSection;
  return Array.from({ length: uidCount }, (_, place) => BigInt(Math.floor((place * all) / uidCount)));
}
