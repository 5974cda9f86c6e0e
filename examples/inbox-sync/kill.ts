import { systemClock } from '../../src/base/clock.js';
import type { SeqClient } from '../../src/client/client.js';
import { Channel } from '../../src/rpc/channel.js';
import { AdminServiceService as AdminService } from '../../src/rpc/gen/seqsvr/v1/admin.js';

const STATUS_TIMEOUT_MS = 1_000;

/**
 * The process id of the AllocSvr that serves the uid, as that process tells it. Throws an Error when it runs on
 * another machine, for a process id means nothing there, or when nobody serves the uid.
 */
export async function pidOfOwner(client: SeqClient, uid: bigint): Promise<{ readonly name: string; readonly pid: number }> {
  const owner = client.owner(uid);
  if (owner === undefined) throw new Error(`nobody serves uid ${uid} now`);
  if (!isLoopback(owner.address)) throw new Error(`${owner.id} is at ${owner.address}: only processes of this machine can be killed`);
  const channel = new Channel({ address: owner.address, clock: systemClock });
  try {
    const { role, pid } = await channel.call(AdminService.getStatus, {}, { timeoutMs: STATUS_TIMEOUT_MS });
    if (role?.$case !== 'alloc' || role.value.allocId !== owner.id) throw new Error(`${owner.address} is not ${owner.id}`);
    return { name: owner.id, pid };
  } finally {
    channel.close();
  }
}

function isLoopback(address: string): boolean {
  return /^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d+$/.test(address);
}
