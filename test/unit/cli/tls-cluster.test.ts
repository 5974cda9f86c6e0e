import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock as clock } from '../../../src/base/clock.js';
import { systemRandom as random } from '../../../src/base/random.js';
import { type KeyedCertificate, makeCa, makeLeaf } from '../../../src/cli/certificate.js';
import { type AllocConfig, parseConfig, type StoreConfig } from '../../../src/cli/config.js';
import { wireOf } from '../../../src/cli/dial.js';
import { inspectCluster } from '../../../src/cli/inspect.js';
import type { ProcessContext, Running } from '../../../src/cli/process.js';
import { serveAlloc } from '../../../src/cli/serve-alloc.js';
import { serveStore } from '../../../src/cli/serve-store.js';
import { SeqClient } from '../../../src/client/client.js';
import type { Log } from '../../../src/ops/log.js';
import type { Role } from '../../../src/rpc/access.js';
import { ChannelPool } from '../../../src/rpc/channel-pool.js';
import { AdminServiceService } from '../../../src/rpc/gen/seqsvr/v1/admin.js';
import { peerMethods } from '../../../src/rpc/peer-frame.js';
import { freePorts } from '../../jepsen/ports.js';
import { errorOf } from '../rpc/fixture.js';

const validity = { fromMs: Date.now() - 60_000, toMs: Date.now() + 30 * 86_400_000 };
const roots = { callers: makeCa({ name: 'callers', validity, random }), peers: makeCa({ name: 'peers', validity, random }) };
const leaf = (role: Role, name: string, ca: KeyedCertificate = roots.callers): KeyedCertificate =>
  makeLeaf({ ca, principal: { role, name }, hosts: ['127.0.0.1'], isServer: role === 'store' || role === 'alloc', validity, random });

/** All ports of a cluster behind TLS, with roots of their own between the stores. */
describe('a cluster with TLS', function () {
  this.timeout(30_000);
  let folder: string;
  const running: Running[] = [];
  let stores: readonly number[];
  let peers: readonly number[];
  let adminPort = 0;
  let allocAddress = '';

  const context: ProcessContext = {
    clock,
    random,
    log: { write: () => undefined, component: () => context.log } satisfies Log,
    fail: (error) => {
      throw error;
    },
  };

  /** Writes a certificate's files; the lines of a config that name them. */
  async function files(name: string, own: KeyedCertificate, ca: KeyedCertificate, indent: string): Promise<string> {
    const path = (kind: string): string => join(folder, `${name}.${kind}`);
    await Promise.all([writeFile(path('ca'), ca.cert), writeFile(path('crt'), own.cert), writeFile(path('key'), own.key)]);
    return `${indent}ca: ${path('ca')}\n${indent}cert: ${path('crt')}\n${indent}key: ${path('key')}\n`;
  }

  async function store(id: number): Promise<StoreConfig> {
    const members = [1, 2, 3].map(
      (each) => `  - {id: ${each}, name: s${each}, peerAddress: '127.0.0.1:${peers[each - 1]}', address: '127.0.0.1:${stores[each - 1]}'}`,
    );
    const lines = [
      `role: store\nname: s${id}\ncluster: '${'c'.repeat(32)}'\nnodeId: ${id}\ndataDir: ${join(folder, `s${id}`)}`,
      `listen: '127.0.0.1:${stores[id - 1]}'\npeerListen: '127.0.0.1:${peers[id - 1]}'\nmembers:\n${members.join('\n')}`,
      `geometry: {firstUid: 0, lastUid: 99, uidsPerSection: 10}\nlease: 3s\nelection: 100ms\nheartbeat: 20ms`,
      `tls:\n${await files(`s${id}`, leaf('store', `s${id}`), roots.callers, '  ')}  peer:\n${await files(`p${id}`, leaf('store', `s${id}`, roots.peers), roots.peers, '    ')}`,
    ];
    return parseConfig(lines.join('\n'), 'store.yaml') as StoreConfig;
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'seqsvr-tls-'));
    const ports = await freePorts(8);
    [stores, peers] = [ports.slice(0, 3), ports.slice(3, 6)];
    adminPort = ports[6] ?? 0;
    const text = `role: alloc\nname: a1\nlisten: '127.0.0.1:${ports[7]}'\nstores: ['127.0.0.1:${stores[0]}']\nadminListen: '127.0.0.1:${adminPort}'\n`;
    const configs = await Promise.all([1, 2, 3].map((id) => store(id)));
    running.push(...(await Promise.all(configs.map((config) => serveStore(config, context)))));
    const alloc = parseConfig(`${text}tls:\n${await files('a1', leaf('alloc', 'a1'), roots.callers, '  ')}`, 'alloc.yaml') as AllocConfig;
    running.unshift(await serveAlloc(alloc, context));
    allocAddress = running[0]?.address ?? '';
    await files('admin', leaf('admin', 'carol'), roots.callers, '');
  });
  after(async () => {
    for (const node of running) await node.stop();
    await rm(folder, { recursive: true });
  });

  const connect = (own: KeyedCertificate | undefined): SeqClient =>
    SeqClient.lazy({ endpoints: [`127.0.0.1:${stores[1]}`], tls: { ca: roots.callers.cert, ...own }, timeoutMs: 15_000 });

  async function refusal(own: KeyedCertificate | undefined, port: number, peer = false): Promise<string> {
    const path = (kind: string): string => join(folder, `x.${kind}`);
    await writeFile(path('ca'), roots.callers.cert + roots.peers.cert);
    if (own !== undefined) await Promise.all([writeFile(path('crt'), own.cert), writeFile(path('key'), own.key)]);
    const tls = { ca: path('ca'), cert: own && path('crt'), key: own && path('key'), tokenFile: undefined };
    const pool = new ChannelPool({ clock, wire: wireOf({ tls }) });
    try {
      const channel = pool.to(`127.0.0.1:${port}`);
      if (!peer) return (await errorOf(channel.call(AdminServiceService.transferLeader, { name: '' }, { timeoutMs: 3_000 }))).code;
      const stream = channel.duplexStream(peerMethods.deliver);
      return await new Promise((resolve) => {
        stream.on('error', (error) => resolve(channel.errorOf(error as Parameters<typeof channel.errorOf>[0]).code));
        stream.on('data', () => resolve('answered'));
      });
    } finally {
      pool.close();
    }
  }

  it('founds itself over its peer ports and hands out numbers to who has a certificate', async () => {
    await using client = connect(leaf('client', 'alice'));
    expect(await client.next(42n)).to.equal(1n);
    expect(await client.next(42n)).to.equal(2n);
  });

  it('is seen whole by an operator', async () => {
    const tls = { ca: join(folder, 'admin.ca'), cert: join(folder, 'admin.crt'), key: join(folder, 'admin.key'), tokenFile: undefined };
    const pool = new ChannelPool({ clock, wire: wireOf({ tls }) });
    const { answers } = await inspectCluster([allocAddress], { pool, clock, timeoutMs: 5_000 });
    pool.close();
    expect(answers.map(({ status }) => status?.name)).to.have.members(['a1', 's1', 's2', 's3']);
  });

  it('lets no client operate it, and nobody in without a certificate', async () => {
    expect(await refusal(leaf('client', 'alice'), stores[0] ?? 0)).to.equal('PERMISSION_DENIED');
    expect(await refusal(undefined, stores[0] ?? 0)).to.equal('UNAVAILABLE');
  });

  it('lets nobody at a peer port but a store of the peers’ own root, an admin of the callers’ root included', async () => {
    const port = peers[0] ?? 0;
    expect(await refusal(leaf('admin', 'carol'), port, true)).to.equal('UNAVAILABLE');
    expect(await refusal(leaf('store', 's2'), port, true)).to.equal('UNAVAILABLE');
    expect(await refusal(leaf('alloc', 'a1', roots.peers), port, true)).to.equal('PERMISSION_DENIED');
  });

  it('answers probes without a certificate on its admin port, and metrics to who operates or watches it', async () => {
    const get = (path: string, own?: KeyedCertificate): Promise<number> =>
      new Promise((resolve, reject) => {
        const { agent, ...options } = { ca: roots.callers.cert, ...own, agent: false as const };
        request({ host: '127.0.0.1', port: adminPort, path, agent, ...options }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        })
          .on('error', reject)
          .end();
      });
    expect(await get('/livez')).to.equal(200);
    expect(await get('/readyz')).to.equal(200);
    expect(await get('/metrics')).to.equal(401);
    expect(await get('/metrics', leaf('client', 'alice'))).to.equal(403);
    expect(await get('/metrics', leaf('monitor', 'scraper'))).to.equal(200);
    expect(await get('/metrics', leaf('admin', 'carol'))).to.equal(200);
    expect(await get('/livez', leaf('admin', 'x', makeCa({ name: 'callers', validity, random }))).catch((error: unknown) => String(error))).to.match(
      /ECONNRESET|socket hang up/,
    );
  });
});
