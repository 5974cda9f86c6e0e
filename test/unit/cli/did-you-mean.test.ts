import { expect } from 'chai';
import { closest, unknownCommand, unknownFlag } from '../../../src/cli/did-you-mean.js';

const COMMANDS = ['dev', 'start', 'seq', 'cluster', 'route', 'version'];

describe('did you mean', () => {
  const rows: readonly [string, string | undefined][] = [
    ['sqe', 'seq'],
    ['se', 'seq'],
    ['seqq', 'seq'],
    ['strat', 'start'],
    ['clutser', 'cluster'],
    ['culsters', 'cluster'],
    ['vers', 'version'],
    ['foo', undefined],
    ['x', undefined],
    ['', undefined],
    ['xyzzy', undefined],
    ['status', undefined],
  ];
  for (const [word, meant] of rows) it(`takes '${word}' for ${meant ?? 'nothing'}`, () => expect(closest(word, COMMANDS)).to.equal(meant));

  it('names the word, and what was meant only when that is close', () => {
    expect(unknownCommand('sqe', COMMANDS)).to.equal("unknown command 'sqe'; did you mean seq?");
    expect(unknownCommand('foo', ['next', 'current'])).to.equal("unknown command 'foo'; there are next, current");
  });

  it('says the same of flags, with their dashes', () => {
    expect(unknownFlag('rat', ['rate', 'many'])).to.equal('unknown flag --rat; did you mean --rate?');
    expect(unknownFlag('fast', ['rate', 'many'])).to.equal('unknown flag --fast; there are --rate, --many');
  });
});
