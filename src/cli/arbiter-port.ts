import type { ArbiterPort, Decision } from '../arbiter/port.js';
import type { Candidate, ClusterView, Holding } from '../arbiter/view.js';
import type { Clock } from '../base/clock.js';
import type { Incarnation } from '../model/ids.js';
import { isSame, type Version } from '../model/version.js';
import type { StoreNode } from '../store/node.js';
import type { Result } from '../store/result.js';
import type { Alloc, StoreState } from '../store/state.js';

/** Runs in one decision: some 100 bytes each, so that the entry stays far below what a peer takes. */
const RUNS_PER_DECISION_MAX = 10_000;

/** What of the state changes only with its version. */
interface Seen {
  readonly version: Version;
  readonly holdings: readonly Holding[];
  readonly allocs: readonly Candidate[];
  readonly draining: readonly Candidate[];
  readonly dead: ReadonlySet<Incarnation>;
}

/** Joins the arbiter to the StoreSvr whose role it is: neither knows the other. */
export function arbiterPortOf(node: StoreNode, clock: Clock): ArbiterPort {
  let seen: Seen | undefined;
  return {
    view(): ClusterView | undefined {
      const { state, raft } = node;
      const { cluster } = state;
      if (!node.isLeading || cluster === undefined) return undefined;
      if (seen === undefined || !isSame(seen.version, state.version)) seen = look(state);
      const { lease, leaseNumber, waitMs, policy } = cluster;
      return { ...seen, term: raft.term, lease, leaseNumber, waitMs, policy };
    },
    assign: (decision) => propose(node, clock, 'assign', decision),
    planMove: (decision) => propose(node, clock, 'planMove', decision),
    settleWait: async (settled) => fateOf(await node.propose({ type: 'settleWait', ...settled })),
  };
}

function look(state: StoreState): Seen {
  const { allocs, version } = state;
  const those = (standing: Alloc['state']): readonly Candidate[] =>
    allocs.filter((alloc) => alloc.state === standing).map(({ id, incarnation, zone }) => ({ id, incarnation, zone }));
  return {
    version,
    holdings: state.holdings(),
    allocs: those('joined'),
    draining: those('draining'),
    dead: new Set(allocs.flatMap(({ dead }) => dead)),
  };
}

/** Resolves with the fate of the entry. */
async function propose(
  node: StoreNode,
  clock: Clock,
  type: 'assign' | 'planMove',
  { arbiterTerm, basedOn, moves, reason }: Decision,
): Promise<string | undefined> {
  // What does not fit into one entry is decided anew on the next version.
  const runs = moves
    .slice(0, RUNS_PER_DECISION_MAX)
    .map(({ firstSection, sectionCount, to }) => ({ firstSection, sectionCount, allocId: to.id, incarnation: to.incarnation }));
  return fateOf(await node.propose({ type, arbiterTerm, basedOn, runs, reason, atMs: clock.wallMs() }));
}

/** A refusal by apply is a fate too: it changed nothing. */
function fateOf({ result }: { readonly result: Result }): string | undefined {
  return result.type === 'refused' ? result.why : undefined;
}
