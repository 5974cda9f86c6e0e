import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { type AllocConfig, CONFIG_SCHEMAS, loadConfig, parseConfig, type StoreConfig } from '../../../src/cli/config.js';

const CLUSTER = '0123456789abcdef0123456789abcdef';
const STORE = `
role: store
name: a
cluster: '${CLUSTER}'
nodeId: 1
dataDir: /data/a
listen: 127.0.0.1:1
peerListen: 127.0.0.1:2
members: [{ id: 1, name: a, peerAddress: '127.0.0.1:2', address: '127.0.0.1:1' }]
`;
const ALLOC = `
role: alloc
name: b
listen: 127.0.0.1:3
stores: ['127.0.0.1:1']
`;

/** The text with one top-level line replaced, or added. */
function withLine(text: string, line: string): string {
  const key = line.slice(0, line.indexOf(':'));
  const lines = text.split('\n').filter((old) => !old.startsWith(`${key}:`));
  return [...lines, line].join('\n');
}

function refusalOf(text: string): string {
  try {
    parseConfig(text, 'x.yaml');
  } catch (error) {
    expect(SeqError.is(error, 'INVALID_ARGUMENT'), String(error)).to.equal(true);
    return (error as SeqError).message;
  }
  throw new Error('the config was accepted');
}

describe('config', () => {
  it('gives a store the defaults of the design', () => {
    const config = parseConfig(STORE, 'x.yaml') as StoreConfig;
    expect(config).to.deep.equal({
      role: 'store',
      name: 'a',
      cluster: CLUSTER,
      join: false,
      nodeId: 1,
      dataDir: '/data/a',
      listen: '127.0.0.1:1',
      peerListen: '127.0.0.1:2',
      advertise: '127.0.0.1:1',
      peerAdvertise: '127.0.0.1:2',
      members: [{ id: 1, name: 'a', peerAddress: '127.0.0.1:2', address: '127.0.0.1:1' }],
      geometry: { firstUid: 0n, lastUid: 2n ** 32n - 1n, uidsPerSection: 100_000 },
      lease: { leaseMs: 3000, driftPpm: 10_000, marginMs: 100 },
      raiseBy: 10_000n,
      keepLogEntries: 10_000,
      heartbeatMs: 100,
      electionMinMs: 500,
      electionMaxMs: 1000,
      adminListen: undefined,
      insecure: false,
      tls: undefined,
    });
  });

  it('gives an AllocSvr the defaults of the design', () => {
    const config = parseConfig(ALLOC, 'x.yaml') as AllocConfig;
    expect(config).to.deep.equal({
      role: 'alloc',
      name: 'b',
      listen: '127.0.0.1:3',
      advertise: undefined,
      zone: '',
      stores: ['127.0.0.1:1'],
      renewEveryMs: 500,
      workers: undefined,
      raiseAheadMs: 60_000,
      strict: false,
      limits: { operationsPerSecond: 0, numbersPerSecond: 0, burstMs: 1_000 },
      dataDir: undefined,
      httpListen: undefined,
      adminListen: undefined,
      insecure: false,
      tls: undefined,
    });
  });

  it('takes addresses that others can reach when TLS protects them, with roots of their own between stores', () => {
    const files = (folder: string): string => `ca: /${folder}/ca, cert: /${folder}/crt, key: /${folder}/key`;
    const secured = `tls: {${files('c')}, peer: {${files('p')}}}`;
    const store = parseConfig(withLine(withLine(withLine(STORE, "listen: '10.0.0.7:9'"), "peerListen: '10.0.0.7:8'"), secured), 'x');
    expect(store.tls).to.deep.equal({
      ca: '/c/ca',
      cert: '/c/crt',
      key: '/c/key',
      peer: { ca: '/p/ca', cert: '/p/crt', key: '/p/key' },
      tokens: undefined,
    });
    expect(parseConfig(withLine(withLine(ALLOC, "listen: '10.0.0.7:9'"), `tls: {${files('c')}}`), 'x').tls).to.include({
      ca: '/c/ca',
      peer: undefined,
    });
    expect(refusalOf(withLine(STORE, `tls: {${files('c')}}`))).to.include('tls.peer');
    expect(refusalOf(withLine(ALLOC, 'tls: {ca: /c/ca, cert: /c/crt}'))).to.include('tls.key: is required');
    expect(refusalOf(withLine(withLine(ALLOC, `tls: {${files('c')}}`), "httpListen: '10.0.0.7:9'"))).to.include('httpListen: others can reach');
  });

  it('takes addresses that others can reach only when the file says by name that nothing protects them', () => {
    const open = "listen: '10.0.0.7:1'";
    for (const text of [STORE, ALLOC]) {
      for (const key of ['listen', 'adminListen', text === STORE ? 'peerListen' : 'httpListen']) {
        const exposed = withLine(text, `${key}: '10.0.0.7:9'`);
        expect(refusalOf(exposed))
          .to.match(new RegExp(`^x\\.yaml:\\d+: ${key}: others can reach 10.0.0.7:9`))
          .and.to.include('insecure: true');
        expect(parseConfig(withLine(exposed, 'insecure: true'), 'x')).to.include({ [key]: '10.0.0.7:9', insecure: true });
      }
      for (const host of ['127.9.9.9', 'localhost', '[::1]']) {
        expect(parseConfig(withLine(text, `listen: '${host}:1'`), 'x').listen).to.equal(`${host}:1`);
      }
    }
    expect(refusalOf(withLine(withLine(ALLOC, open), 'insecure: maybe'))).to.include('true or false');
  });

  it('reads 64-bit uids as text, exactly', () => {
    const config = parseConfig(`${STORE}\ngeometry: { firstUid: '18446744073709551000', lastUid: '18446744073709551615', uidsPerSection: 7 }`, 'x');
    expect((config as StoreConfig).geometry).to.deep.equal({ firstUid: 18446744073709551000n, lastUid: 18446744073709551615n, uidsPerSection: 7 });
  });

  it('reads drift as a percentage, as ppm and as a bare number of ppm', () => {
    for (const drift of ["'0.5%'", "'5000ppm'", '5000']) {
      expect((parseConfig(withLine(STORE, `drift: ${drift}`), 'x') as StoreConfig).lease.driftPpm, drift).to.equal(5000);
    }
  });

  it('accepts every file that it ships, and these say the defaults', () => {
    const store = loadConfig('deploy/config/store.yaml') as StoreConfig;
    const bare = parseConfig(STORE, 'x.yaml') as StoreConfig;
    for (const key of ['geometry', 'lease', 'raiseBy', 'keepLogEntries', 'heartbeatMs', 'electionMinMs'] as const)
      expect(store[key], key).to.deep.equal(bare[key]);
    const alloc = loadConfig('deploy/config/alloc.yaml') as AllocConfig;
    for (const key of ['renewEveryMs', 'raiseAheadMs', 'strict'] as const)
      expect(alloc[key], key).to.equal((parseConfig(ALLOC, 'x') as AllocConfig)[key]);
  });

  it('has every key in the files that it ships', () => {
    // A key that does nothing unless given is there too, commented out.
    const keysOf = (file: string): string[] => [...readFileSync(file, 'utf8').matchAll(/^(?:# )?([a-zA-Z]+):/gm)].map(([, key]) => key as string);
    for (const role of ['store', 'alloc'] as const)
      expect(keysOf(`deploy/config/${role}.yaml`)).to.have.members(Object.keys(CONFIG_SCHEMAS[role].shape));
  });

  const JOINER = `${STORE.replace('nodeId: 1', '').replace('name: a', 'name: d')}join: true\nadvertise: d:1\npeerAdvertise: d:2`;
  it('lets a joiner say itself where it is reached, and list whom to begin with', () => {
    const config = parseConfig(JOINER, 'x.yaml') as StoreConfig;
    expect([config.join, config.nodeId, config.advertise, config.peerAdvertise]).to.deep.equal([true, undefined, 'd:1', 'd:2']);
    const two = "members: [{ id: 1, name: a, peerAddress: 'h:2', address: 'h:1' }, { id: 70000, name: b, peerAddress: 'h:4', address: 'h:3' }]";
    expect((parseConfig(withLine(JOINER, two), 'x.yaml') as StoreConfig).members).to.have.length(2);
  });

  const three = (change: string): string =>
    withLine(
      STORE,
      `members: [{ id: 1, name: a, peerAddress: 'h:2', address: 'h:1' }, { id: 2, name: b, peerAddress: 'h:4', address: 'h:3' }, ${change}]`,
    );
  const rows: readonly [string, string, readonly string[]][] = [
    ['an unknown key', `${STORE}\nlaese: 3s`, ["unknown key 'laese'"]],
    ['an unknown key of a member', three("{ id: 3, name: c, peerAddress: 'h:6', address: 'h:5', zone: z }"), ['members.2', "unknown key 'zone'"]],
    ['an unknown key of the geometry', `${STORE}\ngeometry: { first: 1 }`, ['geometry', "unknown key 'first'"]],
    ['no role', 'name: a', ['role', "'store' or 'alloc'"]],
    ['another role', 'role: arbiter', ['role', 'arbiter']],
    ['a missing key', STORE.replace('dataDir: /data/a', ''), ['dataDir', 'is required']],
    ['a missing list', ALLOC.replace(/stores.*/, ''), ['stores']],
    ['an empty list', withLine(ALLOC, 'stores: []'), ['stores', 'at least one']],
    ['a duration without a unit', withLine(STORE, 'lease: 3000'), ['lease', '3000', 'unit']],
    ['a duration that is not one', withLine(STORE, 'heartbeat: soon'), ['heartbeat', "'soon'"]],
    ['a name that no terminal can carry', withLine(ALLOC, "name: 'a b'"), ['name', "'a b'"]],
    ['a cluster id that is a number', withLine(STORE, 'cluster: 12'), ['cluster', '32 hex digits', '12']],
    ['a port out of range', withLine(STORE, 'listen: 127.0.0.1:70000'), ['listen', '70000']],
    ['an address that nobody can dial', withLine(ALLOC, "stores: ['0.0.0.0:1']"), ['stores.0', 'wildcard']],
    ['an alloc that nobody can dial', withLine(ALLOC, 'listen: 0.0.0.0:1'), ['advertise', 'wildcard']],
    ['an advertised address that the members list denies', withLine(STORE, 'advertise: h:9'), ['advertise', 'h:9', '127.0.0.1:1']],
    ['a node that is no member', withLine(STORE, 'nodeId: 2'), ['nodeId', '2']],
    ['a name that is not the member’s', withLine(STORE, 'name: c'), ['name', "'a'", "'c'"]],
    ['two voters', withLine(STORE, 'members: []'), ['1, 3 or 5', '0']],
    ['a member twice', three("{ id: 2, name: c, peerAddress: 'h:6', address: 'h:5' }"), ['id', '2 twice']],
    ['a uid that is no whole number', `${STORE}\ngeometry: { lastUid: 1.5 }`, ['geometry.lastUid', '1.5']],
    ['a uid range that is upside down', `${STORE}\ngeometry: { firstUid: 2, lastUid: 1 }`, ['2..1']],
    ['too many sections', `${STORE}\ngeometry: { uidsPerSection: 1 }`, ['1000000 sections']],
    ['raiseBy 0', withLine(STORE, 'raiseBy: 0'), ['raiseBy', '[1, ', 'got 0']],
    ['a lease too short to keep', withLine(STORE, 'lease: 10ms'), ['lease: must be 50ms', '10ms']],
    ['a lease that two election rounds outlast', withLine(STORE, 'lease: 2s'), ['2000ms <= 2 x 1000ms']],
    ['heartbeats that do not fit into an election', withLine(STORE, 'heartbeat: 200ms'), ['200ms x 3 > 500ms']],
    ['drift beyond the bound', withLine(STORE, 'drift: 30%'), ['drift', '300000']],
    ['an admin port that is no address', withLine(ALLOC, 'adminListen: 7092'), ['adminListen', '7092']],
    ['a raise that would be due again at once', withLine(ALLOC, 'raiseAhead: 4s'), ['raiseAhead', '5s to 10m']],
    ['a raise for hours', withLine(ALLOC, 'raiseAhead: 1h'), ['raiseAhead', '5s to 10m']],
    ['a renewal interval of zero', withLine(ALLOC, 'renewEvery: 0ms'), ['renewEvery', '10ms to 1m']],
    ['a founding store without an id', withLine(STORE, 'nodeId:'), ['nodeId', 'is required', 'join: true']],
    ['join that is neither true nor false', withLine(STORE, 'join: 1'), ['join', 'true or false', '1']],
    ['a joiner with an id of the file', withLine(JOINER, 'nodeId: 4'), ['nodeId', 'draws its own', '4']],
    [
      'a joiner that does not say where clients reach it',
      withLine(JOINER, 'advertise:')
        .replace('advertise:\n', '')
        .replace(/\nadvertise:$/, ''),
      ['advertise', 'join: true'],
    ],
    [
      'a joiner that does not say where stores reach it',
      withLine(JOINER, 'peerAdvertise:').replace(/\npeerAdvertise:$/, ''),
      ['peerAdvertise', 'join: true'],
    ],
    ['a joiner with nobody to ask', withLine(JOINER, 'members: []'), ['members', '1 to 16', '0']],
    ['a file that is not YAML', 'role: [', ['is not YAML']],
    ['a role that holds itself', 'role: &a [*a]', ['role', 'an object']],
    ['an alias of nothing', `${ALLOC}\nzone: *nowhere`, ['is not YAML', 'Unresolved alias']],
    ['a tag that nobody knows', `${ALLOC}\nzone: !!rack r1`, ['is not YAML', 'Unresolved tag']],
    ['a key twice', `${ALLOC}\nname: c`, ['is not YAML', 'unique']],
  ];
  for (const [what, text, words] of rows) {
    it(`refuses ${what}, naming file, line, key, value and rule`, () => {
      const message = refusalOf(text);
      for (const word of ['x.yaml', ...words]) expect(message).to.include(word);
    });
  }

  it('tells of all mistakes at once', () => {
    expect(refusalOf(withLine(withLine(ALLOC, 'listen: 1'), 'renewEvery: 1')).split('\n')).to.have.length(2);
  });

  it('names a file that is not there', () => {
    expect(() => loadConfig('/nowhere/x.yaml')).to.throw(SeqError, "'/nowhere/x.yaml' cannot be read");
  });
});
