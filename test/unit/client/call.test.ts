import { expect } from 'chai';
import { type ErrorCode, SeqError, type SeqErrorOptions } from '../../../src/base/errors.js';
import { callOwner, type Way } from '../../../src/client/call.js';
import { ATTEMPT_MAX_MS, CallScope } from '../../../src/client/call-scope.js';
import { RoutingCache } from '../../../src/client/routing-cache.js';
import { parseUid } from '../../../src/model/ids.js';
import type { CallOptions } from '../../../src/rpc/channel.js';
import { SeededRandom } from '../seeded-random.js';
import { VirtualClock } from '../virtual-clock.js';
import { tableOf } from './tables.js';

const UID = parseUid(5);

describe('client/call', () => {
  it('asks the owner that the table names, and only once when it answers', async () => {
    const world = new World(['a:1']);
    expect(await world.call(async (address) => address)).to.equal('a:1');
    expect(world.refreshCount).to.equal(0);
    expect(world.clock.timerCount).to.equal(0);
  });

  it('fetches a table first when it has none', async () => {
    const world = new World();
    world.onRefresh = () => world.cache.absorb(tableOf(1, ['a:1']));
    expect(await world.call(async (address) => address)).to.equal('a:1');
    expect(world.refreshCount).to.equal(1);
  });

  it('refreshes the table after the owner failed, and goes to the new owner', async () => {
    const world = new World(['a:1']);
    world.onRefresh = () => world.cache.absorb(tableOf(2, ['b:1']));
    const call = world.call(async (address) => (address === 'a:1' ? fail('UNAVAILABLE') : address));
    await world.clock.elapse(10);
    expect(await call).to.equal('b:1');
  });

  it('dials a redirect at once, without a wait and without a refresh', async () => {
    const world = new World(['a:1']);
    const asked: string[] = [];
    const call = world.call(async (address) => {
      asked.push(address);
      return address === 'a:1' ? fail('NOT_OWNER', { endpoint: 'a:1', redirect: { id: 'b', address: 'b:1' } }) : address;
    });
    expect(await call).to.equal('b:1');
    expect(asked).to.deep.equal(['a:1', 'b:1']);
    expect(world.refreshCount).to.equal(0);
  });

  it('survives an owner that is dead for 3.2 s, with the default budget, whatever the dice', async () => {
    for (let seed = 0; seed < 50; seed++) {
      const world = new World(['a:1'], seed);
      const startMs = world.clock.nowMs();
      world.onRefresh = () => world.clock.nowMs() - startMs >= 3_200 && world.cache.absorb(tableOf(2, ['b:1']));
      const call = world.call(async (address) => (address === 'a:1' ? fail('UNAVAILABLE') : world.clock.nowMs() - startMs));
      await world.clock.elapse(5_000);
      // It looks for a newer table every 100 ms at least, whatever the backoff says.
      expect(await call).to.be.within(3_200, 3_301);
    }
  });

  it('survives an owner that hangs for 3.2 s: no attempt eats the budget', async () => {
    const world = new World(['a:1']);
    const startMs = world.clock.nowMs();
    world.onRefresh = () => world.clock.nowMs() - startMs >= 3_200 && world.cache.absorb(tableOf(2, ['b:1']));
    const call = world.call(async (address, options) => (address === 'a:1' ? world.hang(options) : address));
    await world.clock.elapse(5_000);
    expect(await call).to.equal('b:1');
  });

  it('gives an attempt at most its cap, and never more than what is left', async () => {
    const world = new World(['a:1']);
    const timeoutsMs: number[] = [];
    const call = outcome(
      world.call(async (_, options) => {
        timeoutsMs.push(options.timeoutMs);
        return world.hang(options);
      }, 2_500),
    );
    await world.clock.elapse(2_500);
    expect((await call)?.code).to.equal('TIMEOUT');
    expect(timeoutsMs[0]).to.equal(ATTEMPT_MAX_MS);
    expect(timeoutsMs.at(-1)).to.be.below(ATTEMPT_MAX_MS);
  });

  it('ends with TIMEOUT when the budget is over, with the last failure as its cause', async () => {
    const world = new World(['a:1']);
    const call = outcome(world.call(() => fail('UNAVAILABLE', { definite: true, attempts: 1, endpoint: 'a:1' }), 300));
    await world.clock.elapse(300);
    const error = await call;
    expect(error).to.include({ code: 'TIMEOUT', definite: true, endpoint: 'a:1' });
    expect(error?.attempts).to.be.above(2);
    expect(error?.cause).to.include({ code: 'UNAVAILABLE' });
    expect(error?.message).to.include('300 ms');
    expect(world.clock.timerCount).to.equal(0);
  });

  it('says maybeAllocated when one of the attempts was not definite', async () => {
    const world = new World(['a:1']);
    let count = 0;
    const call = outcome(world.call(() => fail('UNAVAILABLE', { definite: ++count !== 2, attempts: 1 }), 300));
    await world.clock.elapse(300);
    expect((await call)?.maybeAllocated).to.equal(true);
  });

  it('ends with TIMEOUT in time when the table never comes', async () => {
    const world = new World();
    world.onRefresh = () => new Promise(() => undefined);
    const call = outcome(world.call(async () => 'never', 100));
    await world.clock.elapse(100);
    expect(await call).to.include({ code: 'TIMEOUT', attempts: 0, definite: true });
  });

  it('ends with ABORTED during a wait, with the reason as its cause', async () => {
    const world = new World(['a:1']);
    const abort = new AbortController();
    const call = outcome(world.call(() => fail('RESOURCE_EXHAUSTED', { retryAfterMs: 1_000 }), 5_000, abort.signal));
    await world.clock.elapse(10);
    const reason = new Error('changed my mind');
    abort.abort(reason);
    const error = await call;
    expect(error).to.include({ code: 'ABORTED', cause: reason });
    expect(world.clock.timerCount).to.equal(0);
  });

  it('sends nothing when the signal is aborted already', async () => {
    const world = new World(['a:1']);
    let isSent = false;
    const call = world.call(async () => (isSent = true), 5_000, AbortSignal.abort());
    expect(await outcome(call)).to.include({ code: 'ABORTED', definite: true });
    expect(isSent).to.equal(false);
  });

  it('waits for an owner while nobody serves the section', async () => {
    const world = new World(['']);
    world.onRefresh = () => world.clock.nowMs() > 1_400 && world.cache.absorb(tableOf(2, ['b:1']));
    const call = world.call(async (address) => address);
    await world.clock.elapse(2_000);
    expect(await call).to.equal('b:1');
  });

  it('refuses a uid outside the set before anything is sent', async () => {
    const world = new World(['a:1']);
    let isSent = false;
    const call = callOwner(world.way, world.scope(100), parseUid(100), async () => (isSent = true));
    expect(await outcome(call)).to.include({ code: 'INVALID_ARGUMENT' });
    expect(isSent).to.equal(false);
  });

  it('lets a bug through as it is', async () => {
    const world = new World(['a:1']);
    const bug = new TypeError('a bug');
    const call = world.call(() => Promise.reject(bug));
    expect(await call.catch((error: unknown) => error)).to.equal(bug);
  });
});

/** A client's inside on a virtual clock, with a route that a test answers. */
class World {
  readonly clock = new VirtualClock();
  readonly cache = new RoutingCache();
  readonly way: Way;
  refreshCount = 0;
  onRefresh: () => unknown = () => undefined;

  constructor(owners: readonly string[] = [], seed = 1) {
    if (owners.length > 0) this.cache.absorb(tableOf(1, owners));
    const refresh = async (): Promise<SeqError | undefined> => {
      this.refreshCount++;
      await this.onRefresh();
      return undefined;
    };
    this.way = { cache: this.cache, route: { refresh }, retry: { maxAttempts: 32, baseMs: 10, maxMs: 500 }, random: new SeededRandom(seed) };
  }

  scope(timeoutMs: number, signal?: AbortSignal): CallScope {
    return new CallScope({ clock: this.clock, timeoutMs, signal });
  }

  call<Value>(send: (address: string, options: CallOptions) => Promise<Value>, timeoutMs = 5_000, signal?: AbortSignal): Promise<Value> {
    const scope = this.scope(timeoutMs, signal);
    return callOwner(this.way, scope, UID, (address) => send(address, scope.attempt())).finally(() => scope.end());
  }

  /** A server that never answers: the attempt ends by its own deadline or by the signal. */
  hang({ timeoutMs, signal }: CallOptions): Promise<never> {
    return new Promise((_, reject) => {
      const cancel = this.clock.after(timeoutMs, () => reject(new SeqError('TIMEOUT', 'no answer', { attempts: 1 })));
      signal?.addEventListener('abort', () => {
        cancel();
        reject(new SeqError('ABORTED', 'cut', { attempts: 1 }));
      });
    });
  }
}

function fail(code: ErrorCode, options: SeqErrorOptions = {}): Promise<never> {
  return Promise.reject(new SeqError(code, `it was ${code}`, options));
}

async function outcome(promise: Promise<unknown>): Promise<SeqError | undefined> {
  return promise.then(
    () => undefined,
    (error: SeqError) => error,
  );
}
