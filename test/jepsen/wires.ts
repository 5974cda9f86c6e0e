import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '../project-root.js';
import type { Place } from './cluster.js';
import { Network } from './network.js';
import { Proxy, type ProxyCounts, type ProxyFaults, type ProxyRoute, type Way } from './proxy.js';
import type { ProxyAnswer, ProxyOrder } from './proxy-main.js';
import { SourceFinder } from './source-finder.js';

/** Where the test and its clients are. */
export const OUTSIDE = 'outside';

/** All connections of a cluster, and what can be wrong with them. Faults add up until they are healed. */
export interface Wires {
  readonly kind: 'namespaces' | 'loopback';
  placeOf(name: string): Place;
  /** Opens what stands before a node: connections to `route` reach it. */
  front(name: string, route: ProxyRoute): Promise<void>;
  /** Nothing passes these ways any more, and neither end hears of it. */
  cut(ways: readonly Way[]): Promise<void>;
  /** So many percent of the packets of a node are lost. Only where `kind` is 'namespaces'. */
  lose(name: string, percent: number): void;
  /** What is wrong with the connections that come to a node. */
  disturb(name: string, faults: Omit<ProxyFaults, 'held'>): Promise<void>;
  /** Heals everything. */
  heal(): Promise<void>;
  /** Since the start. */
  counts(): Promise<WireCounts>;
  dispose(): void;
}

/** `cut`, `lost`: packets, or pieces that were taken in and held. `ended`: connections cut in the middle of a message. */
export interface WireCounts {
  readonly cut: number;
  readonly lost: number;
  readonly delayed: number;
  readonly ended: number;
}

/** A place of its own for each node, in network namespaces. With `proxied`, a proxy stands in each of them. */
export class NamespaceWires implements Wires {
  readonly kind = 'namespaces';
  readonly #network = Network.create([]);
  readonly #proxies = new Map<string, RemoteProxy>();
  readonly #names: string[] = [];
  readonly #isProxied: boolean;

  constructor({ isProxied }: { readonly isProxied: boolean }) {
    this.#isProxied = isProxied;
  }

  placeOf(name: string): Place {
    if (!this.#network.has(name)) {
      this.#network.add(name);
      this.#names.push(name);
    }
    return { host: this.#network.hostOf(name), prefix: this.#network.prefixOf(name), ...(this.#isProxied && { listenHost: '127.0.0.1' }) };
  }

  async front(name: string, route: ProxyRoute): Promise<void> {
    const proxy = this.#proxies.get(name) ?? new RemoteProxy(name, this.#network.prefixOf(name));
    this.#proxies.set(name, proxy);
    await proxy.order({ open: route });
  }

  cut(ways: readonly Way[]): Promise<void> {
    // Where it would come in; the test's own place has no filter, so there where it would go out.
    for (const { from, to } of ways) {
      if (to === OUTSIDE) this.#network.cut(from, OUTSIDE, 'out');
      else this.#network.cut(to, from, 'in');
    }
    return Promise.resolve();
  }

  lose(name: string, percent: number): void {
    this.#network.lose(name, percent);
  }

  async disturb(name: string, faults: ProxyFaults): Promise<void> {
    await this.#proxies.get(name)?.order({ faults });
  }

  async heal(): Promise<void> {
    for (const name of this.#names) this.#network.heal(name);
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy.order({ faults: {} })));
  }

  async counts(): Promise<WireCounts> {
    const dropped = this.#names.map((name) => this.#network.dropped(name));
    const proxied = await Promise.all([...this.#proxies.values()].map((proxy) => proxy.order({})));
    const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
    return {
      cut: sum(dropped.map(({ cut }) => cut)),
      lost: sum(dropped.map(({ lost }) => lost)),
      delayed: sum(proxied.map(({ delayed }) => delayed)),
      ended: sum(proxied.map(({ cut }) => cut)),
    };
  }

  dispose(): void {
    for (const proxy of this.#proxies.values()) proxy.close();
    this.#network.dispose();
  }
}

/** All nodes on loopback, each behind a proxy of this process. Where a connection comes from is told by whose socket it is. */
export class LoopbackWires implements Wires {
  readonly kind = 'loopback';
  readonly #proxies = new Map<string, Proxy>();
  readonly #faults = new Map<string, ProxyFaults>();
  readonly #sources: SourceFinder;
  #held: readonly Way[] = [];

  /** `pids`: the process of each node that runs. */
  constructor(pids: () => ReadonlyMap<number, string>) {
    this.#sources = new SourceFinder(pids);
  }

  placeOf(): Place {
    return { host: '127.0.0.1', listenHost: '127.0.0.1' };
  }

  async front(name: string, route: ProxyRoute): Promise<void> {
    const proxy = this.#proxies.get(name) ?? new Proxy({ place: name, sourceOf: (socket) => this.#sources.placeOf(socket) ?? OUTSIDE });
    this.#proxies.set(name, proxy);
    await proxy.open(route);
  }

  cut(ways: readonly Way[]): Promise<void> {
    this.#held = [...this.#held, ...ways];
    this.#apply();
    return Promise.resolve();
  }

  lose(): void {
    throw new Error('packets can be lost at random in network namespaces only');
  }

  disturb(name: string, faults: ProxyFaults): Promise<void> {
    this.#faults.set(name, faults);
    this.#apply();
    return Promise.resolve();
  }

  heal(): Promise<void> {
    this.#held = [];
    this.#faults.clear();
    this.#apply();
    return Promise.resolve();
  }

  counts(): Promise<WireCounts> {
    const sum = (of: keyof ProxyCounts): number => [...this.#proxies.values()].reduce((total, { counts }) => total + counts[of], 0);
    return Promise.resolve({ cut: sum('held'), lost: 0, delayed: sum('delayed'), ended: sum('cut') });
  }

  dispose(): void {
    for (const proxy of this.#proxies.values()) proxy.close();
  }

  #apply(): void {
    for (const [name, proxy] of this.#proxies) proxy.apply({ ...this.#faults.get(name), held: this.#held });
  }
}

/** A proxy in another place: a process of its own, which ends with this one. */
class RemoteProxy {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (answer: ProxyAnswer) => void>();
  #orders = 0;

  constructor(name: string, prefix: readonly string[]) {
    const [command, ...args] = [...prefix, process.execPath, join(projectRoot, 'dist', 'test', 'jepsen', 'proxy-main.js'), name];
    this.#process = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#process.on('message', (answer: ProxyAnswer) => this.#waiting.get(answer.id)?.(answer));
  }

  order(order: Omit<ProxyOrder, 'id'>): Promise<ProxyCounts> {
    const id = this.#orders++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ counts, error }) => {
        this.#waiting.delete(id);
        if (error === undefined) resolve(counts);
        else reject(new Error(error));
      });
      this.#process.send({ ...order, id }, (error) => error !== null && reject(error));
    });
  }

  close(): void {
    this.#process.kill('SIGKILL');
  }
}
