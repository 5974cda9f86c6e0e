import { sleep, systemClock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { contextNames, type NameKind } from './completion.js';
import { type Voices, withMembers } from './member-session.js';
import { type ConnectionFlags, parseConnection } from './options.js';
import { mapOf } from './set.js';
import { bestOf } from './store-finder.js';

/** Who presses the tab key waits no longer than this for a cluster, in ms; then nothing is offered. */
export const LIVE_LIMIT_MS = 800;

/** Names as a cluster has them now. Never throws for one that does not answer: then there are none. */
export async function liveNames(kind: NameKind, flags: ConnectionFlags, voices: Voices): Promise<readonly string[]> {
  if (kind === 'contexts') return contextNames();
  // The limit of the calls leaves out what comes before and between them.
  return Promise.race([ask(kind, flags, voices), sleep(systemClock, LIVE_LIMIT_MS).then(() => [])]);
}

async function ask(kind: Exclude<NameKind, 'contexts'>, flags: ConnectionFlags, voices: Voices): Promise<readonly string[]> {
  try {
    const connection = { ...parseConnection(flags), timeoutMs: LIVE_LIMIT_MS, isTimeoutGiven: true };
    return await withMembers(connection, voices, async ({ finder }) => {
      if (kind === 'sets') return (await mapOf(finder)).sets.map(({ name }) => name);
      const store = bestOf(await finder.search())?.store;
      return (kind === 'members' ? store?.members.map(({ name }) => name) : store?.allocs.map(({ id }) => id)) ?? [];
    });
  } catch (error) {
    if (SeqError.is(error)) return [];
    throw error;
  }
}
