import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.js';
import { SeqClient, type SeqClientEvents, type SeqError } from '../../../src/client/client.js';
import { CALLS_IN_FLIGHT_MAX } from '../../../src/client/options.js';
import { MemorySeqServer } from '../../../src/client/testing.js';
import type { RoutingTable } from '../../../src/model/routing.js';
import { tableOf } from './tables.js';

/** Nothing listens on port 1 of this machine. */
const DEAD = '127.0.0.1:1';

describe('client/client', () => {
  let open: { close(): Promise<void> }[] = [];

  afterEach(async () => {
    for (const thing of open.reverse()) await thing.close();
    open = [];
  });

  it('hands out strictly increasing numbers for each uid by itself', async () => {
    const { client } = await startBoth();
    expect([await client.next(42n), await client.next('42'), await client.next(42), await client.next(7)]).to.deep.equal([1n, 2n, 3n, 1n]);
  });

  it('bounds the calls in flight: one more is refused at once', async function () {
    this.timeout(30_000);
    const client = SeqClient.lazy({ endpoints: [DEAD], timeoutMs: 600_000 });
    open.push(client);
    const outcomes: Promise<unknown>[] = [];
    for (let call = 0; call < CALLS_IN_FLIGHT_MAX; call += 1) outcomes.push(client.next(call).catch((error: SeqError) => error.code));
    expect(await client.next(1).catch((error: SeqError) => error.code)).to.equal('RESOURCE_EXHAUSTED');
    expect(client.status().inFlightCount).to.equal(CALLS_IN_FLIGHT_MAX);
    await client.close();
    expect(new Set(await Promise.all(outcomes))).to.deep.equal(new Set(['CLOSED']));
  });

  it('hands out a range, first and last inclusive', async () => {
    const { client } = await startBoth();
    expect(await client.nextRange(5, 100)).to.deep.equal({ first: 1n, last: 100n });
    expect(await client.next(5)).to.equal(101n);
  });

  it('tells the last number and hands nothing out', async () => {
    const { client, server } = await startBoth();
    expect(await client.current(5)).to.deep.equal({ seq: 0n, exact: true });
    await client.next(5);
    expect(await client.current(5)).to.deep.equal({ seq: 1n, exact: true });
    expect(server.lastSeqOf(5)).to.equal(1n);
  });

  it('hands out nothing at or below the floor that a call brings', async () => {
    const { client, server } = await startBoth();
    server.setLastSeq(5, 2n ** 40n);
    expect(await client.next(5, { floor: 2n ** 40n })).to.equal(2n ** 40n + 1n);
    expect(await client.nextRange(5, 2, { floor: 0n })).to.deep.equal({ first: 2n ** 40n + 2n, last: 2n ** 40n + 3n });
    expect((await client.current(5, { floor: 2n ** 40n + 3n })).seq).to.equal(2n ** 40n + 3n);
    const error = await client.next(5, { floor: 2n ** 41n, timeoutMs: 50 }).catch((caught: SeqError) => caught);
    expect(error)
      .to.include({ code: 'TIMEOUT', definite: true })
      .and.to.have.property('message')
      .that.includes(`floor ${2n ** 41n} is above`);
    for (const floor of [-1n, 2n ** 63n, 5, '5', null]) {
      const refused = await client.next(5, { floor: floor as bigint }).catch((caught: SeqError) => caught);
      expect(refused, String(floor)).to.include({ code: 'INVALID_ARGUMENT' });
    }
    expect(await client.nextMany([5], { floor: 1n } as object).catch((caught: SeqError) => caught.code)).to.equal('INVALID_ARGUMENT');
  });

  it('answers nextMany in the order asked, repeated uids included', async () => {
    const { client } = await startBoth();
    await client.next(2);
    expect(await client.nextMany([1, 2n, '1', 3, 1])).to.deep.equal([1n, 2n, 2n, 1n, 3n]);
    expect(await client.nextMany([])).to.deep.equal([]);
  });

  it('cuts a nextMany of 25,000 uids into frames of at most 1,024', async () => {
    const { client, server } = await startBoth();
    const numbers = await client.nextMany(Array.from({ length: 25_000 }, (_, index) => index % 5_000));
    expect(new Set(numbers)).to.deep.equal(new Set([1n, 2n, 3n, 4n, 5n]));
    expect(server.callCounts.nextMany).to.equal(25);
  });

  it('puts the error of an item in its place and numbers in the others', async () => {
    const { client, server } = await startBoth();
    server.setLastSeq(2, 2n ** 63n - 1n);
    const [one, two, three] = await client.nextMany([1, 2, 3]);
    expect([one, three]).to.deep.equal([1n, 1n]);
    expect(two).to.include({ code: 'OUT_OF_RANGE', retryable: false, maybeAllocated: false });
  });

  it('fails a uid outside the set in its place, and asks nobody for it', async () => {
    const { client, server } = await startBoth();
    const [one, outside, last] = await client.nextMany([1n, 2n ** 40n, 2n ** 32n - 1n]);
    expect([one, last]).to.deep.equal([1n, 1n]);
    expect(outside).to.include({ code: 'INVALID_ARGUMENT', attempts: 0, maybeAllocated: false });
    expect((outside as SeqError).message).to.include(String(2n ** 40n));
    expect(await client.nextMany([2n ** 40n])).to.have.length(1);
    expect(server.callCounts.next).to.equal(2);
  });

  it('retries what failed, and shows a lost reply as a gap and never as a repeat', async () => {
    const { client, server } = await startBoth();
    server.inject({ method: 'next', fault: { type: 'dropReply' } });
    expect(await client.next(42)).to.equal(2n);
    server.inject({ method: 'next', fault: { type: 'error', code: 'UNAVAILABLE' }, times: 2 });
    server.inject({ method: 'next', fault: { type: 'error', code: 'CLOSED' } });
    expect(await client.next(42)).to.equal(3n);
    server.inject({ method: 'nextMany', fault: { type: 'dropReply' } });
    expect(await client.nextMany([42, 42])).to.deep.equal([6n, 7n]);
  });

  it('does not retry what can never succeed', async () => {
    const { client, server } = await startBoth();
    server.setLastSeq(9, 2n ** 63n - 1n);
    const error = await outcome(client.next(9));
    expect(error).to.include({ code: 'OUT_OF_RANGE', attempts: 1, endpoint: server.address });
    expect(server.callCounts.next).to.equal(1);
  });

  for (const { title, call } of [
    { title: 'a negative uid', call: (client: SeqClient) => client.next(-1n) },
    { title: 'a fraction', call: (client: SeqClient) => client.next(1.5) },
    { title: 'a word', call: (client: SeqClient) => client.current('bob') },
    { title: 'no uid', call: (client: SeqClient) => client.next(undefined as never) },
    { title: 'a uid above 2^64-1', call: (client: SeqClient) => client.next(2n ** 64n) },
    { title: 'a uid outside the set', call: (client: SeqClient) => client.next(2n ** 33n) },
    { title: 'a uid that is none among others', call: (client: SeqClient) => client.nextMany([1n, 2n ** 64n]) },
    { title: 'a count of 0', call: (client: SeqClient) => client.nextRange(1, 0) },
    { title: 'a count above the limit', call: (client: SeqClient) => client.nextRange(1, 1_000_001) },
    { title: 'a count that is a bigint', call: (client: SeqClient) => client.nextRange(1, 5n as never) },
    { title: 'a timeout of 0', call: (client: SeqClient) => client.next(1, { timeoutMs: 0 }) },
  ]) {
    it(`refuses ${title} before anything is sent`, async () => {
      const { client, server } = await startBoth();
      expect(await outcome(call(client))).to.include({ code: 'INVALID_ARGUMENT', attempts: 0, maybeAllocated: false });
      expect(server.callCounts).to.include({ next: 0, nextMany: 0, current: 0 });
    });
  }

  it('connects with all seeds but one dead', async () => {
    const server = await start();
    const client = await connect([DEAD, '127.0.0.1:2', server.address, '127.0.0.1:3']);
    expect(await client.next(1)).to.equal(1n);
  });

  it('connects when another seed accepts the connection and never speaks', async () => {
    const silent = await listenSilently();
    const server = await start();
    const client = await connect([silent.address, server.address]);
    expect(await client.next(1)).to.equal(1n);
  });

  it('fails to connect with a typed error when every seed is dead', async () => {
    const error = await outcome(SeqClient.connect({ endpoints: [DEAD], timeoutMs: 60 }));
    expect(error).to.include({ code: 'TIMEOUT', maybeAllocated: false });
    expect(error?.cause).to.include({ code: 'UNAVAILABLE' });
  });

  it('looks for the cluster on the first call when it is lazy', async () => {
    const server = await start();
    const client = SeqClient.lazy({ endpoints: [server.address] });
    open.push(client);
    expect(client.status().routingVersion).to.equal(undefined);
    expect(server.callCounts.getRoute).to.equal(0);
    expect(await client.next(1)).to.equal(1n);
    expect(client.owner(1)).to.deep.equal({ id: 'memory', address: server.address, epoch: 1 });
  });

  it('follows NOT_OWNER to the owner, takes the newer table from its reply, and goes there from then on', async () => {
    const { client, server, other } = await startTwo();
    const moved: SeqClientEvents['route'][] = [];
    client.on('route', (event) => moved.push(event));
    other.setTable(tableOf(2, [other.address]));
    server.inject({ method: 'next', fault: { type: 'error', code: 'NOT_OWNER', redirect: { id: 'other', address: other.address } } });
    await client.next(1);
    await client.next(1);
    expect({ server: server.callCounts.next, other: other.callCounts.next }).to.deep.equal({ server: 1, other: 2 });
    expect(client.status().routingVersion).to.deep.equal({ generation: 7, value: 2 });
    expect(moved).to.deep.equal([{ version: { generation: 7, value: 2 }, previous: { generation: 7, value: 1 } }]);
  });

  it('follows the redirects of single items of a nextMany', async () => {
    const { client, server, other } = await startTwo();
    other.setTable(tableOf(2, [other.address]));
    server.inject({ method: 'nextMany', fault: { type: 'error', code: 'NOT_OWNER', redirect: { id: 'other', address: other.address } } });
    expect(await client.nextMany([1, 2])).to.deep.equal([1n, 1n]);
    expect(other.callCounts.nextMany).to.equal(1);
  });

  it('goes on after the owner died, by the table of another node', async () => {
    const { client, server, other } = await startTwo();
    other.setTable(tableOf(2, [other.address]));
    await server.close();
    expect(await client.next(1)).to.equal(1n);
    expect(client.owner(1)?.address).to.equal(other.address);
  });

  it('never shows NOT_OWNER: two nodes that point at each other end as UNAVAILABLE', async () => {
    const { client, server, other } = await startTwo({ maxAttempts: 3 });
    server.inject({ method: 'next', fault: { type: 'error', code: 'NOT_OWNER', redirect: { id: 'b', address: other.address } }, times: Infinity });
    other.inject({ method: 'next', fault: { type: 'error', code: 'NOT_OWNER', redirect: { id: 'a', address: server.address } }, times: Infinity });
    const error = await outcome(client.next(1));
    expect(error).to.include({ code: 'UNAVAILABLE', maybeAllocated: false, attempts: 12 });
  });

  it('never goes back to an older table', async () => {
    const { client, server, other } = await startTwo();
    other.setTable(tableOf(5, [other.address]));
    server.inject({ method: 'next', fault: { type: 'error', code: 'NOT_OWNER', redirect: { id: 'other', address: other.address } } });
    await client.next(1);
    other.setTable(tableOf(4, [server.address]));
    other.inject({ method: 'next', fault: { type: 'error', code: 'UNAVAILABLE' } });
    await client.next(1);
    expect(client.status().routingVersion).to.deep.equal({ generation: 7, value: 5 });
  });

  it('keeps the numbers that came with a bad table, and drops the table', async () => {
    const { client, server } = await startBoth();
    const failing: SeqClientEvents['endpoint'][] = [];
    client.on('endpoint', (event) => failing.push(event));
    const bad: RoutingTable = { ...server.table, version: { generation: 1, value: 2 }, runs: [] };
    server.setTable(bad);
    expect(await client.next(1)).to.equal(1n);
    expect(client.status().routingVersion).to.deep.equal({ generation: 1, value: 1 });
    expect(failing[0]).to.deep.include({ address: server.address, state: 'failing' });
    expect(failing[0]?.error).to.include({ code: 'PROTOCOL' });
  });

  it('tells when a node stops answering and when it answers again', async () => {
    const { client, server } = await startBoth();
    const states: string[] = [];
    const stop = client.on('endpoint', ({ state }) => states.push(state));
    server.inject({ method: 'next', fault: { type: 'dropReply' } });
    await client.next(1);
    expect(states).to.deep.equal(['failing', 'answering']);
    stop();
    server.inject({ method: 'next', fault: { type: 'dropReply' } });
    await client.next(1);
    expect(states).to.have.length(2);
  });

  it('ends with TIMEOUT at the end of the budget, and says that a number may be lost', async () => {
    const { client, server } = await startBoth();
    server.inject({ method: 'next', fault: { type: 'delay', delayMs: 10_000 } });
    const error = await outcome(client.next(1, { timeoutMs: 30 }));
    expect(error).to.include({ code: 'TIMEOUT', maybeAllocated: true, attempts: 1, retryable: true });
  });

  it('answers a nextMany at the end of its budget with what it has', async () => {
    const { client, server } = await startBoth();
    server.inject({ method: 'nextMany', fault: { type: 'delay', delayMs: 10_000 } });
    const [one] = await client.nextMany([1, 2], { timeoutMs: 30 });
    expect(one).to.include({ code: 'TIMEOUT', maybeAllocated: true });
  });

  it('ends with ABORTED and the reason of the signal, in the middle of an attempt', async () => {
    const { client, server } = await startBoth();
    server.inject({ method: 'next', fault: { type: 'delay', delayMs: 10_000 } });
    const abort = new AbortController();
    const call = outcome(client.next(1, { signal: abort.signal }));
    await until(() => server.callCounts.next === 1);
    const reason = new Error('enough');
    abort.abort(reason);
    expect(await call).to.include({ code: 'ABORTED', cause: reason, maybeAllocated: true });
  });

  it('ends calls in flight with CLOSED, and refuses calls after it; closing twice is fine', async () => {
    const { client, server } = await startBoth();
    const closed: unknown[] = [];
    client.on('closed', (event) => closed.push(event));
    server.inject({ method: 'next', fault: { type: 'delay', delayMs: 10_000 } });
    server.inject({ method: 'nextMany', fault: { type: 'delay', delayMs: 10_000 } });
    const calls = Promise.all([outcome(client.next(1)), outcome(client.nextMany([1, 2]))]);
    await until(() => server.callCounts.nextMany === 1);
    await client.close();
    await client.close();
    for (const error of await calls) expect(error).to.include({ code: 'CLOSED', maybeAllocated: true });
    expect(await outcome(client.next(1))).to.include({ code: 'CLOSED', maybeAllocated: false });
    expect(closed).to.deep.equal([{ callsCutCount: 2 }]);
    expect(client.status()).to.include({ isClosed: true, inFlightCount: 0 });
  });

  it('lets go of the connection to a node that left the table', async () => {
    const { client, server, other } = await startTwo();
    const door = await forward(other.address);
    for (const each of [server, other]) each.setTable(tableOf(2, [door.address]));
    server.inject({ method: 'next', fault: { type: 'error', code: 'NOT_OWNER', redirect: { id: 'other', address: door.address } } });
    await client.next(1);
    expect(door.openCount()).to.equal(1);
    for (const each of [server, other]) each.setTable(tableOf(3, [server.address]));
    await client.next(1);
    await until(() => door.openCount() === 0);
  });

  it('serves 200 callers of one uid at once, each a number of its own', async () => {
    const { client } = await startBoth();
    const numbers = await Promise.all(Array.from({ length: 200 }, () => client.next(1)));
    expect(new Set(numbers).size).to.equal(200);
  });

  it('serves 5,000 callers at once within the default budget, and sends nothing twice', async function () {
    this.timeout(30_000);
    const { client, server } = await startBoth();
    const numbers = await Promise.all(Array.from({ length: 5_000 }, () => client.next(7n)));
    expect(new Set(numbers).size).to.equal(5_000);
    expect(server.lastSeqOf(7n)).to.equal(5_000n);
  });

  async function start(): Promise<MemorySeqServer> {
    const server = await MemorySeqServer.start();
    open.push(server);
    return server;
  }

  async function connect(endpoints: string[], retry: { maxAttempts?: number } = {}): Promise<SeqClient> {
    const client = await SeqClient.connect({ endpoints, retry: { baseMs: 1, maxMs: 5, ...retry } });
    open.push(client);
    return client;
  }

  async function startBoth(): Promise<{ server: MemorySeqServer; client: SeqClient }> {
    const server = await start();
    return { server, client: await connect([server.address]) };
  }

  /** Two servers of one small set; the table says that the first one owns it all. */
  async function startTwo(retry = {}): Promise<{ server: MemorySeqServer; other: MemorySeqServer; client: SeqClient }> {
    const [server, other] = [await start(), await start()];
    for (const each of [server, other]) each.setTable(tableOf(1, [server.address]));
    return { server, other, client: await connect([server.address, other.address], retry) };
  }

  /** A door to `address` that knows how many connections are open. */
  async function forward(address: string): Promise<{ address: string; openCount(): number }> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      const inner = createConnection(Number(address.split(':')[1]), '127.0.0.1');
      socket.on('close', () => void sockets.delete(socket));
      for (const [from, to] of [
        [socket, inner],
        [inner, socket],
      ] as const) {
        from.on('error', () => to.destroy()).on('close', () => to.destroy());
        from.pipe(to);
      }
    });
    return { address: await listen(server, sockets), openCount: () => sockets.size };
  }

  /** Takes connections and says nothing, as a stopped process does. */
  async function listenSilently(): Promise<{ address: string }> {
    const sockets = new Set<Socket>();
    return {
      address: await listen(
        createServer((socket) => void sockets.add(socket)),
        sockets,
      ),
    };
  }

  async function listen(server: Server, sockets: Set<Socket>): Promise<string> {
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    open.push({
      close: async () => {
        for (const socket of sockets) socket.destroy();
        server.close();
      },
    });
    const address = server.address();
    return `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  }
});

async function outcome(promise: Promise<unknown>): Promise<SeqError | undefined> {
  return promise.then(
    () => undefined,
    (error: SeqError) => error,
  );
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise<void>((resolve) => systemClock.defer(resolve));
}
