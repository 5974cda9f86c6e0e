import { expect } from 'chai';
import { parse } from 'yaml';
import { FORMATS, print, toJson, toYaml } from '../../../src/cli/output.js';

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

  it('says in YAML what it says in JSON, with 64-bit values as strings and no line folded', () => {
    const same = { uid: 42n };
    const body = { seq: 2n ** 63n - 1n, reason: 'word '.repeat(60), absent: undefined, one: same, other: same, list: [], text: '1e3' };
    const yaml = toYaml('Sequence', body);
    expect(parse(yaml)).to.deep.equal(JSON.parse(toJson('Sequence', body)));
    expect(yaml)
      .to.include('seq: "9223372036854775807"')
      .and.not.to.match(/[&*]a1|absent/);
    expect(yaml.trimEnd().split('\n')).to.have.lengthOf(10);
  });

  it('prints data, and nothing but data, on stdout', () => {
    const told: string[] = [];
    const data: string[] = [];
    const output = { out: (text: string) => void data.push(text), talk: (line: string) => void told.push(line) };
    for (const format of FORMATS) print(output, format, { kind: 'K', body: {}, table: 'text\n' });
    const json = '{\n  "apiVersion": "seqsvr/v1",\n  "kind": "K"\n}\n';
    expect([data, told]).to.deep.equal([['text\n', 'text\n', json, 'apiVersion: seqsvr/v1\nkind: K\n'], []]);
  });
});
