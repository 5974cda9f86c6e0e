import type { AllocStatus, GetStatusResponse, StoreStatus } from '../rpc/gen/seqsvr/v1/admin.js';
import { formatAge } from './duration.js';
import type { Health } from './health.js';
import type { NodeAnswer } from './inspect.js';
import type { Column } from './table.js';

/** A store that has applied no more than this many entries less than it knows to be committed keeps up. */
const APPLY_LAG_MAX = 1_000n;

/** One line of `seqctl endpoint health` and `endpoint status`. What does not apply or is not known is undefined, and absent in JSON. */
export interface EndpointLine {
  readonly endpoint: string;
  readonly health: Health;
  /** Of the question, there and back. */
  readonly tookMs: number;
  /** Why it is not healthy; '' when it is. */
  readonly reason: string;
  readonly name?: string | undefined;
  readonly role?: 'store' | 'alloc' | undefined;
  /** A store's Raft role, or what it is when it takes no part; an AllocSvr's 'serving' or 'noLease'. */
  readonly state?: string | undefined;
  readonly clusterId?: string | undefined;
  readonly version?: string | undefined;
  readonly pid?: number | undefined;
  readonly uptimeMs?: number | undefined;
  readonly term?: bigint | undefined;
  readonly lastIndex?: bigint | undefined;
  readonly commitIndex?: bigint | undefined;
  readonly appliedIndex?: bigint | undefined;
  /** Entries that its log keeps. */
  readonly logEntries?: bigint | undefined;
  readonly sections?: number | undefined;
  readonly leaseLeftMs?: number | undefined;
}

export const HEALTH_COLUMNS: readonly Column<EndpointLine>[] = [
  { title: 'ENDPOINT', cell: ({ endpoint }) => endpoint },
  { title: 'NAME', cell: ({ name }) => name ?? '' },
  { title: 'HEALTH', cell: ({ health }) => health },
  { title: 'TOOK', cell: ({ tookMs }) => `${tookMs}ms` },
  { title: 'REASON', cell: ({ reason }) => reason },
];

export const STATUS_COLUMNS: readonly Column<EndpointLine>[] = [
  { title: 'ENDPOINT', cell: ({ endpoint }) => endpoint },
  { title: 'NAME', cell: ({ name }) => name ?? '' },
  { title: 'ROLE', cell: ({ role }) => role ?? '' },
  { title: 'HEALTH', cell: ({ health }) => health },
  { title: 'STATE', cell: ({ state }) => state ?? '' },
  { title: 'TOOK', cell: ({ tookMs }) => `${tookMs}ms` },
  { title: 'TERM', cell: ({ term }) => textOf(term) },
  { title: 'LAST/COMMIT/APPLIED', cell: ({ lastIndex, commitIndex, appliedIndex }) => joined(lastIndex, commitIndex, appliedIndex) },
  { title: 'SECTIONS', cell: ({ sections }) => textOf(sections) },
  { title: 'LEASE-LEFT', cell: ({ leaseLeftMs }) => (leaseLeftMs === undefined ? '' : `${leaseLeftMs}ms`) },
  { title: 'VERSION', cell: ({ version }) => version ?? '' },
  { title: 'UPTIME', cell: ({ uptimeMs }) => (uptimeMs === undefined ? '' : formatAge(uptimeMs)) },
  { title: 'LOG', isWide: true, cell: ({ logEntries }) => textOf(logEntries) },
  { title: 'PID', isWide: true, cell: ({ pid }) => textOf(pid) },
  { title: 'CLUSTER', isWide: true, cell: ({ clusterId }) => clusterId ?? '' },
  { title: 'REASON', isWide: true, cell: ({ reason }) => reason },
];

/** What one node answered, and how long that took, as a line. Pure. */
export function endpointLine({ address, status, error, code }: NodeAnswer, tookMs: number): EndpointLine {
  const line = { endpoint: address, tookMs: Math.round(tookMs) };
  if (status === undefined) {
    // Nobody listens: then nobody serves there. Whoever is silent or does not let us ask may serve very well.
    const isRefused = code === 'UNAVAILABLE' && error.includes('ECONNREFUSED');
    return { ...line, health: isRefused ? 'unavailable' : 'unknown', reason: error };
  }
  const { name, clusterId, version, pid, uptimeMs, role } = status;
  const node = { ...line, name, clusterId, version, pid, uptimeMs: Number(uptimeMs) };
  if (role?.$case === 'store') return { ...node, ...storeFields(role.value), ...storeHealth(role.value) };
  if (role?.$case === 'alloc') return { ...node, ...allocFields(role.value), ...allocHealth(role.value, status) };
  return { ...node, health: 'unknown', reason: 'it does not say what it is' };
}

function storeFields(store: StoreStatus) {
  const { term, lastIndex, commitIndex, appliedIndex, firstIndex, standing, raftRole } = store;
  const isPart = standing === 'voter' || standing === 'leaving';
  return {
    role: 'store' as const,
    state: isPart ? raftRole : standing,
    term,
    lastIndex,
    commitIndex,
    appliedIndex,
    logEntries: firstIndex === 0n ? 0n : lastIndex - firstIndex + 1n,
  };
}

function storeHealth({ quarantine, standing, leaderId, commitIndex, appliedIndex }: StoreStatus): {
  readonly health: Health;
  readonly reason: string;
} {
  if (quarantine !== undefined) return { health: 'unavailable', reason: `quarantined: ${quarantine.reason}` };
  if (standing === 'removed') return { health: 'unavailable', reason: 'it was removed from the cluster' };
  if (standing === 'joining') return { health: 'unavailable', reason: "it waits for 'seqctl member add'" };
  if (leaderId === 0) return { health: 'degraded', reason: 'it knows no leader' };
  const behind = commitIndex - appliedIndex;
  if (behind > APPLY_LAG_MAX) return { health: 'degraded', reason: `it has still to apply ${behind} committed entries` };
  return { health: 'healthy', reason: '' };
}

function allocFields({ sectionCount, isServing, leaseLeftMs }: AllocStatus) {
  return { role: 'alloc' as const, state: isServing ? 'serving' : 'noLease', sections: sectionCount, leaseLeftMs: Number(leaseLeftMs) };
}

function allocHealth({ isServing }: AllocStatus, { clusterId }: GetStatusResponse): { readonly health: Health; readonly reason: string } {
  if (isServing) return { health: 'healthy', reason: '' };
  return { health: 'unavailable', reason: clusterId === '' ? 'it has not registered with a store yet' : 'it holds no lease' };
}

function textOf(value: bigint | number | undefined): string {
  return value === undefined ? '' : String(value);
}

function joined(...values: readonly (bigint | undefined)[]): string {
  return values.every((value) => value === undefined) ? '' : values.map(textOf).join('/');
}
