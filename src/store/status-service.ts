import type { Clock } from '../base/clock.js';
import type { Incarnation } from '../model/ids.js';
import { leaseTermsToWire, versionToWire } from '../rpc/codec.js';
import { type AllocMember, type GetStatusRequest, type GetStatusResponse, type StoreMember, type StoreStatus } from '../rpc/gen/seqsvr/v1/admin.js';
import type { Handlers } from '../rpc/server.js';
import type { Identity } from './data-dir.js';
import type { LeaseAuthority } from './lease-authority.js';
import type { MembershipAdmin, MemberView } from './member-view.js';
import type { StoreState } from './state.js';

/** What a status needs of a StoreNode. */
export interface StatusNode {
  readonly identity: Identity;
  readonly state: StoreState;
  readonly stateHash: string;
  readonly raft: {
    readonly role: string;
    readonly term: number;
    readonly leaderId: number | undefined;
    readonly log: { readonly firstIndex: number; readonly lastIndex: number; readonly commitIndex: number; readonly appliedIndex: number };
  };
  readonly members: Pick<MembershipAdmin, 'list'>;
  /** The others have told it that it is no member any more. */
  readonly isRemoved: boolean;
}

export interface StatusParts {
  readonly node: StatusNode;
  readonly authority: Pick<LeaseAuthority, 'heardMsAgo'>;
  readonly handlers: Handlers;
  readonly clock: Clock;
  readonly name: string;
  /** `host:port` that others dial to reach the store API. */
  readonly advertise: string;
  /** `host:port` that other StoreSvrs dial. */
  readonly peerAdvertise: string;
  readonly build: Build;
}

/** The program's version and process id. */
export interface Build {
  readonly version: string;
  readonly pid: number;
}

/** This node's own view, for operators; never waits for a quorum. */
export function storeStatusHandler(parts: StatusParts) {
  const startedMs = parts.clock.nowMs();
  return parts.handlers.unary<GetStatusRequest, GetStatusResponse>(() => ({
    name: parts.name,
    clusterId: parts.node.identity.clusterId,
    version: parts.build.version,
    pid: parts.build.pid,
    uptimeMs: BigInt(Math.round(parts.clock.nowMs() - startedMs)),
    role: { $case: 'store', value: statusOf(parts) },
  }));
}

export function memberToWire(member: MemberView): StoreMember {
  const { id, name, nodeUuid, peerAddress, address, role, isActive, wantsVote } = member;
  return {
    id,
    name,
    nodeUuid,
    peerAddress,
    address,
    role,
    isActive,
    wantsVote,
    matchIndex: BigInt(member.matchIndex),
    lag: BigInt(member.lag ?? -1),
    replacesId: member.replacesId ?? 0,
  };
}

function statusOf({ node, authority, advertise, peerAdvertise }: StatusParts): StoreStatus {
  const { raft, state, identity, stateHash } = node;
  const members = node.members.list();
  const own = members.find(({ id }) => id === identity.nodeId);
  const held = heldCounts(node);
  return {
    nodeId: identity.nodeId,
    nodeUuid: identity.nodeUuid,
    raftRole: raft.role,
    term: BigInt(raft.term),
    leaderId: raft.leaderId ?? 0,
    firstIndex: BigInt(raft.log.firstIndex),
    lastIndex: BigInt(raft.log.lastIndex),
    commitIndex: BigInt(raft.log.commitIndex),
    appliedIndex: BigInt(raft.log.appliedIndex),
    stateHash,
    routingVersion: state.cluster === undefined ? undefined : versionToWire(state.version),
    geometry: state.cluster?.geometry,
    lease: state.cluster && leaseTermsToWire(state.cluster.lease, state.cluster.waitMs),
    sectionCount: state.sections.length,
    unassignedCount: state.sections.length - state.allocs.reduce((sum, { incarnation }) => sum + (held.get(incarnation) ?? 0), 0),
    allocs: state.allocs.map(({ id, address, zone, incarnation, state: standing }): AllocMember => {
      const heardMsAgo = authority.heardMsAgo(incarnation);
      const sectionCount = held.get(incarnation) ?? 0;
      return {
        id,
        address,
        zone,
        state: standing === 'draining' && sectionCount === 0 ? 'gone' : standing,
        sectionCount,
        heardMsAgo: BigInt(Math.round(heardMsAgo ?? -1)),
      };
    }),
    members: members.map(memberToWire),
    quarantine: undefined,
    standing: node.isRemoved ? 'removed' : (own?.role ?? 'joining'),
    // What was committed is what the others dial.
    peerAddress: own?.peerAddress ?? peerAdvertise,
    address: own?.address ?? advertise,
  };
}

function heldCounts({ state }: StatusNode): ReadonlyMap<Incarnation, number> {
  const counts = new Map<Incarnation, number>();
  for (const { owner } of state.sections) if (owner !== undefined) counts.set(owner.incarnation, (counts.get(owner.incarnation) ?? 0) + 1);
  return counts;
}
