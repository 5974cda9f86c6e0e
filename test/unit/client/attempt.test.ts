import { expect } from 'chai';
import { SeqError, type SeqErrorOptions } from '../../../src/base/errors.js';
import { Stopper } from '../../../src/base/stop.js';
import { Attempts, type AttemptScope, type Channels } from '../../../src/client/attempt.js';
import { RoutingCache } from '../../../src/client/routing-cache.js';
import { parseUid } from '../../../src/model/ids.js';
import { tableToWire } from '../../../src/rpc/codec.js';
import { tableOf } from './tables.js';

const OPTIONS = { timeoutMs: 100 };
const SCOPE: AttemptScope = { stopError: undefined, signal: new Stopper(), attempt: () => ({ ...OPTIONS, signal: new Stopper() }) };
const UID = parseUid(5);

describe('client/attempt', () => {
  it('sends the version of its table, and none while it has none', async () => {
    const world = new World({ first: 1n, last: 1n });
    await world.attempts.next('a:1', { uid: UID, count: 1 }, SCOPE);
    world.cache.absorb(tableOf(3, ['a:1']));
    // Another uid: the same number twice for one would not be believed.
    await world.attempts.next('a:1', { uid: parseUid(6), count: 1 }, SCOPE);
    expect(world.requests.map((request) => request.routingVersion)).to.deep.equal([undefined, { generation: 7n, value: 3n }]);
  });

  for (const { title, reply } of [
    { title: 'fewer numbers than asked', reply: { first: 1n, last: 4n } },
    { title: 'more numbers than asked', reply: { first: 1n, last: 6n } },
    { title: 'the number 0', reply: { first: 0n, last: 4n } },
    { title: 'a number above 2^63-1', reply: { first: 2n ** 63n - 4n, last: 2n ** 63n } },
  ]) {
    it(`refuses ${title} as PROTOCOL, and says that numbers may be lost`, async () => {
      const error = await outcome(new World(reply).attempts.next('a:1', { uid: UID, count: 5 }, SCOPE));
      expect(error).to.include({ code: 'PROTOCOL', maybeAllocated: true, endpoint: 'a:1', attempts: 1 });
    });
  }

  it('refuses a nextMany answer with another number of items', async () => {
    const error = await outcome(new World({ items: [{ seq: 1n }] }).attempts.nextMany('a:1', [UID, UID], SCOPE));
    expect(error?.message).to.include('1 items for 2 uids');
  });

  it('turns the errors of items into SeqErrors that know who was asked', async () => {
    const detail = { code: 'NOT_OWNER', definite: true, retryAfterMs: 0, redirectId: 'b', redirectAddress: 'b:1', message: 'moved' };
    const [one, two] = await new World({ items: [{ seq: 9n }, { seq: 0n, error: detail }] }).attempts.nextMany('a:1', [UID, UID], SCOPE);
    expect(one).to.equal(9n);
    expect(two).to.include({ code: 'NOT_OWNER', endpoint: 'a:1', attempts: 1 });
    expect((two as SeqError).redirect).to.deep.equal({ id: 'b', address: 'b:1' });
  });

  it('drops a redirect that nobody can dial', async () => {
    for (const address of ['nonsense', 'b:0', 'b:99999', '']) {
      const error = await outcome(failing('NOT_OWNER', { redirect: { id: 'b', address } }).next('a:1', { uid: UID, count: 1 }, SCOPE));
      expect(error).to.include({ code: 'NOT_OWNER', redirect: undefined });
    }
  });

  it('takes a node that is closing for UNAVAILABLE, for another one may serve', async () => {
    const error = await outcome(failing('CLOSED', { definite: true }).next('a:1', { uid: UID, count: 1 }, SCOPE));
    expect(error).to.include({ code: 'UNAVAILABLE', definite: true });
  });

  it('suspects a node that did not answer, not one that refused, and not one that we stopped asking', async () => {
    for (const { code, definite, outcomes } of [
      { code: 'UNAVAILABLE', definite: false, outcomes: ['UNAVAILABLE'] },
      { code: 'TIMEOUT', definite: false, outcomes: ['TIMEOUT'] },
      { code: 'UNAVAILABLE', definite: true, outcomes: [undefined] },
      { code: 'OUT_OF_RANGE', definite: true, outcomes: [undefined] },
      { code: 'ABORTED', definite: false, outcomes: [] },
    ] as const) {
      const world = new World(new SeqError(code, 'so it was', { definite }));
      await outcome(world.attempts.current('a:1', UID, SCOPE));
      expect(world.outcomes).to.deep.equal(outcomes);
    }
  });

  it('keeps the table that a reply brings, and tells of it once', async () => {
    const world = new World({ seq: 1n, exact: true, routing: tableToWire(tableOf(2, ['b:1'])) });
    await world.attempts.current('a:1', UID, SCOPE);
    await world.attempts.current('a:1', UID, SCOPE);
    expect(world.tables).to.deep.equal(['0.0 -> 7.2']);
    expect(world.cache.pick(UID)).to.equal('b:1');
  });

  for (const { title, table } of [
    { title: 'runs that do not cover the set', table: { ...tableToWire(tableOf(2, ['b:1'])), runs: [] } },
    { title: 'an address that nobody can dial', table: tableToWire(tableOf(2, ['b'])) },
    { title: 'no version', table: { ...tableToWire(tableOf(2, ['b:1'])), version: undefined } },
    { title: 'an AllocSvr without a name', table: { ...tableToWire(tableOf(2, ['b:1'])), allocs: [{ id: '', address: 'b:1', zone: '' }] } },
    { title: 'a set that cannot be', table: { ...tableToWire(tableOf(2, ['b:1'])), geometry: { firstUid: 5n, lastUid: 1n, uidsPerSection: 1 } } },
  ]) {
    it(`drops a table with ${title}: an error of GetRoute, none of a call`, async () => {
      const world = new World({ seq: 1n, exact: true, routing: table });
      expect((await outcome(world.attempts.getRoute('a:1', OPTIONS)))?.code).to.equal('PROTOCOL');
      expect((await world.attempts.current('a:1', UID, SCOPE)).seq).to.equal(1n);
      expect(world.cache.table).to.equal(undefined);
      expect(world.outcomes).to.include('PROTOCOL');
    });
  }

  it('does not take "yours is as new" for an answer while it has no table', async () => {
    const world = new World({});
    expect(await outcome(world.attempts.getRoute('a:1', OPTIONS))).to.include({ code: 'UNAVAILABLE', definite: true });
    world.cache.absorb(tableOf(1, ['a:1']));
    expect(await outcome(world.attempts.getRoute('a:1', OPTIONS))).to.equal(undefined);
  });
});

describe('client/attempt, what it has seen', () => {
  const OTHER = parseUid(6);
  let world: World;
  const next = () => world.attempts.next('a:1', { uid: UID, count: 1 }, SCOPE);
  const current = () => world.attempts.current('a:1', UID, SCOPE);

  beforeEach(async () => {
    world = new World({ first: 7n, last: 9n, epoch: 4n });
    world.cache.absorb(tableOf(1, ['a:1']));
    await world.attempts.next('a:1', { uid: UID, count: 3 }, SCOPE);
  });

  it('goes with every call as its floor: the highest number of that very uid', async () => {
    world.reply = { first: 10n, last: 10n, epoch: 4n };
    await next();
    world.reply = { seq: 12n, exact: true, epoch: 4n };
    await current();
    world.reply = {
      items: [
        { seq: 13n, epoch: 4n },
        { seq: 1n, epoch: 4n },
      ],
    };
    await world.attempts.nextMany('a:1', [UID, OTHER], SCOPE);
    world.reply = { first: 2n, last: 2n, epoch: 4n };
    await world.attempts.next('a:1', { uid: OTHER, count: 1 }, SCOPE);
    expect(world.requests.map(({ floor, floors }) => floor ?? floors)).to.deep.equal([0n, 9n, 10n, [12n, 0n], 1n]);
  });

  it('is above every number that is believed: one at it or below is no answer, but a reason to try again', async () => {
    for (const seq of [9n, 8n]) {
      world.reply = { first: seq, last: seq, epoch: 4n };
      expect(await outcome(next()), `${seq}`).to.include({ code: 'UNAVAILABLE', retryable: true, definite: false });
    }
    world.reply = {
      items: [
        { seq: 10n, epoch: 4n },
        { seq: 9n, epoch: 4n },
      ],
    };
    const [above, below] = await world.attempts.nextMany('a:1', [UID, UID], SCOPE);
    expect([above, (below as SeqError).code]).to.deep.equal([10n, 'UNAVAILABLE']);
    world.reply = { seq: 9n, exact: true, epoch: 4n };
    expect(await outcome(current())).to.include({ code: 'UNAVAILABLE' });
  });

  it('is no more than was handed out: an upper bound is no floor', async () => {
    world.reply = { seq: 500n, exact: false, epoch: 5n };
    expect(await current()).to.deep.equal({ seq: 500n, exact: false });
    world.reply = { first: 10n, last: 10n, epoch: 5n };
    expect(await next()).to.deep.equal({ first: 10n, last: 10n });
  });

  it('is an epoch, too: an answer of a former owner is not believed, however high its number', async () => {
    world.reply = { first: 20n, last: 20n, epoch: 5n };
    await next();
    world.reply = { first: 30n, last: 30n, epoch: 4n };
    expect(await outcome(next())).to.include({ code: 'UNAVAILABLE', retryable: true });
    world.reply = { first: 21n, last: 21n, epoch: 5n };
    expect(await next()).to.deep.equal({ first: 21n, last: 21n });
  });
});

/** Every call gets `reply`, or fails with it. */
class World {
  readonly cache = new RoutingCache();
  readonly requests: { readonly routingVersion?: unknown; readonly floor?: bigint; readonly floors?: readonly bigint[] }[] = [];
  readonly outcomes: (string | undefined)[] = [];
  readonly tables: string[] = [];
  readonly attempts: Attempts;
  reply: object;

  constructor(reply: object) {
    this.reply = reply;
    const call = async (_: unknown, request: object): Promise<object> => {
      this.requests.push(request);
      if (this.reply instanceof SeqError) throw this.reply;
      return this.reply;
    };
    this.attempts = new Attempts({
      pool: { to: () => ({ call }) } as unknown as Channels,
      cache: this.cache,
      events: {
        onTable: ({ version }, previous) => this.tables.push(`${previous.generation}.${previous.value} -> ${version.generation}.${version.value}`),
        onSets: () => undefined,
        onOutcome: (_, error) => this.outcomes.push(error?.code),
      },
    });
  }
}

function failing(code: 'NOT_OWNER' | 'PROTOCOL' | 'CLOSED', options: SeqErrorOptions, message = 'so it was'): Attempts {
  return new World(new SeqError(code, message, options)).attempts;
}

async function outcome(promise: Promise<unknown>): Promise<SeqError | undefined> {
  return promise.then(
    () => undefined,
    (error: SeqError) => error,
  );
}
