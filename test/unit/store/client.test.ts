import { createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { systemClock as clock } from '../../../src/base/clock.js';
import { SeqError } from '../../../src/base/errors.js';
import { systemRandom } from '../../../src/base/random.js';
import type { AllocId, Epoch, Incarnation, SectionId, Seq } from '../../../src/model/ids.js';
import type { GrpcServer } from '../../../src/rpc/server.js';
import { type Assignment, StoreClient } from '../../../src/store/client.js';
import { FakeStore } from '../alloc/fake-store.js';
import { serveStore } from '../alloc/store-over-wire.js';

const ME = { allocId: 'a' as AllocId, incarnation: 'ab'.repeat(16) as Incarnation };
const REGISTER = { ...ME, address: 'a:1', zone: '', clusterId: '' };
const RAISE = { ...ME, raises: [{ section: 0 as SectionId, epoch: 1 as Epoch, to: 500n as Seq }] };

describe('StoreClient', () => {
  let store: FakeStore;
  let client: StoreClient;
  /** What each node refuses with; undefined: it leads. By the order in which the nodes were started. */
  let refusals: (SeqError | undefined)[];
  let askedCounts: number[];
  const cleanups: (() => void)[] = [];

  const node = async (refusal?: SeqError): Promise<GrpcServer> => {
    const index = refusals.push(refusal) - 1;
    askedCounts.push(0);
    const refuse = (): SeqError | undefined => {
      askedCounts[index]! += 1;
      return refusals[index];
    };
    const server = await serveStore({ store, clock, refuse });
    cleanups.push(() => server.cut());
    return server;
  };
  /** Accepts connections and says nothing, as a paused process does. */
  const paused = async (): Promise<string> => {
    const sockets = new Set<Socket>();
    const server: Server = createServer((socket) => sockets.add(socket.on('error', () => {})));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const address = server.address();
    return typeof address === 'object' && address !== null ? `127.0.0.1:${address.port}` : expect.fail();
  };
  const connectTo = (endpoints: string[], options = {}): StoreClient => {
    client = new StoreClient({ endpoints, clock, random: { ...systemRandom, below: () => 0 }, ...options });
    cleanups.unshift(() => client.close());
    return client;
  };
  const errorOf = (call: Promise<unknown>): Promise<SeqError> =>
    call.then(
      () => expect.fail('it was not refused'),
      (error: SeqError) => error,
    );
  const toLeader = (address: string): SeqError => new SeqError('NOT_LEADER', 'not me', { redirect: { id: '2', address } });
  const noLeader = new SeqError('NOT_LEADER', 'nobody leads');

  beforeEach(() => {
    store = new FakeStore();
    store.assign('a', 0);
    refusals = [];
    askedCounts = [];
  });
  afterEach(() => {
    for (const cleanup of cleanups.splice(0)) cleanup();
  });

  it('speaks every method of the store', async () => {
    const { address } = await node();
    connectTo([address]);
    const call = { timeoutMs: 1000, moveOnAfterMs: 200 };
    const registration = await client.register(REGISTER, call);
    expect(registration).to.deep.equal({
      clusterId: 'c',
      geometry: store.geometry,
      raiseBy: 100n,
      lease: { leaseMs: 3000, driftPpm: 10_000, marginMs: 100 },
    });
    const renewal = await client.renewOnce({ ...ME, routingVersion: undefined }, call);
    expect(renewal.assignment).to.deep.equal(store.assignment());
    expect((await client.renewOnce({ ...ME, routingVersion: store.assignment().table.version }, call)).assignment).to.equal(undefined);
    expect(await client.load(ME, call)).to.deep.equal(store.assignment());
    const [raised, refused] = await client.raise({ ...ME, raises: [RAISE.raises[0]!, { ...RAISE.raises[0]!, epoch: 9 as Epoch }] }, call);
    expect(raised).to.deep.equal({ type: 'raised', maxSeq: 500n });
    expect(refused?.type === 'refused' && refused.error.code).to.equal('NOT_OWNER');
    const releases = [{ firstSection: 0 as SectionId, sectionCount: 1, epoch: 1 as Epoch, trueMax: 3n as Seq }];
    expect(await client.release({ ...ME, generation: 1000, releases }, call)).to.deep.include({ releasedCount: 1, refusedCount: 0 });
  });

  it('follows a redirect and remembers where it led', async () => {
    const leader = await node();
    const follower = await node(toLeader(leader.address));
    connectTo([follower.address]);
    await client.load(ME, { timeoutMs: 1000 });
    await client.load(ME, { timeoutMs: 1000 });
    expect(askedCounts).to.deep.equal([2, 1]);
  });

  it('searches the other endpoints past a dead and a paused one', async () => {
    const dead = '127.0.0.1:1';
    const silent = await paused();
    const leader = await node();
    connectTo([dead, silent, leader.address], { attemptTimeoutMs: 50 });
    expect(await client.load(ME, { timeoutMs: 2000 })).to.deep.equal(store.assignment());
  });

  it('survives an election within the budget', async () => {
    const [one, two] = [await node(noLeader), await node(noLeader)];
    connectTo([one.address, two.address]);
    clock.after(100, () => {
      refusals[1] = undefined;
    });
    expect(await client.load(ME, { timeoutMs: 3000 })).to.deep.equal(store.assignment());
  });

  it('does not loop when two nodes take each other for the leader', async () => {
    const one = await node();
    const two = await node(toLeader(one.address));
    refusals[0] = toLeader(two.address);
    client = new StoreClient({ endpoints: [one.address, two.address], clock, random: { ...systemRandom, below: (below) => below - 1 } });
    cleanups.unshift(() => client.close());
    const error = await errorOf(client.load(ME, { timeoutMs: 400 }));
    expect(error.code).to.equal('UNAVAILABLE');
    expect(askedCounts[0]! + askedCounts[1]!).to.be.within(3, 40);
  });

  it('says "certainly not" when every node refused, and never shows NOT_LEADER', async () => {
    const { address } = await node(noLeader);
    connectTo([address]);
    const error = await errorOf(client.raise(RAISE, { timeoutMs: 400 }));
    expect(error).to.include({ code: 'UNAVAILABLE', definite: true });
    expect(error.message).to.include('raise').and.to.include('nobody leads');
  });

  it('sends the raises of one turn in one request, each call with outcomes and retries of its own', async () => {
    const leader = await node();
    const follower = await node(toLeader(leader.address));
    connectTo([follower.address]);
    const raises = RAISE.raises[0]!;
    const calls = [500n, 600n, 700n].map((to) => client.raise({ ...ME, raises: [{ ...raises, to: to as Seq }] }, { timeoutMs: 1000 }));
    expect(await Promise.all(calls)).to.deep.equal([500n, 600n, 700n].map((maxSeq) => [{ type: 'raised', maxSeq }]));
    expect(askedCounts).to.deep.equal([1, 1]);
  });

  it('says "unknown outcome" when an attempt may have arrived, within its budget', async () => {
    connectTo([await paused()], { attemptTimeoutMs: 50 });
    const startMs = clock.nowMs();
    expect(await errorOf(client.raise(RAISE, { timeoutMs: 200 }))).to.include({ code: 'TIMEOUT', definite: false });
    expect(clock.nowMs() - startMs).to.be.within(150, 1500);
  });

  it('hands a refusal of the leader on at once', async () => {
    const { address } = await node(new SeqError('NOT_OWNER', 'incarnation x is superseded'));
    connectTo([address]);
    expect(await errorOf(client.raise(RAISE, { timeoutMs: 1000 }))).to.include({
      code: 'NOT_OWNER',
      definite: true,
      message: 'incarnation x is superseded',
    });
    expect(askedCounts).to.deep.equal([1]);
  });

  it('ends with ABORTED and the reason when its signal is aborted, also while it pauses', async () => {
    const { address } = await node(noLeader);
    connectTo([address]);
    const abort = new AbortController();
    const reason = new Error('enough');
    clock.after(60, () => abort.abort(reason));
    const error = await errorOf(client.raise(RAISE, { timeoutMs: 5000, signal: abort.signal }));
    expect(error).to.include({ code: 'ABORTED', cause: reason });
  });

  it('makes exactly one attempt for a renewal, and learns from it for the next', async () => {
    const leader = await node();
    const follower = await node(toLeader(leader.address));
    connectTo([follower.address, leader.address]);
    const renew = () => client.renewOnce({ ...ME, routingVersion: undefined }, { timeoutMs: 500, moveOnAfterMs: 200 });
    expect(await errorOf(renew())).to.include({ code: 'UNAVAILABLE', definite: true });
    expect(askedCounts).to.deep.equal([0, 1]);
    await renew();
    expect(askedCounts).to.deep.equal([1, 1]);
  });

  describe('a renewal that brings nothing', () => {
    const MOVE_ON_MS = 123;
    /** Makes the clients' patience end, as if it had passed; every other timer of the clock is real. */
    let patienceEnds: (() => void)[];
    const handClock = {
      ...clock,
      after: (delayMs: number, fire: () => void): (() => void) => {
        if (delayMs !== MOVE_ON_MS) return clock.after(delayMs, fire);
        patienceEnds.push(fire);
        return () => {
          patienceEnds = patienceEnds.filter((other) => other !== fire);
        };
      },
    };
    const renew = () => client.renewOnce({ ...ME, routingVersion: undefined }, { timeoutMs: 1_000, moveOnAfterMs: MOVE_ON_MS });

    beforeEach(() => {
      patienceEnds = [];
    });

    it('lets the next one try another StoreSvr, while it still waits itself', async () => {
      const leader = await node();
      connectTo([await paused(), leader.address], { clock: handClock });
      let isOver = false;
      const first = errorOf(renew()).finally(() => {
        isOver = true;
      });
      for (const end of patienceEnds) end();
      await renew();
      expect([isOver, askedCounts]).to.deep.equal([false, [1]]);
      expect((await first).code).to.equal('TIMEOUT');
    });

    it('does not take the lead from who was found meanwhile when its deadline comes', async () => {
      const leader = await node();
      const other = await node(noLeader);
      connectTo([leader.address, other.address], { clock: handClock });
      store.held.add('renew');
      const first = errorOf(renew());
      for (const end of patienceEnds) end();
      // Another call finds the leader again before the renewal's deadline.
      await client.load(ME, { timeoutMs: 500 });
      const { 1: before } = askedCounts;
      await first;
      await client.load(ME, { timeoutMs: 500 });
      expect(askedCounts[1]).to.equal(before);
    });

    it('confirms the leader again when its answer comes late', async () => {
      const leader = await node();
      const other = await node(noLeader);
      connectTo([leader.address, other.address], { clock: handClock });
      store.held.add('renew');
      const first = renew();
      while (askedCounts[0] === 0) await new Promise((resolve) => clock.after(5, () => resolve(undefined)));
      for (const end of patienceEnds) end();
      store.deliver('renew');
      expect((await first).lease.leaseMs).to.equal(3000);
      await client.load(ME, { timeoutMs: 500 });
      expect(askedCounts).to.deep.equal([2, 0]);
    });

    it('leaves no timer behind once it is answered', async () => {
      const leader = await node();
      connectTo([leader.address], { clock: handClock });
      await renew();
      expect(patienceEnds).to.deep.equal([]);
    });
  });

  it('comes back to a leader that named a time to come back', async () => {
    const leader = await node(new SeqError('UNAVAILABLE', 'ask again', { definite: true, retryAfterMs: 20 }));
    const follower = await node(noLeader);
    connectTo([leader.address, follower.address]);
    clock.after(50, () => {
      refusals[0] = undefined;
    });
    await client.load(ME, { timeoutMs: 2000 });
    expect(askedCounts[1]).to.equal(0);
  });

  it('hands pushed tables on and tells once when the stream ends', async () => {
    const { address } = await node();
    connectTo([address]);
    const seen: (Assignment | string)[] = [];
    const ended = new Promise<void>((resolve) => {
      client.watch(
        { ...ME, routingVersion: undefined },
        {
          onAssignment: (assignment) => {
            seen.push(assignment);
            client.close();
          },
          onEnd: (error) => {
            seen.push(error.code);
            resolve();
          },
        },
      );
    });
    while (seen.length === 0) {
      store.push();
      await new Promise((resolve) => clock.after(5, () => resolve(undefined)));
    }
    await ended;
    expect(seen).to.deep.equal([store.assignment(), 'CLOSED']);
  });

  it('ends a watch at a StoreSvr that no longer leads, and tells UNAVAILABLE', async () => {
    const one = await node();
    const two = await node(toLeader(one.address));
    connectTo([one.address, two.address]);
    const pushed: Assignment[] = [];
    const ended = new Promise<string>((resolve) => {
      client.watch(
        { ...ME, routingVersion: undefined },
        { onAssignment: (assignment) => pushed.push(assignment), onEnd: ({ code }) => resolve(code) },
      );
    });
    while (pushed.length === 0) {
      store.push();
      await new Promise((resolve) => clock.after(5, () => resolve(undefined)));
    }
    refusals = [toLeader(two.address), undefined];
    await client.load(ME, { timeoutMs: 1000 });
    expect(await ended).to.equal('UNAVAILABLE');
  });

  it('ends calls with CLOSED once it is closed', async () => {
    const { address } = await node();
    connectTo([address]);
    client.close();
    expect(await errorOf(client.load(ME, { timeoutMs: 1000 }))).to.include({ code: 'CLOSED', definite: true });
  });

  it('refuses addresses that are none', () => {
    expect(() => connectTo([])).to.throw('at least one StoreSvr');
    expect(() => connectTo(['nowhere'])).to.throw("'nowhere'");
  });
});
