import { SeqError } from '../base/errors.js';
import type { Seq, Uid } from '../model/ids.js';
import { needTable, persist, type Way } from './call.js';
import type { CallScope } from './call-scope.js';
import { type Chunk, Many } from './many.js';

/** How many requests of one nextMany are under way at once. */
const REQUESTS_MAX = 32;

/** Sends one NextMany request, when it is its turn. */
export type SendMany = (address: string, uids: Uid[]) => Promise<(Seq | SeqError)[]>;

/**
 * One number for each uid, in the order asked: grouped by owner, in rounds, until each item has its number or the
 * budget of `scope` is over. What fails, fails alone, as a SeqError in its place: a uid outside the set too. Rejects
 * as a whole only with ABORTED or CLOSED. `played`: what each item came to in a round that was played before.
 */
export async function callMany(
  way: Way,
  scope: CallScope,
  uids: readonly Uid[],
  send: SendMany,
  played?: readonly (Seq | SeqError)[],
): Promise<(Seq | SeqError)[]> {
  const many = new Many(uids);
  try {
    const failed = played && leftoverOf(many, played);
    if (played !== undefined && failed === undefined) return many.results();
    await persist(way, scope, () => playRound(way, scope, many, send), failed);
  } catch (error) {
    if (!(error instanceof SeqError) || endsAll(error)) throw error;
    many.giveUp({ stop: scope.stopError, error });
  }
  return many.results();
}

/** What decides on the next round, as if `played` had been the first; undefined: every item is settled. */
function leftoverOf(many: Many, played: readonly (Seq | SeqError)[]): SeqError | undefined {
  many.take({ address: '', places: [...played.keys()] }, played, false);
  return many.leftover();
}

/** Asks for every item that is left, each once. Throws the error that decides how to go on when items are left. */
async function playRound(way: Way, scope: CallScope, many: Many, send: SendMany): Promise<void> {
  await needTable(way, scope);
  const queue = many.plan((uid) => way.cache.pick(uid));
  const worker = async (): Promise<void> => {
    for (let chunk = queue.shift(); chunk !== undefined; chunk = queue.shift()) await sendChunk(scope, many, chunk, send);
  };
  await Promise.all(Array.from({ length: Math.min(REQUESTS_MAX, queue.length) }, worker));
  const error = many.leftover();
  if (error !== undefined) throw error;
}

async function sendChunk(scope: CallScope, many: Many, chunk: Chunk, send: SendMany): Promise<void> {
  try {
    many.take(chunk, await send(chunk.address, many.uidsOf(chunk)), false);
  } catch (error) {
    if (!(error instanceof SeqError)) throw error;
    many.take(chunk, error, scope.stopError !== undefined);
  }
}

function endsAll(error: SeqError): boolean {
  return error.code === 'ABORTED' || error.code === 'CLOSED';
}
