import { Arbiter } from '../arbiter/arbiter.js';
import type { ArbiterOptions } from '../arbiter/port.js';
import type { Move } from '../arbiter/view.js';
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
  return {
    get heldBy() {
      return arbiter.heldBy;
    },
    plan: () => {
      const { step } = arbiter.plan();
      return step.kind === 'none' ? [] : toPlanned(step.moves, step.reason);
    },
    move: async (run, to, options) => toPlanned(await arbiter.move(run, to, options), 'operator'),
    rebalance: async (options) => toPlanned(await arbiter.rebalance(options), 'operator: spread evenly'),
    waitLeftMs: (incarnation) => arbiter.waitLeftMs(incarnation) ?? 0,
    callsPerSecond: (incarnation) => arbiter.callsPerSecond(incarnation),
  };
}

function toPlanned(moves: readonly Move[], reason: string): readonly PlannedMove[] {
  return moves.map(({ firstSection, sectionCount, to }) => ({ firstSection, sectionCount, toAllocId: to.id, reason }));
}
