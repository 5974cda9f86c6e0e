import { CALLERS, FRAME, FRAMES_AT_ONCE, MILLION_UIDS } from './cells.js';
import type { ClientMachine } from './client/client-machine.js';
import { cpuMicrosOf } from './process-figures.js';
import type { WorkerRun } from './results.js';
import type { WorkerHost } from './systems/worker-host.js';

const WARM_UP_SHARE = 1 / 3;
/** One AllocSvr, and one for each processor of the machine that the figures in docs/performance.md are of. */
export const WORKER_COUNTS = [1, 2];
const LOADS = [
  { work: 'next', frame: 1, callers: CALLERS },
  { work: 'frames', frame: FRAME, callers: FRAMES_AT_ONCE },
] as const;

/**
 * What a number costs a host of so many AllocSvrs, and how evenly they share the work. The client needs as much of the machine as they do, so
 * operations/s say what all of them reach together; what a host with processors of its own does follows from the time an operation takes.
 */
export async function measureWorkerHost(
  host: WorkerHost,
  client: ClientMachine,
  { round, seconds }: { readonly round: number; readonly seconds: number },
): Promise<WorkerRun[]> {
  const found: WorkerRun[] = [];
  for (const { work, frame, callers } of LOADS) {
    const target = { type: 'seqsvr', endpoints: host.endpoints, frame } as const;
    await client.closed(target, MILLION_UIDS, { callers, warmUpMs: 0, measureMs: seconds * WARM_UP_SHARE * 1_000, pids: [] });
    const read = () => ({
      workersUs: host.workerPids.map((pid) => cpuMicrosOf([pid])),
      supervisorUs: cpuMicrosOf([host.supervisorPid]),
      storesUs: cpuMicrosOf(host.storePids),
    });
    const before = read();
    const { opCount, opsPerSecond, p99Ms } = await client.closed(target, MILLION_UIDS, {
      callers,
      warmUpMs: 0,
      measureMs: seconds * 1_000,
      pids: [],
    });
    const after = read();
    const byWorker = after.workersUs.map((us, at) => us - (before.workersUs[at] ?? Number.NaN));
    const workersUs = byWorker.reduce((sum, us) => sum + us, 0);
    const allocCpuUs = (workersUs + after.supervisorUs - before.supervisorUs) / opCount;
    const storesCpuUs = (after.storesUs - before.storesUs) / opCount;
    found.push({ workers: host.workers, work, round, opsPerSecond, p99Ms, allocCpuUs, storesCpuUs, busiestShare: Math.max(...byWorker) / workersUs });
  }
  return found;
}
