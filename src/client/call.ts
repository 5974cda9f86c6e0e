import { unreachable } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import type { Uid } from '../model/ids.js';
import { isSame } from '../model/version.js';
import type { CallScope } from './call-scope.js';
import type { RetryOptions } from './options.js';
import { Course, Trouble } from './retry.js';
import type { RouteRefresh } from './route-refresh.js';
import type { RoutingCache } from './routing-cache.js';

/** How often a call that waits looks for a newer table, in ms: a takeover is noticed within this time. */
const ROUTE_POLL_MS = 100;

/** What every call needs from its client. */
export interface Way {
  readonly cache: RoutingCache;
  readonly route: Pick<RouteRefresh, 'refresh'>;
  readonly retry: Required<RetryOptions>;
  readonly random: Random;
}

/**
 * Sends a call to the AllocSvr that serves the uid, again and elsewhere until it is answered or its budget is over.
 * `send` makes one attempt at an address. Rejects with a SeqError, never NOT_OWNER. `failed`: as in persist().
 */
export function callOwner<Value>(way: Way, scope: CallScope, uid: Uid, send: (address: string) => Promise<Value>, failed?: SeqError): Promise<Value> {
  const attempt = async (redirect: string | undefined): Promise<Value> => {
    const address = redirect ?? way.cache.pick(uid) ?? (await findOwner(way, scope, uid));
    return send(address);
  };
  return persist(way, scope, attempt, failed);
}

/**
 * Runs `attempt` until it succeeds. A retryable SeqError makes it wait (or follow a redirect, which the next attempt
 * is given) within the budget of `scope`; every other one ends it. `failed`: what the first attempt came to, when it was made before.
 */
export async function persist<Value>(
  way: Way,
  scope: CallScope,
  attempt: (redirect: string | undefined) => Promise<Value>,
  failed?: SeqError,
): Promise<Value> {
  const course = new Course(way);
  const trouble = new Trouble();
  let redirect = failed === undefined ? undefined : await recover({ way, scope, course, trouble }, failed);
  for (;;) {
    if (scope.stopError !== undefined) throw trouble.stopped(scope.stopError);
    try {
      return await attempt(redirect);
    } catch (thrown) {
      if (!(thrown instanceof SeqError)) throw thrown;
      redirect = await recover({ way, scope, course, trouble }, thrown);
    }
  }
}

/** Makes sure that there is a table. Throws a SeqError when no node told one in time. */
export async function needTable(way: Way, scope: CallScope): Promise<void> {
  if (way.cache.table !== undefined) return;
  const error = await scope.wait(way.route.refresh());
  if (error !== undefined) throw error;
  if (way.cache.table === undefined) throw new SeqError('UNAVAILABLE', 'no routing table yet', { definite: true });
}

/** Does what the course says after `error`, and returns the address to follow, if any. Throws when the call is over. */
async function recover(
  { way, scope, course, trouble }: { way: Way; scope: CallScope; course: Course; trouble: Trouble },
  error: SeqError,
): Promise<string | undefined> {
  trouble.note(error, scope.stopError !== undefined);
  if (scope.stopError !== undefined) throw trouble.stopped(scope.stopError);
  const step = course.after(error, scope.leftMs());
  switch (step.type) {
    case 'follow':
      return step.address;
    case 'giveUp':
      throw trouble.gaveUp(error);
    case 'wait':
      if (step.refresh) await waitForRoute(way, scope, step.waitMs);
      else await scope.sleep(step.waitMs);
      return undefined;
    default:
      return unreachable(step);
  }
}

/** Waits, and learns the newest route meanwhile; a newer table ends the wait, for whoever takes over is in it. */
async function waitForRoute(way: Way, scope: CallScope, waitMs: number): Promise<void> {
  const before = way.cache.version;
  let leftMs = waitMs;
  do {
    const sliceMs = Math.min(leftMs, ROUTE_POLL_MS);
    leftMs -= sliceMs;
    await scope.sleep(sliceMs);
    // Its failure is no news for this call: the next try goes by the table there is.
    if (scope.stopError === undefined) await scope.wait(way.route.refresh());
  } while (leftMs > 0 && scope.stopError === undefined && isSame(way.cache.version, before));
}

async function findOwner(way: Way, scope: CallScope, uid: Uid): Promise<string> {
  await needTable(way, scope);
  const address = way.cache.pick(uid);
  if (address === undefined) throw new SeqError('UNAVAILABLE', `nobody serves the section of uid ${uid} now`, { definite: true });
  return address;
}
