import { expect } from 'chai';
import { type Block, parseDataFile } from '../../conformance/data-file.js';
import { quorumScript } from '../../conformance/quorum-script.js';

describe('the quorum commands', () => {
  const run = (directive: string): string => quorumScript()(parseDataFile(`${directive}\n----\n`)[0] as Block);

  it('draw a bar a voter, longer the more voters are behind it, in the order of ids', () => {
    expect(run('committed cfg=(16,1,2) idx=(7,5,_)')).to.equal(
      ['       idx', 'x>       5    (id=1)', '?        0    (id=2)', 'xx>      7    (id=10)', '5'].join('\n'),
    );
  });

  it('commit everything when there are no voters', () => {
    expect(run('committed')).to.equal('<empty majority quorum>∞');
    expect(run('committed cfgj=zero')).to.equal('<empty majority quorum>∞');
  });

  it('ask both halves, and name each voter once', () => {
    expect(run('committed cfg=(1,2) cfgj=(2,3) idx=(9,8,_)').split('\n').at(-1)).to.equal('0');
    expect(run('vote cfg=(1,2) cfgj=(2,3) votes=(y,y,n)')).to.equal('VoteLost');
    expect(run('vote cfg=(1,2) cfgj=(2,3) votes=(y,y,_)')).to.equal('VotePending');
    expect(run('vote cfg=(1,2) cfgj=(2,3) votes=(y,y,y)')).to.equal('VoteWon');
  });

  it('complain about values that are no match for the voters', () => {
    expect(run('committed cfg=(3,1) idx=(5)')).to.equal('error: mismatched input (explicit or _) for voters map[1:{} 3:{}]: [5]');
    expect(run('vote cfg=(1) votes=(y,n,_)')).to.equal('error: mismatched input (explicit or _) for voters map[1:{}]: [2 1 0]');
  });

  it('know no index 0 and no vote but y, n and _', () => {
    expect(() => run('committed cfg=(1) idx=(0)')).to.throw('an idx is at least 1, or _');
    expect(() => run('vote cfg=(1) votes=(x)')).to.throw('unknown vote "x"');
  });
});
