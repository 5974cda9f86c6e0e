import { Arbiter, type ArbiterOptions } from '../arbiter/arbiter.js';
import { nextStep } from '../arbiter/decide.js';
import { planOperatorMove, planOperatorRebalance } from '../arbiter/operator.js';
import type { Move, Situation } from '../arbiter/view.js';
import { SeqError } from '../base/errors.js';
import type { StoreNode } from '../store/node.js';
import type { PlacementPort, PlannedMove } from '../store/placement-port.js';
import { arbiterPortOf } from './arbiter-port.js';

/** The arbiter of a StoreSvr, and what operators may ask of it. */
export function arbiterRole(
  node: StoreNode,
  options: Omit<ArbiterOptions, 'port'>,
): { readonly authority: Arbiter; readonly placement: PlacementPort } {
  const authority = new Arbiter({ ...options, port: arbiterPortOf(node, options.clock) });
  return { authority, placement: placementPortOf(authority) };
}

/** Joins operators' questions to the arbiter: the store that serves them does not know it. */
export function placementPortOf(arbiter: Arbiter): PlacementPort {
  const situation = (): Situation => {
    const seen = arbiter.situation();
    if (seen === undefined) throw new SeqError('UNAVAILABLE', 'this node does not play the arbiter', { definite: true });
    return seen;
  };
  return {
    get heldBy() {
      return arbiter.heldBy;
    },
    plan: () => {
      const step = nextStep(situation(), { isQuiet: true, isStuck: false });
      return step.kind === 'assign' || step.kind === 'planMove' ? toPlanned(step.moves, step.reason) : [];
    },
    planMove: (run, to) => toPlanned(planOperatorMove(situation(), run, to), 'operator'),
    planRebalance: () => toPlanned(planOperatorRebalance(situation()), 'operator: spread evenly'),
    waitLeftMs: (incarnation) => arbiter.waitLeftMs(incarnation) ?? 0,
    callsPerSecond: (incarnation) => arbiter.callsPerSecond(incarnation),
  };
}

function toPlanned(moves: readonly Move[], reason: string): readonly PlannedMove[] {
  return moves.map(({ firstSection, sectionCount, to }) => ({ firstSection, sectionCount, toAllocId: to.id, incarnation: to.incarnation, reason }));
}
