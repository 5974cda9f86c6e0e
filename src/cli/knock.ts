import { createConnection } from 'node:net';
import { type Clock, sleep } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { splitAddress } from '../model/address.js';
import type { ConnectionArgs } from './options.js';

/** How long every endpoint may refuse, in ms, before a command says so: a cluster that is just being started gets this much. */
export const REFUSED_LIMIT_MS = 1_000;
const PAUSE_MS = 100;
/** Whoever neither accepts nor refuses within this time, in ms, is left to the call itself. */
const ANSWER_LIMIT_MS = 300;

/**
 * Resolves as soon as one endpoint does anything but refuse a connection. Throws UNAVAILABLE after REFUSED_LIMIT_MS of
 * nothing but refusals: nobody listens there, so the rest of the command's time would be spent in vain. Does nothing
 * when the user gave a timeout, for that is how long they want to wait.
 */
export async function knock({ endpoints, isTimeoutGiven }: Pick<ConnectionArgs, 'endpoints' | 'isTimeoutGiven'>, clock: Clock): Promise<void> {
  if (isTimeoutGiven) return;
  const endMs = clock.nowMs() + REFUSED_LIMIT_MS;
  while (!(await isAnyoneThere(endpoints, clock))) {
    if (clock.nowMs() >= endMs) {
      throw new SeqError('UNAVAILABLE', `nobody listens at ${endpoints.join(', ')} (connection refused)`, { definite: true });
    }
    await sleep(clock, PAUSE_MS);
  }
}

function isAnyoneThere(endpoints: readonly string[], clock: Clock): Promise<boolean> {
  return Promise.any(endpoints.map((endpoint) => unlessRefused(endpoint, clock))).then(
    () => true,
    () => false,
  );
}

/** Rejects when the connection is refused. Resolves when it is not, whatever else becomes of it. */
function unlessRefused(endpoint: string, clock: Clock): Promise<void> {
  const { host, port } = splitAddress(endpoint);
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port });
    const cancel = clock.after(ANSWER_LIMIT_MS, () => socket.destroy());
    socket.once('connect', () => socket.destroy());
    socket.once('error', (error: Error & { readonly code?: string }) => (error.code === 'ECONNREFUSED' ? reject(error) : resolve()));
    socket.once('close', () => {
      cancel();
      resolve();
    });
  });
}
