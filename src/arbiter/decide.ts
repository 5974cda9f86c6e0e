import type { Incarnation } from '../model/ids.js';
import { brakeOf, showBrake } from './brake.js';
import { planAssignment, planCancel, planDrain, planRebalance } from './plan.js';
import type { Situation } from './situation.js';
import type { Move } from './view.js';

/** What should be done now, and why. */
export type Step =
  | {
      readonly kind: 'assign' | 'planMove';
      readonly moves: readonly Move[];
      readonly reason: string;
      /** Runs that it takes sections from without their help: they must not renew while it is decided. */
      readonly from: ReadonlySet<Incarnation>;
      /** More of the same is to come: the next part need not wait for quiet. */
      readonly goesOn: boolean;
      /** It makes the living level, and that for a while. */
      readonly isLevelling: boolean;
    }
  | { readonly kind: 'none'; readonly goesOn: boolean };

export interface Outlook {
  readonly step: Step;
  /** Why something is left alone that would be done otherwise, in words; undefined: nothing holds decisions back. */
  readonly heldBy: string | undefined;
}

/** The living are made level only when nothing has changed for a while; moves are stuck when none of them gets on for a while. */
export interface Pace {
  readonly isQuiet: boolean;
  readonly isStuck: boolean;
}

const PAUSED = 'paused by an operator';
const NOBODY: ReadonlySet<Incarnation> = new Set();

/**
 * The next step, by importance: give away what nobody can serve, call off moves that come to nothing, empty who is about
 * to stop, and when all is quiet spread evenly. Pure.
 */
export function nextStep(situation: Situation, pace: Pace): Outlook {
  if (situation.view.policy.isPaused) return { step: { kind: 'none', goesOn: false }, heldBy: PAUSED };
  const brake = brakeOf(situation);
  return { step: stepOf(situation, pace, brake !== undefined), heldBy: brake && showBrake(brake) };
}

/** What would be done, were it not paused. */
export function outlookOf(situation: Situation): Outlook {
  const { view } = situation;
  const { step, heldBy } = nextStep(
    { ...situation, view: { ...view, policy: { ...view.policy, isPaused: false } } },
    { isQuiet: true, isStuck: false },
  );
  return { step, heldBy: view.policy.isPaused ? PAUSED : heldBy };
}

function stepOf(situation: Situation, { isQuiet, isStuck }: Pace, isBraking: boolean): Step {
  const { from, ...assignment } = planAssignment(situation);
  if (assignment.moves.length > 0) return { kind: 'assign', ...assignment, from, goesOn: false, isLevelling: false };
  // Planned moves can wait for better times.
  if (isBraking) return { kind: 'none', goesOn: false };
  const cancelled = planCancel(situation, { isStuck });
  if (cancelled.moves.length > 0) return { kind: 'planMove', ...cancelled, from: NOBODY, goesOn: false, isLevelling: false };
  const { isPart, ...drained } = planDrain(situation);
  if (drained.moves.length > 0) return { kind: 'planMove', ...drained, from: NOBODY, goesOn: isPart, isLevelling: false };
  if (isPart || !isQuiet) return { kind: 'none', goesOn: isPart };
  const { isPart: isPartLevel, ...levelled } = planRebalance(situation);
  if (levelled.moves.length === 0) return { kind: 'none', goesOn: isPartLevel };
  return { kind: 'planMove', ...levelled, from: NOBODY, goesOn: isPartLevel, isLevelling: true };
}
