import type { AllocEvent } from '../../src/alloc/events.js';
import type { SavedCounters } from '../../src/alloc/handover.js';
import type { AllocNode } from '../../src/alloc/node.js';
import type { SealedCounters } from '../../src/alloc/sealed-counters.js';
import { AllocServer } from '../../src/alloc/server.js';
import { SeqError } from '../../src/base/errors.js';
import { type Incarnation, parseIncarnation } from '../../src/model/ids.js';
import type { SimNet } from './net.js';
import { type MachineClock, SimProcess } from './process.js';
import { type Listeners, simWire } from './wire.js';
import type { World } from './world.js';

export interface AllocWitness {
  onAllocEvent(host: AllocHost, event: AllocEvent): void;
  onEnded(name: string, error: unknown): void;
  onBug(name: string, error: unknown): void;
}

/** One machine with an AllocSvr on it: the real server, run after run. */
export class AllocHost implements SavedCounters {
  readonly name: string;
  readonly machine: MachineClock;
  process: SimProcess | undefined;
  server: AllocServer | undefined;
  /** Of the run that is or was last. */
  incarnation: Incarnation | undefined;
  isUpgraded = false;
  isDraining = false;
  #saved: { readonly counters: readonly SealedCounters[]; readonly clusterId: string } | undefined;
  readonly #options: {
    readonly zone: string;
    readonly stores: readonly string[];
    readonly renewEveryMs: number;
    readonly raiseAheadMs: number;
    readonly world: World;
    readonly net: SimNet;
    readonly listeners: Listeners;
    readonly witness: AllocWitness;
  };

  constructor(name: string, machine: MachineClock, options: AllocHost['options']) {
    this.name = name;
    this.machine = machine;
    this.#options = options;
  }

  get options() {
    return this.#options;
  }

  get address(): string {
    return `${this.name}:1`;
  }

  get isUp(): boolean {
    return this.process?.isAlive === true;
  }

  /** Undefined while it is down or has not registered. */
  get node(): AllocNode | undefined {
    return this.isUp ? this.server?.node : undefined;
  }

  start(): void {
    if (this.isUp) return;
    const { world, net, listeners, zone, stores, renewEveryMs, raiseAheadMs, witness } = this.#options;
    const process = new SimProcess({ name: this.name, host: this.name, world, machine: this.machine });
    this.process = process;
    this.server = undefined;
    this.isDraining = false;
    const incarnation = parseIncarnation(process.random.id128());
    this.incarnation = incarnation;
    const onFatal = (error: unknown): void => this.#ended(process, error);
    process.due(1, 'start', false, () => {
      AllocServer.start({
        id: this.name,
        listen: this.address,
        zone,
        stores,
        saved: this,
        incarnation,
        renewEveryMs,
        raiseAheadMs,
        clock: process.clock,
        wire: simWire(process, net, listeners, this),
        random: process.random,
        observe: (event) => witness.onAllocEvent(this, event),
        onFatal,
        version: 'sim',
      }).then((server) => {
        if (process.isAlive) this.server = server;
      }, onFatal);
    });
  }

  kill(): void {
    this.process?.kill();
  }

  /** As SIGTERM: hands over, then ends. */
  drain(): void {
    const { process, server } = this;
    if (process === undefined || server === undefined || this.isDraining) return this.kill();
    this.isDraining = true;
    process.due(0, 'SIGTERM', true, () => {
      server.drainAndStop().then(
        () => process.kill(),
        (error: unknown) => this.#ended(process, error),
      );
    });
  }

  save(counters: readonly SealedCounters[], clusterId: string): Promise<number> {
    this.#saved = { counters: [...counters], clusterId };
    return Promise.resolve(counters.length);
  }

  load({ clusterId }: { readonly clusterId: string }): Promise<readonly SealedCounters[] | { readonly refused: string }> {
    const saved = this.#saved;
    if (saved === undefined) return Promise.resolve([]);
    return Promise.resolve(saved.clusterId === clusterId ? saved.counters : { refused: 'of another cluster' });
  }

  remove(): Promise<undefined> {
    this.#saved = undefined;
    return Promise.resolve(undefined);
  }

  #ended(process: SimProcess, error: unknown): void {
    if (!process.isAlive) return;
    if (!(error instanceof SeqError)) this.#options.witness.onBug(this.name, error);
    this.#options.witness.onEnded(this.name, error);
    process.kill();
  }
}
