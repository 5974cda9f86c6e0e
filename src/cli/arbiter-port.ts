import type { ArbiterPort, Decision } from '../arbiter/arbiter.js';
import type { ClusterView, Holding } from '../arbiter/view.js';
import { toSectionId } from '../model/ids.js';
import { isSame, type Version } from '../model/version.js';
import { appendRun } from '../model/window.js';
import type { StoreNode } from '../store/node.js';

/** Joins the arbiter to the StoreSvr whose role it is: neither knows the other. */
export function arbiterPortOf(node: StoreNode): ArbiterPort {
  let seen: { readonly version: Version; readonly holdings: readonly Holding[] } | undefined;
  return {
    view(): ClusterView | undefined {
      const { state, raft } = node;
      if (!node.isLeading || state.cluster === undefined) return undefined;
      if (seen === undefined || !isSame(seen.version, state.version)) seen = { version: state.version, holdings: holdingsOf(node) };
      const { version, lease } = state.cluster;
      return { term: raft.term, version, lease, allocs: state.allocs, holdings: seen.holdings };
    },
    assign: (decision) => propose(node, 'assign', decision),
    planMove: (decision) => propose(node, 'planMove', decision),
  };
}

/** Holders do not change without a new version, so this is worth keeping. */
function holdingsOf({ state }: StoreNode): readonly Holding[] {
  const runs: Holding[] = [];
  state.sections.forEach(({ owner, next }, index) => {
    const holding = { firstSection: toSectionId(index), sectionCount: 1, holder: owner?.incarnation, isMoving: next !== undefined };
    appendRun(runs, holding, (one, other) => one.holder === other.holder && one.isMoving === other.isMoving);
  });
  return runs;
}

/** Resolves with the fate of the entry; a refusal by apply is a fate, and the state shows it. */
async function propose(node: StoreNode, type: 'assign' | 'planMove', { arbiterTerm, basedOn, moves, reason }: Decision): Promise<void> {
  const runs = moves.map(({ firstSection, sectionCount, to }) => ({ firstSection, sectionCount, allocId: to.id, incarnation: to.incarnation }));
  await node.propose({ type, arbiterTerm, basedOn, runs, reason });
}
