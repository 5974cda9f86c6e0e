import { expect } from 'chai';
import { parseDataFile, ScriptError } from '../../conformance/data-file.js';

describe('a data file', () => {
  it('is a row of blocks; comments and blank lines between them say nothing', () => {
    const blocks = parseDataFile('# a comment\n\nfirst\n----\nok\n\n  # another\nsecond 1\n----\none\ntwo\n\n\n');
    expect(blocks.map(({ command, line, expected, expectedLine }) => ({ command, line, expected, expectedLine }))).to.deep.equal([
      { command: 'first', line: 3, expected: ['ok'], expectedLine: 5 },
      { command: 'second', line: 8, expected: ['one', 'two'], expectedLine: 10 },
    ]);
  });

  it('takes an argument without =, one with a value, and one with a list', () => {
    const [block] = parseDataFile('cmd 1 key=value list=(1, 2,3) empty= nested=(a(b,c),d)\n----\n');
    expect(block?.args).to.deep.equal([
      { key: '1', values: [], isOption: false },
      { key: 'key', values: ['value'], isOption: true },
      { key: 'list', values: ['1', '2', '3'], isOption: true },
      { key: 'empty', values: [''], isOption: true },
      { key: 'nested', values: ['a(b,c)', 'd'], isOption: true },
    ]);
  });

  it('keeps quotes as part of an argument', () => {
    expect(parseDataFile('propose 1 "foo"\n----\nok\n')[0]?.args[1]?.key).to.equal('"foo"');
  });

  it('continues a directive that ends with a backslash', () => {
    const [block] = parseDataFile('cmd \\\n  one \\\n  two=2\n----\nok\n');
    expect(block).to.deep.include({ command: 'cmd', input: '', expectedLine: 5 });
    expect(block?.args.map(({ key }) => key)).to.deep.equal(['one', 'two']);
  });

  it('reads the lines between directive and separator as input, blank ones too', () => {
    expect(parseDataFile('cmd\n v1\n\nv2\n----\nok\n')[0]?.input).to.equal('v1\n\nv2');
  });

  it('takes # in the output for output', () => {
    expect(parseDataFile('cmd\n----\n# one\ntwo\n')[0]?.expected).to.deep.equal(['# one', 'two']);
  });

  it('expects nothing when nothing follows the separator', () => {
    expect(parseDataFile('cmd\n----').map(({ expected }) => expected)).to.deep.equal([[]]);
    expect(parseDataFile('cmd\n----\n\nnext\n----\nok\n').map(({ expected }) => expected)).to.deep.equal([[], ['ok']]);
  });

  it('allows blank lines in the output between two double separators', () => {
    const blocks = parseDataFile('cmd\n----\n----\none\n\n----\ntwo\n----\n----\nnext\n----\nok\n');
    expect(blocks.map(({ command, expected }) => [command, expected])).to.deep.equal([
      ['cmd', ['one', '', '----', 'two']],
      ['next', ['ok']],
    ]);
  });

  it('takes line ends of either kind', () => {
    expect(parseDataFile('cmd 1\r\n----\r\nok\r\n')[0]).to.deep.include({ command: 'cmd', expected: ['ok'] });
  });

  const broken: readonly (readonly [what: string, text: string, message: string])[] = [
    ['a block without a separator', 'cmd one\nok\n', 'line 1: no ----'],
    ['a list without an end', '\ncmd list=(1,2\n----\n', 'line 2: "(1,2" has no closing parenthesis'],
    ['an argument without a name', 'cmd =1\n----\n', 'line 1: "=1" is not an argument'],
    ['a double separator without an end', 'cmd\n----\n----\none\n', 'line 3: output that begins with two ----'],
  ];
  for (const [what, text, message] of broken) it(`is refused with ${what}`, () => expect(() => parseDataFile(text)).to.throw(ScriptError, message));
});
