import type { AllocId } from '../model/ids.js';

/**
 * What the reason of a decision begins with. The metrics count sections by these words (ops/store-metrics.ts), so there
 * are few, and names come after them.
 */
export const REASONS = {
  reportedDead: 'reported dead',
  leaseOver: 'lease over',
  standbyTakesOver: 'standby takes over',
  formerRuns: 'former runs are over',
  noOwner: 'sections without an owner',
  draining: 'draining',
  spread: 'spread evenly',
  operator: 'operator',
  calledOff: 'called off',
} as const;

/** Names in one reason; of the others it gives the number. */
const NAMES_MAX = 10;

/** `lease over: a1, a2`; names in order, each once. */
export function withNames(reason: string, ids: Iterable<AllocId>): string {
  const names = [...new Set(ids)].sort();
  if (names.length === 0) return reason;
  const more = names.length - NAMES_MAX;
  return `${reason}: ${names.slice(0, NAMES_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
