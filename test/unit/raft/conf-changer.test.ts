import { expect } from 'chai';
import fc from 'fast-check';
import type { Transition } from '../../../src/raft/conf-change.js';
import { applySimple, changed, type Changed, enterJoint, isPossible, leaveJoint, trackedFrom, type Tracked } from '../../../src/raft/conf-changer.js';
import type { ConfState } from '../../../src/raft/types.js';
import { changeOf, membersOf, textOfConf } from './test-node.js';

const MADE = { lastIndex: 10, limits: { messages: 4, bytes: 0 } };

function trackedOf(conf: Partial<ConfState>): Tracked {
  return trackedFrom(membersOf(conf), MADE);
}

/** The members after it, or why not. */
function resultOf(result: Changed): string {
  return 'refused' in result ? result.refused : textOfConf(result.conf);
}

function tracked(result: Changed): Tracked {
  if ('refused' in result) throw new Error(result.refused);
  return result;
}

describe('conf-changer', () => {
  type Row = { why: string; from: Partial<ConfState>; steps: string; transition?: Transition; to: string };
  const rows: readonly Row[] = [
    { why: 'adds a voter', from: { voters: [1] }, steps: 'v2', to: '1 2' },
    { why: 'adds a learner', from: { voters: [1] }, steps: 'l2', to: '1 ~2' },
    { why: 'adds any number of learners in one simple step', from: { voters: [1] }, steps: 'l2', to: '1 ~2' },
    { why: 'promotes a learner', from: { voters: [1], learners: [2] }, steps: 'v2', to: '1 2' },
    { why: 'demotes a voter', from: { voters: [1, 2] }, steps: 'l2', to: '1 ~2' },
    { why: 'removes a voter', from: { voters: [1, 2] }, steps: 'r2', to: '1' },
    { why: 'removes a learner', from: { voters: [1], learners: [2] }, steps: 'r2', to: '1' },
    { why: 'adds a voter that is one: nothing changes', from: { voters: [1, 2] }, steps: 'v2', to: '1 2' },
    { why: 'adds a learner that is one: nothing changes', from: { voters: [1], learners: [2] }, steps: 'l2', to: '1 ~2' },
    { why: 'removes nobody it knows: nothing changes', from: { voters: [1] }, steps: 'r9', to: '1' },
    { why: 'updates: nothing changes for Raft', from: { voters: [1, 2] }, steps: 'u2', to: '1 2' },
    { why: 'ignores node 0', from: { voters: [1, 2] }, steps: 'v0', to: '1 2' },
    { why: 'begins from nothing with one voter', from: {}, steps: 'v1', to: '1' },
    { why: 'does not begin with a learner', from: {}, steps: 'l1', to: 'removedAllVoters' },
    { why: 'does not remove the last voter', from: { voters: [1], learners: [2] }, steps: 'r1', to: 'removedAllVoters' },
    { why: 'does not demote the last voter', from: { voters: [1] }, steps: 'l1', to: 'removedAllVoters' },
    { why: 'is not simple within a joint configuration', from: { voters: [1, 2], votersOutgoing: [1] }, steps: 'v3', to: 'isJoint' },
    { why: 'enters joint', from: { voters: [1, 2, 3] }, steps: 'v4 r1', to: '2 3 4&1 2 3 *' },
    { why: 'enters joint implicitly with one step', from: { voters: [1] }, steps: 'v2', transition: 'implicit', to: '1 2&1 *' },
    { why: 'enters joint explicitly: it is not left by itself', from: { voters: [1] }, steps: 'v2', transition: 'explicit', to: '1 2&1' },
    { why: 'keeps the vote of a demoted voter until joint is left', from: { voters: [1, 2] }, steps: 'l2 v3', to: '1 3&1 2 >2 *' },
    { why: 'adds learners at once within joint', from: { voters: [1] }, steps: 'l2 l3', to: '1&1 ~2 ~3 *' },
    { why: 'takes the last word on a node', from: { voters: [1] }, steps: 'v2 r2 l2', transition: 'explicit', to: '1&1 ~2' },
    { why: 'demotes and promotes again within joint', from: { voters: [1, 2] }, steps: 'l2 v2', to: '1 2&1 2 *' },
    { why: 'removes whom it has just demoted', from: { voters: [1, 2] }, steps: 'l2 r2', to: '1&1 2 *' },
    { why: 'does not enter joint twice', from: { voters: [1], votersOutgoing: [2] }, steps: 'v3 v4', to: 'alreadyJoint' },
    { why: 'does not enter joint from nothing', from: {}, steps: 'v1 v2', to: 'noVoters' },
    { why: 'does not replace all by none', from: { voters: [1, 2] }, steps: 'r1 r2', to: 'removedAllVoters' },
    { why: 'replaces all by others', from: { voters: [1, 2] }, steps: 'r1 r2 v3', to: '3&1 2 *' },
    { why: 'leaves joint', from: { voters: [1, 3], votersOutgoing: [1, 2], learnersNext: [2], autoLeave: true }, steps: '', to: '1 3 ~2' },
    { why: 'leaves joint without whom it removed', from: { voters: [1, 3], votersOutgoing: [1, 2] }, steps: '', to: '1 3' },
    { why: 'does not leave what is not joint', from: { voters: [1] }, steps: '', to: 'notJoint' },
  ];
  for (const { why, from, steps, transition, to } of rows) {
    it(`${why}: '${textOfConf(membersOf(from))}' with '${steps}' becomes '${to}'`, () => {
      expect(resultOf(changed(trackedOf(from), changeOf(steps, transition), MADE))).to.equal(to);
    });
  }

  it('does not change two voters in one simple step: the majorities might not overlap (thesis 4.1)', () => {
    for (const steps of ['v4 v5', 'r1 r2', 'v4 r1', 'l1 l2'])
      expect(resultOf(applySimple(trackedOf({ voters: [1, 2, 3] }), changeOf(steps).steps, MADE)), steps).to.equal('severalVoters');
    expect(resultOf(applySimple(trackedOf({ voters: [1, 2, 3] }), changeOf('v4 l5 l6').steps, MADE))).to.equal('1 2 3 4 ~5 ~6');
  });

  describe('the progress', () => {
    it('of a new member begins at the end of the log, as heard: the next quorum check cannot count it as silent', () => {
      const progress = tracked(changed(trackedOf({ voters: [1] }), changeOf('l2'), MADE)).progress.get(2)!;
      const { match, next, state, isActive, isLearner } = progress;
      expect({ match, next, state, isActive, isLearner }).to.deep.equal({ match: 0, next: 10, state: 'probe', isActive: true, isLearner: true });
    });

    it('of who stays is kept through promotion, demotion and joint', () => {
      const before = trackedOf({ voters: [1, 2] });
      before.progress.get(2)!.match = 7;
      const joint = tracked(changed(before, changeOf('l2 v3'), MADE));
      expect([joint.progress.get(2)!.match, joint.progress.get(2)!.isLearner]).to.deep.equal([7, false]);
      const left = tracked(leaveJoint(joint));
      expect([left.progress.get(2)!.match, left.progress.get(2)!.isLearner]).to.deep.equal([7, true]);
      const promoted = tracked(changed(left, changeOf('v2'), MADE));
      expect([promoted.progress.get(2)!.match, promoted.progress.get(2)!.isLearner]).to.deep.equal([7, false]);
    });

    it('of who is removed stays while it still votes, and goes when joint is left', () => {
      const joint = tracked(changed(trackedOf({ voters: [1, 2] }), changeOf('r2 v3'), MADE));
      expect([...joint.progress.keys()]).to.deep.equal([1, 2, 3]);
      expect([...tracked(leaveJoint(joint)).progress.keys()]).to.deep.equal([1, 3]);
    });

    it('is in id order, in which messages are sent', () => {
      expect([...tracked(changed(trackedOf({ voters: [3, 9] }), changeOf('v5'), MADE)).progress.keys()]).to.deep.equal([3, 5, 9]);
    });

    it('is not touched by a change that is refused half-way', () => {
      const before = trackedOf({ voters: [1, 2] });
      expect(resultOf(applySimple(before, changeOf('l2 r1').steps, MADE))).to.equal('removedAllVoters');
      expect([textOfConf(before.conf), before.progress.get(2)!.isLearner, [...before.progress.keys()]]).to.deep.equal(['1 2', false, [1, 2]]);
    });
  });

  describe('which configurations there can be', () => {
    const impossible: readonly [why: string, conf: Partial<ConfState>][] = [
      ['a learner that votes', { voters: [1, 2], learners: [2] }],
      ['a learner that votes in the outgoing half', { voters: [1], votersOutgoing: [1, 2], learners: [2] }],
      ['one to become a learner that is no outgoing voter', { voters: [1], votersOutgoing: [1], learnersNext: [2] }],
      ['one to become a learner that goes on voting', { voters: [1, 2], votersOutgoing: [1, 2], learnersNext: [2] }],
      ['one to become a learner outside of joint', { voters: [1], learnersNext: [1] }],
      ['auto leave outside of joint', { voters: [1], autoLeave: true }],
    ];
    for (const [why, conf] of impossible) it(`not with ${why}`, () => expect(isPossible(membersOf(conf))).to.equal(false));

    it('not with ids that are out of order, repeated, 0 or no whole numbers', () => {
      for (const voters of [[2, 1], [1, 1], [0], [-1], [1.5], [2 ** 53]])
        expect(isPossible({ ...membersOf({}), voters }), voters.join()).to.equal(false);
    });

    it('all to which a change can lead', () => {
      fc.assert(
        fc.property(anyHistory(), (steps) => {
          let now = trackedOf({ voters: [1] });
          for (const { text, transition } of steps) {
            const next = changed(now, changeOf(text, transition), MADE);
            if (!('refused' in next)) now = next;
            const { voters, votersOutgoing, learners } = now.conf;
            expect(isPossible(now.conf) && voters.length > 0).to.equal(true);
            expect([...now.progress.keys()]).to.deep.equal(
              [...new Set([...voters, ...votersOutgoing, ...learners])].sort((one, other) => one - other),
            );
            for (const [id, { isLearner }] of now.progress) expect(isLearner).to.equal(learners.includes(id));
          }
        }),
      );
    });
  });

  it('goes through joint to the same members as through simple steps one by one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('v', 'v', 'l', 'r'), fc.integer({ min: 1, max: 6 })), { minLength: 1, maxLength: 12 }),
        (choices) => {
          // Node 7 never goes, so that no way leads through a configuration without voters.
          const start = trackedOf({ voters: [1, 2, 7], learners: [3] });
          const steps = changeOf(choices.map(([kind, id]) => `${kind}${id}`).join(' ')).steps;
          const simple = steps.reduce((now, step) => tracked(applySimple(now, [step], MADE)), start);
          const joint = tracked(leaveJoint(tracked(enterJoint(start, steps, { ...MADE, autoLeave: false }))));
          expect(textOfConf(joint.conf)).to.equal(textOfConf(simple.conf));
          const learnersOf = ({ progress }: Tracked): unknown => [...progress].map(([id, { isLearner }]) => [id, isLearner]);
          expect(learnersOf(joint)).to.deep.equal(learnersOf(simple));
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

function anyHistory(): fc.Arbitrary<readonly { text: string; transition: Transition }[]> {
  const step = fc.tuple(fc.constantFrom('v', 'l', 'r', 'u'), fc.integer({ min: 0, max: 5 })).map(([kind, id]) => `${kind}${id}`);
  const text = fc.array(step, { maxLength: 4 }).map((steps) => steps.join(' '));
  return fc.array(fc.record({ text, transition: fc.constantFrom<Transition>('auto', 'implicit', 'explicit') }), { maxLength: 15 });
}
