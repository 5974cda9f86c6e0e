import { SeqError } from '../base/errors.js';
import type { StoreClient } from '../store/client.js';

/** What an AllocSvr asks of StoreSvr: the StoreClient, or a twin of it in a test or in the simulator. */
export type StorePort = Pick<StoreClient, 'register' | 'renewOnce' | 'raise' | 'release' | 'drain' | 'load' | 'watch'>;

/**
 * Has the store told us that another incarnation took our place, or that it does not know ours? It says so with
 * NOT_OWNER and the word "superseded"; without that word only a section is no longer ours.
 */
export function isSuperseded(error: unknown): error is SeqError {
  return SeqError.is(error, 'NOT_OWNER') && error.message.includes('superseded');
}
