import { expect } from 'chai';
import { byTable, type Explanation, explainText, type LeaderWord } from '../../../src/cli/route-explain.js';
import { parseAllocId, parseUid, toEpoch } from '../../../src/model/ids.js';
import type { RoutingTable } from '../../../src/model/routing.js';

const TABLE: RoutingTable = {
  version: { generation: 7, value: 3 },
  geometry: { firstUid: 0n, lastUid: 24n, uidsPerSection: 10 },
  allocs: [{ id: parseAllocId('alloc-1'), address: 'a:1', zone: '' }],
  stores: [],
  runs: [
    { sectionCount: 1, alloc: undefined, epoch: toEpoch(0) },
    { sectionCount: 2, alloc: 0, epoch: toEpoch(5) },
  ],
};

const SECTION = {
  firstSection: 2,
  lastSection: 2,
  firstUid: 20n,
  lastUid: 24n,
  alloc: 'alloc-1',
  epoch: 5n,
  base: 90n,
  maxSeq: 190n,
  headroom: 7n,
  next: '',
};
const OWNER = {
  name: 'alloc-1',
  state: 'joined',
  sections: 2,
  callsPerSecond: 0,
  heardMsAgo: 40,
  waitLeftMs: 3_000,
  zone: '',
  address: 'a:1',
  incarnation: '',
};

function explain(uid: string, leader: LeaderWord | undefined, leaderError = ''): string {
  const explanation: Explanation = { ...byTable(TABLE, parseUid(uid)), leader, leaderError };
  return explainText(explanation);
}

describe('route explain', () => {
  it('names slot, section, its uids up to the end of a short last one, and who serves it', () => {
    expect(byTable(TABLE, parseUid('22'))).to.deep.include({
      section: 2,
      slot: 2,
      firstUid: 20n,
      lastUid: 24n,
      alloc: 'alloc-1',
      address: 'a:1',
      epoch: 5,
    });
    expect(explain('22', { section: SECTION, owner: OWNER, heldBackBy: '' })).to.equal(
      [
        'uid 22 is slot 2 of section 2 (uids 20..24)',
        'alloc-1 at a:1 serves it in epoch 5, by routing version 7.3',
        'its numbers of this epoch lie above 90; up to 190 may be handed out before the next raise, 7 are left after that',
        'alloc-1 is joined, heard 40ms ago; nobody else may serve the section for 3000ms from now',
        'no move is planned\n',
      ].join('\n'),
    );
  });

  it('says why nobody serves a section, and what is planned', () => {
    const text = explain('3', { section: { ...SECTION, alloc: '', next: 'alloc-1' }, owner: undefined, heldBackBy: 'it is paused' });
    expect(text).to.include('nobody serves it, by routing version 7.3').and.to.include('the arbiter does not give it away: it is paused');
    expect(text).to.include('a planned move takes it to alloc-1');
  });

  it('says when the leader knows better than the table', () => {
    const text = explain('22', { section: { ...SECTION, alloc: 'alloc-2', epoch: 6n }, owner: OWNER, heldBackBy: '' });
    expect(text).to.include('the leader has a newer table: alloc-2 owns the section, in epoch 6');
  });

  it('says what it can when no leader answers', () => {
    expect(explain('22', undefined, 'nobody leads'))
      .to.include('alloc-1 at a:1 serves it')
      .and.to.include('no leader could be asked for more: nobody leads');
  });
});
