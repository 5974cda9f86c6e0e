import { expect } from 'chai';
import { print, toJson } from '../../../src/cli/output.js';

describe('output', () => {
  it('writes 64-bit values as strings, under a version and a kind', () => {
    expect(JSON.parse(toJson('Sequence', { uid: 42n, seq: 2n ** 63n - 1n }))).to.deep.equal({
      apiVersion: 'seqsvr/v1',
      kind: 'Sequence',
      uid: '42',
      seq: '9223372036854775807',
    });
    expect(toJson('Sequence', { uid: 42n })).to.include('"uid": "42"');
  });

  it('prints data, and nothing but data, on stdout', () => {
    const told: string[] = [];
    const data: string[] = [];
    const output = { out: (text: string) => void data.push(text), talk: (line: string) => void told.push(line) };
    print(output, 'table', { kind: 'K', body: {}, table: 'text\n' });
    expect([data, told]).to.deep.equal([['text\n'], []]);
  });
});
