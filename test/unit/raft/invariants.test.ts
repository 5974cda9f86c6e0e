import { expect } from 'chai';
import { checkInvariants, type RaftView } from '../../../src/raft/invariants.js';

const good: RaftView = { term: 3, votedFor: 1, leaderId: 2, lastIndex: 9, commitIndex: 7, appliedIndex: 6 };

describe('checkInvariants', () => {
  it('has nothing to say about a node that goes forward', () => {
    checkInvariants(good, undefined);
    checkInvariants(good, good);
    checkInvariants({ ...good, commitIndex: 8, appliedIndex: 8, lastIndex: 8 }, good);
    checkInvariants({ ...good, term: 4, votedFor: 2, leaderId: 3 }, good);
    checkInvariants({ ...good, leaderId: undefined }, good);
    checkInvariants(good, { ...good, votedFor: undefined, leaderId: undefined });
  });

  const rows: readonly { why: string; now: Partial<RaftView> }[] = [
    { why: 'committed past the end of the log', now: { lastIndex: 6, appliedIndex: 6 } },
    { why: 'applied past the commit index', now: { appliedIndex: 8 } },
    { why: 'term went back', now: { term: 2 } },
    { why: 'commit index went back', now: { commitIndex: 6 } },
    { why: 'applied index went back', now: { appliedIndex: 5 } },
    { why: 'one vote per term', now: { votedFor: 2 } },
    { why: 'one vote per term', now: { votedFor: undefined } },
    { why: 'one leader per term', now: { leaderId: 3 } },
  ];
  for (const { why, now } of rows) {
    it(`stops the process: ${why} (${JSON.stringify(now)})`, () => {
      expect(() => checkInvariants({ ...good, ...now }, good)).to.throw(why);
    });
  }
});
