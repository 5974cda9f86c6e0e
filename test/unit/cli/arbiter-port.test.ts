import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.js';
import { SeqError } from '../../../src/base/errors.js';
import { arbiterPortOf } from '../../../src/cli/arbiter-port.js';
import { toSectionId } from '../../../src/model/ids.js';
import type { Command } from '../../../src/store/command.js';
import type { StoreNode } from '../../../src/store/node.js';
import { INIT, raiseOf, run, TestReplica } from '../store/fixture.js';

const [A, B] = [run('a1'), run('a2')];

describe('arbiter port', () => {
  it('shows nothing while the node does not lead, or before the bootstrap', () => {
    const { node, port } = join(TestReplica.with(A));
    node.isLeading = false;
    expect(port.view()).to.equal(undefined);
    expect(join(new TestReplica()).port.view()).to.equal(undefined);
  });

  it('shows the applied state under this term: who may take sections, and who holds them', () => {
    const store = TestReplica.with(A, B, run('a3'));
    store.assign(A, 0, 20);
    store.assign(B, 20, 10);
    store.planMove(B, 15, 5);
    store.register(run('a1', 2));
    store.drain(run('a3'));
    const view = join(store).port.view()!;
    expect([view.term, view.version, view.lease]).to.deep.equal([5, store.state.version, INIT.lease]);
    expect(
      view.allocs.map(({ id, incarnation }) => [id, incarnation]),
      'the newest runs that are not about to stop',
    ).to.deep.equal([
      ['a1', run('a1', 2).incarnation],
      ['a2', B.incarnation],
    ]);
    expect(view.holdings).to.deep.equal([
      { firstSection: 0, sectionCount: 15, holder: A.incarnation, holderId: A.allocId, next: undefined, heir: undefined },
      { firstSection: 15, sectionCount: 5, holder: A.incarnation, holderId: A.allocId, next: B.incarnation, heir: undefined },
      { firstSection: 20, sectionCount: 10, holder: B.incarnation, holderId: B.allocId, next: undefined, heir: undefined },
      { firstSection: 30, sectionCount: 40, holder: undefined, holderId: undefined, next: undefined, heir: undefined },
    ]);
  });

  it('works the holdings out again only when the version changed: a raise moves nobody', () => {
    const store = TestReplica.with(A);
    store.assign(A, 0);
    const { port } = join(store);
    const { holdings } = port.view()!;
    store.raise(A, raiseOf(0, 1, 5_000n));
    expect(port.view()!.holdings).to.equal(holdings);
    store.assign(A, 1);
    expect(port.view()!.holdings).to.not.equal(holdings);
  });

  for (const kind of ['assign', 'planMove'] as const) {
    it(`proposes ${kind} with the term and the version that it was decided on`, async () => {
      const { node, port } = join(TestReplica.with(A));
      const view = port.view()!;
      const moves = [{ firstSection: toSectionId(3), sectionCount: 4, to: view.allocs[0]! }];
      await port[kind]({ arbiterTerm: view.term, basedOn: view.version, moves, reason: 'why' });
      const runs = [{ firstSection: 3, sectionCount: 4, ...A }];
      const [proposed] = node.proposed;
      expect(proposed).to.deep.include({ type: kind, arbiterTerm: 5, basedOn: view.version, runs, reason: 'why' });
      expect(proposed).to.have.property('atMs').that.is.above(1_700_000_000_000);
    });
  }

  it('lets the wait follow the lease that this leader has waited for', async () => {
    const { node, port } = join(TestReplica.with(A));
    const settled = { arbiterTerm: 5, leaseNumber: 0 };
    expect(await port.settleWait(settled)).to.equal(undefined);
    expect(await port.settleWait({ ...settled, leaseNumber: 1 })).to.match(/waited for lease 1/);
    expect(node.proposed[0]).to.deep.include({ type: 'settleWait', ...settled });
  });

  it('resolves with a refusal, which is a fate too, and rejects when the fate is that the term ended', async () => {
    const { node, port } = join(TestReplica.with(A));
    const decision = { arbiterTerm: 4, basedOn: port.view()!.version, moves: [], reason: 'of a former term' };
    expect(await port.assign(decision)).to.match(/decided in term 4/);
    node.failure = new SeqError('UNAVAILABLE', 'lost its leadership');
    const error = await port.assign(decision).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.equal(node.failure);
  });
});

/** A StoreSvr that leads in term 5 and applies what is proposed at once. */
function join(store: TestReplica) {
  const node = {
    isLeading: true,
    raft: { term: 5 },
    proposed: [] as Command[],
    failure: undefined as SeqError | undefined,
    get state() {
      return store.state;
    },
    async propose(command: Command) {
      if (node.failure !== undefined) throw node.failure;
      node.proposed.push(command);
      return { index: 1, term: 5, result: store.run(command, 5) };
    },
  };
  return { node, port: arbiterPortOf(node as unknown as StoreNode, systemClock) };
}
