import { expect } from 'chai';
import { type Clock, systemClock } from '../../../src/base/clock.js';
import { SeqError } from '../../../src/base/errors.js';
import { type Channel, GrpcChannel } from '../../../src/rpc/channel.js';
import { ChannelPool } from '../../../src/rpc/channel-pool.js';
import { RouteServiceService } from '../../../src/rpc/gen/seqsvr/v1/seq.js';
import type { GrpcServer } from '../../../src/rpc/server.js';
import { Door, errorOf, startServer } from './fixture.js';

describe('Channel', function () {
  this.timeout(15_000);
  const toEnd: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of toEnd.splice(0).reverse()) await end();
  });

  it('answers', async () => {
    const channel = channelTo((await serve(() => ({}))).address);
    expect(await get(channel)).to.deep.equal({ routing: undefined, routingDelta: undefined, sets: undefined });
  });

  it('brings a SeqError of the server along as it was thrown', async () => {
    const server = await serve(() => {
      throw new SeqError('NOT_LEADER', 'ask s2', { redirect: { id: 's2', address: 'h:2' } });
    });
    const error = await errorOf(get(channelTo(server.address)));
    expect(error).to.include({ code: 'NOT_LEADER', message: 'ask s2', definite: true, endpoint: server.address });
    expect(error.redirect).to.deep.equal({ id: 's2', address: 'h:2' });
  });

  it('ends at its deadline when the server takes the call and never answers, and leaves the outcome open', async () => {
    const server = await serve(() => new Promise<never>(() => undefined));
    const { error, tookMs } = await timed(errorOf(get(channelTo(server.address), { timeoutMs: 100 })));
    expect(error).to.include({ code: 'TIMEOUT', definite: false });
    expect(tookMs).to.be.within(90, 5_000);
    server.cut();
  });

  it('ends at its deadline when the other side accepts the connection and never speaks', async () => {
    const door = await opened({ swallowed: Infinity });
    const { error, tookMs } = await timed(errorOf(get(channelTo(door.address), { timeoutMs: 100 })));
    expect(error).to.include({ definite: false });
    expect(['TIMEOUT', 'UNAVAILABLE']).to.include(error.code);
    expect(tookMs).to.be.below(5_000);
  });

  it('drops a connection that is stuck and makes another', async () => {
    const server = await serve(() => ({}));
    const door = await opened({ swallowed: 1, target: server.address });
    let skewMs = 0;
    const channel = channelTo(door.address, { ...systemClock, nowMs: () => systemClock.nowMs() + skewMs });
    await errorOf(get(channel, { timeoutMs: 50 }));
    expect(door.acceptedCount).to.equal(1);
    skewMs = 2_000;
    await errorOf(get(channel, { timeoutMs: 50 }));
    expect(await get(channel)).to.deep.equal({ routing: undefined, routingDelta: undefined, sets: undefined });
    expect(door.acceptedCount).to.equal(2);
  });

  it('gives a connection its time from when it began to connect, however old the channel is', async () => {
    const server = await serve(() => ({}));
    const door = await opened({ swallowed: 0, target: server.address });
    let skewMs = 0;
    const channel = channelTo(door.address, { ...systemClock, nowMs: () => systemClock.nowMs() + skewMs });
    await get(channel);
    skewMs = 60_000;
    door.isWalled = true;
    door.cut();
    await until(() => door.openCount === 0);
    while (door.acceptedCount === 1) await errorOf(get(channel, { timeoutMs: 50 }));
    await errorOf(get(channel, { timeoutMs: 50 }));
    expect(door.acceptedCount).to.equal(2);
    door.isWalled = false;
    skewMs += 2_000;
    await errorOf(get(channel, { timeoutMs: 50 }));
    expect(await get(channel)).to.deep.equal({ routing: undefined, routingDelta: undefined, sets: undefined });
    expect(door.acceptedCount).to.equal(3);
  });

  it('cuts no call when it drops a stuck connection: neither one that waits there nor one on the wire', async () => {
    const answers: (() => void)[] = [];
    const server = await serve(
      () => new Promise((resolve) => void answers.push(() => resolve({ routing: undefined, routingDelta: undefined, sets: undefined }))),
    );
    const next = await serve(() => ({}));
    const door = await opened({ swallowed: 0, target: server.address });
    let skewMs = 0;
    const channel = channelTo(door.address, { ...systemClock, nowMs: () => systemClock.nowMs() + skewMs });
    const onWire = get(channel);
    await until(() => answers.length > 0);
    // The server takes no new calls and finishes this one, so the channel connects again beside it.
    door.isWalled = true;
    const closed = server.close();
    while (door.acceptedCount === 1) await get(channel, { timeoutMs: 50 }).catch(() => undefined);
    const abort = new AbortController();
    const waiting = errorOf(get(channel, { signal: abort.signal }));
    skewMs = 2_000;
    await errorOf(get(channel, { timeoutMs: 50 }));
    door.isWalled = false;
    door.target = next.address;
    expect(await get(channel)).to.deep.equal({ routing: undefined, routingDelta: undefined, sets: undefined });
    expect(door.acceptedCount).to.equal(3);
    for (const answer of answers) answer();
    expect(await onWire).to.deep.equal({ routing: undefined, routingDelta: undefined, sets: undefined });
    await closed;
    abort.abort();
    expect(await waiting).to.include({ code: 'ABORTED' });
  });

  it('fails at once where nobody listens, and reaches the server once it is there', async () => {
    const first = await serve(() => ({}));
    const channel = channelTo(first.address);
    await get(channel);
    first.cut();
    await first.close();
    const { error, tookMs } = await timed(errorOf(get(channel, { timeoutMs: 4_000 })));
    expect(error).to.include({ code: 'UNAVAILABLE', definite: false });
    expect(tookMs).to.be.below(4_000);
    await serve(() => ({}), first.address);
    expect(await untilAnswered(channel)).to.deep.equal({ routing: undefined, routingDelta: undefined, sets: undefined });
  });

  it('gives up for an AbortSignal: certainly not sent before, perhaps done during', async () => {
    const server = await serve(() => new Promise<never>(() => undefined));
    const channel = channelTo(server.address);
    const reason = new Error('the user left');
    expect(await errorOf(get(channel, { signal: AbortSignal.abort(reason) }))).to.include({ code: 'ABORTED', definite: true, cause: reason });
    const abort = new AbortController();
    const call = errorOf(get(channel, { signal: abort.signal }));
    setImmediate(() => abort.abort(reason));
    expect(await call).to.include({ code: 'ABORTED', definite: false, cause: reason });
    server.cut();
  });

  it('refuses every call once it is closed', async () => {
    const channel = channelTo('127.0.0.1:1');
    channel.close();
    expect(await errorOf(get(channel))).to.include({ code: 'CLOSED', definite: true });
  });

  it('is one per address in a pool, which closes those no longer in use', async () => {
    const pool = new ChannelPool({ clock: systemClock });
    const [one, other] = [pool.to('127.0.0.1:1'), pool.to('127.0.0.1:2')];
    expect(pool.to('127.0.0.1:1')).to.equal(one);
    pool.keepOnly(new Set(['127.0.0.1:1']));
    expect(await errorOf(get(other))).to.include({ code: 'CLOSED' });
    expect(pool.to('127.0.0.1:1')).to.equal(one);
    expect(pool.to('127.0.0.1:2')).not.to.equal(other);
    pool.close();
    expect(() => pool.to('127.0.0.1:1')).to.throw(SeqError, 'closed');
  });

  async function serve(answer: Parameters<typeof startServer>[0], address?: string): Promise<GrpcServer> {
    const server = await startServer(answer, address === undefined ? {} : { address });
    toEnd.push(() => server.cut());
    return server;
  }

  async function opened(options: Parameters<typeof Door.open>[0]): Promise<Door> {
    const door = await Door.open(options);
    toEnd.push(() => door.close());
    return door;
  }

  function channelTo(address: string, clock: Clock = systemClock): Channel {
    const channel = new GrpcChannel({ address, clock });
    toEnd.push(() => channel.close());
    return channel;
  }
});

function get(channel: Channel, options: { timeoutMs?: number; signal?: AbortSignal } = {}) {
  return channel.call(RouteServiceService.getRoute, { routingVersion: undefined, setsVersion: 0n }, { timeoutMs: 10_000, ...options });
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise<void>((resolve) => systemClock.defer(resolve));
}

async function untilAnswered(channel: Channel) {
  const untilMs = systemClock.nowMs() + 8_000;
  for (;;) {
    try {
      return await get(channel, { timeoutMs: 500 });
    } catch (error) {
      if (systemClock.nowMs() > untilMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function timed(call: Promise<SeqError>) {
  const startMs = systemClock.nowMs();
  const error = await call;
  return { error, tookMs: systemClock.nowMs() - startMs };
}
