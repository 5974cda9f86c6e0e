import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { SeqClient } from 'seqsvr/client';

/** What this needs of `seqctl cluster status -o json`. */
interface ClusterStatus {
  readonly nodes: readonly { readonly name: string; readonly pid?: number }[];
}

/**
 * The process id of the AllocSvr that serves the uid, as `seqctl` tells it. Throws an Error when it runs on another
 * machine, for a process id means nothing there, or when nobody serves the uid.
 */
export async function pidOfOwner(client: SeqClient, uid: bigint): Promise<{ readonly name: string; readonly pid: number }> {
  const owner = client.owner(uid);
  if (owner === undefined) throw new Error(`nobody serves uid ${uid} now`);
  if (!isLoopback(owner.address)) throw new Error(`${owner.id} is at ${owner.address}: only processes of this machine can be killed`);
  const { nodes } = JSON.parse(await seqctl('cluster', 'status', '-o', 'json', '--endpoints', owner.address)) as ClusterStatus;
  const pid = nodes.find(({ name }) => name === owner.id)?.pid;
  if (pid === undefined) throw new Error(`seqctl does not know the process id of ${owner.id}`);
  return { name: owner.id, pid };
}

/** Runs the installed seqctl. It exits with 4 when the cluster is not healthy, and still tells what it knows. */
async function seqctl(...args: string[]): Promise<string> {
  const folder = dirname(createRequire(import.meta.url).resolve('seqsvr/package.json'));
  const program = join(folder, 'dist', 'src', 'cli', 'main.js');
  try {
    return (await promisify(execFile)(process.execPath, [program, ...args])).stdout;
  } catch (error) {
    if (error instanceof Error && 'stdout' in error && typeof error.stdout === 'string' && error.stdout !== '') return error.stdout;
    throw error;
  }
}

function isLoopback(address: string): boolean {
  return /^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d+$/.test(address);
}
