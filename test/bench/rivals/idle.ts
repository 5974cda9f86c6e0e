import { pause } from '../../jepsen/until.js';
import { cpuMicrosOf } from './process-figures.js';
import type { Idle } from './results.js';
import type { OurCluster } from './systems/ours.js';

/** Heartbeats, renewals and timers: what there is to do when there is nothing to do. */
export async function measureIdle(ours: OurCluster, seconds: number): Promise<Idle> {
  const stores = ours.pids.filter((pid) => pid !== ours.allocPid);
  const read = () => ({ atMs: performance.now(), allocUs: cpuMicrosOf([ours.allocPid]), storesUs: cpuMicrosOf(stores) });
  const before = read();
  await pause(seconds * 1_000);
  const after = read();
  const perSecond = (us: number): number => us / (after.atMs - before.atMs);
  return { allocMsPerSecond: perSecond(after.allocUs - before.allocUs), storesMsPerSecond: perSecond(after.storesUs - before.storesUs) };
}
