import type { AllocId } from '../model/ids.js';
import type { Situation } from './situation.js';

/** Too many are silent at once: it is more likely that this node, or its network, is what is wrong. */
export interface Brake {
  /** In order. */
  readonly silent: readonly AllocId[];
  /** AllocSvrs that count: these are silent of so many. */
  readonly ofCount: number;
}

/** Names in the sentence; of the others it gives the number. */
const NAMES_MAX = 5;

/**
 * Is more than the configured share of the AllocSvrs silent, and at least two of them? Never for a single one.
 *
 * Leases that are lost together do not end in the same millisecond, for renewals are spread over time. So once one lease
 * is over, everybody counts as silent that missed two renewals. Who is reported dead is not silent: that is known. Nor is
 * one whose newest run is well. One that holds nothing counts while it was heard a short while ago: what overload fells one
 * after the other is one mass failure too, but an old story must not stop the next takeover.
 */
export function brakeOf({ view, expired, silent, remembered }: Situation): Brake | undefined {
  const { allocs, draining, dead, policy } = view;
  const holders = new Set(view.holdings.flatMap(({ holderId }) => holderId ?? []));
  const members = [
    ...allocs.filter(({ id, incarnation }) => holders.has(id) || remembered.has(incarnation)),
    // One that has drained is not expected.
    ...draining.filter(({ id }) => holders.has(id)),
  ].filter(({ incarnation }) => !dead.has(incarnation));
  const missing = members.filter(({ incarnation }) => silent.has(incarnation));
  if (missing.length < 2 || missing.length * 100 <= members.length * policy.silentShareMaxPercent) return undefined;
  const isAnyOver = missing.some(({ incarnation }) => expired.has(incarnation));
  return isAnyOver ? { silent: missing.map(({ id }) => id).sort(), ofCount: members.length } : undefined;
}

export function showBrake({ silent, ofCount }: Brake): string {
  const more = silent.length - NAMES_MAX;
  const names = `${silent.slice(0, NAMES_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  return `${silent.length} of ${ofCount} AllocSvrs are silent (${names}): too many to be true, so nothing is taken from them`;
}
