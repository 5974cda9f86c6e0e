import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import { connect, type ConnectionOptions } from 'node:tls';
import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.js';
import { systemRandom as random } from '../../../src/base/random.js';
import { type KeyedCertificate, makeCa, makeLeaf } from '../../../src/cli/certificate.js';
import type { Principal } from '../../../src/rpc/access.js';
import type { AuditEvent } from '../../../src/rpc/audit.js';
import { Authenticator } from '../../../src/rpc/authenticator.js';
import { GrpcChannel } from '../../../src/rpc/channel.js';
import { AdminServiceService } from '../../../src/rpc/gen/seqsvr/v1/admin.js';
import { RouteServiceService } from '../../../src/rpc/gen/seqsvr/v1/seq.js';
import { FAULTS_MAX } from '../../../src/rpc/fault-ledger.js';
import { GrpcServer, Handlers } from '../../../src/rpc/server.js';
import { TlsIdentity } from '../../../src/rpc/tls-identity.js';
import { errorOf } from './fixture.js';

const DAY_MS = 86_400_000;
const nowMs = Date.now();
const today = { fromMs: nowMs - DAY_MS, toMs: nowMs + DAY_MS };
const TOKEN = 'seqsvr-token-of-bob';

const ca = makeCa({ name: 'root', validity: today, random });
const strangers = makeCa({ name: 'root', validity: today, random });
const leaf = (
  principal: Principal,
  options: { by?: KeyedCertificate; hosts?: readonly string[]; validity?: typeof today; isServer?: boolean } = {},
) => {
  const { by = ca, hosts = ['127.0.0.1', 'localhost'], validity = today, isServer = true } = options;
  return makeLeaf({ ca: by, principal, hosts, validity, isServer, random });
};
const alloc = leaf({ role: 'alloc', name: 'a1' });
const client = leaf({ role: 'client', name: 'alice' }, { isServer: false });

describe('a gRPC port with TLS', () => {
  const toEnd: (() => unknown)[] = [];
  let refused: string[] = [];
  let trail: AuditEvent[] = [];
  let identity: TlsIdentity;

  beforeEach(() => {
    refused = [];
    trail = [];
  });
  afterEach(async () => {
    for (const end of toEnd.splice(0).reverse()) await end();
  });

  async function serve({ own = alloc, isCertificateRequired = true } = {}): Promise<GrpcServer> {
    identity = new TlsIdentity({ ca: ca.cert, ...own });
    const handlers = new Handlers({ clock: systemClock, onBug: (error) => expect.fail(String(error)) });
    const authenticator = new Authenticator((token) => (token === TOKEN ? { role: 'client', name: 'bob' } : undefined));
    const server = await GrpcServer.start({
      address: '127.0.0.1:0',
      clock: systemClock,
      audit: (event) => trail.push(event),
      security: { identity, authenticator, isCertificateRequired, onRefused: (why) => refused.push(why) },
      services: [
        { definition: RouteServiceService, implementation: { getRoute: handlers.unary(() => ({})) } },
        { definition: AdminServiceService, implementation: { transferLeader: handlers.unary(() => ({})) } },
      ],
    });
    toEnd.push(() => server.cut());
    return server;
  }

  function dial(address: string, own: KeyedCertificate | undefined, options: { readonly roots?: string; readonly token?: string } = {}): GrpcChannel {
    const material = { ca: options.roots ?? ca.cert, ...own };
    const channel = new GrpcChannel({ address, clock: systemClock, security: { identity: new TlsIdentity(material), token: options.token } });
    toEnd.push(() => channel.close());
    return channel;
  }

  const route = (channel: GrpcChannel) => channel.call(RouteServiceService.getRoute, { setsVersion: 0n }, { timeoutMs: 2_000 });
  const transfer = (channel: GrpcChannel) => channel.call(AdminServiceService.transferLeader, { name: '' }, { timeoutMs: 2_000 });

  it('answers who has a certificate of the root, by address and by name', async () => {
    const { address } = await serve();
    await route(dial(address, client));
    await route(dial(address.replace('127.0.0.1', 'localhost'), client));
    expect(refused).to.deep.equal([]);
  });

  it('denies a role what it may not do, and says so for certain', async () => {
    const server = await serve();
    const error = await errorOf(transfer(dial(server.address, client)));
    expect([error.code, error.definite]).to.deep.equal(['PERMISSION_DENIED', true]);
    expect(error.message).to.contain("client 'alice' may not call /seqsvr.v1.AdminService/TransferLeader");
    expect(server.figures.calls.deniedCount).to.equal(1);
    await transfer(dial(server.address, leaf({ role: 'admin', name: 'carol' })));
  });

  for (const [why, bad, word] of [
    ['has expired', leaf({ role: 'client', name: 'x' }, { validity: { fromMs: nowMs - 2 * DAY_MS, toMs: nowMs - 1_000 } }), 'CERT_HAS_EXPIRED'],
    [
      'does not count yet',
      leaf({ role: 'client', name: 'x' }, { validity: { fromMs: nowMs + DAY_MS, toMs: nowMs + 2 * DAY_MS } }),
      'CERT_NOT_YET_VALID',
    ],
    ['is of another root of the same name', leaf({ role: 'admin', name: 'x' }, { by: strangers }), /UNABLE_TO|SIGNATURE/],
    ['is none', undefined, 'NO_CERTIFICATE'],
  ] as const) {
    it(`cuts a caller whose certificate ${why}`, async () => {
      const { address } = await serve();
      const error = await errorOf(route(dial(address, bad)));
      expect(error.code).to.equal('UNAVAILABLE');
      expect(refused[0]).to.match(new RegExp(word));
    });
  }

  it('cuts a certificate that is not good also where none is needed', async () => {
    const { address } = await serve({ isCertificateRequired: false });
    const bad = leaf({ role: 'client', name: 'x' }, { by: strangers });
    expect((await errorOf(route(dial(address, bad, { token: TOKEN })))).code).to.equal('UNAVAILABLE');
  });

  it('knows a caller without a certificate by a token, and nobody else', async () => {
    const { address } = await serve({ isCertificateRequired: false });
    await route(dial(address, undefined, { token: TOKEN }));
    expect((await errorOf(transfer(dial(address, undefined, { token: TOKEN })))).code).to.equal('PERMISSION_DENIED');
    for (const token of ['seqsvr-token-of-bo', undefined]) {
      expect((await errorOf(route(dial(address, undefined, token === undefined ? {} : { token })))).code).to.equal('UNAUTHENTICATED');
    }
  });

  it('does not know who has a good certificate without a role', async () => {
    const { address } = await serve();
    const nobody = leaf({ role: 'root' as 'admin', name: 'x' });
    expect((await errorOf(route(dial(address, nobody)))).code).to.equal('UNAUTHENTICATED');
  });

  for (const [why, own] of [
    ['has expired', leaf({ role: 'alloc', name: 'a1' }, { validity: { fromMs: nowMs - 2 * DAY_MS, toMs: nowMs - 1_000 } })],
    ['is of another root', leaf({ role: 'alloc', name: 'a1' }, { by: strangers })],
    ['is for another host', leaf({ role: 'alloc', name: 'a1' }, { hosts: ['127.0.0.2', 'other.example'] })],
    ['is one of a client', leaf({ role: 'client', name: 'alice' }, { isServer: false })],
  ] as const) {
    it(`is not believed by a caller when its certificate ${why}`, async () => {
      const { address } = await serve({ own });
      expect((await errorOf(route(dial(address, client)))).code).to.equal('UNAVAILABLE');
    });
  }

  it('speaks TLS 1.2 and 1.3, nothing older, and HTTP/2 only', async () => {
    const { address } = await serve();
    const handshake = async (options: ConnectionOptions): Promise<string | null> => {
      const socket = connect({ port: Number(address.split(':')[1]), host: '127.0.0.1', ca: ca.cert, ...client, ALPNProtocols: ['h2'], ...options });
      toEnd.push(() => socket.destroy());
      await once(socket, 'secureConnect');
      return socket.getProtocol();
    };
    expect(await handshake({})).to.equal('TLSv1.3');
    expect(await handshake({ maxVersion: 'TLSv1.2' })).to.equal('TLSv1.2');
    // Security level 0, for OpenSSL itself would not speak it otherwise, and the server were not asked.
    const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    expect(await handshake(old).catch((error: unknown) => String(error))).to.match(/alert protocol version|ECONNRESET/i);
    expect(await handshake({ ALPNProtocols: ['http/1.1'] }).catch((error: unknown) => String(error))).to.match(/no application protocol|ECONNRESET/i);
  });

  it('cuts who speaks plain HTTP/2', async () => {
    const server = await serve();
    const socket = connectPlain(Number(server.address.split(':')[1]), '127.0.0.1').on('error', () => undefined);
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    await once(socket.resume(), 'close');
    expect(server.figures.connections.strangerCount).to.equal(1);
  });

  it('shows a certificate that was replaced to connections that begin later, and believes the new roots', async () => {
    const { address } = await serve();
    const before = dial(address, client);
    await route(before);
    const newRoot = makeCa({ name: 'new root', validity: today, random });
    const newClient = leaf({ role: 'client', name: 'alice' }, { by: newRoot, isServer: false });
    identity.replace({ ca: newRoot.cert, ...leaf({ role: 'alloc', name: 'a1' }, { by: newRoot }) });
    await route(before);
    await route(dial(address, newClient, { roots: newRoot.cert }));
    expect((await errorOf(route(dial(address, client)))).code).to.equal('UNAVAILABLE');
    expect((await errorOf(route(dial(address, client, { roots: newRoot.cert })))).code).to.equal('UNAVAILABLE');
  });

  it('forgets a connection once it is closed, whichever side closed it, so that others have its place', async () => {
    const server = await serve();
    const good = dial(server.address, client);
    await route(good);
    expect(server.figures.connections.openCount).to.equal(1);
    good.close();
    await errorOf(route(dial(server.address, undefined)));
    while (server.figures.connections.openCount > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  it('does not hold it against a connection that its caller asks for what they may not do', async () => {
    const { address } = await serve();
    const channel = dial(address, client);
    for (let asked = 0; asked < FAULTS_MAX + 10; asked++) expect((await errorOf(transfer(channel))).code).to.equal('PERMISSION_DENIED');
    await route(channel);
  });

  it('tells the audit trail of every change: who, from where, what, and what came of it, denied ones included', async () => {
    const { address } = await serve({ isCertificateRequired: false });
    const ask = (channel: GrpcChannel, name: string) => channel.call(AdminServiceService.transferLeader, { name }, { timeoutMs: 2_000 });
    await ask(dial(address, leaf({ role: 'admin', name: 'carol' })), 's2');
    await errorOf(ask(dial(address, client), 's3'));
    await errorOf(ask(dial(address, undefined), 's4'));
    await route(dial(address, client));
    expect(trail.map(({ who, role, method, outcome }) => [who, role, method, outcome])).to.deep.equal([
      ['carol', 'admin', '/seqsvr.v1.AdminService/TransferLeader', 'OK'],
      ['alice', 'client', '/seqsvr.v1.AdminService/TransferLeader', 'PERMISSION_DENIED'],
      ['unknown', '', '/seqsvr.v1.AdminService/TransferLeader', 'UNAUTHENTICATED'],
    ]);
    expect(trail[0]?.arguments).to.equal('{"name":"s2"}');
    expect(trail[0]?.from).to.match(/^127\.0\.0\.1:\d+$/);
    expect(trail[1]?.details).to.contain("client 'alice' may not call");
  });

  it('keeps what it has when the new certificate is none', async () => {
    const { address } = await serve();
    expect(() => identity.replace({ ca: ca.cert, cert: alloc.cert, key: client.key })).to.throw('must be PEM and belong together');
    expect(() => identity.replace({ ca: 'x', ...alloc })).to.throw('the roots hold no certificate');
    await route(dial(address, client));
  });

  it('is dialled anew with a certificate that a caller has replaced, while old calls end where they began', async () => {
    const { address } = await serve();
    const own = new TlsIdentity({ ca: ca.cert, ...client });
    const channel = new GrpcChannel({ address, clock: systemClock, security: { identity: own } });
    toEnd.push(() => channel.close());
    expect((await errorOf(transfer(channel))).code).to.equal('PERMISSION_DENIED');
    own.replace({ ca: ca.cert, ...leaf({ role: 'admin', name: 'carol' }) });
    await transfer(channel);
  });
});
