import type { Clock } from '../base/clock.js';
import { optional, SeqError, show } from '../base/errors.js';
import { isWildcard, splitAddress } from '../model/address.js';
import { parseName } from '../model/ids.js';
import {
  type AddMemberRequest,
  type AddMemberResponse,
  AdminServiceService,
  type ListMembersRequest,
  type ListMembersResponse,
  type PromoteMemberRequest,
  type PromoteMemberResponse,
  type RejoinRequest,
  type RejoinResponse,
  type RemoveMemberRequest,
  type RemoveMemberResponse,
  type SaveSnapshotRequest,
  type SaveSnapshotResponse,
  type TransferLeaderRequest,
  type TransferLeaderResponse,
  type UpdateMemberRequest,
  type UpdateMemberResponse,
} from '../rpc/gen/seqsvr/v1/admin.js';
import type { CallContext, Handlers, Service } from '../rpc/server.js';
import type { MembershipAdmin } from './member-view.js';
import { type CopiedNode, SnapshotSource } from './snapshot-source.js';
import { memberToWire, type StatusNode, type StatusParts, storeStatusHandler } from './status-service.js';

/** The longest a call waits for its change, in ms, however long its caller would: then TIMEOUT, and nobody knows what became of it. */
const WAIT_MAX_MS = 30_000;
/** What is left of the caller's time for the answer to travel, in ms. */
const ANSWER_MARGIN_MS = 50;

/** What the service needs of a StoreNode. */
export interface AdministeredNode extends StatusNode, CopiedNode {
  readonly members: MembershipAdmin;
  /** Resolves once another one leads: `name`, or the furthest active voter. */
  transferLeader(name: string | undefined): Promise<{ readonly name: string }>;
}

export interface AdminParts extends StatusParts {
  readonly node: AdministeredNode;
  readonly handlers: Handlers;
  /** Hears what went wrong after its caller was answered. */
  readonly onFatal: (error: unknown) => void;
}

/** What operators ask of a StoreSvr: parse, do, answer. Every wait is bounded. */
export function storeAdminService(parts: AdminParts): Service {
  const { node, handlers } = parts;
  const source = new SnapshotSource(parts);
  const bounded = <Result>(what: string, context: CallContext, work: Promise<Result>) => boundedWait(parts, { what, context, work });
  return {
    definition: AdminServiceService,
    implementation: {
      getStatus: storeStatusHandler(parts),
      listMembers: handlers.unary<ListMembersRequest, ListMembersResponse>(async ({ confirm }, context) => {
        if (confirm) await bounded('the confirmation of the leader', context, node.confirmLeadership());
        return membersOf(node);
      }),
      addMember: handlers.unary<AddMemberRequest, AddMemberResponse>(async (request, context) => {
        requireCluster(request.clusterId, node.identity.clusterId);
        await bounded(`the adding of ${request.name}`, context, node.members.add(parseMember(request)));
        return {};
      }),
      promoteMember: handlers.unary<PromoteMemberRequest, PromoteMemberResponse>(async (request, context) => {
        const name = parseName(request.name, 'name');
        await bounded(`the promotion of ${name}`, context, node.members.promote(name));
        return {};
      }),
      removeMember: handlers.unary<RemoveMemberRequest, RemoveMemberResponse>(async (request, context) => {
        const name = parseName(request.name, 'name');
        await bounded(`the removal of ${name}`, context, node.members.remove(name));
        return {};
      }),
      updateMember: handlers.unary<UpdateMemberRequest, UpdateMemberResponse>(async (request, context) => {
        const name = parseName(request.name, 'name');
        await bounded(`the update of ${name}`, context, node.members.update(name, parseAddresses(request)));
        return {};
      }),
      transferLeader: handlers.unary<TransferLeaderRequest, TransferLeaderResponse>((request, context) => {
        const name = request.name === '' ? undefined : parseName(request.name, 'name');
        return bounded('the transfer of leadership', context, node.transferLeader(name));
      }),
      rejoin: handlers.unary<RejoinRequest, RejoinResponse>(() => {
        throw new SeqError('INVALID_ARGUMENT', `${parts.name} is not quarantined: there is nothing that it could put aside`);
      }),
      saveSnapshot: handlers.serverStream<SaveSnapshotRequest, SaveSnapshotResponse>(({ clusterId }, stream) => {
        requireCluster(clusterId, node.identity.clusterId);
        source.send(stream, (error) => handlers.refuse(stream, error));
      }),
    },
  };
}

/** Throws PERMISSION_DENIED unless the caller means this cluster, or did not say. */
export function requireCluster(meant: string, clusterId: string): void {
  if (meant === '' || meant === clusterId) return;
  throw new SeqError('PERMISSION_DENIED', `this is cluster ${clusterId}, the caller means ${meant}`);
}

function membersOf(node: AdministeredNode): ListMembersResponse {
  const { raft } = node;
  return {
    members: node.members.list().map(memberToWire),
    leaderId: raft.leaderId ?? 0,
    term: BigInt(raft.term),
    appliedIndex: BigInt(raft.log.appliedIndex),
  };
}

function parseMember(request: AddMemberRequest) {
  const { id, nodeUuid, isLearner, replacesId } = request;
  if (!Number.isSafeInteger(id) || id < 1) throw new SeqError('INVALID_ARGUMENT', `id must be at least 1, got ${id}`);
  if (!/^[0-9a-f]{32}$/.test(nodeUuid)) throw new SeqError('INVALID_ARGUMENT', `node_uuid must be 32 hex digits, got ${show(nodeUuid)}`);
  if (replacesId === id) throw new SeqError('INVALID_ARGUMENT', `replaces_id must be another member's, got ${id} itself`);
  return {
    id,
    nodeUuid,
    isLearner,
    name: parseName(request.name, 'name'),
    peerAddress: parseDialable(request.peerAddress, 'peer_address'),
    address: parseDialable(request.address, 'address'),
    replacesId: replacesId === 0 ? undefined : replacesId,
  };
}

function parseAddresses({ peerAddress, address }: UpdateMemberRequest): { peerAddress?: string; address?: string } {
  if (peerAddress === '' && address === '') throw new SeqError('INVALID_ARGUMENT', 'an update needs peer_address or address, got neither');
  return {
    ...optional('peerAddress', peerAddress === '' ? undefined : parseDialable(peerAddress, 'peer_address')),
    ...optional('address', address === '' ? undefined : parseDialable(address, 'address')),
  };
}

/** What others are to dial: no wildcard, no port 0. Throws INVALID_ARGUMENT. */
function parseDialable(text: string, what: string): string {
  if (splitAddress(text).port === 0 || isWildcard(text)) {
    throw new SeqError('INVALID_ARGUMENT', `${what}: others must be able to dial it, got ${show(text)}`);
  }
  return text;
}

/**
 * As `work`, but no longer than the caller waits, nor than WAIT_MAX_MS: then TIMEOUT, not definite, for the change may yet
 * be made. What breaks after that is no secret: a bug still ends the process.
 */
function boundedWait<Result>(
  { clock, onFatal }: { readonly clock: Clock; readonly onFatal: (error: unknown) => void },
  { what, context, work }: { readonly what: string; readonly context: CallContext; readonly work: Promise<Result> },
): Promise<Result> {
  const leftMs = Math.max(1, Math.min(WAIT_MAX_MS, context.deadlineMs - clock.nowMs() - ANSWER_MARGIN_MS));
  return new Promise((resolve, reject) => {
    let isOver = false;
    const cancel = clock.after(leftMs, () => {
      isOver = true;
      reject(new SeqError('TIMEOUT', `${what} takes longer than ${Math.round(leftMs)}ms; it may yet be done`, { definite: false }));
    });
    work.then(
      (result) => {
        cancel();
        resolve(result);
      },
      (error: unknown) => {
        cancel();
        reject(error);
        if (isOver && !(error instanceof SeqError)) onFatal(error);
      },
    );
  });
}
