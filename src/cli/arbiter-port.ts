import type { ArbiterPort, Decision } from '../arbiter/arbiter.js';
import type { ClusterView, Holding } from '../arbiter/view.js';
import type { Clock } from '../base/clock.js';
import { isSame, type Version } from '../model/version.js';
import type { StoreNode } from '../store/node.js';

/** Runs in one decision: some 100 bytes each, so that the entry stays far below what a peer takes. */
const RUNS_PER_DECISION_MAX = 10_000;

/** Joins the arbiter to the StoreSvr whose role it is: neither knows the other. */
export function arbiterPortOf(node: StoreNode, clock: Clock): ArbiterPort {
  let seen: { readonly version: Version; readonly holdings: readonly Holding[] } | undefined;
  return {
    view(): ClusterView | undefined {
      const { state, raft } = node;
      if (!node.isLeading || state.cluster === undefined) return undefined;
      if (seen === undefined || !isSame(seen.version, state.version)) {
        // Holders do not change without a new version, so this is worth keeping.
        seen = { version: state.version, holdings: state.holdings() };
      }
      const { version, lease } = state.cluster;
      return { term: raft.term, version, lease, allocs: state.allocs.filter((alloc) => alloc.state === 'joined'), holdings: seen.holdings };
    },
    assign: (decision) => propose(node, clock, 'assign', decision),
    planMove: (decision) => propose(node, clock, 'planMove', decision),
  };
}

/** Resolves with the fate of the entry; a refusal by apply is a fate, and the state shows it. */
async function propose(node: StoreNode, clock: Clock, type: 'assign' | 'planMove', { arbiterTerm, basedOn, moves, reason }: Decision): Promise<void> {
  // What does not fit into one entry is decided anew on the next version.
  const runs = moves
    .slice(0, RUNS_PER_DECISION_MAX)
    .map(({ firstSection, sectionCount, to }) => ({ firstSection, sectionCount, allocId: to.id, incarnation: to.incarnation }));
  await node.propose({ type, arbiterTerm, basedOn, runs, reason, atMs: clock.wallMs() });
}
