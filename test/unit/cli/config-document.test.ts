import { expect } from 'chai';
import { examineConfig } from '../../../src/cli/config.js';
import { ConfigDocument, formatProblem } from '../../../src/cli/config-document.js';

const STORE = `# a store
role: store
name: a
cluster: '0123456789abcdef0123456789abcdef'
nodeId: 1
dataDir: /data/a
listen: 127.0.0.1:1
peerListen: 127.0.0.1:2
members:
  - id: 1
    name: a
    peerAddress: 127.0.0.1:2
    address: 127.0.0.1:1
`;

const problemsOf = (text: string): string[] => examineConfig(text, 's.yaml').problems.map(formatProblem);

describe('config document', () => {
  it('finds the line of a key, of an item, and of what should have a key that is missing', () => {
    const document = new ConfigDocument(STORE, 's.yaml');
    expect(
      [['role'], ['members'], ['members', 0], ['members', 0, 'address'], ['members', 0, 'zone'], ['lease']].map((path) => document.lineOf(path)),
    ).to.deep.equal([2, 9, 10, 13, 10, 2]);
    expect(new ConfigDocument('', 'x').lineOf(['role'])).to.equal(undefined);
  });

  it('follows an alias to where the value stands', () => {
    expect(new ConfigDocument('a: &here\n  b: 1\nc: *here\n', 'x').lineOf(['c', 'b'])).to.equal(2);
  });

  const rows: readonly [string, string, readonly string[]][] = [
    ['a wrong unit', `${STORE}lease: 3000\n`, ["s.yaml:14: lease: a duration is a number with a unit, such as '500ms', '2s' or '5m', got 3000"]],
    [
      'unknown keys, each with its line and the key that was meant',
      `${STORE}laese: 3s\nsomething: 1\n`,
      [
        "s.yaml:14: unknown key 'laese'; did you mean lease?; a misspelt key would change nothing, so it is refused",
        "s.yaml:15: unknown key 'something'; a misspelt key would change nothing, so it is refused",
      ],
    ],
    [
      'an unknown key of a member',
      STORE.replace('    address', '    adress'),
      [
        's.yaml:10: members.0.address: is required',
        "s.yaml:13: members.0: unknown key 'adress'; did you mean address?; a misspelt key would change nothing, so it is refused",
      ],
    ],
    [
      'a rule of two keys',
      `${STORE}\nlease: 2s\n`,
      ['s.yaml:15: lease: a lease must outlast two election rounds: lease 2000ms <= 2 x 1000ms; lengthen lease or shorten election'],
    ],
    [
      'a rule of heartbeats',
      `${STORE}heartbeat: 200ms\n`,
      ['s.yaml:14: heartbeat: must be at least 1ms, and 3 of them must fit in election: 200ms x 3 > 500ms'],
    ],
    [
      'a range upside down',
      `${STORE}geometry: { firstUid: 2, lastUid: 1 }\n`,
      ['s.yaml:14: geometry: a set needs 0 <= firstUid <= lastUid <= 18446744073709551615, got 2..1'],
    ],
    ['a name that is another’s', STORE.replace('name: a', 'name: b'), ["s.yaml:3: name: must be that of member 1, 'a', got 'b'"]],
    [
      'a port that others reach',
      STORE.replace('listen: 127.0.0.1:1', 'listen: 10.0.0.1:1'),
      ['s.yaml:7: listen: others can reach 10.0.0.1:1 and nothing protects it: it needs tls, or insecure: true, or an address on loopback'],
    ],
    ['what is not YAML', 'role: store\nname: [\n', ['s.yaml:3: is not YAML: ']],
  ];
  for (const [what, text, wanted] of rows) {
    it(`says file, line, key, value and rule of ${what}`, () => {
      const found = problemsOf(text);
      expect(found).to.have.length(wanted.length);
      for (const line of wanted)
        expect(
          found.some((one) => one.startsWith(line)),
          `${line}\n--- got\n${found.join('\n')}`,
        ).to.equal(true);
    });
  }
});
