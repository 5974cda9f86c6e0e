import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.js';
import { type ErrorCode, SeqError } from '../../../src/base/errors.js';
import { parseAllocId, toSectionId } from '../../../src/model/ids.js';
import { DEFAULT_POLICY } from '../../../src/model/policy.js';
import { type Channel, GrpcChannel } from '../../../src/rpc/channel.js';
import { PlacementServiceService as Placement } from '../../../src/rpc/gen/seqsvr/v1/placement.js';
import { GrpcServer, Handlers } from '../../../src/rpc/server.js';
import type { StoreNode } from '../../../src/store/node.js';
import type { PlannedMove } from '../../../src/store/placement-port.js';
import { placementService } from '../../../src/store/placement-service.js';
import { CLUSTER_ID, raiseOf, run } from './fixture.js';
import { A, B, StubNode, StubPlacement } from './placement-stage.js';

const CALL = { timeoutMs: 5_000 };
const ELECTION_MAX_MS = 1_000;
const HOME = { name: 'main', firstUid: 0n, lastUid: 699n, seeds: ['s1:1'], clusterId: CLUSTER_ID };
const WEST = { name: 'west', firstUid: 700n, lastUid: 799n, seeds: ['w1:1'], clusterId: 'd'.repeat(32) };

describe('PlacementService', () => {
  let node: StubNode;
  let placement: StubPlacement;
  let server: GrpcServer;
  let channel: Channel;

  beforeEach(async () => {
    node = new StubNode();
    placement = new StubPlacement();
    const handlers = new Handlers({ clock: systemClock, onBug: (error) => expect.fail(String(error)) });
    const authority = { heardMsAgo: (incarnation: string) => (incarnation === A.incarnation ? 12.3 : undefined) };
    const parts = { node: node as unknown as StoreNode, authority, placement, handlers, clock: systemClock, electionMaxMs: ELECTION_MAX_MS };
    server = await GrpcServer.start({ address: '127.0.0.1:0', services: [placementService(parts)], clock: systemClock });
    channel = new GrpcChannel({ address: server.address, clock: systemClock });
  });

  afterEach(() => {
    channel.close();
    server.cut();
  });

  const wirePolicy = (change: object = {}) => ({ ...DEFAULT_POLICY, standbys: [] as string[], ...change });
  const setPolicy = (change: object = {}, reason = 'why') => channel.call(Placement.setPolicy, { policy: wirePolicy(change), reason }, CALL);
  const setLease = (leaseMs: number) =>
    channel.call(Placement.setLease, { lease: { leaseMs, driftPpm: 10_000, marginMs: 100, waitMs: 0 }, reason: 'why' }, CALL);
  const drain = (allocId: string, isOver = false) => channel.call(Placement.drainAlloc, { allocId, isOver, reason: 'why' }, CALL);
  const remove = (allocId: string) => channel.call(Placement.removeAlloc, { allocId, reason: 'why' }, CALL);
  const move = (isDryRun: boolean, reason = '') =>
    channel.call(Placement.moveSections, { firstSection: 3, sectionCount: 2, toAllocId: 'b2', isDryRun, reason }, CALL);
  const setSets = (change: object = {}) =>
    channel.call(
      Placement.setSets,
      { basedOn: 0n, sets: { version: 1n, home: 'main', sets: [HOME, WEST] }, isCopy: false, reason: 'why', ...change },
      CALL,
    );
  const history = (limit = 0) => channel.call(Placement.getHistory, { limit }, CALL);

  async function refusal(call: Promise<unknown>): Promise<SeqError> {
    const error = await call.then(
      () => expect.fail('it was not refused'),
      (thrown: unknown) => thrown,
    );
    expect(SeqError.is(error), String(error)).to.equal(true);
    return error as SeqError;
  }

  const B_GETS: readonly PlannedMove[] = [{ firstSection: toSectionId(3), sectionCount: 2, toAllocId: B.allocId, reason: 'operator' }];

  it('answers no question before a quorum has confirmed that it still leads: another one may, and know more', async () => {
    node.isDeposed = true;
    const calls = [
      channel.call(Placement.getArbiter, {}, CALL),
      history(),
      channel.call(Placement.listSections, { allocId: '' }, CALL),
      channel.call(Placement.getSets, {}, CALL),
    ];
    const errors = await Promise.all(calls.map(refusal));
    expect(errors.map(({ code }) => code)).to.deep.equal(calls.map(() => 'NOT_LEADER'));
  });

  it('answers nothing on a store that does not lead, and names the leader', async () => {
    node.isLeading = false;
    const calls = [
      channel.call(Placement.getArbiter, {}, CALL),
      history(),
      channel.call(Placement.listSections, { allocId: '' }, CALL),
      channel.call(Placement.listSections, { allocId: 'nobody' }, CALL),
      move(true),
      move(false),
      channel.call(Placement.rebalance, { isDryRun: true, reason: '' }, CALL),
      setPolicy(),
      setPolicy({ placement: 'primary-standby', standbys: ['nobody'] }),
      setLease(1),
      drain('nobody'),
      remove('nobody'),
      channel.call(Placement.getSets, {}, CALL),
      setSets(),
    ];
    for (const call of calls) {
      const { code, redirect } = await refusal(call);
      expect([code, redirect]).to.deep.equal(['NOT_LEADER', { id: 's2', address: 's2:7100' }]);
    }
  });

  it('shows what the arbiter sees: who has what, who was heard, what holds it back and what it would do', async () => {
    node.store.assign(A, 0, 5);
    placement.heldBy = 'paused by an operator';
    placement.moves = B_GETS;
    const answer = await channel.call(Placement.getArbiter, {}, CALL);
    expect(answer).to.deep.include({ term: 1n, heldBackBy: 'paused by an operator', unassignedCount: 65, movingCount: 0, policy: wirePolicy() });
    expect(answer.lease).to.deep.include({ leaseMs: 3000, waitMs: 3161 });
    expect(answer.plan).to.deep.equal([{ firstSection: 3, sectionCount: 2, fromAllocId: 'a1', toAllocId: 'b2', reason: 'operator' }]);
    const common = { zone: '', state: 'joined', waitLeftMs: 1234, callsPerSecond: 7 };
    expect(answer.allocs).to.deep.equal([
      { id: 'a1', address: 'a1:7000', incarnation: A.incarnation, sectionCount: 5, heardMsAgo: 12n, ...common },
      { id: 'b2', address: 'b2:7000', incarnation: B.incarnation, sectionCount: 0, heardMsAgo: -1n, ...common },
    ]);
  });

  describe('sections', () => {
    it('come as runs of neighbours with the same numbers, of all or of one AllocSvr', async () => {
      node.store.assign(A, 0, 5);
      node.store.assign(B, 5, 65);
      node.store.raise(A, raiseOf(2, 1, 500n));
      node.store.planMove(B, 4);
      const { sections, geometry, version } = await channel.call(Placement.listSections, { allocId: '' }, CALL);
      expect(
        sections.map(({ firstSection, sectionCount, allocId, maxSeq, nextAllocId }) => [firstSection, sectionCount, allocId, maxSeq, nextAllocId]),
      ).to.deep.equal([
        [0, 2, 'a1', 100n, ''],
        [2, 1, 'a1', 500n, ''],
        [3, 1, 'a1', 100n, ''],
        [4, 1, 'a1', 100n, 'b2'],
        [5, 65, 'b2', 100n, ''],
      ]);
      expect([geometry?.uidsPerSection, version?.value]).to.deep.equal([10, BigInt(node.state.version.value)]);
      const own = await channel.call(Placement.listSections, { allocId: 'b2' }, CALL);
      expect(own.sections.map(({ firstSection }) => firstSection)).to.deep.equal([5]);
      expect((await refusal(channel.call(Placement.listSections, { allocId: 'c3' }, CALL))).message).to.include("there is no AllocSvr 'c3'");
    });

    it('are moved by the arbiter, which hears who wanted it, and shown with their present owner', async () => {
      node.store.assign(A, 0, 70);
      placement.moves = B_GETS;
      const { moves } = await move(false, 'to cool down');
      expect(moves).to.deep.equal([{ firstSection: 3, sectionCount: 2, fromAllocId: 'a1', toAllocId: 'b2', reason: 'operator' }]);
      const run = { firstSection: 3, sectionCount: 2 };
      expect(placement.asked).to.deep.equal([[run, parseAllocId('b2'), { isDryRun: false, reason: 'to cool down' }]]);
    });

    it('are only looked at by a dry run', async () => {
      node.store.assign(A, 0, 70);
      placement.moves = B_GETS;
      expect((await move(true)).moves).to.have.length(1);
      expect((await channel.call(Placement.rebalance, { isDryRun: true, reason: '' }, CALL)).moves).to.have.length(1);
      expect(placement.asked).to.have.length(2);
      expect(placement.asked[1]).to.deep.equal({ isDryRun: true, reason: '' });
    });

    it('are not moved when the arbiter refuses: its words reach the operator', async () => {
      placement.refusal = new SeqError('INVALID_ARGUMENT', 'AllocSvr b2 is draining: it gets no sections');
      expect((await refusal(move(false))).message).to.include('b2 is draining');
    });
  });

  describe('policy', () => {
    it('is committed as a whole and answered as committed; pause and resume are fields of it', async () => {
      const change = { placement: 'primary-standby', standbys: ['b2'], isPaused: true, movesInFlightMax: 3 };
      expect((await setPolicy(change)).policy).to.deep.equal(wirePolicy(change));
      expect(node.state.cluster?.policy).to.deep.equal({ ...DEFAULT_POLICY, ...change });
      expect(node.state.audit.at(-1)).to.deep.include({ kind: 'setPolicy', reason: 'why' });
    });

    const wrong: readonly [string, object, string][] = [
      ['a placement that is none', { placement: 'random' }, "got 'random'"],
      ['a standby that is not there', { placement: 'primary-standby', standbys: ['c3'] }, 'standby c3 is not registered'],
      ['standbys of a balanced one', { standbys: ['b2'] }, 'only with it'],
      ['no moves at all', { movesInFlightMax: 0 }, 'movesInFlightMax must be a whole number in [1,'],
      ['a share above all', { silentShareMaxPercent: 101 }, 'got 101'],
    ];
    for (const [what, change, words] of wrong) {
      it(`refuses ${what}`, async () => {
        const { code, message } = await refusal(setPolicy(change));
        expect([code, message.includes(words)], message).to.deep.equal(['INVALID_ARGUMENT', true]);
      });
    }

    it('takes no reason that fills the audit trail', async () => {
      expect((await refusal(setPolicy({}, 'x'.repeat(201)))).message).to.include('at most 200 characters, got 201');
    });
  });

  describe('lease', () => {
    it('counts at once when it grows, and keeps the wait when it shrinks', async () => {
      expect((await setLease(6000)).lease).to.deep.include({ leaseMs: 6000, waitMs: 6222 });
      expect((await setLease(3000)).lease).to.deep.include({ leaseMs: 3000, waitMs: 6222 });
    });

    it('is refused, with the arithmetic, when two election rounds of this store could outlast it', async () => {
      const { code, message } = await refusal(setLease(2 * ELECTION_MAX_MS));
      expect([code, message]).to.deep.equal([
        'INVALID_ARGUMENT',
        'a lease must outlast two election rounds: lease 2000ms <= 2 x 1000ms; lengthen lease or shorten election',
      ]);
      expect(node.state.cluster?.lease.leaseMs).to.equal(3000);
      await setLease(2 * ELECTION_MAX_MS + 1);
    });

    it('is refused when it is none', async () => {
      expect((await refusal(setLease(700_000))).message).to.include('got 700000ms');
    });
  });

  describe('AllocSvrs', () => {
    it('are drained and resumed by name: it is the newest run that is meant', async () => {
      node.store.register(run('a1', 2));
      await drain('a1');
      expect(node.state.alloc(A.allocId)).to.deep.include({ state: 'draining', incarnation: run('a1', 2).incarnation });
      await drain('a1', true);
      expect(node.state.alloc(A.allocId)?.state).to.equal('joined');
      expect(node.state.audit.map(({ kind }) => kind).slice(-2)).to.deep.equal(['drain', 'resume']);
    });

    it('are taken out: what they have is not given away by that', async () => {
      node.store.assign(A, 0, 5);
      await remove('a1');
      expect(node.state.alloc(A.allocId)?.state).to.equal('gone');
      expect(node.store.section(0).owner?.allocId).to.equal('a1');
    });

    for (const [what, call] of [
      ['drained', (id: string) => drain(id)],
      ['resumed', (id: string) => drain(id, true)],
      ['taken out', (id: string) => remove(id)],
    ] as const) {
      it(`that are not there are not ${what}`, async () => {
        const { code, message } = await refusal(call('c3'));
        expect([code, message]).to.deep.include('INVALID_ARGUMENT');
        expect(message).to.include('there is no AllocSvr');
      });
    }
  });

  describe('history', () => {
    it('has the last decisions, oldest first, each with term, version and reason', async () => {
      node.store.assign(A, 0, 5);
      await drain('a1');
      await setPolicy({ isPaused: true });
      const { records } = await history(2);
      expect(records.map(({ number, kind, reason, term }) => [number, kind, reason, term])).to.deep.equal([
        [2n, 'drain', 'why', 1n],
        [3n, 'setPolicy', 'why', 1n],
      ]);
      expect(records.every(({ atUnixMs }) => atUnixMs > 1_700_000_000_000n)).to.equal(true);
      expect((await history()).records).to.have.length(3);
      expect((await refusal(history(501))).message).to.include('at most 500, got 501');
    });
  });

  describe('sets', () => {
    it('are changed by compare-and-set in the home set, and copied elsewhere', async () => {
      expect((await channel.call(Placement.getSets, {}, CALL)).sets?.version).to.equal(0n);
      expect((await setSets()).sets?.sets.map(({ name }) => name)).to.deep.equal(['main', 'west']);
      const late = await refusal(setSets());
      expect([late.code, late.definite]).to.deep.equal(['ABORTED' satisfies ErrorCode, true]);
      const copy = { version: 5n, home: 'main', sets: [HOME, { ...WEST, seeds: ['w2:1'] }] };
      expect((await setSets({ isCopy: true, sets: copy })).sets?.version).to.equal(5n);
      expect((await channel.call(Placement.getSets, {}, CALL)).sets?.sets[1]?.seeds).to.deep.equal(['w2:1']);
    });

    it('are refused when they overlap, move, or leave this one out', async () => {
      for (const sets of [[HOME, { ...WEST, firstUid: 699n }], [WEST], [{ ...HOME, lastUid: 698n }, WEST]]) {
        const { code } = await refusal(setSets({ sets: { version: 1n, home: sets[0]!.name, sets } }));
        expect(code).to.equal('INVALID_ARGUMENT');
      }
      expect(node.state.cluster?.sets.version).to.equal(0);
    });
  });
});
