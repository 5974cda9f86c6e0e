import { expect } from 'chai';
import { notYetEmpty } from '../../../src/cli/alloc.js';
import { allocLine } from '../../../src/cli/alloc-lines.js';
import { parseAllocId } from '../../../src/model/ids.js';
import type { AllocView } from '../../../src/rpc/gen/seqsvr/v1/placement.js';

const NAME = parseAllocId('a1');

function view(id: string, change: Partial<AllocView> = {}): AllocView {
  const incarnation = 'a'.repeat(32);
  return {
    id,
    address: `${id}:1`,
    zone: '',
    state: 'joined',
    incarnation,
    sectionCount: 5,
    heardMsAgo: 7n,
    waitLeftMs: 3000,
    callsPerSecond: 2,
    ...change,
  };
}

const draining = view('a1', { state: 'draining' });

describe('alloc drain waits', () => {
  const rows: readonly [string, readonly AllocView[], string, string | undefined][] = [
    ['until it owns nothing', [view('a1', { state: 'draining', sectionCount: 0 })], '', undefined],
    ['while others take what it has', [draining, view('b2')], '', 'a1 still has 5 sections'],
    [
      'and says that nobody is there',
      [draining, view('b2', { state: 'draining' })],
      '',
      'a1 still has 5 sections, and no other AllocSvr is there to take them',
    ],
    [
      'and says that the others are silent',
      [draining, view('b2', { waitLeftMs: 0 })],
      '',
      'a1 still has 5 sections, and no other AllocSvr is there to take them',
    ],
    ['and says what holds the arbiter back', [draining, view('b2')], 'paused', 'a1 still has 5 sections, and the arbiter is held back: paused'],
    [
      'and says that it was undone',
      [view('a1'), view('b2')],
      '',
      'a1 still has 5 sections, and is joined: it was resumed or restarted in the meantime',
    ],
  ];
  for (const [what, allocs, heldBackBy, word] of rows) {
    it(what, () => {
      expect(notYetEmpty({ allocs: [...allocs], heldBackBy }, NAME)).to.equal(word);
    });
  }

  it('for nobody who is not there, and names those who are', () => {
    expect(() => notYetEmpty({ allocs: [view('b2')], heldBackBy: '' }, NAME)).to.throw('no AllocSvr is called a1; there are b2');
  });
});

describe('lines of AllocSvrs', () => {
  it('leave out what is not known', () => {
    expect(allocLine(view('a1', { heardMsAgo: -1n })).heardMsAgo).to.equal(undefined);
    expect(allocLine(view('a1'))).to.deep.include({ name: 'a1', heardMsAgo: 7, waitLeftMs: 3000, sections: 5 });
  });
});
