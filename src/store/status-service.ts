import type { Clock } from '../base/clock.js';
import type { Incarnation } from '../model/ids.js';
import { versionToWire } from '../rpc/codec.js';
import {
  type AllocMember,
  AdminServiceService,
  type GetStatusRequest,
  type GetStatusResponse,
  type StoreMember,
  type StoreStatus,
} from '../rpc/gen/seqsvr/v1/admin.js';
import type { Handlers, Service } from '../rpc/server.js';
import type { LeaseAuthority } from './lease-authority.js';
import type { ConfiguredMember } from './membership.js';
import type { StoreNode } from './node.js';

export interface StatusParts {
  readonly node: StoreNode;
  readonly authority: LeaseAuthority;
  readonly handlers: Handlers;
  readonly clock: Clock;
  readonly name: string;
  readonly members: readonly ConfiguredMember[];
  /** The program's version and process id. */
  readonly build: { readonly version: string; readonly pid: number };
}

/** This node's own view, for operators; never waits for a quorum. */
export function storeStatusService(parts: StatusParts): Service {
  const startedMs = parts.clock.nowMs();
  const getStatus = parts.handlers.unary<GetStatusRequest, GetStatusResponse>(() => ({
    name: parts.name,
    clusterId: parts.node.identity.clusterId,
    version: parts.build.version,
    pid: parts.build.pid,
    uptimeMs: BigInt(Math.round(parts.clock.nowMs() - startedMs)),
    role: { $case: 'store', value: statusOf(parts) },
  }));
  return { definition: AdminServiceService, implementation: { getStatus } };
}

function statusOf({ node, authority, members }: StatusParts): StoreStatus {
  const { raft, state, identity, stateHash } = node;
  const held = heldCounts(node);
  return {
    nodeId: identity.nodeId,
    nodeUuid: identity.nodeUuid,
    raftRole: raft.role,
    term: BigInt(raft.term),
    leaderId: raft.leaderId ?? 0,
    lastIndex: BigInt(raft.log.lastIndex),
    commitIndex: BigInt(raft.log.commitIndex),
    appliedIndex: BigInt(raft.log.appliedIndex),
    stateHash,
    routingVersion: state.cluster === undefined ? undefined : versionToWire(state.version),
    geometry: state.cluster?.geometry,
    lease: state.cluster?.lease,
    sectionCount: state.sections.length,
    unassignedCount: state.sections.length - state.allocs.reduce((sum, { incarnation }) => sum + (held.get(incarnation) ?? 0), 0),
    allocs: state.allocs.map(({ id, address, zone, incarnation, isDraining }): AllocMember => {
      const heardMsAgo = authority.heardMsAgo(incarnation);
      const sectionCount = held.get(incarnation) ?? 0;
      return {
        id,
        address,
        zone,
        state: isDraining ? (sectionCount > 0 ? 'draining' : 'gone') : 'joined',
        sectionCount,
        heardMsAgo: BigInt(Math.round(heardMsAgo ?? -1)),
      };
    }),
    members: members.map((member) => memberOf(node, member)),
  };
}

function memberOf({ raft, state, identity }: StoreNode, { id, name, peerAddress, address }: ConfiguredMember): StoreMember {
  const progress = raft.progress.get(id);
  const isActive = id === identity.nodeId || (progress?.isActive ?? false);
  return { id, name, peerAddress, address, nodeUuid: state.member(id)?.nodeUuid ?? '', matchIndex: BigInt(progress?.match ?? 0), isActive };
}

function heldCounts({ state }: StoreNode): ReadonlyMap<Incarnation, number> {
  const counts = new Map<Incarnation, number>();
  for (const { owner } of state.sections) if (owner !== undefined) counts.set(owner.incarnation, (counts.get(owner.incarnation) ?? 0) + 1);
  return counts;
}
