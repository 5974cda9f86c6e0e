import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { transferWords } from '../../../src/cli/leader.js';
import type { StoreMember } from '../../../src/rpc/gen/seqsvr/v1/admin.js';

function member(id: number, change: Partial<StoreMember> = {}): StoreMember {
  const rest = {
    peerAddress: '',
    address: '',
    nodeUuid: 'u',
    isActive: true,
    role: 'voter',
    lag: 0n,
    wantsVote: false,
    replacesId: 0,
    matchIndex: 100n,
  };
  return { id, name: `store-${id}`, ...rest, ...change };
}

describe('leader transfer --dry-run', () => {
  const members = [
    member(1),
    member(2, { matchIndex: 90n }),
    member(3, { matchIndex: 95n }),
    member(4, { role: 'learner' }),
    member(5, { isActive: false }),
  ];
  const words = (name: string): string => transferWords({ members, leaderId: 1 }, name);

  it('names the active voter that is the furthest when no name is given, else the one named', () => {
    expect(words('')).to.equal('store-3 leads in the place of store-1');
    expect(words('store-2')).to.equal('store-2 leads in the place of store-1');
    expect(words('store-1')).to.equal('nothing changes: store-1 leads already');
  });

  it('refuses a learner, who is silent and who is no member, with the names that can', () => {
    for (const name of ['store-4', 'store-5', 'store-9'])
      expect(() => words(name)).to.throw(SeqError, `${name} cannot lead now; active voters besides store-1: store-2, store-3`);
    expect(() => transferWords({ members: [member(1)], leaderId: 1 }, '')).to.throw(SeqError, 'nobody else can lead now');
  });
});
