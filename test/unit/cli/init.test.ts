import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemRandom } from '../../../src/base/random.js';
import { CONFIG_SCHEMAS, loadConfig, parseConfig } from '../../../src/cli/config.js';
import { RefusedError } from '../../../src/cli/exit.js';
import { init } from '../../../src/cli/init.js';
import { type InitOptions, initFiles, parseNamed } from '../../../src/cli/init-files.js';

const OPTIONS: InitOptions = {
  stores: parseNamed('--peers', 'a=10.0.0.1:7071,b=10.0.0.2:7071, c=10.0.0.3:7071'),
  allocs: [],
  clusterId: '0123456789abcdef0123456789abcdef',
  dataRoot: '/var/lib/seqsvr',
  insecure: true,
};

describe('init', () => {
  it('makes a store and an AllocSvr for each machine, which agree on who is where', () => {
    const configs = initFiles(OPTIONS).map(({ name, text }) => parseConfig(text, name));
    expect(configs.map(({ role, name }) => `${role} ${name}`)).to.deep.equal([
      'store a',
      'store b',
      'store c',
      'alloc alloc-a',
      'alloc alloc-b',
      'alloc alloc-c',
    ]);
    const [first, , , alloc] = configs;
    expect(first).to.include({
      cluster: OPTIONS.clusterId,
      nodeId: 1,
      listen: '0.0.0.0:7071',
      peerListen: '0.0.0.0:7081',
      dataDir: '/var/lib/seqsvr/a',
    });
    expect(first).to.include({ advertise: '10.0.0.1:7071', peerAdvertise: '10.0.0.1:7081', insecure: true });
    expect(alloc).to.deep.include({
      listen: '0.0.0.0:7091',
      advertise: '10.0.0.1:7091',
      stores: ['10.0.0.1:7071', '10.0.0.2:7071', '10.0.0.3:7071'],
    });
  });

  it('has every key in every file, those that are not given with their defaults as comments', () => {
    for (const { role, text } of initFiles(OPTIONS)) {
      const keys = [...text.matchAll(/^(?:# )?([a-zA-Z]+):(?: |$)/gm)].map(([, key]) => key);
      expect(keys).to.include.members(Object.keys(CONFIG_SCHEMAS[role].shape));
    }
    const [store] = initFiles(OPTIONS);
    expect(store?.text).to.include('# lease: 3s').and.to.include('#   uidsPerSection: 100000');
  });

  it('listens on loopback only where the addresses are there, and needs no --insecure then', () => {
    const files = initFiles({ ...OPTIONS, stores: parseNamed('--peers', 'a=127.0.0.1:7071'), insecure: false });
    expect(parseConfig(files[0]?.text ?? '', 'a')).to.include({ listen: '127.0.0.1:7071', insecure: false });
  });

  const rows: readonly [string, Partial<InitOptions>, string][] = [
    ['two stores', { stores: parseNamed('--peers', 'a=h:1,b=h:2') }, '--peers must name 1, 3 or 5 stores, got 2'],
    ['a name twice', { stores: parseNamed('--peers', 'a=h:1,b=h:2,a=h:3') }, 'a name of its own, got a twice'],
    ['ports that meet', { stores: parseNamed('--peers', 'a=h:1,b=h:11,c=h:30') }, 'addresses of its own, got h:11 twice'],
    ['a port past the last', { stores: parseNamed('--peers', 'a=h:65530') }, 'past 65535'],
    ['open ports that nobody asked for', { insecure: false }, 'others can reach 10.0.0.1:7071'],
  ];
  for (const [what, change, words] of rows) it(`refuses ${what}`, () => expect(() => initFiles({ ...OPTIONS, ...change })).to.throw(words));

  it('refuses what is not NAME=HOST:PORT', () => {
    for (const text of ['h:1', 'a=h', 'a=h:0', 'a b=h:1', '=h:1', 'a=h:1,']) expect(() => parseNamed('--peers', text), text).to.throw();
  });

  describe('on disk', () => {
    const folder = mkdtempSync(join(tmpdir(), 'seqsvr-init-'));
    after(() => rmSync(folder, { recursive: true }));
    const to = { output: { out: () => undefined, talk: () => undefined }, random: systemRandom };
    const args = { ...OPTIONS, out: join(folder, 'nodes'), isDryRun: false, output: 'json' } as const;

    it('writes nothing on a dry run', () => {
      expect(init({ ...args, isDryRun: true }, to)).to.equal(0);
      expect(readdirSync(folder)).to.deep.equal([]);
    });

    it('writes files that a node takes, and overwrites none of them', () => {
      expect(init(args, to)).to.equal(0);
      expect(readdirSync(args.out)).to.have.length(6);
      expect(loadConfig(join(args.out, 'b.yaml'))).to.include({ name: 'b', nodeId: 2 });
      rmSync(join(args.out, 'a.yaml'));
      writeFileSync(join(args.out, 'c.yaml'), 'mine');
      expect(() => init(args, to)).to.throw(RefusedError, 'nothing was written');
      expect(readdirSync(args.out)).not.to.include('a.yaml');
      expect(readFileSync(join(args.out, 'c.yaml'), 'utf8')).to.equal('mine');
    });
  });
});
