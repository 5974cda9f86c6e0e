import { type Clock, sleep } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import type { Random } from '../base/random.js';
import { parseIncarnation } from '../model/ids.js';
import { Child, type ChildSpec, type Spawn } from './child.js';
import type { DevNode } from './dev-layout.js';
import { KILL_AFTER_MS } from './process.js';

/** How long a node may take from spawn to serving, in ms. */
const READY_LIMIT_MS = 30_000;
/** The wait before a restart doubles from the first to the second while a child keeps dying, in ms. */
const RESTART_MIN_MS = 200;
const RESTART_MAX_MS = 5_000;
/** A child that served this long, in ms, is no longer thought of as one that keeps dying. */
const STABLE_AFTER_MS = 10_000;
const LOOK_EVERY_MS = 50;

export type ChildEvent =
  | { readonly type: 'ready'; readonly child: Child }
  /** `restartInMs` is undefined when it stays down. */
  | { readonly type: 'gone'; readonly child: Child; readonly how: string; readonly restartInMs: number | undefined };

export interface SupervisorOptions {
  readonly specs: readonly ChildSpec[];
  readonly program: string;
  readonly restart: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** Hears of children that became ready or died by themselves, not of those that were told to stop. */
  readonly observe: Observer<ChildEvent>;
  /** Hears the pids that run, each time they change. */
  readonly onPids: (pids: readonly number[]) => void;
  /** Default: Node's own. */
  readonly spawn?: Spawn;
}

/** Runs child processes, those of a dev cluster or the workers of a host: starts them, starts dead ones again, stops them in order. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #children = new Map<string, Child>();
  readonly #deaths = new Map<string, number>();
  readonly #stopping = new AbortController();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Starts every node of a role. Throws UNAVAILABLE with a child's last log lines unless all serve in time; CLOSED after stop. */
  async start(role: DevNode['role']): Promise<void> {
    if (this.#stopping.signal.aborted) throw new SeqError('CLOSED', 'the supervisor is stopping');
    const children = this.#options.specs.filter((spec) => spec.role === role).map((spec) => this.#spawn(spec));
    await Promise.all(children.map((child) => this.#becomesReady(child)));
    for (const child of children) void this.#watch(child);
  }

  /** Starts every node of a role and watches over it, however long it takes to serve. Resolves when all have served. */
  async startPatiently(role: DevNode['role']): Promise<void> {
    const children = this.#options.specs.filter((spec) => spec.role === role).map((spec) => this.#spawn(spec));
    for (const child of children) void this.#watch(child);
    const isServing = (): boolean => this.serving(role).length === children.length;
    while (!isServing() && !this.#stopping.signal.aborted) await sleep(this.#options.clock, LOOK_EVERY_MS, this.#stopping.signal);
  }

  /** Those that serve now, in the order of the specs. */
  serving(role: DevNode['role']): Child[] {
    return [...this.#children.values()].filter((child) => child.spec.role === role && child.isServing);
  }

  /** Lets the AllocSvrs release their sections while the stores still serve, then stops the stores. Never rejects. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#stopRole('alloc');
    await this.#stopRole('store');
  }

  /** Kills everything at once. Loses nothing that was acknowledged. */
  cut(): void {
    this.#stopping.abort();
    for (const child of this.#children.values()) child.kill();
  }

  #spawn(spec: ChildSpec): Child {
    const { program, random, spawn } = this.#options;
    // Fixed here, so that whoever sees it end can say which run it was.
    const child = new Child({ spec, program, incarnation: parseIncarnation(random.id128()), spawn });
    this.#children.set(spec.name, child);
    this.#tellPids();
    return child;
  }

  async #becomesReady(child: Child): Promise<void> {
    const timeUp = new AbortController();
    const outcome = await Promise.race([
      child.ready.then(() => 'ready'),
      child.gone,
      sleep(this.#options.clock, READY_LIMIT_MS, timeUp.signal).then(() => `did not serve within ${READY_LIMIT_MS / 1000}s`),
    ]);
    timeUp.abort();
    if (outcome !== 'ready')
      throw new SeqError('UNAVAILABLE', `${child.spec.name} ${outcome}; its last words (${child.spec.logFile}):\n${child.lastWords()}`);
  }

  /** Waits for the end of a child and for the ends of those that follow it. */
  async #watch(first: Child): Promise<void> {
    let child = first;
    for (;;) {
      const startedMs = this.#options.clock.nowMs();
      const how = await child.gone;
      this.#tellPids();
      if (this.#stopping.signal.aborted) return;
      const restartInMs = this.#options.restart ? this.#backoffMs(child.spec.name, this.#options.clock.nowMs() - startedMs) : undefined;
      this.#options.observe({ type: 'gone', child, how, restartInMs });
      if (restartInMs === undefined) return;
      await sleep(this.#options.clock, restartInMs, this.#stopping.signal);
      // Checked again after the wait: a supervisor that stops starts nothing.
      if (this.#stopping.signal.aborted) return;
      const next = this.#spawn(child.spec);
      void next.ready.then(() => this.#options.observe({ type: 'ready', child: next }));
      child = next;
    }
  }

  #backoffMs(name: string, livedMs: number): number {
    const deaths = livedMs >= STABLE_AFTER_MS ? 0 : (this.#deaths.get(name) ?? 0);
    this.#deaths.set(name, deaths + 1);
    return Math.min(RESTART_MAX_MS, RESTART_MIN_MS * 2 ** Math.min(deaths, 10));
  }

  async #stopRole(role: DevNode['role']): Promise<void> {
    const children = [...this.#children.values()].filter(({ spec }) => spec.role === role);
    for (const child of children) child.stop();
    const timeUp = new AbortController();
    void sleep(this.#options.clock, KILL_AFTER_MS, timeUp.signal).then(() => {
      for (const child of children) child.kill();
    });
    await Promise.all(children.map((child) => child.gone));
    timeUp.abort();
  }

  #tellPids(): void {
    const pids = [...this.#children.values()].map((child) => child.pid).filter((pid) => pid > 0);
    this.#options.onPids(pids);
  }
}
