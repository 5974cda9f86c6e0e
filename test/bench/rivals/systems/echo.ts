import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { RivalSystem } from '../system.js';

/** A bare grpc-js server that answers `Next` with as many bytes as ours does, and does nothing else, in a process of its own. */
export async function startEcho({ responseBytes }: { readonly responseBytes: number }): Promise<RivalSystem> {
  const child = fork(fileURLToPath(new URL('./echo-main.js', import.meta.url)), [String(responseBytes)]);
  const gone = once(child, 'exit');
  const [address] = (await Promise.race([
    once(child, 'message'),
    gone.then(([code]) => {
      throw new Error(`the echo server ended with ${code}`);
    }),
  ])) as [string];
  return {
    name: 'grpc-js echo',
    target: { type: 'unary', address, route: '' },
    pids: [child.pid ?? 0],
    isShared: false,
    stop: async () => {
      child.kill('SIGKILL');
      await gone;
    },
  };
}
