import { expect } from 'chai';
import { bytesOf, textOf } from './memory-storage.js';
import { acknowledge, leading, settled, TestNode, type TestNodeOptions } from './test-node.js';

/** The appends to node 2 in the outbox: after which index, and the texts. */
function toTwo(leader: TestNode): readonly (readonly [previousIndex: number, texts: readonly string[]])[] {
  return leader.sent('append').flatMap(({ to, previousIndex, entries }) => (to === 2 ? [[previousIndex, entries.map(textOf)] as const] : []));
}

function proposeAll(leader: TestNode, texts: string): void {
  for (const text of texts) leader.propose(text);
}

function beat(leader: TestNode, from = 2): void {
  leader.hear({ from, term: leader.core.term, type: 'heartbeatReply', readRound: 0 });
}

describe('flow control', () => {
  describe('while the end of the log of a follower is unknown (probe)', () => {
    function probing(options: TestNodeOptions = {}): TestNode {
      const leader = settled(options);
      leader.core.progressOf(2).becomeProbe();
      return leader;
    }

    it('one append is under way, and each heartbeat answer lets one more out', () => {
      const leader = probing();
      proposeAll(leader, 'abc');
      expect([toTwo(leader), leader.core.progressOf(2).isPaused]).to.deep.equal([[[1, ['a']]], true]);
      for (let round = 0; round < 3; round += 1) {
        beat(leader);
        expect(toTwo(leader)).to.deep.equal([[1, ['a', 'b', 'c']]]);
      }
    });

    it('heartbeats go on', () => {
      const leader = probing();
      leader.propose('a');
      leader.sent();
      leader.tick(3);
      expect(leader.sent('heartbeat').filter(({ to }) => to === 2)).to.have.length(3);
    });

    it('an acknowledgement opens the pipeline', () => {
      const leader = probing();
      proposeAll(leader, 'ab');
      leader.sent();
      acknowledge(leader, { from: 2, index: 2 });
      expect([leader.core.progressOf(2).state, toTwo(leader)]).to.deep.equal(['replicate', [[2, ['b']]]]);
    });

    it('one that says nothing new opens it too, when it agrees with what is known', () => {
      const leader = probing();
      acknowledge(leader, { from: 2, index: 1 });
      expect(leader.core.progressOf(2).state).to.equal('replicate');
    });
  });

  describe('in the pipeline (replicate)', () => {
    it('all appends go out at once, and next runs ahead', () => {
      const leader = settled();
      proposeAll(leader, 'abc');
      expect([toTwo(leader).length, leader.core.progressOf(2).next, leader.core.progressOf(2).match]).to.deep.equal([3, 5, 1]);
    });

    it('messages that were lost are asked for from match on', () => {
      const leader = settled();
      proposeAll(leader, 'abc');
      leader.sent();
      leader.do((core) => core.reportUnreachable(2));
      const { state, next, inflightCount } = leader.core.progressOf(2);
      expect({ state, next, inflightCount }).to.deep.equal({ state: 'probe', next: 2, inflightCount: 0 });
      beat(leader);
      expect(toTwo(leader)).to.deep.equal([[1, ['a', 'b', 'c']]]);
    });

    it('a report about who is no member, or by who does not lead, changes nothing', () => {
      const leader = settled();
      leader.do((core) => core.reportUnreachable(99));
      const node = new TestNode();
      node.do((core) => core.reportUnreachable(2));
      expect([leader.core.progressOf(3).state, node.core.hasReady]).to.deep.equal(['replicate', false]);
    });

    it('an acknowledgement frees all appends up to it', () => {
      const leader = settled({ maxInflightMessages: 3 });
      proposeAll(leader, 'abcde');
      expect([leader.core.progressOf(2).isFull, leader.core.progressOf(2).inflightCount]).to.deep.equal([true, 3]);
      leader.sent();
      acknowledge(leader, { from: 2, index: 3 });
      expect([toTwo(leader), leader.core.progressOf(2).inflightCount]).to.deep.equal([[[4, ['d', 'e']]], 2]);
    });

    it('a stale acknowledgement frees nothing', () => {
      const leader = settled({ maxInflightMessages: 2 });
      proposeAll(leader, 'abc');
      acknowledge(leader, { from: 2, index: 2 });
      leader.sent();
      for (const index of [1, 2]) acknowledge(leader, { from: 2, index });
      expect([leader.core.progressOf(2).inflightCount, toTwo(leader)]).to.deep.equal([2, []]);
    });

    it('a full one lets one empty append out for each heartbeat answer', () => {
      const leader = settled({ maxInflightMessages: 1 });
      proposeAll(leader, 'ab');
      leader.sent();
      for (let round = 0; round < 3; round += 1) {
        beat(leader);
        expect(toTwo(leader)).to.deep.equal([[2, []]]);
        expect(leader.core.progressOf(2).isPaused).to.equal(true);
      }
    });

    it('bytes are bounded too; 0 is no bound', () => {
      const bounded = settled({ maxInflightBytes: 2 });
      proposeAll(bounded, 'abcd');
      expect(toTwo(bounded).map(([, texts]) => texts)).to.deep.equal([['a'], ['b']]);
      const unbounded = settled({ maxInflightBytes: 0 });
      proposeAll(unbounded, 'abcd');
      expect(toTwo(unbounded)).to.have.length(4);
    });
  });

  it('with a largest append of 0 bytes each carries one entry', () => {
    const leader = settled({ maxAppendBytes: 0 });
    leader.propose('a', 'b', 'c');
    for (const index of [2, 3]) acknowledge(leader, { from: 2, index });
    expect(toTwo(leader).filter(([, texts]) => texts.length > 0)).to.deep.equal([
      [1, ['a']],
      [2, ['b']],
      [3, ['c']],
    ]);
  });

  describe('of what is proposed', () => {
    const command = 'x'.repeat(10);

    it('counts the bytes of commands; entries without any always pass', () => {
      const leader = leading({ maxUncommittedBytes: 20 });
      expect([1, 2, 3].map(() => leader.propose(command).type)).to.deep.equal(['accepted', 'accepted', 'refused']);
      expect(leader.do((core) => core.propose([{ type: 'normal', data: new Uint8Array() }])).type).to.equal('accepted');
      expect(leader.core.uncommittedBytes).to.equal(20);
    });

    it('refuses a batch as a whole: nothing of it is in the log', () => {
      const leader = leading({ maxUncommittedBytes: 20 });
      leader.propose(command);
      expect([leader.propose(command, command).type, leader.core.log.lastIndex]).to.deep.equal(['refused', 2]);
    });

    it('makes room when entries are applied, and never counts below nothing', () => {
      const leader = leading({ maxUncommittedBytes: 20, terms: [1], hardState: { term: 1 } });
      leader.propose(command);
      // Entry 1 was found, not proposed here: its three bytes were never counted.
      acknowledge(leader, { from: 2 });
      expect([leader.core.uncommittedBytes, leader.appliedTexts.length]).to.deep.equal([0, 2]);
    });

    it('tells who passes a proposal on that it was dropped', () => {
      const leader = leading({ maxUncommittedBytes: 20 });
      const forwarded = { from: 2, term: 0, type: 'propose', entries: [{ type: 'normal', data: bytesOf(command) }] } as const;
      const outcomes = [1, 2, 3].map(() => {
        leader.hear(forwarded);
        return leader.stepped;
      });
      expect(outcomes).to.deep.equal(['stepped', 'stepped', 'proposalDropped']);
    });
  });

  describe('of what is applied', () => {
    it('bounds what is handed out and not applied, message by message', () => {
      const { core } = new TestNode({ terms: [1, 1, 1, 1], hardState: { commitIndex: 4 }, maxApplyBytes: 22 });
      const first = core.takeReady().apply;
      expect([first.length, core.hasReady]).to.deep.equal([2, false]);
      core.applied(first.slice(0, 1));
      const second = core.takeReady().apply;
      expect([second.map(({ index }) => index), core.hasReady]).to.deep.equal([[3], false]);
      core.applied([...first.slice(1), ...second]);
      expect(core.takeReady().apply.map(({ index }) => index)).to.deep.equal([4]);
    });
  });

  describe('passing proposals on (off unless asked for)', () => {
    it('goes to the leader in the name of who proposed; without one it is refused', () => {
      const node = new TestNode({ id: 2, hardState: { term: 1 }, forwardsProposals: true });
      expect(node.propose('a')).to.deep.equal({ type: 'refused', why: 'notLeader' });
      node.hear({ from: 1, term: 1, type: 'heartbeat', commitIndex: 0, readRound: 0 });
      node.sent();
      expect(node.propose('a')).to.deep.equal({ type: 'forwarded', to: 1 });
      node.hear({ from: 3, term: 0, type: 'propose', entries: [{ type: 'normal', data: bytesOf('b') }] });
      expect(node.sent('propose').map(({ from, to, term, entries }) => [from, to, term, textOf(entries[0]!)])).to.deep.equal([
        [2, 1, 0, 'a'],
        [3, 1, 0, 'b'],
      ]);
    });

    it('is not done by who was not asked to: nobody would hear what became of it', () => {
      const node = new TestNode({ id: 2, hardState: { term: 1 } });
      node.hear({ from: 1, term: 1, type: 'heartbeat', commitIndex: 0, readRound: 0 });
      node.hear({ from: 3, term: 0, type: 'propose', entries: [{ type: 'normal', data: bytesOf('b') }] });
      expect([node.stepped, node.sent('propose')]).to.deep.equal(['proposalDropped', []]);
    });
  });
});
