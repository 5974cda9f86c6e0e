import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.js';
import { type ErrorCode, SeqError } from '../../../src/base/errors.js';
import { systemRandom } from '../../../src/base/random.js';
import { arbiterRole } from '../../../src/cli/placement-port.js';
import { type Channel, GrpcChannel } from '../../../src/rpc/channel.js';
import { AdminServiceService } from '../../../src/rpc/gen/seqsvr/v1/admin.js';
import { StoreServiceService as Store } from '../../../src/rpc/gen/seqsvr/v1/store.js';
import { StoreServer, type StoreServerOptions } from '../../../src/store/server.js';
import { TestFolder } from './disk.js';
import { CLUSTER_ID, GEOMETRY, INIT, run } from './fixture.js';

const A = run('a1');
const CALL = { timeoutMs: 2_000 };

describe('StoreServer', function () {
  this.timeout(20_000);
  let folder: TestFolder;
  const running: StoreServer[] = [];
  const fatal: unknown[] = [];

  beforeEach(async () => {
    folder = await TestFolder.make();
    fatal.length = 0;
  });

  afterEach(async () => {
    for (const server of running.splice(0)) await server.stop();
    await folder.remove();
  });

  async function start(change: Partial<StoreServerOptions> = {}): Promise<StoreServer> {
    const server = await StoreServer.start({
      name: 's1',
      clusterId: CLUSTER_ID,
      nodeId: 1,
      dataDir: folder.in('data'),
      listen: '127.0.0.1:0',
      peerListen: '127.0.0.1:0',
      members: [{ id: 1, name: 's1', peerAddress: '127.0.0.1:0', address: '127.0.0.1:0' }],
      bootstrap: { geometry: GEOMETRY, lease: INIT.lease, raiseBy: INIT.raiseBy },
      advertise: '127.0.0.1:1',
      peerAdvertise: '127.0.0.1:1',
      keepLogEntries: 1_000,
      onRemoved: () => fatal.push('removed'),
      heartbeatMs: 20,
      electionMinMs: 60,
      build: { version: 'test', pid: 1 },
      makeArbiter: (node) => arbiterRole(node, { clock: systemClock, onFatal: (error) => fatal.push(error) }),
      clock: systemClock,
      random: systemRandom,
      observe: () => undefined,
      onFatal: (error) => fatal.push(error),
      ...change,
    });
    running.push(server);
    return server;
  }

  it('leads alone, hands its sections to the first who registers, and shows the same after a restart', async () => {
    const server = await start();
    const { maxSeq, hash } = await use(server, async (channel) => {
      await eventually(() => channel.call(Store.register, { ...A, address: 'a1:7000', zone: '', clusterId: '' }, CALL));
      const windows = await eventually(async () => {
        const { assignment } = await channel.call(Store.renew, { ...A, routingVersion: undefined, loads: [] }, CALL);
        expect(assignment?.windows.length).to.equal(1);
        return assignment!.windows;
      });
      expect(windows).to.deep.equal([
        { firstSection: 0, sectionCount: 70, epoch: 1n, base: 0n, maxSeq: 100n, leaving: false, nextAllocId: '', handoff: undefined },
      ]);
      const { outcomes } = await channel.call(Store.raise, { ...A, raises: [{ section: 7, epoch: 1n, to: 4_000n }] }, CALL);
      return { maxSeq: outcomes[0]?.maxSeq, hash: await hashOf(channel) };
    });
    expect(maxSeq).to.equal(4_000n);
    await running.pop()!.stop();

    await use(await start(), async (channel) => {
      expect(await hashOf(channel)).to.equal(hash);
      const { assignment } = await eventually(() => channel.call(Store.load, A, CALL));
      expect(assignment?.windows.find(({ firstSection }) => firstSection === 7)?.maxSeq).to.equal(4_000n);
    });
    expect(fatal).to.deep.equal([]);
  });

  it('refuses its data directory to a second one, and a port that is taken, with a plain message', async () => {
    const server = await start();
    await expectRefusal(start(), 'INVALID_ARGUMENT', 'is in use by another seqsvr process');
    const elsewhere = { dataDir: folder.in('elsewhere') };
    await expectRefusal(start({ ...elsewhere, listen: server.address }), 'INVALID_ARGUMENT', 'is in use by another process');
    await expectRefusal(start({ ...elsewhere, peerListen: server.address }), 'INVALID_ARGUMENT', 'is in use by another process');
    await start(elsewhere);
  });

  it('ends its arbiter with it: nothing keeps a stopped process alive', async () => {
    const stopped: string[] = [];
    const server = await start({
      makeArbiter: (node) => {
        const role = arbiterRole(node, { clock: systemClock, onFatal: (error) => fatal.push(error) });
        const arbiter = role.authority;
        const stop = arbiter.stop.bind(arbiter);
        arbiter.stop = () => {
          stopped.push('arbiter');
          stop();
        };
        return role;
      },
    });
    await use(server, (channel) => eventually(() => channel.call(Store.register, { ...A, address: 'a1:7000', zone: '', clusterId: '' }, CALL)));
    await running.pop()!.stop();
    expect(stopped).to.include('arbiter');
  });

  for (const [what, change, why] of [
    ['another cluster id in its log', { clusterId: 'd'.repeat(32) }, 'belongs to cluster'],
    ['an election that could outlast the committed lease', { electionMinMs: 5_000, heartbeatMs: 100 }, 'a lease must outlast two election rounds'],
  ] as const) {
    it(`does not run with ${what}`, async () => {
      const server = await start();
      await use(server, (channel) => eventually(() => channel.call(Store.register, { ...A, address: 'a1:7000', zone: '', clusterId: '' }, CALL)));
      await running.pop()!.stop();
      const refusal = await start(change).then(
        () => fatal[0],
        (error: unknown) => error,
      );
      expect(String(refusal)).to.contain(why);
    });
  }

  it('ends the process when the configured geometry is not the committed one', async () => {
    const server = await start();
    await use(server, (channel) => eventually(() => channel.call(Store.register, { ...A, address: 'a1:7000', zone: '', clusterId: '' }, CALL)));
    await running.pop()!.stop();
    await start({ bootstrap: { geometry: { ...GEOMETRY, lastUid: 799n }, lease: INIT.lease, raiseBy: INIT.raiseBy } });
    expect(fatal.map((error) => (error as Error).message)).to.deep.equal([
      'geometry is fixed at bootstrap: committed uids 0..699 in sections of 10, configured uids 0..799 in sections of 10',
    ]);
  });
});

async function use<Result>(server: StoreServer, work: (channel: Channel) => Promise<Result>): Promise<Result> {
  const channel = new GrpcChannel({ address: server.address, clock: systemClock });
  try {
    return await work(channel);
  } finally {
    channel.close();
  }
}

async function hashOf(channel: Channel): Promise<string> {
  const { role } = await channel.call(AdminServiceService.getStatus, {}, CALL);
  return role?.$case === 'store' ? role.value.stateHash : '';
}

/** Until an election is over and the arbiter has decided; the suite's timeout is its limit. */
async function eventually<Result>(attempt: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function expectRefusal(starting: Promise<unknown>, code: ErrorCode, why: string): Promise<void> {
  const error = await starting.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(SeqError.is(error, code), String(error)).to.equal(true);
  expect((error as SeqError).message).to.contain(why);
}
