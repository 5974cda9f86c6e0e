import { expect } from 'chai';
import fc from 'fast-check';
import { Progress } from '../../../src/raft/progress.js';

/** A follower that is known to hold [1, match] and is sent what follows, from `next` on. */
function replicating({ match, next }: { match: number; next: number }, limits = { messages: 3, bytes: 1_000 }): Progress {
  const progress = new Progress(match + 1, limits);
  progress.match = match;
  progress.becomeReplicate();
  progress.next = next;
  return progress;
}

function probing({ match, next }: { match: number; next: number }): Progress {
  const progress = new Progress(next, { messages: 3, bytes: 1_000 });
  progress.match = match;
  return progress;
}

describe('Progress', () => {
  it('begins as a probe that is not paused', () => {
    const { state, isPaused, match, next } = new Progress(5, { messages: 3, bytes: 1_000 });
    expect({ state, isPaused, match, next }).to.deep.equal({ state: 'probe', isPaused: false, match: 0, next: 5 });
  });

  it('as a probe waits after one append with entries, and does not run ahead', () => {
    const progress = probing({ match: 0, next: 5 });
    progress.sent({ count: 0, bytes: 0 });
    expect(progress.isPaused).to.equal(false);
    progress.sent({ count: 2, bytes: 100 });
    expect([progress.isPaused, progress.next]).to.deep.equal([true, 5]);
  });

  it('pipelines when it replicates: next runs ahead of the answers', () => {
    const progress = replicating({ match: 4, next: 5 });
    progress.sent({ count: 2, bytes: 100 });
    progress.sent({ count: 1, bytes: 100 });
    expect([progress.next, progress.match, progress.inflightCount, progress.isPaused]).to.deep.equal([8, 4, 2, false]);
  });

  it('is full at the limit of messages, and an answer makes room', () => {
    const progress = replicating({ match: 0, next: 1 });
    for (let count = 0; count < 3; count += 1) progress.sent({ count: 1, bytes: 1 });
    expect([progress.isFull, progress.isPaused]).to.deep.equal([true, true]);
    progress.acknowledged(2);
    progress.free(2);
    expect([progress.isFull, progress.isPaused, progress.inflightCount]).to.deep.equal([false, false, 1]);
  });

  it('is full at the limit of bytes, which one message may cross', () => {
    const progress = replicating({ match: 0, next: 1 });
    progress.sent({ count: 1, bytes: 999 });
    expect(progress.isFull).to.equal(false);
    progress.sent({ count: 1, bytes: 5_000 });
    expect([progress.isFull, progress.isPaused]).to.deep.equal([true, true]);
    progress.free(2);
    expect(progress.isFull).to.equal(false);
  });

  it('frees nothing for an index inside an append', () => {
    const progress = replicating({ match: 0, next: 1 });
    progress.sent({ count: 5, bytes: 1 });
    progress.free(4);
    expect(progress.inflightCount).to.equal(1);
  });

  it('takes an acknowledgement once; old news moves nothing back', () => {
    const progress = replicating({ match: 3, next: 8 });
    expect([progress.acknowledged(5), progress.match, progress.next]).to.deep.equal([true, 5, 8]);
    expect([progress.acknowledged(5), progress.acknowledged(2), progress.match]).to.deep.equal([false, false, 5]);
    expect([progress.acknowledged(9), progress.next]).to.deep.equal([true, 10]);
  });

  const rows: readonly { why: string; progress: Progress; rejected: number; hint: number; isNews: boolean; next: number }[] = [
    { why: 'replicating: stale at match', progress: replicating({ match: 5, next: 10 }), rejected: 5, hint: 5, isNews: false, next: 10 },
    { why: 'replicating: stale below match', progress: replicating({ match: 5, next: 10 }), rejected: 4, hint: 4, isNews: false, next: 10 },
    { why: 'replicating: back to match', progress: replicating({ match: 5, next: 10 }), rejected: 9, hint: 9, isNews: true, next: 6 },
    { why: 'probing: stale, it was about another place', progress: probing({ match: 0, next: 10 }), rejected: 8, hint: 7, isNews: false, next: 10 },
    { why: 'probing: to the hint', progress: probing({ match: 0, next: 10 }), rejected: 9, hint: 2, isNews: true, next: 3 },
    { why: 'probing: one back', progress: probing({ match: 0, next: 10 }), rejected: 9, hint: 9, isNews: true, next: 9 },
    { why: 'probing: a hint beyond what was refused', progress: probing({ match: 0, next: 10 }), rejected: 9, hint: 99, isNews: true, next: 9 },
    { why: 'probing: not before 1', progress: probing({ match: 0, next: 2 }), rejected: 1, hint: 0, isNews: true, next: 1 },
    { why: 'probing: not to what it has', progress: probing({ match: 4, next: 10 }), rejected: 9, hint: 1, isNews: true, next: 5 },
  ];
  for (const { why, progress, rejected, hint, isNews, next } of rows) {
    it(`hears a refusal of ${rejected} (hint ${hint}) when ${why}`, () => {
      expect([progress.refused(rejected, hint), progress.next]).to.deep.equal([isNews, next]);
      expect(progress.match).to.be.below(progress.next);
    });
  }

  it('forgets what is under way when it becomes a probe, and asks from match on', () => {
    const progress = replicating({ match: 4, next: 5 });
    progress.sent({ count: 3, bytes: 10 });
    progress.sentCommit = 7;
    progress.becomeProbe();
    expect([progress.next, progress.inflightCount, progress.isPaused, progress.sentCommit]).to.deep.equal([5, 0, false, 4]);
  });

  it('tells a commit index only when the follower can use it', () => {
    const progress = replicating({ match: 4, next: 6 });
    progress.sentCommit = 3;
    expect([progress.canBumpCommit(3), progress.canBumpCommit(4)]).to.deep.equal([false, true]);
    progress.sentCommit = 5;
    // It has been told of everything it was sent: more would change nothing.
    expect(progress.canBumpCommit(9)).to.equal(false);
  });

  describe('while a snapshot is under way', () => {
    function installing(): Progress {
      const progress = replicating({ match: 4, next: 5 });
      progress.sent({ count: 2, bytes: 10 });
      progress.becomeSnapshot(20);
      return progress;
    }

    it('is paused, forgets what was under way, and goes on behind the snapshot', () => {
      const { state, isPaused, inflightCount, pendingSnapshot, next, match } = installing();
      expect({ state, isPaused, inflightCount, pendingSnapshot, next, match }).to.deep.equal({
        state: 'snapshot',
        isPaused: true,
        inflightCount: 0,
        pendingSnapshot: 20,
        next: 21,
        match: 4,
      });
      expect(() => installing().sent({ count: 1, bytes: 1 })).to.throw('nothing is appended while a snapshot is under way');
    });

    it('asks behind the snapshot as a probe; from match on when it never came', () => {
      const there = installing();
      there.becomeProbe();
      const lost = installing();
      lost.pendingSnapshot = 0;
      lost.becomeProbe();
      expect([there.next, there.pendingSnapshot, lost.next]).to.deep.equal([21, 0, 5]);
    });

    it('pipelines from match on', () => {
      const progress = installing();
      progress.acknowledged(22);
      progress.becomeReplicate();
      expect([progress.state, progress.next, progress.pendingSnapshot]).to.deep.equal(['replicate', 23, 0]);
    });
  });

  it('has a copy that goes its own way', () => {
    const progress = replicating({ match: 4, next: 5 });
    progress.isActive = true;
    const copy = progress.clone();
    copy.acknowledged(9);
    copy.sent({ count: 1, bytes: 1 });
    copy.becomeSnapshot(30);
    expect([progress.match, progress.next, progress.state, progress.inflightCount, copy.isActive]).to.deep.equal([4, 5, 'replicate', 0, true]);
  });

  it('keeps match below next, whatever happens to it (raft.md hazard 20)', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 6 }), fc.nat(30), fc.nat(30)), { maxLength: 60 }), (events) => {
        const progress = new Progress(1, { messages: 3, bytes: 50 });
        for (const [kind, one, other] of events) {
          if (kind === 0) progress.acknowledged(one);
          if (kind === 1) progress.refused(one, other);
          if (kind === 2) progress.becomeProbe();
          if (kind === 3) progress.becomeReplicate();
          if (kind === 4) progress.becomeSnapshot(Math.max(progress.match, one));
          if (kind === 5 && progress.state !== 'snapshot' && !progress.isFull) progress.sent({ count: one % 4, bytes: other });
          if (kind === 6) progress.free(one);
          expect(progress.match).to.be.below(progress.next);
          expect(progress.inflightCount).to.be.at.most(3);
        }
      }),
    );
  });
});
