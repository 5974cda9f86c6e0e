import { request } from 'node:http';
import { connect } from 'node:net';
import { expect } from 'chai';
import { systemClock as clock } from '../../../src/base/clock.js';
import { SeqError } from '../../../src/base/errors.js';
import { AdminServer, type AdminServerOptions } from '../../../src/ops/admin-server.js';

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

describe('AdminServer', () => {
  const running: AdminServer[] = [];
  let bugs: unknown[];
  let failing: string[];

  const start = async (change: Partial<AdminServerOptions> = {}): Promise<AdminServer> => {
    const checks = ['lease', 'table'].map((name) => ({ name, isPassed: () => !failing.includes(name) }));
    const metrics = {
      contentType: 'text/plain; version=0.0.4',
      render: () => Promise.resolve('x 1\n'),
    };
    const server = await AdminServer.start({ address: '127.0.0.1:0', metrics, checks, onBug: (error) => bugs.push(error), ...change });
    running.push(server);
    return server;
  };

  beforeEach(() => {
    bugs = [];
    failing = [];
  });
  afterEach(async () => {
    for (const server of running.splice(0)) await server.close();
  });

  it('shows the metrics under their own content type', async () => {
    const { status, headers, text } = await ask(await start(), '/metrics');
    expect([status, headers['content-type'], text]).to.deep.equal([200, 'text/plain; version=0.0.4', 'x 1\n']);
  });

  it('is alive whatever its checks say, and ready when all of them pass', async () => {
    const server = await start();
    expect(await ask(server, '/readyz')).to.include({ status: 200, text: 'ok\n' });
    failing = ['table'];
    expect(await ask(server, '/livez')).to.include({ status: 200, text: 'ok\n' });
    expect(await ask(server, '/readyz')).to.include({ status: 503, text: 'not ready: table\n' });
  });

  it('shows each check to whoever asks for more', async () => {
    failing = ['lease'];
    const { text } = await ask(await start(), '/readyz?verbose');
    expect(text).to.equal('[-] lease failed\n[+] table ok\nnot ready: lease\n');
  });

  it('answers HEAD without a body, other methods with 405 and other paths with 404', async () => {
    const server = await start();
    expect(await ask(server, '/metrics', 'HEAD')).to.include({ status: 200, text: '' });
    const refused = await ask(server, '/livez', 'POST');
    expect([refused.status, refused.headers['allow']]).to.deep.equal([405, 'GET, HEAD']);
    for (const path of ['/', '/metricsx', '//', '/%zz']) expect((await ask(server, path)).status, path).to.equal(404);
  });

  it('does not keep a connection whose body it did not read', async () => {
    const { status, headers } = await ask(await start(), '/livez', 'POST', 'x'.repeat(10));
    expect([status, headers['connection']]).to.deep.equal([405, 'close']);
  });

  it('makes one page for those who ask together, and another for who asks later', async () => {
    let pageCount = 0;
    const metrics = {
      contentType: 'text/plain',
      // A page that takes a turn, so that the second question meets the first one's page.
      render: () => new Promise<string>((resolve) => clock.defer(() => resolve(`page ${++pageCount}\n`))),
    };
    const server = await start({ metrics });
    // Both come in one packet, hence in one turn.
    const question = 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n';
    const socket = connect(placeOf(server), () => socket.write(`${question}${question}`));
    let text = '';
    await new Promise<void>((resolve) =>
      socket.on('data', (chunk) => {
        text += String(chunk);
        if (text.split('page ').length > 2) resolve();
      }),
    );
    socket.destroy();
    expect(text.match(/page \d/g)).to.deep.equal(['page 1', 'page 1']);
    expect((await ask(server, '/metrics')).text).to.equal('page 2\n');
  });

  it('answers 500 when a page or a check fails, and tells the process', async () => {
    const bug = new Error('the secret');
    const metrics = { contentType: 'text/plain', render: () => Promise.reject(bug) };
    const isPassed = (): boolean => {
      throw bug;
    };
    const server = await start({ metrics, checks: [{ name: 'x', isPassed }] });
    const { status, text } = await ask(server, '/metrics');
    expect([status, text.includes('the secret')]).to.deep.equal([500, false]);
    expect((await ask(server, '/readyz')).status).to.equal(500);
    expect(bugs).to.deep.equal([bug, bug]);
  });

  it('says which port is in use, and which address is not of this machine', async () => {
    const { address } = await start();
    const port = address.slice(address.lastIndexOf(':') + 1);
    await expectRefusal(start({ address }), `cannot listen on ${address}: port ${port} is in use by another process`);
    await expectRefusal(start({ address: '203.0.113.1:0' }), 'cannot listen on 203.0.113.1:0');
  });

  it('frees its port and cuts idle connections when it is closed', async () => {
    const server = await start();
    const { host, port } = placeOf(server);
    const idle = connect({ host, port });
    await new Promise<void>((resolve) => idle.once('connect', () => resolve()));
    const isCut = new Promise<void>((resolve) => idle.once('close', () => resolve()));
    idle.on('error', () => undefined);
    await ask(server, '/livez');
    await running.pop()?.close();
    await isCut;
    await start({ address: server.address });
  });
});

function placeOf({ address }: AdminServer): { readonly host: string; readonly port: number } {
  const [host = '', port] = address.split(':');
  return { host, port: Number(port) };
}

function ask(server: AdminServer, path: string, method = 'GET', body = ''): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...placeOf(server), path, method, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    asked.once('error', reject);
    asked.end(body);
  });
}

async function expectRefusal(starting: Promise<unknown>, why: string): Promise<void> {
  const error = await starting.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(SeqError.is(error, 'INVALID_ARGUMENT'), String(error)).to.equal(true);
  expect((error as SeqError).message).to.include(why);
}
