import { SeqError } from '../base/errors.js';
import type { StoreClient } from '../store/client.js';

/** What an AllocSvr asks of StoreSvr: the StoreClient, or a twin of it in a test or in the simulator. */
export type StorePort = Pick<StoreClient, 'register' | 'renewOnce' | 'raise' | 'release' | 'drain' | 'load' | 'confirm' | 'watch'>;

/** StoreSvr begins a refusal with this exactly when the incarnation that asks is over. */
const SUPERSEDED = 'superseded: ';

/**
 * Has the store told us that another incarnation took our place, or that it does not know ours? It says so with
 * NOT_OWNER and a message that begins with "superseded: "; any other NOT_OWNER means that only a section is no longer
 * ours. Nothing but the beginning counts: what follows may quote a name, and an AllocSvr may be called 'superseded-1'.
 */
export function isSuperseded(error: unknown): error is SeqError {
  return SeqError.is(error, 'NOT_OWNER') && error.message.startsWith(SUPERSEDED);
}
