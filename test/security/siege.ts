import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../src/base/errors.js';
import { splitAddress } from '../../src/model/address.js';
import { TestCluster } from '../jepsen/cluster.js';
import { pause, until } from '../jepsen/until.js';
import type { Attack } from './attack.js';
import { firstNumberMs, GoodClient, type GoodFigures } from './good-client.js';

/** What a siege must stay below. */
export const RSS_MAX_MIB = 256;
export const P99_MAX_MS = 20;
export const NEWCOMER_MAX_MS = 2_000;

const ALLOC = 'alloc-1';
/** The good client alone, so that what is measured is compiled code. */
const WARM_UP_MS = 1_500;
/** The attack alone: its connections are there when the measurement begins. */
const BUILD_UP_MS = 500;
const ABUSER_LIMIT_MS = 10_000;

/** What a siege came to. */
export interface SiegeReport {
  readonly attack: string;
  readonly rssMib: number;
  readonly good: GoodFigures;
  /** How long a new client took to its first number in the middle of it, in ms; Infinity: it did not get one. */
  readonly newcomerMs: number;
  /** What the abuser counted. */
  readonly tally: Readonly<Record<string, number>>;
  /** One sentence for each bound that did not hold. */
  readonly problems: readonly string[];
}

/** One attack on a fresh AllocSvr and its store, with a good client beside it. */
export async function siege(attack: Attack, { durationMs }: { readonly durationMs: number }): Promise<SiegeReport> {
  const cluster = await TestCluster.start({ stores: 1, allocs: 1 });
  try {
    const client = await GoodClient.connect(cluster.endpoints);
    try {
      await client.take(WARM_UP_MS);
      return await besiege(attack, { cluster, client, durationMs });
    } finally {
      await client.close();
    }
  } finally {
    await cluster.dispose();
  }
}

async function besiege(
  attack: Attack,
  { cluster, client, durationMs }: { readonly cluster: TestCluster; readonly client: GoodClient; readonly durationMs: number },
): Promise<SiegeReport> {
  const abuser = await Abuser.start(attack, cluster.addressOf(ALLOC));
  try {
    await pause(BUILD_UP_MS);
    const newcomer = pause(durationMs / 2)
      .then(() => firstNumberMs(cluster.endpoints))
      .catch((error: unknown) => messageOf(error));
    const good = await client.take(durationMs);
    const first = await newcomer;
    const tally = await abuser.tally();
    const dead = [ALLOC, ...cluster.storeNames].filter((name) => !cluster.isRunning(name));
    const rssMib = dead.length > 0 ? Number.NaN : peakMib(cluster.pidOf(ALLOC));
    const newcomerMs = typeof first === 'number' ? first : Number.POSITIVE_INFINITY;
    const problems = [
      ...dead.map((name) => `${name} ended with ${cluster.endOf(name)}: ${cluster.lastLines(name, 5)}`),
      ...problemsOf({ rssMib, good }),
      ...(newcomerMs <= NEWCOMER_MAX_MS ? [] : [`a new client had no number within ${NEWCOMER_MAX_MS} ms: ${first}`]),
      ...(Object.keys(tally).length > 0 ? [] : ['the abuser did nothing']),
    ];
    return { attack: attack.name, rssMib, good, newcomerMs, tally, problems };
  } finally {
    abuser.kill();
  }
}

function problemsOf({ rssMib, good: { figures, wrongCount } }: { readonly rssMib: number; readonly good: GoodFigures }): string[] {
  const p99Ms = figures.latency.percentileMs(0.99);
  return [
    ...(rssMib > RSS_MAX_MIB ? [`the AllocSvr took ${rssMib.toFixed(0)} MiB of at most ${RSS_MAX_MIB}`] : []),
    ...(figures.latency.count === 0 || p99Ms > P99_MAX_MS ? [`the good client's p99 was ${p99Ms.toFixed(1)} ms of at most ${P99_MAX_MS}`] : []),
    ...(figures.failedCount + figures.unmadeCount > 0
      ? [
          `${figures.failedCount} calls of the good client failed (${JSON.stringify(Object.fromEntries(figures.failures))}), ${figures.unmadeCount} were never made`,
        ]
      : []),
    ...(wrongCount > 0 ? [`${wrongCount} numbers of the good client were wrong`] : []),
  ];
}

/** The most that was ever resident of a process, in MiB; NaN where the system does not tell. */
function peakMib(pid: number): number {
  if (process.platform !== 'linux') return Number.NaN;
  const found = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(found?.[1]) / 1024;
}

/** The hostile client, from here. */
class Abuser {
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#process = child;
  }

  /** Resolves once it has begun. */
  static async start(attack: Attack, address: string): Promise<Abuser> {
    const { host, port } = splitAddress(address);
    const child = fork(fileURLToPath(new URL('abuser.js', import.meta.url)), [attack.name, host, String(port)]);
    const abuser = new Abuser(child);
    try {
      await abuser.#hears();
      return abuser;
    } catch (error) {
      abuser.kill();
      throw error;
    }
  }

  /** Ends it, and says what it counted. */
  async tally(): Promise<Readonly<Record<string, number>>> {
    const answer = this.#hears();
    this.#process.send('tally');
    return (await answer) as Record<string, number>;
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  async #hears(): Promise<unknown> {
    let heard: unknown;
    const child = this.#process;
    child.once('message', (message) => (heard = message));
    return until('the abuser speaks', ABUSER_LIMIT_MS, () => {
      if (heard === undefined && child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
      return heard;
    });
  }
}
