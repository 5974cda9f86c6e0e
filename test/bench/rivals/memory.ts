import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../jepsen/until.js';
import type { ClientMachine } from './client/client-machine.js';
import type { Memory } from './results.js';
import { type OurCluster, UIDS_PER_SECTION } from './systems/ours.js';

const ANSWER_LIMIT_MS = 10_000;
const COLLECTOR = new URL('./collector.js', import.meta.url).href;
/** The few uids whose numbers make a process warm before the many are touched. */
const WARM_UIDS = 1_000;
const WARM_TIMES = 100;

/** What an AllocSvr needs in its environment to tell what it has in use; `folder` is where it tells. */
export function memoryEnv(folder: string): Readonly<Record<string, string>> {
  return { NODE_OPTIONS: `--import=${COLLECTOR}`, SEQSVR_BENCH_MEMORY: fileIn(folder) };
}

/**
 * What a touched uid costs an AllocSvr: memory in use after numbers for many uids, less that before, each time after a collection of garbage.
 * Resident memory is told as well, but says less: it has the garbage of the traffic in it, up to twice what the counters take.
 * `ours` is a cluster that nobody has asked for anything, started with memoryEnv().
 */
export async function measureMemory(
  ours: OurCluster,
  client: ClientMachine,
  options: { readonly touchedUids: number; readonly folder: string },
): Promise<Memory> {
  const { touchedUids, folder } = options;
  const sectionSize = UIDS_PER_SECTION;
  await client.touch(ours.endpoints, { sections: 1, perSection: WARM_UIDS, sectionSize }, WARM_TIMES);
  const before = await inUse(ours, folder);
  await client.touch(ours.endpoints, { sections: touchedUids / sectionSize, perSection: sectionSize, sectionSize }, 1);
  const after = await inUse(ours, folder);
  return {
    touchedUids,
    bytesPerUid: (after.bytes - before.bytes) / touchedUids,
    residentBytesPerUid: (after.residentBytes - before.residentBytes) / touchedUids,
  };
}

async function inUse({ allocPid }: OurCluster, folder: string): Promise<{ readonly bytes: number; readonly residentBytes: number }> {
  rmSync(fileIn(folder), { force: true });
  process.kill(allocPid, 'SIGUSR2');
  const text = await until('the AllocSvr tells what memory it has in use', ANSWER_LIMIT_MS, () => readFileSync(fileIn(folder), 'utf8'));
  const { heapUsed, external, rss } = JSON.parse(text) as NodeJS.MemoryUsage;
  return { bytes: heapUsed + external, residentBytes: rss };
}

function fileIn(folder: string): string {
  return join(folder, 'alloc-memory.json');
}
