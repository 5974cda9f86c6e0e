import type { ClientMachine } from './client/client-machine.js';
import { CALLERS } from './cells.js';
import type { Scaling } from './results.js';
import { type OurCluster, UIDS_PER_SECTION } from './systems/ours.js';
import { countOf, type Uids } from './uids.js';

const WARM_UP_SHARE = 1 / 3;
const sectionSize = UIDS_PER_SECTION;

/** More uids, in as many sections as they fill. */
const BY_UIDS: readonly Uids[] = [
  { sections: 1, perSection: 1_000, sectionSize },
  { sections: 10, perSection: 100_000, sectionSize },
  { sections: 100, perSection: 100_000, sectionSize },
];
/** The same number of uids, spread over more sections. */
const BY_SECTIONS: readonly Uids[] = [
  { sections: 1, perSection: 10_000, sectionSize },
  { sections: 100, perSection: 100, sectionSize },
  { sections: 10_000, perSection: 1, sectionSize },
];

/** Opens every section that is to be measured: what the first call on one costs is the takeover's figure, and not this one's. */
export async function openSections(ours: OurCluster, client: ClientMachine): Promise<void> {
  for (const uids of BY_SECTIONS) await client.touch(ours.endpoints, uids, 1);
}

/** One round of every size; `shift` places another one first. */
export async function measureScaling(
  ours: OurCluster,
  client: ClientMachine,
  { round, seconds }: { readonly round: number; readonly seconds: number },
): Promise<Scaling[]> {
  const sizes = [
    ...BY_UIDS.map((uids) => ({ dimension: 'uids' as const, size: countOf(uids), uids })),
    ...BY_SECTIONS.map((uids) => ({ dimension: 'sections' as const, size: uids.sections, uids })),
  ];
  const shift = round % sizes.length;
  const found: Scaling[] = [];
  for (const { dimension, size, uids } of [...sizes.slice(shift), ...sizes.slice(0, shift)]) {
    const system = ours.as('ours', { type: 'seqsvr', endpoints: ours.endpoints, frame: 1 });
    const load = { callers: CALLERS, warmUpMs: seconds * WARM_UP_SHARE * 1_000, measureMs: seconds * 1_000, pids: system.pids };
    const [entriesBefore, beginMs] = [await ours.committedEntries(), performance.now()];
    const { opsPerSecond } = await client.closed(system.target, uids, load);
    const entries = (await ours.committedEntries()) - entriesBefore;
    found.push({ dimension, size, round, opsPerSecond, entriesPerSecond: entries / ((performance.now() - beginMs) / 1_000) });
  }
  return found;
}
