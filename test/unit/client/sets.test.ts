import { expect } from 'chai';
import { SeqClient, SeqError } from '../../../src/client/client.js';
import { MemorySeqServer, type SetMap } from '../../../src/client/testing.js';

const SET_SIZE = 1_000n;

describe('client, with several sets', function () {
  this.timeout(30_000);
  const open: { close(): Promise<void> }[] = [];

  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()));
  });

  /** Sets of 1,000 uids side by side; every one of them tells the map, or only those that are asked to. */
  async function startSets(count: number, tellers = count): Promise<MemorySeqServer[]> {
    const servers = await Promise.all(
      Array.from({ length: count }, (_, at) => MemorySeqServer.start({ firstUid: BigInt(at) * SET_SIZE, lastUid: BigInt(at + 1) * SET_SIZE - 1n })),
    );
    for (const server of servers.slice(0, tellers)) server.setSets(mapOf(servers));
    open.push(...servers);
    return servers;
  }

  function mapOf(servers: readonly MemorySeqServer[], version = 1): SetMap {
    const sets = servers.map(({ address }, at) => ({
      name: `set-${at}`,
      firstUid: BigInt(at) * SET_SIZE,
      lastUid: BigInt(at + 1) * SET_SIZE - 1n,
      seeds: [address],
      clusterId: String(at).repeat(32),
    }));
    return { version, home: 'set-0', sets };
  }

  async function connect(...endpoints: string[]): Promise<SeqClient> {
    const client = await SeqClient.connect({ endpoints, timeoutMs: 20_000, retry: { baseMs: 1, maxMs: 5 } });
    open.push(client);
    return client;
  }

  it('goes to the set of the uid from any seed of any set', async () => {
    const servers = await startSets(3);
    for (const [at, seed] of servers.entries()) {
      const client = await connect(seed.address);
      expect(await Promise.all([5n, 1_005n, 2_005n].map((uid) => client.next(uid)))).to.deep.equal(Array(3).fill(BigInt(at + 1)));
      expect(client.status().sets.map(({ name }) => name)).to.deep.equal(['set-0', 'set-1', 'set-2']);
    }
    expect(servers.map((server, at) => server.lastSeqOf(BigInt(at) * SET_SIZE + 5n))).to.deep.equal([3n, 3n, 3n]);
  });

  it('works with seeds of several sets at once, whichever answers first', async () => {
    const servers = await startSets(2);
    for (let turn = 0; turn < 5; turn += 1) {
      const client = await connect(...servers.map(({ address }) => address));
      expect(await Promise.all([client.next(7n), client.next(1_007n)])).to.deep.equal([BigInt(turn + 1), BigInt(turn + 1)]);
    }
  });

  it('asks for a newer map once a second for uids in no set, and finds the set that came', async () => {
    const [home, late] = (await startSets(2, 0)) as [MemorySeqServer, MemorySeqServer];
    const client = await connect(home.address);
    const before = home.callCounts.getRoute;
    const refused = await Promise.allSettled(Array.from({ length: 50 }, (_, at) => client.next(1_000n + BigInt(at))));
    for (const each of refused) expect(each).to.have.nested.property('reason.code', 'INVALID_ARGUMENT');
    expect(home.callCounts.getRoute - before).to.be.at.most(2);
    home.setSets(mapOf([home, late], 2));
    const other = await connect(home.address);
    expect(await other.next(1_001n)).to.equal(1n);
  });

  it('splits a nextMany by set, keeps the order, and fails alone what is in no set', async () => {
    const servers = await startSets(3);
    const client = await connect(servers[1]!.address);
    const items = await client.nextMany([2_001n, 1n, 9_999n, 1_001n, 2_001n]);
    expect(items.map((item) => (item instanceof SeqError ? item.code : item))).to.deep.equal([1n, 1n, 'INVALID_ARGUMENT', 1n, 2n]);
  });

  it('goes on in the other sets while one is down, with what waits for the dead one out of the way', async () => {
    const servers = await startSets(2);
    const client = await connect(servers[0]!.address);
    await client.next(1_001n);
    await servers[1]!.close();
    const dead = Array.from({ length: 1_000 }, () => client.next(1_001n, { timeoutMs: 1_500 }).then(String, (error: SeqError) => error.code));
    const alive = await Promise.all(Array.from({ length: 200 }, () => client.next(1n)));
    expect(new Set(alive).size).to.equal(200);
    const mixed = await client.nextMany([2n, 1_002n, 3n], { timeoutMs: 500 });
    expect(mixed.map((item) => typeof item === 'bigint')).to.deep.equal([true, false, true]);
    expect(new Set(await Promise.all(dead))).to.deep.equal(new Set(['TIMEOUT']));
  });

  it('advances a counter, forward only, and sends strict when it is asked to', async () => {
    const [server] = (await startSets(1)) as [MemorySeqServer];
    const client = await connect(server.address);
    expect([await client.advance(5n, 100n), await client.advance(5n, 50n), await client.next(5n, { strict: true })]).to.deep.equal([
      100n,
      100n,
      101n,
    ]);
    for (const to of [0n, 2n ** 63n, 5 as never]) {
      const error = await client.advance(5n, to).then(
        () => undefined,
        (thrown: SeqError) => thrown,
      );
      expect(error).to.include({ code: 'INVALID_ARGUMENT' });
    }
  });

  it('never returns a number at or below one that it was given before: a counter that went back is not believed', async () => {
    const [server] = (await startSets(1)) as [MemorySeqServer];
    const client = await connect(server.address);
    server.setLastSeq(5n, 1_000n);
    expect(await client.next(5n)).to.equal(1_001n);
    server.setLastSeq(5n, 10n);
    const error = await client.next(5n, { timeoutMs: 300 }).then(
      (seq) => seq,
      (thrown: SeqError) => thrown,
    );
    expect(error).to.be.instanceOf(SeqError);
    server.setLastSeq(5n, 2_000n);
    // What a lost attempt took is a gap.
    expect((await client.next(5n)) > 2_000n).to.equal(true);
  });

  it('asks for the table a bounded number of times, however many calls have the oldest one', async () => {
    const [server] = (await startSets(1)) as [MemorySeqServer];
    const client = await connect(server.address);
    const before = server.callCounts.getRoute;
    server.inject({ method: 'next', fault: { type: 'error', code: 'UNAVAILABLE' }, times: 1_000 });
    await Promise.all(Array.from({ length: 1_000 }, () => client.next(5n)));
    expect(server.callCounts.getRoute - before).to.be.at.most(60);
  });
});
