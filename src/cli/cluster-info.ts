import { type Geometry, showGeometry } from '../model/geometry.js';
import { showVersion, type Version } from '../model/version.js';
import { leaseTermsFromWire } from '../rpc/codec.js';
import type { LeaseTerms } from '../model/lease.js';
import { formatDuration } from './duration.js';
import type { Inspection } from './inspect.js';

/** What a cluster is: `seqctl cluster info`. What nobody could say is undefined, and absent in JSON. */
export interface ClusterInfo {
  readonly clusterId: string;
  readonly routingVersion: Version;
  readonly geometry: Geometry;
  readonly sectionCount: number;
  readonly lease: LeaseTerms | undefined;
  readonly storeCount: number;
  readonly allocCount: number;
  /** Versions of the program that nodes run, each with the nodes. More than one: an upgrade is under way. */
  readonly versions: readonly { readonly version: string; readonly nodes: readonly string[] }[];
}

/** Pure. */
export function infoOf({ table, answers }: Inspection): ClusterInfo {
  const statuses = answers.flatMap(({ status }) => (status === undefined ? [] : [status]));
  const stores = statuses.flatMap(({ role }) => (role?.$case === 'store' ? [role.value] : []));
  const known = stores.filter(({ lease }) => lease !== undefined).sort((one, other) => Number(other.appliedIndex - one.appliedIndex))[0];
  const versions = [...new Set(statuses.map(({ version }) => version))].sort();
  return {
    clusterId: statuses.map(({ clusterId }) => clusterId).find((id) => id !== '') ?? '',
    routingVersion: table.version,
    geometry: table.geometry,
    sectionCount: table.runs.reduce((sum, { sectionCount }) => sum + sectionCount, 0),
    lease: known === undefined ? undefined : leaseTermsFromWire(known.lease),
    storeCount: table.stores.length,
    allocCount: table.allocs.length,
    versions: versions.map((version) => ({ version, nodes: statuses.filter((one) => one.version === version).map(({ name }) => name) })),
  };
}

/** One fact a line. Pure. */
export function infoText({ clusterId, routingVersion, geometry, sectionCount, lease, storeCount, allocCount, versions }: ClusterInfo): string {
  const facts: readonly (readonly [string, string])[] = [
    ['cluster', clusterId === '' ? '-' : clusterId],
    ['geometry', `${showGeometry(geometry)}, ${sectionCount} sections`],
    ['routing version', showVersion(routingVersion)],
    ['lease', lease === undefined ? 'no store answered' : leaseWords(lease)],
    ['stores', String(storeCount)],
    ['AllocSvrs', String(allocCount)],
    ...versions.map(({ version, nodes }) => [`version ${version}`, nodes.join(', ')] as const),
  ];
  const width = Math.max(...facts.map(([title]) => title.length));
  return facts.map(([title, value]) => `${title.padEnd(width)}   ${value}\n`).join('');
}

function leaseWords({ leaseMs, driftPpm, marginMs }: LeaseTerms): string {
  return `${formatDuration(leaseMs)}, clocks off by at most ${driftPpm / 10_000}%, margin ${formatDuration(marginMs)}`;
}
