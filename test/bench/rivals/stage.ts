import { mkdirSync } from 'node:fs';
import { messageOf } from '../../../src/base/errors.js';
import { NextResponse } from '../../../src/rpc/gen/seqsvr/v1/seq.js';
import { ClientMachine } from './client/client-machine.js';
import { findProgram, PACKAGES } from './find-program.js';
import type { BenchOptions, Part } from './options.js';
import { startEcho } from './systems/echo.js';
import { startEtcd } from './systems/etcd.js';
import { OurCluster } from './systems/ours.js';
import { startPostgres } from './systems/postgres.js';
import { type RedisSystem, startRedis } from './systems/redis.js';
import { WorkerHost } from './systems/worker-host.js';
import type { RivalSystem } from './system.js';

export interface Rivals {
  readonly everysec: RedisSystem | undefined;
  readonly always: RedisSystem | undefined;
  readonly etcd: RivalSystem | undefined;
  readonly postgres: RivalSystem | undefined;
  readonly echo: RivalSystem | undefined;
}

/** Everything that runs while it is measured: our cluster, the rivals, the client machine. */
export class Stage {
  readonly folder: string;
  readonly options: BenchOptions;
  /** Where profiles go; undefined: nothing is profiled. */
  readonly profileDir: string | undefined;
  readonly #stops: (() => Promise<void>)[] = [];
  readonly #absent = new Set<string>();
  #client: ClientMachine | undefined;
  #failedCount = 0;
  #isStopping = false;

  constructor({ folder, options }: { readonly folder: string; readonly options: BenchOptions }) {
    this.folder = folder;
    this.options = options;
    this.profileDir = options.isProfiled ? `${folder}/profiles` : undefined;
    if (this.profileDir !== undefined) mkdirSync(this.profileDir);
  }

  /** Rivals that are there and would not start. */
  get failedCount(): number {
    return this.#failedCount;
  }

  /** Somebody interrupted, or it is over: nothing more is to be measured. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  async startClient(): Promise<ClientMachine> {
    const client = await ClientMachine.start({ profileDir: this.profileDir });
    if (this.#isStopping) await client.stop();
    else this.#client = client;
    return client;
  }

  startOurs(options: { readonly stores: number; readonly allocEnv: Readonly<Record<string, string>> }): Promise<OurCluster> {
    return this.#kept(OurCluster.start({ ...options, folder: this.folder }));
  }

  startWorkers(workers: number): Promise<WorkerHost> {
    return this.#kept(WorkerHost.start({ workers, folder: this.folder }));
  }

  /** Those that the parts to be measured need, and that are installed. What is absent is said and left out. */
  async startRivals(): Promise<Rivals> {
    const redis = (fsync: 'everysec' | 'always') =>
      this.#start('redis-server', PACKAGES.redis, ['next', 'frames', 'open'], (program) => startRedis(program, this.folder, fsync));
    const [everysec, always, etcd, postgres, echo] = await Promise.all([
      redis('everysec'),
      redis('always'),
      this.#start('etcd', PACKAGES.etcd, ['etcd'], (program) => startEtcd(program, this.folder)),
      this.#start('postgres', PACKAGES.postgres, ['postgres'], (program) => startPostgres(program, this.folder)),
      this.#needs(['unary']) ? this.#kept(startEcho({ responseBytes: answerBytes() })) : undefined,
    ]);
    return { everysec, always, etcd, postgres, echo };
  }

  /** Ends all of it. Never rejects: what would not end is said. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    // The client first: to it a server that goes away is a failure.
    await this.#client?.stop();
    const stops = this.#stops.splice(0);
    for (const outcome of await Promise.allSettled(stops.map((stop) => stop()))) if (outcome.status === 'rejected') console.error(outcome.reason);
  }

  async #start<System extends RivalSystem>(
    name: string,
    debian: string,
    parts: readonly Part[],
    start: (program: string) => Promise<System>,
  ): Promise<System | undefined> {
    if (!this.#needs(parts)) return undefined;
    const program = findProgram(name);
    if (program === undefined) {
      if (!this.#absent.has(name))
        console.log(`${name} is not installed, so it is left out (Debian: apt-get install ${debian}, or run with --install)`);
      this.#absent.add(name);
      return undefined;
    }
    try {
      return await this.#kept(start(program));
    } catch (error) {
      this.#failedCount += 1;
      console.error(`${name} could not be started: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** What is still starting when everything is stopped is waited for, and stopped as well. */
  #kept<System extends { stop(): Promise<void> }>(starting: Promise<System>): Promise<System> {
    // What did not start has ended what it had, and whoever started it said so.
    this.#stops.push(() =>
      starting.then(
        (system) => system.stop(),
        () => undefined,
      ),
    );
    return starting;
  }

  #needs(parts: readonly Part[]): boolean {
    return parts.some((part) => this.options.parts.has(part));
  }
}

/** What our server's answer to the unary `Next` weighs. */
function answerBytes(): number {
  return NextResponse.encode({ first: 1_000n, last: 1_000n, epoch: 2n, routing: undefined, routingDelta: undefined }).finish().length;
}
