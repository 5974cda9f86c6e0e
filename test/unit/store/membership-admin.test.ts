import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import type { ConfChange } from '../../../src/raft/conf-change.js';
import type { RaftCore } from '../../../src/raft/core.js';
import { Progress } from '../../../src/raft/progress.js';
import { EMPTY_CONF_STATE } from '../../../src/raft/types.js';
import type { Command } from '../../../src/store/command.js';
import { type GroupPort, GroupAdmin } from '../../../src/store/membership-admin.js';
import { applyMembershipChange, membershipChangeFrom } from '../../../src/store/membership-change.js';
import { INIT, TestReplica } from './fixture.js';

const LAST = 5_000;
const founder = (id: number) => ({ id, name: `s${id}`, nodeUuid: `${id}`.repeat(32), peerAddress: `s${id}:1`, address: `s${id}:2` });
const joiner = { ...founder(4), id: 70_000, isLearner: false, replacesId: undefined };

/** The leader is node 1 of three; whoever is in `silent` does not answer. */
class Stage implements GroupPort {
  readonly store = new TestReplica();
  readonly progress = new Map<number, Progress>();
  readonly changes: ConfChange[] = [];
  conf = { ...EMPTY_CONF_STATE, voters: [1, 2, 3] as readonly number[] };
  isLeading = true;
  readonly admin: GroupAdmin;

  constructor() {
    this.store.run({ ...INIT, members: [1, 2, 3].map(founder) });
    for (const id of [1, 2, 3]) this.add(id, { match: LAST });
    this.admin = new GroupAdmin(this, (error) => expect.fail(String(error)));
  }

  get state() {
    return this.store.state;
  }

  get raft(): RaftCore {
    const log = { lastIndex: LAST, commitIndex: LAST };
    return { id: 1, role: 'leader', leaderId: 1, confState: this.conf, progress: this.progress, log } as unknown as RaftCore;
  }

  requireLeading(): void {
    if (!this.isLeading) throw new SeqError('NOT_LEADER', 'node 2 leads');
  }

  async changeMembers(change: ConfChange) {
    this.changes.push(change);
    return { result: applyMembershipChange(this.state, membershipChangeFrom(change)) };
  }

  async propose(command: Command) {
    return { result: this.store.run(command) };
  }

  add(id: number, { match, isLearner = false, isActive = true }: { match: number; isLearner?: boolean; isActive?: boolean }): void {
    const progress = new Progress(match + 1, { messages: 1, bytes: 0 }, { isLearner });
    progress.match = match;
    progress.isActive = isActive;
    this.progress.set(id, progress);
  }

  silence(...ids: readonly number[]): void {
    for (const id of ids) this.progress.get(id)!.isActive = false;
  }

  /** What Raft would do when the add is applied. */
  learn(match: number): void {
    this.conf = { ...this.conf, learners: [joiner.id] };
    this.add(joiner.id, { match, isLearner: true });
  }
}

async function refusalOf(promise: Promise<unknown>): Promise<SeqError> {
  return promise.then(
    () => expect.fail('it was not refused'),
    (error: SeqError) => error,
  );
}

describe('group admin', () => {
  let stage: Stage;

  beforeEach(() => {
    stage = new Stage();
  });

  it('adds who comes as a learner first', async () => {
    await stage.admin.add(joiner);
    expect(stage.changes.map(({ steps }) => steps)).to.deep.equal([[{ type: 'addLearner', nodeId: joiner.id }]]);
    expect(stage.admin.list().at(-1)).to.include({ id: joiner.id, role: 'learner', wantsVote: true });
  });

  it('promotes a learner by itself once it has come to where the leader was, and not before', async () => {
    await stage.admin.add(joiner);
    stage.learn(LAST - 1_000);
    stage.admin.tend();
    expect(stage.changes).to.have.length(1);
    stage.learn(LAST);
    stage.admin.tend();
    expect(stage.changes.at(-1)?.steps).to.deep.equal([{ type: 'addVoter', nodeId: joiner.id }]);
  });

  it('leaves a learner alone that is to stay one, and one that does not answer', async () => {
    await stage.admin.add({ ...joiner, isLearner: true });
    stage.learn(LAST);
    stage.admin.tend();
    expect(stage.changes).to.have.length(1);
  });

  it('replaces in one joint change', async () => {
    await stage.admin.add({ ...joiner, name: 's2', replacesId: 2 });
    stage.learn(LAST);
    stage.admin.tend();
    expect(stage.changes.at(-1)?.steps).to.deep.equal([
      { type: 'addVoter', nodeId: joiner.id },
      { type: 'remove', nodeId: 2 },
    ]);
  });

  it('does not promote by hand what has not caught up, and says how far it is behind', async () => {
    await stage.admin.add({ ...joiner, isLearner: true });
    stage.learn(LAST - 4_000);
    const error = await refusalOf(stage.admin.promote('s4'));
    expect([error.code, error.message]).to.deep.equal(['UNAVAILABLE', 's4 has not caught up: it is 4000 entries behind, and may be 100']);
    expect((await refusalOf(stage.admin.promote('s2'))).message).to.contain('s2 is a voter');
  });

  it('refuses a removal after which too few would answer, with the count', async () => {
    stage.silence(3);
    const error = await refusalOf(stage.admin.remove('s2'));
    expect([error.code, error.message]).to.deep.equal(['WOULD_LOSE_QUORUM', 'without s2 there are 2 voters, of which 2 must answer, and 1 do']);
    await stage.admin.remove('s3');
    expect(stage.changes.map(({ steps }) => steps)).to.deep.equal([[{ type: 'remove', nodeId: 3 }]]);
  });

  it('refuses to remove the only voter', async () => {
    stage.conf = { ...EMPTY_CONF_STATE, voters: [1] };
    expect((await refusalOf(stage.admin.remove('s1'))).message).to.equal('s1 is the only voter');
  });

  it('makes one change at a time: while a replacement is under way it says whom it needs', async () => {
    stage.conf = { ...stage.conf, votersOutgoing: [1, 2, 3] };
    const error = await refusalOf(stage.admin.remove('s3'));
    expect([error.code, error.definite, error.message.includes('nodes 1, 2, 3')]).to.deep.equal(['UNAVAILABLE', true, true]);
  });

  it('is a leader’s business: another one says so before anything else', async () => {
    stage.isLeading = false;
    for (const asked of [stage.admin.add(joiner), stage.admin.promote('s2'), stage.admin.remove('nobody'), stage.admin.update('s2', {})])
      expect((await refusalOf(asked)).code).to.equal('NOT_LEADER');
  });

  it('names who there is when it does not know a name, and keeps a member reachable where it moved', async () => {
    expect((await refusalOf(stage.admin.remove('s9'))).message).to.equal('no member is called s9; there are s1, s2, s3');
    await stage.admin.update('s2', { address: 'new:2' });
    expect(stage.store.state.member(2)).to.include({ address: 'new:2', peerAddress: 's2:1' });
  });
});
