import { brakeOf, showBrake } from './brake.js';
import { planAssignment, planCancel, planDrain, planRebalance } from './plan.js';
import { type Move, movingCountOf, type Situation } from './view.js';

/** What should be done now, and why. */
export type Step =
  | {
      readonly kind: 'assign' | 'planMove';
      readonly moves: readonly Move[];
      readonly reason: string /** More of the same is to come. */;
      readonly goesOn?: boolean;
    }
  /** Nothing is done although something should be: why, in words. */
  | { readonly kind: 'held'; readonly why: string }
  | { readonly kind: 'none' };

/**
 * The next step, by importance: give away what nobody can serve, call off moves that come to nothing, empty who is about
 * to stop, and when all is quiet spread evenly. Pure.
 */
export function nextStep(situation: Situation, { isQuiet, isStuck }: { readonly isQuiet: boolean; readonly isStuck: boolean }): Step {
  const { view } = situation;
  if (view.policy.isPaused) return { kind: 'held', why: 'paused by an operator' };
  const brake = brakeOf(situation);
  if (brake !== undefined) return { kind: 'held', why: showBrake(brake) };
  const assignment = planAssignment(situation);
  if (assignment.length > 0) return { kind: 'assign', moves: assignment, reason: reasonOf(situation) };
  const cancelled = planCancel(situation, { isStuck });
  if (cancelled.length > 0)
    return {
      kind: 'planMove',
      moves: cancelled,
      reason: `called off: ${isStuck ? 'planned moves do not get on' : 'whom the sections were to go to is silent'}`,
    };
  const drained = planDrain(situation);
  if (drained.length > 0) return { kind: 'planMove', moves: drained, reason: `draining: ${namesOf(view.draining)}`, goesOn: true };
  if (!isQuiet) return { kind: 'none' };
  const levelled = planRebalance(situation);
  return levelled.length === 0
    ? { kind: 'none' }
    : { kind: 'planMove', moves: levelled, reason: 'spread evenly', goesOn: fillsRoom(situation, levelled) };
}

/** As many sections as may be on their way: so there may be more to move. */
export function fillsRoom({ view }: Situation, moves: readonly Move[]): boolean {
  const count = moves.reduce((sum, { sectionCount }) => sum + sectionCount, 0);
  return movingCountOf(view) + count >= view.policy.movesInFlightMax;
}

function reasonOf({ view, expired, living }: Situation): string {
  const of = (ids: readonly { readonly id: string; readonly incarnation: unknown }[]): string => namesOf(ids);
  const holders = new Set(view.holdings.flatMap(({ holder }) => holder ?? []));
  const died = [...holders].filter((holder) => view.dead.has(holder));
  if (died.length > 0) return `reported dead: ${holderNames(view.holdings, (holder) => view.dead.has(holder))}`;
  const silent = [...view.allocs, ...view.draining].filter(({ incarnation }) => expired.has(incarnation) && holders.has(incarnation));
  const verb =
    view.policy.placement === 'primary-standby' && silent.some(({ id }) => !view.policy.standbys.includes(id)) ? 'a standby takes over, ' : '';
  if (silent.length > 0) return `lease over: ${verb}${of(silent)}`;
  return [...expired].some((run) => holders.has(run) && !living.has(run)) ? 'former runs are over' : 'sections without an owner';
}

function holderNames(
  holdings: Situation['view']['holdings'],
  isMeant: (holder: NonNullable<(typeof holdings)[number]['holder']>) => boolean,
): string {
  const names = holdings.flatMap(({ holder, holderId }) => (holder !== undefined && holderId !== undefined && isMeant(holder) ? [holderId] : []));
  return [...new Set(names)].sort().join(', ');
}

function namesOf(allocs: readonly { readonly id: string }[]): string {
  return allocs.map(({ id }) => id).join(', ');
}
