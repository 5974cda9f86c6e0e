import { expect } from 'chai';
import { isNewer } from '../../../src/model/version.js';
import type { Command } from '../../../src/store/command.js';
import { MOTIVE, dump, GENERATION, INIT, raiseOf, releaseOf, run, section, show, TestReplica } from './fixture.js';

const A = run('a1');
const B = run('a2');
const LATER_A = run('a1', 2);
const MEMBER = { type: 'member', id: 1, name: 's1', nodeUuid: '1'.repeat(32), peerAddress: 's1:7200', address: 's1:7100' } as const;

describe('state machine: init', () => {
  it('makes the sections: without an owner, in epoch 0, with nothing handed out', () => {
    const store = TestReplica.with();
    expect(store.state.sections.length).to.equal(70);
    expect(new Set(store.state.sections.map(show))).to.deep.equal(new Set(['nobody e0 (0, 0]']));
    expect(store.state.version).to.deep.equal({ generation: GENERATION, value: 1 });
  });

  it('is refused ever after, as any other command is before it', () => {
    const store = new TestReplica();
    const commands: readonly Command[] = [
      { type: 'register', ...A, address: 'h:1', zone: '' },
      MEMBER,
      { type: 'assign', arbiterTerm: 1, basedOn: { generation: 0, value: 0 }, runs: [], ...MOTIVE },
      { type: 'planMove', arbiterTerm: 1, basedOn: { generation: 0, value: 0 }, runs: [], ...MOTIVE },
      { type: 'raise', ...A, raises: [] },
      { type: 'release', ...A, generation: 0, releases: [] },
      { type: 'drain', ...A, ...MOTIVE },
    ];
    for (const command of commands) expectRefused(store, () => store.run(command), 'UNAVAILABLE', 'not initialised');
    store.run(INIT);
    expectRefused(store, () => store.run({ ...INIT, clusterId: 'd'.repeat(32) }), 'INVALID_ARGUMENT', 'already initialised');
  });
});

describe('state machine: member', () => {
  function founded(): TestReplica {
    const store = new TestReplica();
    const { type: _, ...member } = MEMBER;
    store.run({ ...INIT, members: [member] });
    return store;
  }

  it('keeps a node id for the directory that founded it, and brings nobody: a wiped directory is another node', () => {
    const store = founded();
    expectRefused(store, () => store.run({ ...MEMBER, nodeUuid: '2'.repeat(32) }), 'PERMISSION_DENIED', '1'.repeat(32));
    expectRefused(store, () => store.run({ ...MEMBER, id: 2, nodeUuid: '2'.repeat(32) }), 'INVALID_ARGUMENT', 'there is no member 2');
  });

  it('takes a new address of the same directory, with a new version, and a repeat without one', () => {
    const store = founded();
    const { version } = store.state;
    expect(store.run(MEMBER)).to.deep.equal({ type: 'done' });
    expect(store.state.version).to.deep.equal(version);
    store.run({ ...MEMBER, address: 's1:7999' });
    expect(isNewer(store.state.version, version)).to.equal(true);
    expect(store.state.table()?.stores).to.deep.equal([{ id: 1, name: 's1', address: 's1:7999' }]);
  });
});

describe('state machine: register', () => {
  it('supersedes the former run: its raises are refused, and nobody serves its sections meanwhile', () => {
    const store = TestReplica.with(A);
    store.assign(A, 0);
    store.register(LATER_A);
    expect([store.state.isCurrent(A), store.state.isCurrent(LATER_A)]).to.deep.equal([false, true]);
    expectNothingRaised(store, () => store.raise(A, raiseOf(0, 1, 500n)), 'NOT_OWNER', 'superseded');
    expectNothingRaised(store, () => store.raise(LATER_A, raiseOf(0, 1, 500n)), 'NOT_OWNER', 'not in epoch 1 of a1');
    expect(store.section(0).owner).to.deep.equal(A);
    expect(store.state.table()?.runs[0]?.alloc).to.equal(undefined);
  });

  it('refuses a late register of a former run, however many came between, up to 8', () => {
    const store = TestReplica.with(A);
    for (let number = 2; number <= 9; number += 1) {
      store.register(run('a1', number));
      expectRefused(store, () => store.register(A), 'NOT_OWNER', 'superseded');
    }
  });

  it('changes nothing when repeated, and takes a new address of the same run', () => {
    const store = TestReplica.with(A);
    const before = dump(store.state);
    expect(store.register(A)).to.deep.equal({ type: 'done' });
    expect(dump(store.state)).to.deep.equal(before);
    store.register(A, 'a1:7999');
    expect(store.state.alloc(A.allocId)).to.deep.include({ address: 'a1:7999', former: [] });
    expect(store.state.table()?.allocs[0]?.address).to.equal('a1:7999');
  });
});

describe('state machine: assign', () => {
  it('opens a new epoch: base is the old maxSeq, and the first window comes in the same entry', () => {
    const store = TestReplica.with(A, B);
    expect(store.assign(A, 0, 70)).to.deep.include({ type: 'decided', sectionCount: 70 });
    expect(new Set(store.state.sections.map(show))).to.deep.equal(new Set(['a1 e1 (0, 100]']));
    store.raise(A, raiseOf(5, 1, 1_000n));
    store.assign(B, 5);
    expect([4, 5].map((number) => show(store.section(number)))).to.deep.equal(['a1 e1 (0, 100]', 'a2 e2 (1000, 1100]']);
  });

  it('is refused unless the arbiter led in the very term of the entry', () => {
    const store = TestReplica.with(A);
    for (const term of [1, 3]) expectRefused(store, () => store.run(decision(store, 'assign', 2), term), 'UNAVAILABLE', `of term ${term}`);
    expect(store.run(decision(store, 'assign', 2), 2).type).to.equal('decided');
  });

  it('is refused when the table changed since the decision, or is of another generation', () => {
    const store = TestReplica.with(A);
    const late = decision(store, 'assign', 1);
    const foreign = { ...late, basedOn: { generation: GENERATION - 1, value: late.basedOn.value } };
    expectRefused(store, () => store.run(foreign), 'UNAVAILABLE', 'decided on version');
    store.register(B);
    expectRefused(store, () => store.run(late), 'UNAVAILABLE', 'decided on version');
  });

  it('is refused as a whole for sections outside the set and for a run that is not the newest', () => {
    const store = TestReplica.with(A, B);
    store.register(LATER_A);
    const good = { ...B, firstSection: section(0), sectionCount: 1 };
    const bad = [
      { ...B, firstSection: section(69), sectionCount: 2 },
      { ...B, firstSection: section(0), sectionCount: 0 },
      { ...A, firstSection: section(1), sectionCount: 1 },
      { ...run('a3'), firstSection: section(1), sectionCount: 1 },
    ];
    for (const wrong of bad) expectRefused(store, () => store.run({ ...decision(store, 'assign', 1), runs: [good, wrong] }), 'INVALID_ARGUMENT', '');
  });

  it('forgets a planned move of the section', () => {
    const store = TestReplica.with(A, B);
    store.assign(A, 0);
    store.planMove(B, 0);
    store.assign(B, 0);
    expect(show(store.section(0))).to.equal('a2 e2 (100, 200]');
  });
});

describe('state machine: raise', () => {
  it('is refused unless owner, incarnation and epoch match: each item for itself', () => {
    const store = TestReplica.with(A, B);
    store.assign(A, 0, 2);
    store.assign(B, 1);
    const result = store.raise(A, raiseOf(0, 1, 150n), raiseOf(1, 1, 150n), raiseOf(0, 0, 160n), raiseOf(0, 2, 160n), raiseOf(70, 1, 5n));
    expect(result.type === 'raises' && result.outcomes.map((outcome) => (outcome.type === 'raised' ? outcome.maxSeq : outcome.code))).to.deep.equal([
      150n,
      'NOT_OWNER',
      'NOT_OWNER',
      'NOT_OWNER',
      'INVALID_ARGUMENT',
    ]);
    expect([0, 1, 2].map((number) => show(store.section(number)))).to.deep.equal(['a1 e1 (0, 150]', 'a2 e2 (100, 200]', 'nobody e0 (0, 0]']);
    expectNothingRaised(store, () => store.raise({ ...A, allocId: B.allocId }, raiseOf(0, 1, 900n)), 'NOT_OWNER', '');
  });

  it('is harmless when repeated or late: the higher maxSeq stays, and the answer tells it', () => {
    const store = TestReplica.with(A);
    store.assign(A, 0);
    for (const to of [300n, 300n, 200n]) {
      expect(store.raise(A, raiseOf(0, 1, to))).to.deep.equal({ type: 'raises', outcomes: [{ type: 'raised', maxSeq: 300n }] });
    }
  });

  it('does not change the routing version: renewals stay cheap', () => {
    const store = TestReplica.with(A);
    store.assign(A, 0);
    const { version } = store.state;
    store.raise(A, raiseOf(0, 1, 300n));
    expect(store.state.version).to.deep.equal(version);
  });

  it('lifts by at most 2^40, so that one wrong request does not burn the number space', () => {
    const store = TestReplica.with(A);
    store.assign(A, 0);
    expectNothingRaised(store, () => store.raise(A, raiseOf(0, 1, 101n + 2n ** 40n)), 'INVALID_ARGUMENT', 'at most 1099511627776');
    store.raise(A, raiseOf(0, 1, 100n + 2n ** 40n));
    expect(store.section(0).maxSeq).to.equal(100n + 2n ** 40n);
  });

  it('ends at 2^63-1, and so do the windows of new owners: there it stays', () => {
    const store = new TestReplica();
    store.run({ ...INIT, raiseBy: 2n ** 63n - 3n });
    store.register(A);
    store.assign(A, 0);
    expect(show(store.section(0))).to.equal(`a1 e1 (0, ${2n ** 63n - 3n}]`);
    store.raise(A, raiseOf(0, 1, 2n ** 63n - 2n));
    store.assign(A, 0);
    expect(show(store.section(0))).to.equal(`a1 e2 (${2n ** 63n - 2n}, ${2n ** 63n - 1n}]`);
    store.assign(A, 0);
    expect(show(store.section(0))).to.equal(`a1 e3 (${2n ** 63n - 1n}, ${2n ** 63n - 1n}]`);
    expect(() => store.raise(A, { ...raiseOf(0, 3, 0n), to: (2n ** 63n) as never })).to.throw('at most 2^63-1');
  });
});

describe('state machine: planMove', () => {
  it('marks sections and leaves their owner, epoch and window alone', () => {
    const store = TestReplica.with(A, B);
    store.assign(A, 0, 2);
    expect(store.planMove(B, 0, 3)).to.deep.include({ type: 'decided', sectionCount: 2 });
    expect([0, 1, 2].map((number) => show(store.section(number)))).to.deep.equal([
      'a1 e1 (0, 100] -> a2',
      'a1 e1 (0, 100] -> a2',
      'nobody e0 (0, 0]',
    ]);
    expect(store.state.windowsOf(A).map(({ leaving }) => leaving)).to.deep.equal([true]);
    store.raise(A, raiseOf(0, 1, 150n));
    expect(store.section(0).maxSeq).to.equal(150n);
  });

  it('has the guards of assign', () => {
    const store = TestReplica.with(A);
    store.assign(A, 0);
    const late = decision(store, 'planMove', 1);
    expectRefused(store, () => store.run(late, 2), 'UNAVAILABLE', 'of term 2');
    expectRefused(
      store,
      () => store.run({ ...late, runs: [{ ...B, firstSection: section(0), sectionCount: 1 }] }),
      'INVALID_ARGUMENT',
      'superseded or draining',
    );
    store.register(B);
    expectRefused(store, () => store.run(late), 'UNAVAILABLE', 'decided on version');
  });
});

describe('state machine: release', () => {
  it('retires the epoch and lowers maxSeq to what was really handed out', () => {
    const store = TestReplica.with(A);
    store.assign(A, 0);
    expect(store.release(A, releaseOf(0, 1, 37n))).to.deep.equal({ type: 'released', releasedCount: 1, refusedCount: 0 });
    expect(show(store.section(0))).to.equal('nobody e1 (37, 37]');
    expectNothingRaised(store, () => store.raise(A, raiseOf(0, 1, 500n)), 'NOT_OWNER', 'nobody');
    store.assign(A, 0);
    expect(show(store.section(0))).to.equal('a1 e2 (37, 137]');
  });

  it('gives a planned successor the next epoch in the same entry', () => {
    const store = TestReplica.with(A, B);
    store.assign(A, 0);
    store.planMove(B, 0);
    store.release(A, releaseOf(0, 1, 37n));
    expect(show(store.section(0))).to.equal('a2 e2 (37, 137]');
  });

  it('gives it to nobody when the planned successor was superseded meanwhile', () => {
    const store = TestReplica.with(A, B);
    store.assign(A, 0);
    store.planMove(B, 0);
    store.register(run('a2', 2));
    store.release(A, releaseOf(0, 1, 37n));
    expect(show(store.section(0))).to.equal('nobody e1 (37, 37]');
  });

  it('takes base and maxSeq themselves as the true maximum, and nothing outside', () => {
    for (const [trueMax, count] of [
      [99n, 0],
      [100n, 1],
      [200n, 1],
      [201n, 0],
    ] as const) {
      const store = TestReplica.with(A, B);
      store.assign(B, 0);
      store.assign(A, 0);
      expect(store.release(A, releaseOf(0, 2, trueMax)), String(trueMax)).to.deep.include({ releasedCount: count, refusedCount: 1 - count });
      expect(show(store.section(0))).to.equal(count === 1 ? `nobody e2 (${trueMax}, ${trueMax}]` : 'a1 e2 (100, 200]');
    }
  });

  it('is refused unless owner, incarnation and epoch match, and after it was done', () => {
    const store = TestReplica.with(A, B);
    store.assign(A, 0);
    store.assign(A, 0);
    const late = [
      () => store.release(B, releaseOf(0, 2, 150n)),
      () => store.release({ ...A, incarnation: LATER_A.incarnation }, releaseOf(0, 2, 150n)),
      () => store.release({ ...A, allocId: B.allocId }, releaseOf(0, 2, 150n)),
      () => store.release(A, releaseOf(0, 1, 150n)),
      () => store.release(A, releaseOf(0, 3, 150n)),
      () => store.release(A, releaseOf(1, 0, 0n)),
      () => store.release(A, releaseOf(69, 2, 150n, 2)),
    ];
    for (const act of late) expectNoChange(store, () => expect(act()).to.deep.include({ type: 'released', releasedCount: 0 }));
    store.release(A, releaseOf(0, 2, 150n));
    expectNoChange(store, () => expect(store.release(A, releaseOf(0, 2, 150n))).to.deep.include({ refusedCount: 1 }));
  });

  it('is refused in another generation', () => {
    const store = TestReplica.with(A);
    store.assign(A, 0);
    const release: Command = { type: 'release', ...A, generation: GENERATION - 1, releases: [releaseOf(0, 1, 37n)] };
    expectRefused(store, () => store.run(release), 'NOT_OWNER', 'generation');
  });

  it('takes some sections of a run and refuses the others', () => {
    const store = TestReplica.with(A, B);
    store.assign(A, 0, 3);
    store.raise(A, raiseOf(1, 1, 500n));
    expect(store.release(A, releaseOf(0, 1, 300n, 3))).to.deep.equal({ type: 'released', releasedCount: 1, refusedCount: 2 });
    expect([0, 1, 2].map((number) => show(store.section(number)))).to.deep.equal(['a1 e1 (0, 100]', 'nobody e1 (300, 300]', 'a1 e1 (0, 100]']);
  });
});

describe('state machine: drain', () => {
  it('leaves the run what it has: it raises and releases, and gets nothing more', () => {
    const store = TestReplica.with(A, B);
    store.assign(A, 0, 2);
    expect(store.drain(A)).to.deep.equal({ type: 'done' });
    expect(store.state.alloc(A.allocId)?.state).to.equal('draining');
    for (const type of ['assign', 'planMove'] as const)
      expectRefused(store, () => store.run(decision(store, type, 1)), 'INVALID_ARGUMENT', 'draining');
    expect(store.raise(A, raiseOf(0, 1, 150n))).to.deep.equal({ type: 'raises', outcomes: [{ type: 'raised', maxSeq: 150n }] });
    expect(store.release(A, releaseOf(0, 1, 20n))).to.deep.include({ releasedCount: 1 });
  });

  it('ends a planned move to it: the section is released to nobody', () => {
    const store = TestReplica.with(A, B);
    store.assign(A, 0);
    store.planMove(B, 0);
    store.drain(B);
    store.release(A, releaseOf(0, 1, 37n));
    expect(show(store.section(0))).to.equal('nobody e1 (37, 37]');
  });

  it('changes nothing when repeated, stays through a repeated register, and ends with a new run', () => {
    const store = TestReplica.with(A);
    store.drain(A);
    const before = dump(store.state);
    expect(store.drain(A)).to.deep.equal({ type: 'done' });
    expect(dump(store.state)).to.deep.equal(before);
    store.register(A, 'a1:7999');
    expect(store.state.alloc(A.allocId)?.state).to.equal('draining');
    store.register(LATER_A);
    expect(store.state.mayOwn(LATER_A)).to.equal(true);
  });

  it('is refused for a run that is superseded, and for one that is not known', () => {
    const store = TestReplica.with(A);
    store.register(LATER_A);
    for (const caller of [A, B]) expectRefused(store, () => store.drain(caller), 'NOT_OWNER', 'superseded');
  });
});

function decision(store: TestReplica, type: 'assign' | 'planMove', arbiterTerm: number): Extract<Command, { type: 'assign' | 'planMove' }> {
  return { type, arbiterTerm, basedOn: store.state.version, runs: [{ ...A, firstSection: section(0), sectionCount: 1 }], ...MOTIVE };
}

function expectNoChange(store: TestReplica, act: () => void): void {
  const before = dump(store.state);
  const { hash: _, ...records } = Object.fromEntries(store.disk);
  act();
  const { hash: __, ...recordsAfter } = Object.fromEntries(store.disk);
  expect(dump(store.state)).to.deep.equal(before);
  expect(recordsAfter).to.deep.equal(records);
}

function expectRefused(store: TestReplica, act: () => unknown, code: string, why: string): void {
  expectNoChange(store, () => {
    const result = act();
    expect(result).to.deep.include({ type: 'refused', code });
    expect((result as { why: string }).why).to.contain(why);
  });
}

function expectNothingRaised(store: TestReplica, act: () => ReturnType<TestReplica['raise']>, code: string, why: string): void {
  expectNoChange(store, () => {
    const result = act();
    const [outcome] = result.type === 'raises' ? result.outcomes : [];
    expect(outcome).to.deep.include({ type: 'refused', code });
    expect(outcome?.type === 'refused' && outcome.why).to.contain(why);
  });
}
