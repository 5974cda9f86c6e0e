import { expect } from 'chai';
import type { AllocEvent } from '../../../src/alloc/events.js';
import { AllocServer, type AllocServerOptions } from '../../../src/alloc/server.js';
import { systemClock as clock } from '../../../src/base/clock.js';
import { SeqError } from '../../../src/base/errors.js';
import { systemRandom } from '../../../src/base/random.js';
import { type Channel, GrpcChannel } from '../../../src/rpc/channel.js';
import { HealthService } from '../../../src/rpc/gen/grpc/health/v1/health.js';
import { AdminServiceService } from '../../../src/rpc/gen/seqsvr/v1/admin.js';
import { RouteServiceService, SeqServiceService } from '../../../src/rpc/gen/seqsvr/v1/seq.js';
import type { GrpcServer } from '../../../src/rpc/server.js';
import { FakeStore } from './fake-store.js';
import { serveStore } from './store-over-wire.js';

const WAIT = { timeoutMs: 2000 };

describe('AllocServer', () => {
  let store: FakeStore;
  let storeServer: GrpcServer;
  let alloc: AllocServer;
  let channel: Channel;
  let events: AllocEvent[];
  const cleanups: (() => void)[] = [];

  const start = async (options: Partial<AllocServerOptions> = {}): Promise<AllocServer> => {
    const server = await AllocServer.start({
      id: 'a',
      listen: '127.0.0.1:0',
      zone: '',
      stores: [storeServer.address],
      renewEveryMs: 50,
      clock,
      random: systemRandom,
      observe: (event) => events.push(event),
      onFatal: (error) => console.error(error),
      version: '1.2.3',
      ...options,
    });
    cleanups.push(() => server.cut());
    return server;
  };
  const next = (uid: bigint, options = {}) =>
    channel.call(SeqServiceService.next, { uid, count: 0, floor: 0n, strict: false, routingVersion: undefined, ...options }, WAIT);
  const errorOf = (call: Promise<unknown>): Promise<SeqError> =>
    call.then(
      () => expect.fail('it was not refused'),
      (error: SeqError) => error,
    );

  beforeEach(async () => {
    events = [];
    store = new FakeStore();
    store.assign('a', 0, 1);
    store.assign('b', 2);
    storeServer = await serveStore({ store, clock });
    alloc = await start();
    channel = new GrpcChannel({ address: alloc.address, clock });
  });
  afterEach(() => {
    channel.close();
    for (const cleanup of cleanups.splice(0)) cleanup();
    storeServer.cut();
  });

  it('hands out numbers and ranges over the wire', async () => {
    expect(await next(5n)).to.deep.include({ first: 1n, last: 1n, epoch: 1n });
    expect(await next(5n, { count: 10 })).to.deep.include({ first: 2n, last: 11n });
    expect(await next(5n, { count: 1000 }), 'through a raise').to.deep.include({ first: 12n, last: 1011n });
  });

  it('sends the table along only to a caller whose own is older', async () => {
    const { routing } = await next(5n);
    expect(routing?.runs).to.have.length(4);
    expect((await next(5n, { routingVersion: routing?.version })).routing).to.equal(undefined);
    const { version } = routing!;
    expect((await next(5n, { routingVersion: { ...version, value: version!.value - 1n } })).routing).to.not.equal(undefined);
    const route = await channel.call(RouteServiceService.getRoute, { routingVersion: undefined, setsVersion: 0n }, WAIT);
    expect(route.routing?.allocs.map(({ id }) => id)).to.deep.equal(['a', 'b']);
    expect((await channel.call(RouteServiceService.getRoute, { routingVersion: version, setsVersion: 0n }, WAIT)).routing).to.equal(undefined);
  });

  it('answers a batch item by item', async () => {
    const { items } = await channel.call(
      SeqServiceService.nextMany,
      { uids: [5n, 2500n, 5n, 9_999n], floors: [], strict: false, routingVersion: undefined },
      WAIT,
    );
    expect(items.map(({ seq, error }) => error?.code ?? seq)).to.deep.equal([1n, 'NOT_OWNER', 2n, 'INVALID_ARGUMENT']);
    expect(items[1]!.error).to.deep.include({ redirectId: 'b', redirectAddress: 'b:1', definite: true });
  });

  it('tells the current number', async () => {
    await next(5n);
    expect(await channel.call(SeqServiceService.current, { uid: 5n, floor: 0n, strict: false, routingVersion: undefined }, WAIT)).to.deep.include({
      seq: 1n,
      exact: true,
    });
  });

  const nextMany = async (uids: bigint[], options = {}) => {
    const request = { uids, floors: [], strict: false, routingVersion: undefined, ...options };
    const { items } = await channel.call(SeqServiceService.nextMany, request, WAIT);
    return items.map(({ seq, error }) => error?.code ?? seq);
  };
  const current = (uid: bigint, options = {}) =>
    channel.call(SeqServiceService.current, { uid, floor: 0n, strict: false, routingVersion: undefined, ...options }, WAIT);
  const advance = (uid: bigint, to: bigint) => channel.call(SeqServiceService.advance, { uid, to, routingVersion: undefined }, WAIT);

  it('lifts a counter, forward only', async () => {
    expect(await advance(5n, 500n), 'through a raise').to.deep.include({ seq: 500n, epoch: 1n });
    expect(await advance(5n, 3n)).to.deep.include({ seq: 500n });
    expect((await next(5n)).first).to.equal(501n);
  });

  it('confirms ownership for the calls that say so, whatever they ask, and for no other', async () => {
    await next(5n);
    await nextMany([5n, 6n]);
    expect(store.confirms).to.deep.equal([]);
    expect((await next(5n, { strict: true })).first).to.equal(3n);
    expect((await next(5n, { strict: true, count: 1_000 })).last).to.equal(1_003n);
    expect(await nextMany([5n, 1_005n, 5n], { strict: true })).to.deep.equal([1_004n, 1n, 1_005n]);
    expect((await current(5n, { strict: true })).seq).to.equal(1_005n);
    expect(store.confirms.map((sections) => sections.map(({ section }) => section))).to.deep.equal([[0], [0], [0, 1], [0]]);
  });

  it('confirms ownership for every call when it is configured so', async () => {
    const strict = await start({ isStrict: true });
    channel.close();
    channel = new GrpcChannel({ address: strict.address, clock });
    store.failures.set('confirm', new SeqError('PERMISSION_DENIED', 'no quorum today'));
    for (const call of [() => next(5n), () => current(5n), () => advance(5n, 9n), () => nextMany([5n])]) {
      const error = await errorOf(call());
      expect(error).to.include({ code: 'UNAVAILABLE', definite: true });
      expect(error.message).to.include('no quorum today');
    }
  });

  it('keeps each uid of a batch above its floor', async () => {
    await next(5n, { count: 9 });
    expect(await nextMany([5n, 6n, 5n, 7n, 6n], { floors: [9n, 0n, 11n, 2n ** 63n, 1n] })).to.deep.equal([
      10n,
      1n,
      'UNAVAILABLE',
      'INVALID_ARGUMENT',
      2n,
    ]);
  });

  const bad: [string, () => Promise<unknown>, string][] = [
    ['a uid outside the set', () => next(4000n), '4000'],
    ['a count above the limit', () => next(5n, { count: 1_000_001 }), '1000001'],
    [
      'more uids than a batch may have',
      () =>
        channel.call(
          SeqServiceService.nextMany,
          { uids: Array.from({ length: 10_001 }, () => 5n), floors: [], strict: false, routingVersion: undefined },
          WAIT,
        ),
      '10001',
    ],
  ];
  bad.push(
    ['floors that are not one for each uid', () => nextMany([5n, 6n], { floors: [1n] }), '2 uids, got 1 floors'],
    ['a floor that no counter can reach', () => next(5n, { floor: 2n ** 63n }), '9223372036854775808'],
    ['an advance to 0', () => advance(5n, 0n), 'got 0'],
    ['an advance that is too far', () => advance(5n, 2n ** 40n + 1n), '1099511627777'],
  );
  for (const [what, call, value] of bad) {
    it(`refuses ${what} with the value and the rule`, async () => {
      const error = await errorOf(call());
      expect(error).to.include({ code: 'INVALID_ARGUMENT', definite: true });
      expect(error.message).to.include(value);
    });
  }

  it('names the owner of another section', async () => {
    expect((await errorOf(next(2500n))).redirect).to.deep.equal({ id: 'b', address: 'b:1' });
  });

  it('tells its status and its health', async () => {
    await next(5n);
    const { name, version, clusterId, pid, role } = await channel.call(AdminServiceService.getStatus, {}, WAIT);
    expect({ name, version, clusterId, pid }).to.deep.equal({ name: 'a', version: '1.2.3', clusterId: 'c', pid: process.pid });
    expect(role?.value).to.include({ allocId: 'a', incarnation: alloc.incarnation, isServing: true, sectionCount: 2, handedOutCount: 1n });
    const sections = role?.$case === 'alloc' ? role.value.sections : [];
    expect(
      sections.map(({ section, epoch, residentUidCount, trueMax, maxSeq }) => [section, epoch, residentUidCount, trueMax, maxSeq]),
    ).to.deep.equal([[0, 1n, 1024n, 1n, 100n]]);
    expect(await channel.call(HealthService.check, { service: 'seqsvr.v1.SeqService' }, WAIT)).to.deep.equal({ status: 1 });
  });

  it('serves by a pushed table at once', async () => {
    store.assign('a', 3);
    store.push();
    const deadlineMs = clock.nowMs() + 1000;
    while (clock.nowMs() < deadlineMs && !events.some((event) => event.type === 'tableAdopted' && event.ownedCount === 3)) {
      await new Promise((resolve) => clock.defer(() => resolve(undefined)));
    }
    expect((await next(3500n)).first).to.equal(1n);
  });

  it('releases everything with its true maxima on a clean stop', async () => {
    await next(5n, { count: 42 });
    await alloc.drainAndStop();
    expect(store.releases).to.have.length(1);
    expect(store.sections.map(({ owner, maxSeq }) => [owner, maxSeq]).slice(0, 2)).to.deep.equal([
      [undefined, 42n],
      [undefined, 0n],
    ]);
    expect((await errorOf(next(5n))).code).to.equal('UNAVAILABLE');
  });

  it('says which port is in use, before it registers', async () => {
    const before = store.counts.register;
    const error = await errorOf(start({ listen: alloc.address }));
    expect(error).to.include({ code: 'INVALID_ARGUMENT' });
    expect(error.message).to.include('in use');
    expect(store.counts.register).to.equal(before);
  });

  it('refuses a name, an address and a pace that cannot be', async () => {
    expect((await errorOf(start({ id: 'no spaces' }))).message).to.include("'no spaces'");
    expect((await errorOf(start({ advertise: 'nowhere' }))).message).to.include("'nowhere'");
    expect((await errorOf(start({ listen: '0.0.0.0:0' }))).message).to.include('advertise');
    expect((await errorOf(start({ renewEveryMs: 751 }))).message).to.include('751ms x 4 = 3004ms');
    expect((await errorOf(start({ stores: [] }))).message).to.include('at least one StoreSvr');
  });
});
