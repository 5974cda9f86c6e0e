import { once } from 'node:events';
import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.js';
import { type Channel, GrpcChannel } from '../../../src/rpc/channel.js';
import { HealthCheckResponse_ServingStatus as Serving, HealthService } from '../../../src/rpc/gen/grpc/health/v1/health.js';
import { RouteServiceService } from '../../../src/rpc/gen/seqsvr/v1/seq.js';
import { Health } from '../../../src/rpc/health.js';
import { GrpcServer, Handlers, quietGrpc } from '../../../src/rpc/server.js';
import { VirtualClock } from '../virtual-clock.js';
import { type Answer, errorOf, startServer } from './fixture.js';

const toEnd: (() => unknown)[] = [];
/** Whatever a test opened ends with it, also when it fails: an open socket would keep the process. */
const endAll = async (): Promise<void> => {
  for (const end of toEnd.splice(0).reverse()) await end();
};

describe('GrpcServer', () => {
  afterEach(endAll);

  it('says which port is in use and what to do', async () => {
    const server = await serve(() => ({}));
    const error = await errorOf(startServer(() => ({}), { address: server.address }));
    expect(error.code).to.equal('INVALID_ARGUMENT');
    expect(error.message).to.match(/^cannot listen on 127\.0\.0\.1:\d+: port \d+ is in use by another process/);
  });

  it('tells the caller nothing of a bug, and its own program everything', async () => {
    const bugs: unknown[] = [];
    const bug = new TypeError('secret');
    for (const answer of [
      () => {
        throw bug;
      },
      () => Promise.reject(bug),
    ]) {
      const server = await serve(answer, (error) => bugs.push(error));
      const channel = channelTo(server.address);
      const error = await errorOf(getRoute(channel, 5_000));
      expect(error).to.include({ code: 'PROTOCOL', definite: false });
      expect(error.message).not.to.contain('secret');
    }
    expect(bugs).to.deep.equal([bug, bug]);
  });

  it("hands the caller's deadline on as a moment of its own clock", async () => {
    const seen: { deadlineMs: number; isCancelled: boolean }[] = [];
    const startMs = systemClock.nowMs();
    const server = await serve((_, context) => {
      seen.push({ deadlineMs: context.deadlineMs, isCancelled: context.isCancelled() });
      return {};
    });
    await getRoute(channelTo(server.address), 5_000);
    expect(seen[0]?.deadlineMs).to.be.within(startMs + 4_000, systemClock.nowMs() + 5_100);
    expect(seen[0]?.isCancelled).to.equal(false);
  });

  for (const [name, leftMs, expectedMs] of [
    ['of a minute as it is', 60_000, 60_000],
    ['of 30 days, which no timer can wait for, as ten minutes', 30 * 24 * 3_600_000, 600_000],
    ['that is missing as ten seconds', Number.POSITIVE_INFINITY, 10_000],
  ] as const) {
    it(`takes a deadline ${name}`, () => {
      const clock = new VirtualClock();
      const handlers = new Handlers({ clock, onBug: (error) => expect.fail(String(error)) });
      let deadlineMs = 0;
      const handle = handlers.unary<object, object>((_, context) => {
        ({ deadlineMs } = context);
        return {};
      });
      const call = { request: {}, getDeadline: () => clock.now().wallMs + leftMs };
      handle(call as Parameters<typeof handle>[0], () => {});
      expect(deadlineMs - clock.nowMs()).to.equal(expectedMs);
    });
  }

  it('tells its handler that the caller has gone away', async () => {
    const abort = new AbortController();
    const isCancelled = await new Promise<() => boolean>((resolve, reject) => {
      serve((_, context) => {
        setImmediate(() => resolve(() => context.isCancelled()));
        return new Promise<never>(() => undefined);
      })
        .then((server) => errorOf(getRoute(channelTo(server.address), 5_000, abort.signal)))
        .catch(reject);
    });
    expect(isCancelled()).to.equal(false);
    abort.abort();
    for (let turn = 0; turn < 1_000 && !isCancelled(); turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(isCancelled()).to.equal(true);
  });
});

describe('Health', () => {
  afterEach(endAll);

  it('is not serving until it is told so, and does not know other services', async () => {
    const { health, channel } = await startHealth();
    expect(await check(channel, '')).to.equal(Serving.NOT_SERVING);
    health.set(true);
    expect(await check(channel, '')).to.equal(Serving.SERVING);
    expect(await check(channel, 'seqsvr.v1.SeqService')).to.equal(Serving.SERVING);
    const error = await check(channel, 'other').catch((reason: unknown) => reason);
    expect(error).to.have.property('message').that.includes("no service 'other' here");
  });

  it('tells a watcher each change, once, and ends its stream on close', async () => {
    const { health, channel } = await startHealth();
    const stream = channel.serverStream(HealthService.watch, { service: '' });
    const seen: Serving[] = [];
    const ended = new Promise<void>((resolve) => void stream.on('end', resolve));
    const first = new Promise<void>((resolve) => void stream.once('data', () => resolve()));
    stream.on('data', ({ status }: { status: Serving }) => seen.push(status));
    await first;
    for (const isServing of [true, true, false, true]) health.set(isServing);
    health.close();
    await ended;
    expect(seen).to.deep.equal([Serving.NOT_SERVING, Serving.SERVING, Serving.NOT_SERVING, Serving.SERVING, Serving.NOT_SERVING]);
  });

  it('tells a watcher of a service that is not here so, and goes on watching', async () => {
    const { channel } = await startHealth();
    const stream = channel.serverStream(HealthService.watch, { service: 'other' });
    stream.on('error', () => undefined);
    const [{ status }] = (await once(stream, 'data')) as [{ status: Serving }];
    stream.cancel();
    expect(status).to.equal(Serving.SERVICE_UNKNOWN);
  });

  it('forgets a watcher that goes away, whose stream counts as given up', async () => {
    const { server, channel, health } = await startHealth();
    const stream = channel.serverStream(HealthService.watch, { service: '' });
    stream.on('error', () => undefined);
    await once(stream, 'data');
    const watch = server.figures.methods.find(({ method }) => method === 'Watch');
    expect([watch?.startedCount, watch?.codeCounts[1]]).to.deep.equal([1, 0]);
    stream.cancel();
    while (server.figures.calls.openCount > 0) await new Promise((resolve) => setImmediate(resolve));
    expect([watch?.startedCount, [...(watch?.codeCounts ?? [])].reduce((sum, count) => sum + count, 0), watch?.codeCounts[1]]).to.deep.equal([
      1, 1, 1,
    ]);
    health.set(true);
  });
});

async function startHealth() {
  const health = new Health(['seqsvr.v1.SeqService']);
  const handlers = new Handlers({ clock: systemClock, onBug: () => undefined });
  const server = await GrpcServer.start({ address: '127.0.0.1:0', services: [health.service(handlers)], clock: systemClock });
  toEnd.push(() => server.cut());
  return { server, health, channel: channelTo(server.address) };
}

async function serve(answer: Answer, onBug: (error: unknown) => void = () => undefined): Promise<GrpcServer> {
  const server = await startServer(answer, { onBug });
  toEnd.push(() => server.cut());
  return server;
}

function channelTo(address: string): Channel {
  const channel = new GrpcChannel({ address, clock: systemClock });
  toEnd.push(() => channel.close());
  return channel;
}

async function check(channel: Channel, service: string): Promise<Serving> {
  return (await channel.call(HealthService.check, { service }, { timeoutMs: 5_000 })).status;
}

function getRoute(channel: Channel, timeoutMs: number, signal?: AbortSignal) {
  return channel.call(RouteServiceService.getRoute, { routingVersion: undefined, setsVersion: 0n }, { timeoutMs, signal });
}

describe('quietGrpc', () => {
  it('keeps the words of grpc-js out of a refused start, which has its own', async () => {
    const server = await GrpcServer.start({ address: '127.0.0.1:0', services: [], clock: systemClock });
    const realError = console.error;
    let talk = '';
    console.error = (...words: unknown[]) => void (talk += `${words.join(' ')}\n`);
    try {
      quietGrpc();
      const refused = await errorOf(GrpcServer.start({ address: server.address, services: [], clock: systemClock }));
      expect([refused.code, talk]).to.deep.equal(['INVALID_ARGUMENT', '']);
    } finally {
      console.error = realError;
      await server.close();
    }
  });
});
