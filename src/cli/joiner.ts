import { SeqError } from '../base/errors.js';
import type { GetStatusResponse, StoreStatus } from '../rpc/gen/seqsvr/v1/admin.js';
import type { MemberSession } from './member-session.js';

/** A store that runs and waits to be added. */
export interface Joiner {
  readonly clusterId: string;
  readonly id: number;
  readonly name: string;
  readonly nodeUuid: string;
  readonly peerAddress: string;
  readonly address: string;
}

/**
 * Asks the store at `address` who it is. Throws INVALID_ARGUMENT or UNAVAILABLE, with what to do, unless it is a joiner
 * of that name and cluster; one that is a member already passes, for a command may be repeated.
 */
export async function askJoiner(
  session: MemberSession,
  wanted: { readonly name: string; readonly address: string; readonly clusterId: string },
): Promise<Joiner> {
  const { name, address } = wanted;
  let why = '';
  const status = await session.finder.statusAt(address, (reason) => {
    why = reason;
  });
  if (status === undefined) {
    throw new SeqError('UNAVAILABLE', `${name} does not answer at ${address} (${why}): start it there first, with 'join: true' in its config`, {
      definite: true,
    });
  }
  const store = storeOf(status, address);
  requireSameCluster(status, wanted);
  if (status.name !== name) {
    throw new SeqError(
      'INVALID_ARGUMENT',
      `the store at ${address} is called ${status.name}, not ${name}: give its own name, or change 'name' in its config`,
    );
  }
  refuseUnfit(store, wanted);
  const { nodeId, nodeUuid, peerAddress } = store;
  // Its own word on how others reach it counts, not how this tool did.
  return { clusterId: status.clusterId, id: nodeId, name, nodeUuid, peerAddress, address: store.address };
}

export function storeOf(status: GetStatusResponse, address: string): StoreStatus {
  if (status.role?.$case === 'store') return status.role.value;
  throw new SeqError('INVALID_ARGUMENT', `${status.name} at ${address} is an AllocSvr: members are StoreSvrs, so give the 'listen' address of one`);
}

export function requireSameCluster(
  status: GetStatusResponse,
  { address, clusterId }: { readonly address: string; readonly clusterId: string },
): void {
  if (status.clusterId === clusterId) return;
  throw new SeqError(
    'INVALID_ARGUMENT',
    `${status.name} at ${address} is of cluster ${status.clusterId}, this one is ${clusterId}: set 'cluster' in its config and give it an empty dataDir`,
  );
}

function refuseUnfit({ standing, quarantine }: StoreStatus, { name, address }: { readonly name: string; readonly address: string }): void {
  if (quarantine !== undefined) {
    throw new SeqError(
      'INVALID_ARGUMENT',
      `${name} at ${address} is quarantined (${quarantine.reason}): bring it back with 'seqctl member replace ${name}'`,
    );
  }
  if (standing === 'removed') {
    throw new SeqError(
      'INVALID_ARGUMENT',
      `${name} at ${address} was removed with the data that it has: give it an empty dataDir and 'join: true' in its config, and start it again`,
    );
  }
}
