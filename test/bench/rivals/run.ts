import { cpus } from 'node:os';
import { messageOf } from '../../../src/base/errors.js';
import { type Cell, cellsOf, measure } from './cells.js';
import type { ClientMachine } from './client/client-machine.js';
import type { Measurement } from './figures.js';
import { measureMemory, memoryEnv } from './memory.js';
import { Background, heatUp, measureOpenLoop, offersOf } from './open-loops.js';
import { measureIdle } from './idle.js';
import { profiledEnv, toggleProfile } from './profile.js';
import type { Idle, Memory, OpenLoop, Results, Scaling, Takeover, WorkerRun } from './results.js';
import { measureScaling, openSections } from './scaling.js';
import { showFixed, showNumber } from './show.js';
import type { Rivals, Stage } from './stage.js';
import type { OurCluster } from './systems/ours.js';
import { measureTakeover } from './takeover.js';
import { measureWorkerHost, WORKER_COUNTS } from './workers.js';

/** So much of a measurement's time everything runs before the first round: what is measured is compiled code, of all systems. */
const HEAT_UP_SHARE = 1 / 3;

export interface Outcome {
  readonly results: Results;
  /** What could not be measured, although it was there. */
  readonly failedCount: number;
}

/** Everything that was asked for, one thing after the other. What fails is said and left out. */
export async function runAll(stage: Stage): Promise<Outcome> {
  return new Run(stage).all();
}

class Run {
  readonly #stage: Stage;
  readonly #measurements: Measurement[] = [];
  readonly #openLoops: OpenLoop[] = [];
  readonly #scalings: Scaling[] = [];
  readonly #workerRuns: WorkerRun[] = [];
  #memory: Memory | undefined;
  #takeover: Takeover | undefined;
  #idle: Idle | undefined;
  #failedCount = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  async all(): Promise<Outcome> {
    const { options } = this.#stage;
    console.log(
      `${options.rounds} rounds of ${options.seconds} s a cell, on ${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}`,
    );
    const client = await this.#stage.startClient();
    const isLoaded = [...options.parts].some((part) => part !== 'memory' && part !== 'workers');
    // Before everything else starts: nothing but the hosts is there then.
    if (options.parts.has('workers')) await this.#tried('workers', () => this.#workersPart(client));
    // Memory is not a matter of time, so it is measured while everything else starts.
    const [stage] = await Promise.all([isLoaded ? this.#startAll() : undefined, options.parts.has('memory') ? this.#memoryPart(client) : undefined]);
    if (stage !== undefined) await this.#loads(client, stage);
    const [measurements, openLoops, scalings, workerRuns] = [this.#measurements, this.#openLoops, this.#scalings, this.#workerRuns];
    return {
      results: { measurements, openLoops, scalings, memory: this.#memory, takeover: this.#takeover, idle: this.#idle, workerRuns },
      failedCount: this.#failedCount,
    };
  }

  async #startAll(): Promise<{ readonly ours: OurCluster; readonly rivals: Rivals }> {
    const [ours, rivals] = await Promise.all([
      this.#stage.startOurs({ stores: 3, allocEnv: profiledEnv('alloc', this.#stage.profileDir) }),
      this.#stage.startRivals(),
    ]);
    return { ours, rivals };
  }

  async #memoryPart(client: ClientMachine): Promise<void> {
    await this.#tried('takeover', async () => {
      this.#takeover = measureTakeover();
    });
    await this.#tried('memory', async () => {
      const ours = await this.#stage.startOurs({ stores: 1, allocEnv: memoryEnv(this.#stage.folder) });
      this.#memory = await measureMemory(ours, client, { folder: this.#stage.folder, touchedUids: this.#stage.options.touchedUids });
      await ours.stop();
    });
  }

  /** All hosts stand while they are measured in turns, so that what the others take with nothing to do burdens each alike. */
  async #workersPart(client: ClientMachine): Promise<void> {
    const { rounds, seconds } = this.#stage.options;
    const hosts = await Promise.all(WORKER_COUNTS.map((workers) => this.#stage.startWorkers(workers)));
    for (let round = 0; round < rounds; round += 1) {
      for (const host of round % 2 === 0 ? hosts : hosts.toReversed()) {
        for (const run of await measureWorkerHost(host, client, { round, seconds })) {
          this.#workerRuns.push(run);
          console.log(
            `round ${round + 1}  ${run.work.padEnd(6)}  ${run.workers} workers  ${showNumber(run.opsPerSecond, 0).padStart(9)}/s  ` +
              `AllocSvrs ${showFixed(run.allocCpuUs, 3)} us/op, the busiest does ${showFixed(run.busiestShare, 2)} of it`,
          );
        }
      }
    }
    for (const host of hosts) await host.stop();
  }

  async #loads(client: ClientMachine, { ours, rivals }: { readonly ours: OurCluster; readonly rivals: Rivals }): Promise<void> {
    const { options } = this.#stage;
    const cells = cellsOf({ options, ours, client, rivals });
    this.#idle = await measureIdle(ours, options.seconds);
    for (const cell of cells) await this.#tried(cell.name, () => cell.run(options.seconds * HEAT_UP_SHARE));
    if (options.parts.has('scale')) await this.#tried('opening sections', () => openSections(ours, client));
    const profiled = options.isProfiled ? [ours.allocPid, client.pid] : [];
    for (const pid of profiled) toggleProfile(pid);
    for (let round = 0; round < options.rounds; round += 1) {
      await this.#round(cells, round);
      if (options.parts.has('scale')) await this.#scale(ours, client, round);
    }
    if (options.parts.has('open')) await this.#tried('open loops', () => this.#openPart(client, { ours, rivals }));
    for (const pid of profiled) toggleProfile(pid);
  }

  /** Each cell comes first equally often. */
  async #round(cells: readonly Cell[], round: number): Promise<void> {
    const shift = cells.length === 0 ? 0 : round % cells.length;
    for (const cell of [...cells.slice(shift), ...cells.slice(0, shift)]) {
      await this.#tried(`${cell.work} of ${cell.name}`, async () => {
        const found = await measure(cell, round, this.#stage.options.seconds);
        this.#measurements.push(found);
        console.log(
          `round ${round + 1}  ${cell.work.padEnd(6)}  ${cell.name.padEnd(24)}  ${showNumber(found.opsPerSecond, 0).padStart(9)}/s  ` +
            `p99 ${showFixed(found.p99Ms, 2).padStart(6)} ms  server ${showFixed(found.serverCpuUs, 3).padStart(7)} us/op`,
        );
      });
    }
  }

  async #scale(ours: OurCluster, client: ClientMachine, round: number): Promise<void> {
    await this.#tried('scaling', async () => {
      const { seconds } = this.#stage.options;
      for (const one of await measureScaling(ours, client, { round, seconds })) {
        this.#scalings.push(one);
        console.log(
          `round ${round + 1}  ${showNumber(one.size, 0)} ${one.dimension}: ${showNumber(one.opsPerSecond, 0)}/s, ${showFixed(one.entriesPerSecond, 1)} entries/s in the stores`,
        );
      }
    });
  }

  async #openPart(client: ClientMachine, { ours, rivals }: { readonly ours: OurCluster; readonly rivals: Rivals }): Promise<void> {
    const { seconds, openSeconds } = this.#stage.options;
    const offers = offersOf(ours, rivals);
    await heatUp(offers, client, seconds);
    const background = await Background.start(ours);
    try {
      for (const offer of offers) {
        await this.#tried(`${offer.name} at ${offer.ratePerSecond}/s`, async () => {
          const found = await measureOpenLoop(offer, { ours, client, background, seconds: openSeconds });
          this.#openLoops.push(found);
          console.log(
            `open loop  ${offer.name.padEnd(24)}  ${showNumber(offer.ratePerSecond, 0).padStart(9)}/s  p50 ${showFixed(found.p50Ms, 3)} ms  ` +
              `p99.9 ${showFixed(found.p999Ms, 3)} ms  longest ${showFixed(found.maxMs, 1)} ms`,
          );
        });
      }
    } finally {
      await background.stop();
    }
  }

  async #tried(what: string, run: () => Promise<unknown>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (this.#stage.isStopping) throw error;
      this.#failedCount += 1;
      console.error(`${what} could not be measured: ${messageOf(error)}`);
    }
  }
}
