import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { messageOf } from '../../src/base/errors.js';
import { quietGrpc } from '../../src/rpc/server.js';
import { startEtcd } from './etcd.js';
import { findEtcd } from './etcd-program.js';
import type { Measurement } from './figures.js';
import { startFloor } from './floor.js';
import { runLoad } from './load.js';
import { type BenchOptions, parseOptions, USAGE } from './options.js';
import { startOurs } from './ours.js';
import { report } from './report.js';
import { makeScratch } from './scratch.js';
import type { System } from './system.js';

/** `npm run bench:raft`: a three-node group of ours beside the floor and etcd, in turns on one machine. */
const CALLER_COUNTS = [1, 16, 256];
const SECTION_COUNT = 1_000;
const WARM_UP_SHARE = 1 / 3;
/** So many measurements' time each system runs under the most callers before the first round: what is measured is compiled code, of all systems. */
const HEAT_UP_CELLS = 4;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

process.exitCode = await main();
// What a cut connection leaves behind must not keep the process.
process.exit();

async function main(): Promise<number> {
  let options: BenchOptions;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${messageOf(error)}\n${USAGE}`);
    return EXIT_USAGE;
  }
  quietGrpc();
  const scratch = makeScratch('bench-raft');
  const systems: System[] = [];
  try {
    const interrupted = new Promise<'interrupted'>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve('interrupted'));
    });
    if (!scratch.isOnDisk) console.log(`NOTE: ${scratch.folder} is in memory, where a sync costs nothing: these figures say little`);
    const outcome = await Promise.race([bench(options, scratch.folder, systems), interrupted]);
    if (outcome === 'interrupted') return EXIT_INTERRUPTED;
    console.log(`\n${report(outcome)}`);
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rawNumbers(options, outcome), undefined, 2)}\n`);
    return 0;
  } catch (error) {
    console.error(error);
    return 1;
  } finally {
    await Promise.allSettled(systems.map((system) => system.stop()));
    scratch.dispose();
  }
}

/** Fills `systems` as they start, so that they can be stopped whenever it ends. */
async function bench(options: BenchOptions, folder: string, systems: System[]): Promise<readonly Measurement[]> {
  const { rounds, seconds } = options;
  const etcd = findEtcd(folder, (line) => console.log(line));
  systems.push(await startOurs(folder, SECTION_COUNT));
  systems.push(await startFloor(folder, SECTION_COUNT));
  if (etcd !== undefined) systems.push(await startEtcd(etcd, folder, SECTION_COUNT));
  console.log(`${rounds} rounds, ${seconds} s each, on ${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}`);

  for (const system of systems)
    await runLoad(system, { callers: Math.max(...CALLER_COUNTS), warmUpMs: 0, measureMs: seconds * HEAT_UP_CELLS * 1_000 });

  const all: Measurement[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const [place, callers] of CALLER_COUNTS.entries()) {
      // Each system comes first, second and last equally often.
      const shift = (round + place) % systems.length;
      for (const system of [...systems.slice(shift), ...systems.slice(0, shift)]) {
        const cell = await runLoad(system, { callers, warmUpMs: seconds * WARM_UP_SHARE * 1_000, measureMs: seconds * 1_000 });
        all.push({ round, system: system.name, callers, ...cell });
        const { commitsPerSecond, p50Ms, p99Ms } = cell;
        console.log(
          `round ${round + 1}  ${system.name.padEnd(5)}  ${String(callers).padStart(3)} callers  ` +
            `${commitsPerSecond.toFixed(0).padStart(7)}/s  p50 ${p50Ms.toFixed(2)} ms  p99 ${p99Ms.toFixed(2)} ms`,
        );
      }
    }
  }
  return all;
}

function rawNumbers(options: BenchOptions, measurements: readonly Measurement[]) {
  const machine = { cpus: cpus().length, model: cpus()[0]?.model, node: process.versions.node };
  return { atUnixMs: Date.now(), machine, rounds: options.rounds, seconds: options.seconds, measurements };
}
