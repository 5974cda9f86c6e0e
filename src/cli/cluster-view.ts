import type { AllocMember, GetStatusResponse, StoreMember, StoreStatus } from '../rpc/gen/seqsvr/v1/admin.js';
import type { Health } from './health.js';
import type { Inspection, NodeAnswer } from './inspect.js';

/**
 * healthy: everything answers and every section has an owner that serves.
 * degraded: numbers are handed out, but something is down, behind, or without an owner.
 * unavailable: no AllocSvr serves.
 * unknown: AllocSvrs serve, but no store answered, so nobody can say if maxSeq can still be raised.
 */
export type ClusterHealth = Health;

/** One line of `seqctl cluster status`. What does not apply or is not known is undefined, and absent in JSON. */
export interface NodeView {
  readonly name: string;
  readonly role: 'store' | 'alloc';
  readonly address: string;
  /**
   * A store's Raft role, or 'learner', 'leaving', 'quarantined', 'replaced' (another data directory answers for it), and of
   * stores that are no members 'joining' and 'removed'; an AllocSvr's 'serving', 'noLease' or 'gone'; 'unreachable'.
   */
  readonly state: string;
  readonly term?: bigint | undefined;
  readonly commitIndex?: bigint | undefined;
  readonly appliedIndex?: bigint | undefined;
  /** How many entries a store is behind the leader, as the leader knows it. */
  readonly lag?: bigint | undefined;
  /** How many sections an AllocSvr owns. */
  readonly sections?: number | undefined;
  readonly version: string | undefined;
  readonly pid: number | undefined;
  readonly uptimeMs: number | undefined;
  /** Why it did not answer, or is quarantined. */
  readonly error: string | undefined;
}

export interface ClusterView {
  readonly clusterId: string;
  readonly health: ClusterHealth;
  /** One sentence for each thing that is not as it should be. */
  readonly problems: readonly string[];
  readonly routingVersion: { readonly generation: number; readonly value: number };
  readonly nodes: readonly NodeView[];
}

/** What an inspection shows, as lines and one word. Pure. */
export function viewOf({ table, answers }: Inspection): ClusterView {
  const byAddress = new Map(answers.map((answer) => [answer.address, answer]));
  const stores = answers.flatMap(({ status }) => (status?.role?.$case === 'store' ? [status.role.value] : []));
  // Two may claim to lead for a moment: the higher term is the true one.
  const leader = stores.filter(({ raftRole }) => raftRole === 'leader').sort((one, other) => Number(other.term - one.term))[0];
  // A quarantined one or a joiner knows nothing of the cluster.
  const informed = stores.filter(({ quarantine, standing }) => quarantine === undefined && standing !== 'joining');
  const known = leader ?? informed.sort((one, other) => Number(other.appliedIndex - one.appliedIndex))[0];

  const members = storesOf(known, table.stores);
  const storeLines = members.map((member) => storeLine(member, byAddress.get(member.address), leader));
  storeLines.push(...answers.filter(({ address }) => members.every((member) => member.address !== address)).flatMap(strangerLine));
  const allocLines = allocsOf(known, table.allocs).map((member) => allocLine(member, byAddress.get(member.address)));
  const nodes = [...storeLines, ...allocLines];
  const problems = [
    ...(leader === undefined ? ['no store leads: maxSeq cannot be raised and leases cannot be renewed'] : []),
    ...(known !== undefined && known.unassignedCount > 0 ? [`${known.unassignedCount} of ${known.sectionCount} sections have no owner`] : []),
    ...nodes.flatMap(problemOf),
  ];
  return {
    clusterId: answers.map(({ status }) => status?.clusterId ?? '').find((id) => id !== '') ?? '',
    health: healthOf({ isServed: allocLines.some(({ state }) => state === 'serving'), isStoreKnown: known !== undefined, problems }),
    problems,
    routingVersion: table.version,
    nodes,
  };
}

function healthOf(facts: { readonly isServed: boolean; readonly isStoreKnown: boolean; readonly problems: readonly string[] }): ClusterHealth {
  if (!facts.isServed) return 'unavailable';
  if (!facts.isStoreKnown) return 'unknown';
  return facts.problems.length > 0 ? 'degraded' : 'healthy';
}

function problemOf(node: NodeView): string[] {
  if (node.state === 'unreachable') return [`${node.name} does not answer: ${node.error}`];
  if (node.state === 'quarantined') return [`${node.name} is quarantined: ${node.error}`];
  if (node.state === 'replaced') return [`another data directory answers in the place of ${node.name}: see 'seqctl member replace'`];
  if (node.state === 'noLease') return [`${node.name} holds no lease`];
  return [];
}

type StoreName = Pick<StoreMember, 'id' | 'name' | 'address'> & { readonly role?: string; readonly nodeUuid?: string };
type AllocName = Pick<AllocMember, 'id' | 'address' | 'state'>;

/** The stores' own list, or the table's when no store answered. */
function storesOf(known: StoreStatus | undefined, listed: readonly StoreName[]): StoreName[] {
  const stores = known === undefined || known.members.length === 0 ? [...listed] : known.members;
  return [...stores].sort((one, other) => one.id - other.id);
}

function allocsOf(known: StoreStatus | undefined, listed: readonly Pick<AllocMember, 'id' | 'address'>[]): AllocName[] {
  const allocs = known === undefined ? listed.map(({ id, address }) => ({ id, address, state: 'joined' })) : known.allocs;
  return [...allocs].sort((one, other) => one.id.localeCompare(other.id, 'en', { numeric: true }));
}

function storeLine(member: StoreName, answer: NodeAnswer | undefined, leader: StoreStatus | undefined): NodeView {
  const status = answer?.status;
  const store = status?.role?.$case === 'store' ? status.role.value : undefined;
  const match = leader?.members.find(({ id }) => id === member.id)?.matchIndex ?? 0n;
  const isLeader = leader !== undefined && leader.nodeId === member.id;
  return {
    ...lineOf({ name: member.name, role: 'store', address: member.address }, status, answer),
    ...(store?.quarantine === undefined ? {} : { error: store.quarantine.reason }),
    state: store === undefined ? 'unreachable' : storeState(member, store),
    term: store?.term,
    commitIndex: store?.commitIndex,
    appliedIndex: store?.appliedIndex,
    lag: isLeader ? 0n : leader === undefined || match === 0n ? undefined : leader.lastIndex - match,
  };
}

function storeState({ role, nodeUuid }: StoreName, store: StoreStatus): string {
  if (store.quarantine !== undefined) return 'quarantined';
  if (nodeUuid !== undefined && nodeUuid !== '' && store.nodeUuid !== nodeUuid) return 'replaced';
  return role === 'learner' || role === 'leaving' ? role : store.raftRole;
}

/** A store that answers and is no member: it waits to be added, or was taken out. No problem of the cluster's. */
function strangerLine(answer: NodeAnswer): NodeView[] {
  const { address, status } = answer;
  if (status?.role?.$case !== 'store') return [];
  const { standing, term } = status.role.value;
  return [{ ...lineOf({ name: status.name, role: 'store', address }, status, answer), state: standing === 'joining' ? 'joining' : 'removed', term }];
}

function allocLine(member: AllocName, answer: NodeAnswer | undefined): NodeView {
  const status = answer?.status;
  const alloc = status?.role?.$case === 'alloc' ? status.role.value : undefined;
  const absent = member.state === 'gone' ? 'gone' : 'unreachable';
  return {
    ...lineOf({ name: member.id, role: 'alloc', address: member.address }, status, answer),
    state: alloc === undefined ? absent : alloc.isServing ? 'serving' : 'noLease',
    sections: alloc?.sectionCount,
  };
}

function lineOf(node: Pick<NodeView, 'name' | 'role' | 'address'>, status: GetStatusResponse | undefined, answer: NodeAnswer | undefined) {
  return {
    ...node,
    version: status?.version,
    pid: status?.pid,
    uptimeMs: status === undefined ? undefined : Number(status.uptimeMs),
    error: status === undefined ? (answer?.error ?? 'it was not asked') : undefined,
  };
}
