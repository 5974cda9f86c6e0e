import { expect } from 'chai';
import { once } from 'node:events';
import { systemClock } from '../../../src/base/clock.js';
import { type ErrorCode, SeqError } from '../../../src/base/errors.js';
import type { Incarnation } from '../../../src/model/ids.js';
import { NO_VERSION } from '../../../src/model/version.js';
import type { Applied } from '../../../src/raft/driver.js';
import { type Channel, GrpcChannel } from '../../../src/rpc/channel.js';
import { versionToWire } from '../../../src/rpc/codec.js';
import { RouteServiceService } from '../../../src/rpc/gen/seqsvr/v1/seq.js';
import { StoreServiceService as Store, type WatchResponse } from '../../../src/rpc/gen/seqsvr/v1/store.js';
import { GrpcServer, Handlers } from '../../../src/rpc/server.js';
import type { Command } from '../../../src/store/command.js';
import type { LeaseAuthority } from '../../../src/store/lease-authority.js';
import type { StoreNode } from '../../../src/store/node.js';
import { assignmentOf, storeRouteService, storeService } from '../../../src/store/service.js';
import type { StoreState } from '../../../src/store/state.js';
import type { Result } from '../../../src/store/state-machine.js';
import { Watchers } from '../../../src/store/watchers.js';
import { CLUSTER_ID, GENERATION, GEOMETRY, INIT, run, TestReplica } from './fixture.js';

const A = run('a1');
const LATER_A = run('a1', 2);
const CALL = { timeoutMs: 5_000 };
const NOT_LEADER = new SeqError('NOT_LEADER', 's1 does not lead, s2 does', { redirect: { id: 's2', address: 's2:7100' } });

/** A StoreSvr without Raft: what is proposed is applied at once, and a test can act in the middle of a confirmation. */
class StubNode implements Pick<StoreNode, 'state' | 'requireLeading' | 'propose' | 'confirmLeadership'> {
  readonly store = new TestReplica();
  readonly proposed: Command[] = [];
  isLeading = true;
  duringConfirmation: () => void = () => undefined;

  get state(): StoreState {
    return this.store.state;
  }

  requireLeading(): void {
    if (!this.isLeading) throw NOT_LEADER;
  }

  async propose(command: Command): Promise<Applied<Result>> {
    this.proposed.push(command);
    return { index: this.proposed.length, term: 1, result: this.store.run(command) };
  }

  async confirmLeadership(): Promise<void> {
    this.duringConfirmation();
  }
}

class StubAuthority implements LeaseAuthority {
  readonly heardOf: Incarnation[] = [];
  mayAnswer = true;

  mayRenew(): boolean {
    return this.mayAnswer;
  }

  heard(incarnation: Incarnation): void {
    this.heardOf.push(incarnation);
  }

  heardMsAgo(): undefined {
    return undefined;
  }
}

describe('StoreService', () => {
  let node: StubNode;
  let authority: StubAuthority;
  let watchers: Watchers;
  let server: GrpcServer;
  let channel: Channel;

  beforeEach(async () => {
    node = new StubNode();
    node.store.run(INIT);
    node.store.register(A);
    authority = new StubAuthority();
    const storeNode = node as unknown as StoreNode;
    watchers = new Watchers({ assignmentOf: (caller) => assignmentOf(storeNode, caller), version: () => node.state.version });
    const bugs = (error: unknown): void => expect.fail(String(error));
    const handlers = new Handlers({ clock: systemClock, onBug: bugs, routingVersion: () => node.state.cluster?.version });
    const services = [storeService({ node: storeNode, authority, watchers, handlers, clock: systemClock }), storeRouteService(storeNode, handlers)];
    server = await GrpcServer.start({ address: '127.0.0.1:0', services, clock: systemClock });
    channel = new GrpcChannel({ address: server.address, clock: systemClock });
  });

  afterEach(() => {
    channel.close();
    server.cut();
  });

  const renew = (ask: object = {}) => channel.call(Store.renew, { ...A, routingVersion: undefined, loads: [], ...ask }, CALL);
  const register = (ask: object = {}) => channel.call(Store.register, { ...A, address: 'a1:7000', zone: '', clusterId: '', ...ask }, CALL);
  const raise = (raises: readonly { section: number; epoch: bigint; to: bigint }[], ask: object = {}) =>
    channel.call(Store.raise, { ...A, raises: [...raises], ...ask }, CALL);
  const release = (run0: object = {}, ask: object = {}) =>
    channel.call(
      Store.release,
      {
        ...A,
        generation: BigInt(GENERATION),
        releases: [{ firstSection: 0, sectionCount: 1, epoch: 1n, trueMax: 5n, digest: Buffer.alloc(0), ...run0 }],
        ...ask,
      },
      CALL,
    );

  describe('renew', () => {
    it("answers with the committed lease and, when the caller's table is older, the newest with its windows", async () => {
      node.store.assign(A, 0, 70);
      const { lease, assignment } = await renew();
      expect(lease).to.deep.equal({ ...INIT.lease, waitMs: 3161 });
      expect(assignment?.windows).to.deep.equal([
        { firstSection: 0, sectionCount: 70, epoch: 1n, base: 0n, maxSeq: 100n, leaving: false, nextAllocId: '', handoff: undefined },
      ]);
      expect((await renew({ routingVersion: versionToWire(node.state.version) })).assignment).to.equal(undefined);
      expect(authority.heardOf).to.deep.equal([A.incarnation, A.incarnation]);
    });

    const changes: readonly (readonly [string, () => void, ErrorCode, string])[] = [
      ['the run is superseded', () => node.store.register(LATER_A), 'NOT_OWNER', 'superseded'],
      ['the arbiter disowns the run', () => (authority.mayAnswer = false), 'UNAVAILABLE', 'being given away'],
      ['the node no longer leads', () => (node.isLeading = false), 'NOT_LEADER', 's2 does'],
    ];
    for (const [name, change, code, why] of changes) {
      it(`is refused when ${name}, also when that happens while a quorum is being asked`, async () => {
        node.duringConfirmation = change;
        await expectError(renew(), code, why);
        node.duringConfirmation = () => undefined;
        await expectError(renew(), code, why);
        expect(authority.heardOf, 'what was not answered does not count').to.deep.equal([]);
      });
    }

    it('who is superseded is said only after a quorum round, by renew, raise and watch alike: a deposed leader must not end a living run', async () => {
      node.store.register(LATER_A);
      node.duringConfirmation = () => {
        throw NOT_LEADER;
      };
      await expectError(renew(), 'NOT_LEADER', 's2');
      await expectError(raise([{ section: 0, epoch: 1n, to: 5n }]), 'NOT_LEADER', 's2');
      const stream = channel.serverStream(Store.watch, { ...A, routingVersion: undefined });
      const [error] = (await once(
        stream.on('data', () => undefined),
        'error',
      ).catch((reason: unknown) => [reason])) as [Parameters<Channel['errorOf']>[0]];
      expect(channel.errorOf(error).code).to.equal('NOT_LEADER');
    });

    it('is refused for a run that never registered, and for what is not one', async () => {
      await expectError(renew({ allocId: 'a9' }), 'NOT_OWNER', 'is not registered');
      await expectError(renew({ incarnation: 'no' }), 'INVALID_ARGUMENT', 'incarnation must be 32 hex digits');
    });

    it('says where the leader is, and that nothing happened', async () => {
      node.isLeading = false;
      const error = await expectError(renew(), 'NOT_LEADER', 's2 does');
      expect([error.redirect, error.definite]).to.deep.equal([{ id: 's2', address: 's2:7100' }, true]);
    });

    it('is refused without a quorum, and does not count', async () => {
      node.duringConfirmation = () => {
        throw NOT_LEADER;
      };
      await expectError(renew(), 'NOT_LEADER', 's2');
      expect(authority.heardOf).to.deep.equal([]);
    });
  });

  describe('register', () => {
    it('answers with everything that is fixed', async () => {
      expect(await register({ ...run('a2'), clusterId: CLUSTER_ID })).to.deep.equal({
        clusterId: CLUSTER_ID,
        geometry: GEOMETRY,
        raiseBy: INIT.raiseBy,
        lease: { ...INIT.lease, waitMs: 3161 },
      });
      expect(node.state.isCurrent(run('a2'))).to.equal(true);
    });

    it('is refused for another cluster, a former run, and what nobody could dial', async () => {
      await expectError(register({ clusterId: 'd'.repeat(32) }), 'PERMISSION_DENIED', `this is cluster ${CLUSTER_ID}`);
      for (const address of ['', 'a1', 'a1:x', 'a1:99999']) await expectError(register({ address }), 'INVALID_ARGUMENT', 'host:port');
      await expectError(register({ allocId: '../a1' }), 'INVALID_ARGUMENT', 'alloc id');
      expect(node.proposed).to.deep.equal([]);
      await register(LATER_A);
      const error = await expectError(register(), 'NOT_OWNER', 'superseded');
      expect(error.definite, 'the entry changed nothing').to.equal(true);
    });

    it('waits for the bootstrap, and for a leader', async () => {
      node.isLeading = false;
      await expectError(register(), 'NOT_LEADER', 's2');
      Object.assign(node, { store: new TestReplica(), isLeading: true });
      await expectError(register(), 'UNAVAILABLE', 'not initialised yet');
    });
  });

  describe('raise', () => {
    it('answers each item in the order asked, the refused ones with their reason', async () => {
      node.store.assign(A, 0, 2);
      const { outcomes } = await raise([
        { section: 1, epoch: 1n, to: 500n },
        { section: 2, epoch: 1n, to: 500n },
        { section: 0, epoch: 1n, to: 50n },
      ]);
      expect(outcomes.map(({ maxSeq, error }) => [maxSeq, error?.code, error?.definite])).to.deep.equal([
        [500n, undefined, undefined],
        [0n, 'NOT_OWNER', true],
        [100n, undefined, undefined],
      ]);
    });

    it('is refused as a whole for a superseded run, before it costs an entry', async () => {
      node.store.register(LATER_A);
      await expectError(raise([{ section: 0, epoch: 1n, to: 500n }]), 'NOT_OWNER', 'superseded');
      expect(node.proposed).to.deep.equal([]);
    });

    it('is refused when it is too long or has impossible numbers: they never reach the log', async () => {
      const good = { section: 0, epoch: 1n, to: 500n };
      await expectError(raise(Array.from({ length: 10_001 }, () => good)), 'INVALID_ARGUMENT', 'at most 10000 raises, got 10001');
      await expectError(raise([{ ...good, to: 2n ** 63n }]), 'PROTOCOL', '2^63-1, got 9223372036854775808');
      await expectError(raise([{ ...good, epoch: 2n ** 53n }]), 'PROTOCOL', 'epoch');
      expect(node.proposed).to.deep.equal([]);
    });
  });

  describe('release and drain', () => {
    it('answer with what became of it', async () => {
      node.store.assign(A, 0, 2);
      expect(await release()).to.deep.equal({ releasedCount: 1, refusedCount: 0 });
      expect(await release()).to.deep.equal({ releasedCount: 0, refusedCount: 1 });
      const { assignment } = await channel.call(Store.drain, A, CALL);
      expect(assignment?.windows.map(({ firstSection, sectionCount }) => [firstSection, sectionCount])).to.deep.equal([[1, 1]]);
      expect(node.state.mayOwn(A)).to.equal(false);
    });

    it('are refused for sections outside the set, another generation and a former run', async () => {
      await expectError(release({ sectionCount: 71 }), 'PROTOCOL', 'lie outside a set of 70');
      await expectError(release({ sectionCount: 0 }), 'PROTOCOL', 'lie outside');
      await expectError(release({ trueMax: 2n ** 63n }), 'PROTOCOL', '2^63-1');
      expect(node.proposed).to.deep.equal([]);
      await expectError(release({}, { generation: 1n }), 'NOT_OWNER', 'generation 1 is over');
      node.store.register(LATER_A);
      await expectError(channel.call(Store.drain, A, CALL), 'NOT_OWNER', 'superseded');
    });
  });

  describe('confirm', () => {
    const confirm = (...sections: (readonly [section: number, epoch: bigint])[]) =>
      channel.call(Store.confirm, { ...A, sections: sections.map(([section, epoch]) => ({ section, epoch })) }, CALL);

    it("says which sections are the caller's at that epoch, as things stand after a quorum round that begins after the call", async () => {
      node.store.register(run('a2'));
      node.store.assign(A, 0, 3);
      node.duringConfirmation = () => {
        node.store.assign(run('a2'), 1);
        node.store.assign(A, 2);
      };
      const { owned } = await confirm([0, 1n], [1, 1n], [2, 1n], [2, 2n], [3, 0n]);
      expect(owned).to.deep.equal([true, false, false, true, false]);
    });

    it('is refused without a quorum', async () => {
      node.store.assign(A, 0);
      node.duringConfirmation = () => {
        throw NOT_LEADER;
      };
      await expectError(confirm([0, 1n]), 'NOT_LEADER', 's2');
    });

    it('is refused when leadership or the run was lost while a quorum was asked', async () => {
      node.store.assign(A, 0);
      node.duringConfirmation = () => void node.store.register(LATER_A);
      await expectError(confirm([0, 1n]), 'NOT_OWNER', 'superseded');
      node.duringConfirmation = () => (node.isLeading = false);
      await expectError(confirm([0, 1n]), 'NOT_LEADER', 's2');
    });
  });

  describe('load', () => {
    it('reads the windows after a quorum confirmed the leader', async () => {
      node.duringConfirmation = () => void node.store.assign(A, 3);
      const { assignment } = await channel.call(Store.load, A, CALL);
      expect(assignment?.windows.map(({ firstSection }) => firstSection)).to.deep.equal([3]);
    });

    it('is refused for a run that was superseded while a quorum was asked', async () => {
      node.duringConfirmation = () => void node.store.register(LATER_A);
      await expectError(channel.call(Store.load, A, CALL), 'NOT_OWNER', 'superseded');
    });
  });

  describe('watch', () => {
    const watch = (ask: object = {}) => channel.serverStream(Store.watch, { ...A, routingVersion: undefined, ...ask });

    it('pushes the table at once and with each new version, and counts as no renewal', async () => {
      const stream = watch();
      const [first] = (await once(stream, 'data')) as [WatchResponse];
      expect(first.assignment?.routing?.version).to.deep.equal(versionToWire(node.state.version));
      node.store.assign(A, 0);
      watchers.push();
      const [second] = (await once(stream, 'data')) as [WatchResponse];
      expect(second.assignment?.windows.length).to.equal(1);
      expect(authority.heardOf).to.deep.equal([]);
      const ended = once(stream, 'end');
      watchers.close();
      stream.resume();
      await ended;
    });

    it('is refused for a former run and by a node that does not lead', async () => {
      node.store.register(LATER_A);
      const [refused] = (await once(watch(), 'error')) as [Parameters<Channel['errorOf']>[0]];
      expect(channel.errorOf(refused)).to.deep.include({ code: 'NOT_OWNER', definite: true });
      node.isLeading = false;
      const [elsewhere] = (await once(watch(LATER_A), 'error')) as [Parameters<Channel['errorOf']>[0]];
      expect(channel.errorOf(elsewhere)).to.deep.include({ code: 'NOT_LEADER', definite: true });
    });
  });

  describe('getRoute', () => {
    const route = (version = NO_VERSION) =>
      channel.call(RouteServiceService.getRoute, { routingVersion: versionToWire(version), setsVersion: 0n }, CALL);

    it('gives the table to whoever has an older one, from any node', async () => {
      node.isLeading = false;
      expect((await route()).routing?.runs).to.deep.equal([{ sectionCount: 70, alloc: 0, epoch: 0n }]);
      expect((await route(node.state.version)).routing).to.equal(undefined);
    });

    it('has nothing to give before the bootstrap', async () => {
      Object.assign(node, { store: new TestReplica() });
      const error = await expectError(route(), 'UNAVAILABLE', 'not initialised yet');
      expect(error.retryAfterMs).to.equal(200);
    });
  });
});

async function expectError(call: Promise<unknown>, code: ErrorCode, why: string): Promise<SeqError> {
  const error = await call.then(
    (answer) => new Error(`it was answered: ${String(answer)}`),
    (reason: unknown) => reason,
  );
  expect(SeqError.is(error, code), `wanted ${code}, got ${String(error)}`).to.equal(true);
  expect((error as SeqError).message).to.contain(why);
  return error as SeqError;
}
