import { pause } from '../../jepsen/until.js';
import type { ClientMachine } from './client/client-machine.js';
import { residentBytesOf } from './process-figures.js';
import type { Memory } from './results.js';
import { type OurCluster, UIDS_PER_SECTION } from './systems/ours.js';

/** The few uids whose numbers make a process warm, garbage and all, before the many are touched. */
const WARM_UIDS = 1_000;
/** So long the collector has to tidy up before memory is looked at. */
const SETTLE_MS = 2_000;

/**
 * What a touched uid costs an AllocSvr: its resident memory after numbers for many uids, less that after as many numbers for a few
 * uids. `ours` is a cluster that nobody has asked for anything.
 */
export async function measureMemory(ours: OurCluster, client: ClientMachine, { touchedUids }: { readonly touchedUids: number }): Promise<Memory> {
  const sections = Math.ceil(touchedUids / UIDS_PER_SECTION);
  const few = { sections: 1, perSection: WARM_UIDS, sectionSize: UIDS_PER_SECTION };
  const many = { sections, perSection: touchedUids / sections, sectionSize: UIDS_PER_SECTION };
  await client.touch(ours.endpoints, few, touchedUids / WARM_UIDS);
  const warm = await settledBytes(ours);
  await client.touch(ours.endpoints, many, 1);
  return { touchedUids, bytesPerUid: ((await settledBytes(ours)) - warm) / touchedUids };
}

async function settledBytes({ allocPid }: OurCluster): Promise<number> {
  await pause(SETTLE_MS);
  return residentBytesOf([allocPid], { isShared: false });
}
