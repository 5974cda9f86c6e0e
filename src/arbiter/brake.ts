import type { AllocId } from '../model/ids.js';
import type { Situation } from './view.js';

export interface Brake {
  readonly silent: readonly AllocId[];
  readonly holderCount: number;
}

/**
 * Mass failure: so many owners are silent at once that the fault is more likely on this side, or nobody could bear what
 * they have. Then nothing is given away. Never for a single one, nor for those that were seen to end.
 */
export function brakeOf({ view, living, expired }: Situation): Brake | undefined {
  const newest = new Map([...view.allocs, ...view.draining].map(({ id, incarnation }) => [id, incarnation]));
  const holders = new Set<AllocId>();
  const silent = new Set<AllocId>();
  for (const { holder, holderId } of view.holdings) {
    if (holder === undefined || holderId === undefined) continue;
    holders.add(holderId);
    const run = newest.get(holderId);
    // One that runs anew is well, whatever its former run held.
    const isBack = run !== undefined && living.has(run);
    if (expired.has(holder) && !view.dead.has(holder) && !isBack) silent.add(holderId);
  }
  const isMass = silent.size >= 2 && silent.size * 100 > holders.size * view.policy.silentShareMaxPercent;
  return isMass ? { silent: [...silent].sort(), holderCount: holders.size } : undefined;
}

export function showBrake({ silent, holderCount }: Brake): string {
  const names = silent.length > 5 ? `${silent.slice(0, 5).join(', ')} and ${silent.length - 5} more` : silent.join(', ');
  return `${silent.length} of ${holderCount} AllocSvrs with sections are silent (${names}): too many to be true, so nothing is given away`;
}
