import { type Clock, sleep } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { ChannelPool } from '../rpc/channel-pool.js';
import { type Inspection, inspectCluster } from './inspect.js';

/** From the last AllocSvr's start to a cluster that serves every uid, in ms: an election, old leases waited out, one assignment. */
const SERVING_LIMIT_MS = 30_000;
const CHECK_EVERY_MS = 100;

interface NamedAddress {
  readonly name: string;
  readonly address: string;
}

/** Waits until these AllocSvrs serve every section between them. Throws UNAVAILABLE, with what is missing, when they take too long; ABORTED by its signal. */
export async function waitUntilServing(allocs: readonly NamedAddress[], clock: Clock, signal: AbortSignal): Promise<void> {
  const pool = new ChannelPool({ clock });
  const endMs = clock.nowMs() + SERVING_LIMIT_MS;
  try {
    const endpoints = allocs.map(({ address }) => address);
    for (;;) {
      const inspection = await inspectCluster(endpoints, { pool, clock, signal, timeoutMs: Math.max(1, endMs - clock.nowMs()) });
      const missing = missingIn(inspection, allocs);
      if (missing === undefined) return;
      if (clock.nowMs() >= endMs) throw new SeqError('UNAVAILABLE', `the cluster does not serve after ${SERVING_LIMIT_MS / 1000}s: ${missing}`);
      await sleep(clock, CHECK_EVERY_MS, signal);
    }
  } finally {
    pool.close();
  }
}

/** What still keeps these AllocSvrs from serving every section; undefined when nothing does. Pure. */
export function missingIn({ table, answers }: Inspection, allocs: readonly NamedAddress[]): string | undefined {
  const names = new Set<string>(allocs.map(({ name }) => name));
  for (const run of table.runs) {
    const owner = run.alloc === undefined ? undefined : table.allocs[run.alloc];
    if (owner === undefined) return 'some sections have no owner yet';
    // An AllocSvr of the run before, whose lease has to be waited out.
    if (!names.has(owner.id)) return `some sections still belong to ${owner.id}, which does not run`;
  }
  const owners = new Set(table.runs.map((run) => (run.alloc === undefined ? '' : table.allocs[run.alloc]?.address)));
  for (const { name, address } of allocs) {
    if (!owners.has(address)) continue;
    const role = answers.find((answer) => answer.address === address)?.status?.role;
    if (role?.$case !== 'alloc' || !role.value.isServing) return `${name} does not serve yet`;
  }
  return undefined;
}
