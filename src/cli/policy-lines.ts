import type { LeaseTerms } from '../model/lease.js';
import type { Policy } from '../model/policy.js';
import { formatDuration } from './duration.js';

const PPM_PER_PERCENT = 10_000;

/** A lease as it is committed, with the arbiter's wait. */
export type CommittedLease = LeaseTerms & { readonly waitMs: number };

/** One line for people. */
export function policyText({ placement, standbys, isPaused, movesInFlightMax, silentShareMaxPercent }: Policy): string {
  const who = standbys.length === 0 ? placement : `${placement} (standby: ${standbys.join(', ')})`;
  const brake = silentShareMaxPercent === 100 ? 'no brake' : `brake above ${silentShareMaxPercent}% silent`;
  return `placement ${who}, ${isPaused ? 'PAUSED' : 'not paused'}, at most ${movesInFlightMax} sections on their way, ${brake}`;
}

/** One line for people. */
export function leaseText({ leaseMs, driftPpm, marginMs, waitMs }: CommittedLease): string {
  const drift = `${driftPpm / PPM_PER_PERCENT}%`;
  return `lease ${formatDuration(leaseMs)}, drift ${drift}, margin ${formatDuration(marginMs)}: a silent AllocSvr is waited for ${formatDuration(waitMs)}`;
}
