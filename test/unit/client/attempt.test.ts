import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.js';
import { SeqError, type SeqErrorOptions } from '../../../src/base/errors.js';
import { Stopper } from '../../../src/base/stop.js';
import { Attempts, type AttemptScope } from '../../../src/client/attempt.js';
import { RoutingCache } from '../../../src/client/routing-cache.js';
import { parseUid } from '../../../src/model/ids.js';
import { tableToWire } from '../../../src/rpc/codec.js';
import type { OpsFrame, OpsReply } from '../../../src/rpc/gen/seqsvr/v1/seq.js';
import { errorToDetail } from '../../../src/rpc/status.js';
import { type FakeStream, fakeChannels } from './fake-stream.js';
import { tableOf } from './tables.js';

const OPTIONS = { timeoutMs: 100 };
const SCOPE: AttemptScope = { stopError: undefined, signal: new Stopper(), attempt: () => ({ ...OPTIONS, signal: new Stopper() }) };
const UID = parseUid(5);

describe('client/attempt', () => {
  it('sends the version of its table, and none while it has none', async () => {
    const world = new World({ seqs: [1n] });
    await world.attempts.next('a:1', { uid: UID, count: 1 }, SCOPE);
    world.cache.absorb(tableOf(3, ['a:1']));
    // Another uid: the same number twice for one would not be believed.
    await world.attempts.next('a:1', { uid: parseUid(6), count: 1 }, SCOPE);
    expect(world.requests.map((request) => request.routingVersion)).to.deep.equal([undefined, { generation: 7n, value: 3n }]);
  });

  for (const { title, reply } of [
    { title: 'the number 0', reply: { seqs: [0n] } },
    { title: 'a number above 2^63-1', reply: { seqs: [2n ** 63n] } },
    { title: 'a range that ends above 2^63-1', reply: { seqs: [2n ** 63n - 4n] } },
    { title: 'more answers than asked', reply: { seqs: [1n, 2n] } },
    { title: 'an answer for another place', reply: { seqs: [1n], places: [1] } },
  ]) {
    it(`refuses ${title} as PROTOCOL, and says that numbers may be lost`, async () => {
      const error = await outcome(new World(reply).attempts.next('a:1', { uid: UID, count: 5 }, SCOPE));
      expect(error).to.include({ code: 'PROTOCOL', maybeAllocated: true, endpoint: 'a:1', attempts: 1 });
    });
  }

  it('refuses a nextMany answer with another number of items', async () => {
    const error = await outcome(
      new World({ seqs: [1n] }).attempts.nextMany('a:1', [UID, UID], SCOPE).then(([item]) => Promise.reject(item as SeqError)),
    );
    expect(error?.message).to.include('1 answers for a frame of 2');
  });

  it('turns the errors of items into SeqErrors that know who was asked', async () => {
    const detail = { code: 'NOT_OWNER', definite: true, retryAfterMs: 0, redirectId: 'b', redirectAddress: 'b:1', message: 'moved' };
    const [one, two] = await new World({ seqs: [9n, 0n], errors: [{ place: 1, error: detail }] }).attempts.nextMany('a:1', [UID, UID], SCOPE);
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
      await outcome(world.attempts.current('a:1', { uid: UID }, SCOPE));
      expect(world.outcomes).to.deep.equal(outcomes);
    }
  });

  it('keeps the table that a reply brings, and tells of it once', async () => {
    const world = new World({ seqs: [1n], routing: tableToWire(tableOf(2, ['b:1'])) });
    await world.attempts.current('a:1', { uid: UID }, SCOPE);
    await world.attempts.current('a:1', { uid: UID }, SCOPE);
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
      const world = new World({ seqs: [1n], routing: table });
      expect((await outcome(world.attempts.getRoute('a:1', OPTIONS)))?.code).to.equal('PROTOCOL');
      expect((await world.attempts.current('a:1', { uid: UID }, SCOPE)).seq).to.equal(1n);
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
  const current = () => world.attempts.current('a:1', { uid: UID }, SCOPE);

  beforeEach(async () => {
    world = new World({ seqs: [7n], epoch: 4n });
    world.cache.absorb(tableOf(1, ['a:1']));
    await world.attempts.next('a:1', { uid: UID, count: 3 }, SCOPE);
  });

  it('goes with every call as its floor: the highest number of that very uid', async () => {
    world.reply = { seqs: [10n], epoch: 4n };
    await next();
    world.reply = { seqs: [12n], epoch: 4n };
    await current();
    world.reply = {
      seqs: [13n, 1n],
      epoch: 4n,
    };
    await world.attempts.nextMany('a:1', [UID, OTHER], SCOPE);
    world.reply = { seqs: [2n], epoch: 4n };
    await world.attempts.next('a:1', { uid: OTHER, count: 1 }, SCOPE);
    expect(world.requests.map(({ floors }) => floors)).to.deep.equal([[], [9n], [10n], [12n, 0n], [1n]]);
  });

  it('gives way to a higher floor that the call brings, for that call alone', async () => {
    const withFloor = (floor: bigint) => world.attempts.next('a:1', { uid: UID, count: 1, floor }, SCOPE);
    world.reply = { seqs: [2n ** 33n + 2n], epoch: 4n };
    expect(await withFloor(2n ** 33n + 1n)).to.deep.equal({ first: 2n ** 33n + 2n, last: 2n ** 33n + 2n });
    world.reply = { seqs: [2n ** 33n + 3n], epoch: 4n };
    await withFloor(5n);
    world.reply = { seqs: [2n ** 33n + 4n], epoch: 4n };
    expect(await outcome(withFloor(2n ** 33n + 4n)), 'at the floor').to.include({ code: 'UNAVAILABLE', definite: false });
    world.reply = { seqs: [7n], epoch: 4n };
    await world.attempts.current('a:1', { uid: OTHER, floor: 7n }, SCOPE);
    expect(world.requests.map(({ floors }) => floors)).to.deep.equal([[], [2n ** 33n + 1n], [2n ** 33n + 2n], [2n ** 33n + 4n], [7n]]);
    world.reply = { seqs: [2n ** 33n + 4n], epoch: 4n };
    expect((await next()).first, 'a floor that a caller named is not what was seen').to.equal(2n ** 33n + 4n);
  });

  it('is above every number that is believed: one at it or below is no answer, but a reason to try again', async () => {
    for (const seq of [9n, 8n]) {
      world.reply = { seqs: [seq], epoch: 4n };
      expect(await outcome(next()), `${seq}`).to.include({ code: 'UNAVAILABLE', retryable: true, definite: false });
    }
    world.reply = {
      seqs: [10n, 9n],
      epoch: 4n,
    };
    const [above, below] = await world.attempts.nextMany('a:1', [UID, UID], SCOPE);
    expect([above, (below as SeqError).code]).to.deep.equal([10n, 'UNAVAILABLE']);
    world.reply = { seqs: [9n], epoch: 4n };
    expect(await outcome(current())).to.include({ code: 'UNAVAILABLE' });
  });

  it('is no more than was handed out: an upper bound is no floor', async () => {
    world.reply = { seqs: [500n], inexact: [0], epoch: 5n };
    expect(await current()).to.deep.equal({ seq: 500n, exact: false });
    world.reply = { seqs: [10n], epoch: 5n };
    expect(await next()).to.deep.equal({ first: 10n, last: 10n });
  });

  it('is also a number that a server calls an upper bound, when it was asked for', async () => {
    world.reply = { seqs: [40n], inexact: [0], epoch: 5n };
    expect(await next()).to.deep.equal({ first: 40n, last: 40n });
    world.reply = { seqs: [30n], epoch: 5n };
    expect(await outcome(next())).to.include({ code: 'UNAVAILABLE' });
  });

  it('is an epoch, too: an answer of a former owner is not believed, however high its number', async () => {
    world.reply = { seqs: [20n], epoch: 5n };
    await next();
    world.reply = { seqs: [30n], epoch: 4n };
    expect(await outcome(next())).to.include({ code: 'UNAVAILABLE', retryable: true });
    world.reply = { seqs: [21n], epoch: 5n };
    expect(await next()).to.deep.equal({ first: 21n, last: 21n });
  });
});

/** Every call gets `reply`, or fails with it. */
class World {
  readonly cache = new RoutingCache();
  readonly requests: OpsFrame[] = [];
  readonly outcomes: (string | undefined)[] = [];
  readonly tables: string[] = [];
  readonly attempts: Attempts;
  reply: Partial<OpsReply> | SeqError;

  constructor(reply: Partial<OpsReply> | SeqError) {
    this.reply = reply;
    this.attempts = new Attempts({
      pool: fakeChannels(
        (stream) => {
          stream.onFrame = (frame) => queueMicrotask(() => this.#answer(stream, frame));
        },
        () => (this.reply instanceof SeqError ? Promise.reject(this.reply) : Promise.resolve(this.reply)),
      ),
      cache: this.cache,
      clock: systemClock,
      events: {
        onTable: ({ version }, previous) => this.tables.push(`${previous.generation}.${previous.value} -> ${version.generation}.${version.value}`),
        onSets: () => undefined,
        onOutcome: (_, error) => this.outcomes.push(error?.code),
      },
    });
    // Nothing of it outlives its test.
    worlds.push(this);
  }

  /** A refusal is an answer of the server; any other error is that of the stream. */
  #answer(stream: FakeStream, frame: OpsFrame): void {
    this.requests.push(frame);
    const { reply } = this;
    if (!(reply instanceof SeqError)) stream.reply({ id: frame.id, ...reply });
    else if (!reply.definite) stream.break(reply);
    else
      stream.reply({ id: frame.id, seqs: frame.uids.map(() => 0n), errors: frame.uids.map((_, place) => ({ place, error: errorToDetail(reply) })) });
  }
}

const worlds: World[] = [];
afterEach(() => {
  for (const { attempts } of worlds.splice(0)) attempts.close(new SeqError('CLOSED', 'the test is over'));
});

function failing(code: 'NOT_OWNER' | 'PROTOCOL' | 'CLOSED', options: SeqErrorOptions, message = 'so it was'): Attempts {
  return new World(new SeqError(code, message, options)).attempts;
}

async function outcome(promise: Promise<unknown>): Promise<SeqError | undefined> {
  return promise.then(
    () => undefined,
    (error: SeqError) => error,
  );
}
