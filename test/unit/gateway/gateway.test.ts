import { expect } from 'chai';
import { systemClock as clock } from '../../../src/base/clock.js';
import { SeqError } from '../../../src/base/errors.js';
import { SeqClient } from '../../../src/client/client.js';
import { MemorySeqServer } from '../../../src/client/testing.js';
import { type GatewayEvent, HttpGateway, type GatewayOptions } from '../../../src/gateway/gateway.js';
import { ask, Line, type Question, type Reply } from './http.js';

const JSON_TYPE = { 'content-type': 'application/json' };

describe('HttpGateway', () => {
  let memory: MemorySeqServer;
  let client: SeqClient;
  let gateway: HttpGateway;
  let bugs: unknown[];
  let events: GatewayEvent[];
  const others: HttpGateway[] = [];

  const start = async (change: Partial<GatewayOptions> = {}): Promise<HttpGateway> => {
    const server = await HttpGateway.start({
      address: '127.0.0.1:0',
      clock,
      observe: (event) => events.push(event),
      onBug: (error) => bugs.push(error),
      ...change,
    });
    server.serve({ client, table: () => memory.table });
    others.push(server);
    return server;
  };
  const post = (path: string, body?: Question['body'], headers?: Question['headers']): Promise<Reply> =>
    ask(gateway.address, { method: 'POST', path, ...(body === undefined ? {} : { body }), ...(headers === undefined ? {} : { headers }) });
  const get = (path: string, headers: Question['headers'] = {}): Promise<Reply> => ask(gateway.address, { path, headers });

  beforeEach(async () => {
    bugs = [];
    events = [];
    memory = await MemorySeqServer.start({ lastUid: 2n ** 40n });
    client = SeqClient.lazy({ endpoints: [memory.address] });
    gateway = await start();
  });
  afterEach(async () => {
    for (const server of others.splice(0)) await server.stop();
    await client.close();
    await memory.close();
    expect(bugs).to.deep.equal([]);
  });

  it('hands out the next number, whose digits are text', async () => {
    memory.setLastSeq(42, 2n ** 62n);
    const { status, headers, json } = await post('/v1/uids/42:next');
    expect([status, json]).to.deep.equal([200, { uid: '42', seq: '4611686018427387905', first: '4611686018427387905', last: '4611686018427387905' }]);
    expect(headers).to.include({
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    expect(headers).to.not.have.property('access-control-allow-origin');
  });

  it('hands out a run of neighbouring numbers, above the floor that the caller has stored', async () => {
    expect((await post('/v1/uids/7:next', { count: 5 })).json).to.deep.equal({ uid: '7', seq: '5', first: '1', last: '5' });
    expect((await post('/v1/uids/7:next', { floor: '5', strict: false })).json).to.include({ seq: '6' });
    const above = await post('/v1/uids/7:next?timeout=50ms', { floor: '9' });
    expect(above.status).to.be.oneOf([503, 504]);
    expect(above.json.error).to.include({ retryable: true });
  });

  it('shows the last number handed out, and hands none out', async () => {
    await post('/v1/uids/7:next', { count: 3 });
    expect((await get('/v1/uids/7')).json).to.deep.equal({ uid: '7', seq: '3', exact: true });
    expect((await get('/v1/uids/7?floor=3&strict=true&timeout=2s')).json).to.deep.equal({ uid: '7', seq: '3', exact: true });
    expect(memory.lastSeqOf(7)).to.equal(3n);
  });

  it('takes a path whose colon is encoded, as some clients send it', async () => {
    expect((await post('/v1/uids/7%3Anext')).json).to.include({ seq: '1' });
  });

  const wrong: readonly [string, Question, number, readonly string[]][] = [
    ['a uid that is no number', { path: '/v1/uids/x:next', method: 'POST' }, 400, ['uid', 'decimal', "'x'"]],
    ['a uid without digits', { path: '/v1/uids/:next', method: 'POST' }, 400, ['uid', "''"]],
    ['a negative uid', { path: '/v1/uids/-1' }, 400, ['uid must be in [0, 18446744073709551615]', '-1']],
    ['a uid of 2^64', { path: '/v1/uids/18446744073709551616' }, 400, ['uid must be in [0, 18446744073709551615]', '18446744073709551616']],
    ['a uid outside the cluster', { path: '/v1/uids/1099511627777' }, 400, ['1099511627777']],
    ['count 0', next({ count: 0 }), 400, ['count must be a whole number in [1, 1000000], got 0']],
    ['count 2^32', next({ count: 2 ** 32 }), 400, ['[1, 1000000]', '4294967296']],
    ['a count that is a fraction', next({ count: 1.5 }), 400, ['count', '1.5']],
    ['a count that is text', next({ count: '5' }), 400, ['count', "'5'"]],
    ['a floor that is a bare number', next({ floor: 5 }), 400, ['floor must be a decimal number as text', '5']],
    ['a negative floor', next({ floor: '-1' }), 400, ['floor must be in [0, 9223372036854775807]', '-1']],
    ['a floor of 2^63', next({ floor: '9223372036854775808' }), 400, ['9223372036854775807', '9223372036854775808']],
    ['strict that is neither true nor false', next({ strict: 1 }), 400, ['strict must be true or false, got 1']],
    ['strict of a query that is neither', { path: '/v1/uids/1?strict=1' }, 400, ["strict must be true or false, got '1'"]],
    ['an unknown key', next({ cuont: 5 }), 400, ["the body has an unknown key 'cuont'", 'count, floor, strict']],
    ['a key of every object', next('{"__proto__":{"count":5}}', JSON_TYPE), 400, ["unknown key '__proto__'"]],
    ['an unknown parameter', { path: '/v1/uids/1?flor=5' }, 400, ["the query has an unknown key 'flor'", 'floor, strict']],
    ['a parameter of every object', { path: '/v1/uids/1?__proto__=5' }, 400, ["unknown key '__proto__'"]],
    ['a parameter twice', { path: '/v1/uids/1?floor=5&floor=6' }, 400, ["'floor' twice"]],
    ['a body that is no JSON', next('{', JSON_TYPE), 400, ['is not JSON']],
    ['a body that is no UTF-8', next(Buffer.of(0x22, 0xff, 0x22), JSON_TYPE), 400, ['is not JSON']],
    ['a body that is an array', next('[]', JSON_TYPE), 400, ['must be a JSON object, got an array']],
    ['a body that is null', next('null', JSON_TYPE), 400, ['must be a JSON object, got null']],
    ['a body without a type', next('{"count":5}'), 415, ['application/json', 'none']],
    ['a form', next('{"count":5}', { 'content-type': 'application/x-www-form-urlencoded' }), 415, ['application/json', 'x-www-form-urlencoded']],
    ['another charset', next('{}', { 'content-type': 'application/json; charset=latin1' }), 415, ['latin1']],
    ['a compressed body', next('{}', { ...JSON_TYPE, 'content-encoding': 'gzip' }), 415, ['gzip']],
    ['a body that is too long', next(`{"floor":"${'1'.repeat(70_000)}"}`, JSON_TYPE), 413, ['at most 65536 bytes']],
    [
      'a body that does not say how long it is',
      next('x'.repeat(70_000), { ...JSON_TYPE, 'transfer-encoding': 'chunked' }),
      413,
      ['at most 65536 bytes'],
    ],
    ['a body where none is taken', { path: '/v1/uids/1', body: '{}', headers: { 'content-length': '2' } }, 400, ['GET /v1/uids/{uid} takes no body']],
    ['a wait without a unit', { path: '/v1/uids/1?timeout=500' }, 400, ['timeout must be 1ms to 30s', "'500'"]],
    ['a wait of nothing', { path: '/v1/uids/1?timeout=0s' }, 400, ['1ms to 30s', "'0s'"]],
    ['a wait that is too long', { path: '/v1/uids/1', headers: { 'seqsvr-timeout': '31s' } }, 400, ['1ms to 30s', "'31s'"]],
    ['a wait that is said twice', { path: '/v1/uids/1?timeout=1s', headers: { 'seqsvr-timeout': '1s' } }, 400, ['not with both']],
    ['another path', { path: '/v2/uids/1' }, 404, ["there is no '/v2/uids/1'", '/v1/uids/{uid}:next']],
    ['a path that goes up', { path: '/v1/uids/../uids/1' }, 404, ['there is no']],
    ['an encoded path', { path: '/v1/uids/%31' }, 400, ["'%31'"]],
    ['a whole address as path', { path: 'http://other/v1/uids/1' }, 404, ['there is no']],
    ['another method', { path: '/v1/uids/1:next' }, 405, ['takes POST', 'GET']],
    ['a method of WebDAV', { path: '/v1/uids/1', method: 'PROPFIND' }, 405, ['takes GET', 'PROPFIND']],
    ['a question of a browser before it asks', { path: '/v1/uids/1:next', method: 'OPTIONS' }, 405, ['takes POST']],
    ['a page of a browser', { path: '/v1/uids/1:next', method: 'POST', headers: { origin: 'http://evil.example' } }, 403, ['browser', 'evil']],
    ['a page that only reads', { path: '/v1/uids/1', headers: { 'sec-fetch-site': 'cross-site' } }, 403, ['browser', 'cross-site']],
    ['a name that was made to point here', { path: '/v1/uids/1', headers: { host: 'evil.example:80' } }, 403, ['localhost', 'evil.example']],
  ];
  for (const [what, question, status, words] of wrong) {
    it(`refuses ${what} with ${status}, naming value and rule`, async () => {
      const reply = await ask(gateway.address, question);
      expect(reply.status, reply.text).to.equal(status);
      expect(reply.json.error).to.include({ code: status === 403 ? 'PERMISSION_DENIED' : 'INVALID_ARGUMENT', retryable: false, definite: true });
      for (const word of words) expect(reply.json.error?.['message']).to.include(word);
      expect(memory.callCounts.next).to.equal(0);
    });
  }

  it('names the allowed methods where another was used', async () => {
    expect((await get('/v1/uids/1:next')).headers['allow']).to.equal('POST');
  });

  it('serves by the names of this machine on loopback', async () => {
    for (const host of ['localhost', 'localhost:80', '127.0.0.1:1', '[::1]', '[::1]:80']) {
      expect((await get('/v1/uids/1', { host })).status, host).to.equal(200);
    }
  });

  it('says what the cluster says, with its status', async () => {
    memory.setLastSeq(9, 2n ** 63n - 1n);
    const end = await post('/v1/uids/9:next');
    expect([end.status, end.json.error?.['code']]).to.deep.equal([409, 'OUT_OF_RANGE']);
    memory.inject({ method: 'next', fault: { type: 'error', code: 'PERMISSION_DENIED' } });
    expect((await post('/v1/uids/1:next')).status).to.equal(403);
    memory.inject({ method: 'next', fault: { type: 'error', code: 'RESOURCE_EXHAUSTED', retryAfterMs: 60_000 } });
    const busy = await post('/v1/uids/1:next?timeout=20ms');
    expect(busy.status).to.be.oneOf([429, 504]);
  });

  it('waits no longer than its caller does, and says that a number may be lost', async () => {
    memory.inject({ method: 'next', fault: { type: 'delay', delayMs: 60_000 } });
    const { status, json } = await post('/v1/uids/1:next', '', { 'seqsvr-timeout': '30ms' });
    expect(status).to.equal(504);
    expect(json.error).to.include({ code: 'TIMEOUT', definite: false, retryable: true });
  });

  it('answers UNAVAILABLE until its node serves', async () => {
    const early = await HttpGateway.start({ address: '127.0.0.1:0', clock, observe: () => undefined, onBug: () => undefined });
    others.push(early);
    const { status, headers, json } = await ask(early.address, { path: '/v1/uids/1' });
    expect([status, headers['retry-after'], json.error?.['code'], json.error?.['definite']]).to.deep.equal([503, '1', 'UNAVAILABLE', true]);
    early.serve({ client, table: () => memory.table });
    expect((await ask(early.address, { path: '/v1/uids/1' })).status).to.equal(200);
  });

  it('tells of each answer', async () => {
    await post('/v1/uids/1:next');
    await get('/nowhere');
    expect(events.map(({ status }) => status)).to.deep.equal([200, 404]);
    expect(events.every(({ tookMs }) => tookMs >= 0)).to.equal(true);
  });

  it('answers 500 to a bug, tells the process, and shows nothing of it', async () => {
    const bug = new Error('the secret');
    const fail = (): Promise<never> => Promise.reject(bug);
    gateway.serve({ client: { nextRange: fail, nextMany: fail, current: fail }, table: () => undefined });
    const { status, text } = await get('/v1/uids/1');
    expect([status, text.includes('secret')]).to.deep.equal([500, false]);
    expect(bugs.splice(0)).to.deep.equal([bug]);
  });

  it('says which port is in use', async () => {
    const error = await start({ address: gateway.address }).catch((reason: unknown) => reason);
    expect(SeqError.is(error, 'INVALID_ARGUMENT'), String(error)).to.equal(true);
    expect(String(error)).to.include('is in use by another process');
  });

  describe('against abuse', () => {
    const NEXT = 'POST /v1/uids/1:next HTTP/1.1\r\nhost: localhost\r\n';

    it('cuts who does not say a word, who trickles headers, and who trickles a body, each with 408', async () => {
      const slow = await start({ limits: { headersMaxMs: 40, requestMaxMs: 60, lateCheckEveryMs: 10 } });
      const lines = ['', 'POST /v1/uids/1:next HTTP/1.1\r\nx: ', `${NEXT}content-type: application/json\r\ncontent-length: 20\r\n\r\n{`].map(
        (says) => new Line(slow.address, says),
      );
      for (const line of lines) await line.isOver;
      for (const { heard } of lines) expect(heard).to.include('HTTP/1.1 408').and.to.include('"code":"TIMEOUT"');
      expect(slow.figures).to.include({ openCount: 0, lateCount: 3 });
      expect(memory.callCounts.next).to.equal(0);
    });

    it('cuts idle connections', async () => {
      const brief = await start({ limits: { keepAliveMs: 20 } });
      const line = new Line(brief.address, `${NEXT}\r\n`);
      await line.isOver;
      expect(line.heard).to.include('HTTP/1.1 200');
    });

    it('cuts who does not read', async () => {
      const minute = 60_000;
      const others = { headersMaxMs: minute, requestMaxMs: minute, inFlightOfOneMax: minute, beginsPerTurnMax: minute };
      const { address, figures } = await start({ limits: { ...others, lateCheckEveryMs: 5, lateChecksMax: 2 } });
      const line = new Line(address);
      line.socket.pause();
      // Answers that no buffer of the system holds all of.
      const question = `GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n`;
      const push = (): void => {
        while (!line.socket.destroyed && line.socket.write(question.repeat(16)));
      };
      line.socket.on('drain', push);
      push();
      while (figures.unreadCount === 0) await turn();
      line.socket.destroy();
      expect(figures).to.include({ unreadCount: 1, lateCount: 0 });
    });

    it('asks for a body only where it will take it', async () => {
      const head = (lengthBytes: number): string =>
        `${NEXT}content-type: application/json\r\nexpect: 100-continue\r\ncontent-length: ${lengthBytes}\r\n\r\n`;
      const long = new Line(gateway.address, head(70_000));
      await long.isOver;
      expect(long.heard).to.match(/^HTTP\/1\.1 413/);
      const fine = new Line(gateway.address, head(2));
      await fine.answers();
      expect(fine.heard).to.equal('HTTP/1.1 100 Continue\r\n\r\n');
      fine.socket.write('{}');
      await fine.answers(2);
      expect(fine.heard).to.include('HTTP/1.1 200');
      fine.socket.destroy();
    });

    it('refuses headers that are too long, and what is no HTTP', async () => {
      const long = new Line(gateway.address, `${NEXT}x: ${'y'.repeat(9_000)}\r\n\r\n`);
      await long.isOver;
      expect(long.heard).to.include('HTTP/1.1 431').and.to.include('at most 8192 bytes');
      const strange = new Line(gateway.address, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
      await strange.isOver;
      expect(strange.heard).to.include('HTTP/1.1 400').and.to.include('INVALID_ARGUMENT');
      expect(gateway.figures.brokenCount).to.equal(2);
    });

    it('refuses a request whose length is said in two ways: it could hide another (smuggling)', async () => {
      const line = new Line(gateway.address, `${NEXT}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${NEXT}\r\n`);
      await line.isOver;
      expect(line.heard).to.include('HTTP/1.1 400');
      expect(memory.callCounts.next).to.equal(0);
    });

    it('takes as many connections as it has room for, in all and of one address, and others again when some have gone', async () => {
      for (const limits of [{ connectionsMax: 2 }, { connectionsOfOneMax: 2 }]) {
        const small = await start({ limits });
        const two = [0, 1].map(() => new Line(small.address, `${NEXT}\r\n`));
        for (const line of two) await line.answers();
        const third = new Line(small.address, `${NEXT}\r\n`);
        await third.answers();
        expect(third.heard).to.equal('');
        expect(small.figures).to.include({ openCount: 2, refusedCount: 1 });
        two[0]?.socket.destroy();
        await two[0]?.isOver;
        // The gateway hears of it a little later.
        let again = new Line(small.address, `${NEXT}\r\n`);
        for (let tries = 0; tries < 100; tries += 1) {
          await again.answers();
          if (again.heard !== '') break;
          await turn();
          again = new Line(small.address, `${NEXT}\r\n`);
        }
        expect(again.heard).to.include('HTTP/1.1 200');
        for (const line of [...two, again]) line.socket.destroy();
      }
    });

    it('refuses requests beyond those in flight', async () => {
      const small = await start({ limits: { inFlightMax: 2 } });
      memory.inject({ method: 'next', fault: { type: 'delay', delayMs: 100 }, times: 2 });
      const line = new Line(small.address, `${NEXT}\r\n`.repeat(3));
      await line.answers(3);
      expect(line.heard.match(/HTTP\/1\.1 \d+/g)).to.deep.equal(['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 429']);
      expect(line.heard).to.include('retry-after: 1').and.to.include('"retryAfterMs":100');
      expect((await ask(small.address, { path: '/v1/uids/1' })).status).to.equal(200);
    });

    it('cuts a connection whose requests run too far ahead of their answers, and serves none of what came behind', async () => {
      let nowMs = 0;
      const small = await start({ limits: { inFlightOfOneMax: 2, coolingMs: 1_000 }, clock: { ...clock, nowMs: () => nowMs } });
      const bystander = new Line(small.address, 'GET /v1/uids/1 HTTP/1.1\r\nhost: localhost\r\n\r\n');
      await bystander.answers();
      memory.inject({ method: 'next', fault: { type: 'delay', delayMs: 60_000 }, times: 2 });
      const fine = new Line(small.address, `${NEXT}\r\n`.repeat(2));
      while (memory.callCounts.next < 2) await turn();
      fine.socket.write(`${NEXT}\r\n`.repeat(500));
      await fine.isOver;
      expect(fine.heard).to.equal('');
      expect(memory.callCounts.next).to.equal(2);
      // Another of its address is not taken for a while; those that are there stay.
      const again = new Line(small.address, `${NEXT}\r\n`);
      await again.answers();
      expect(again.heard).to.equal('');
      expect(small.figures.refusedCount).to.equal(2);
      bystander.socket.write('GET /v1/uids/1 HTTP/1.1\r\nhost: localhost\r\n\r\n');
      await bystander.answers(2);
      bystander.socket.destroy();
      nowMs = 1_000;
      const later = new Line(small.address, `${NEXT}\r\n`);
      await later.answers();
      expect(later.heard).to.include('HTTP/1.1 200');
      later.socket.destroy();
    });

    it('refuses bodies beyond those in flight, by what they say of their length, and takes others again when those are over', async () => {
      const small = await start({ limits: { bodyBytesInFlightMax: 100 } });
      memory.inject({ method: 'next', fault: { type: 'delay', delayMs: 60_000 } });
      const json = `${NEXT}content-type: application/json\r\n`;
      const first = new Line(small.address, `${json}content-length: 90\r\n\r\n${'{}'.padEnd(90)}`);
      while (memory.callCounts.next === 0) await turn();
      for (const body of ['content-length: 11\r\n\r\n{"count":1}', 'transfer-encoding: chunked\r\n\r\n']) {
        const second = new Line(small.address, `${json}${body}`);
        await second.isOver;
        expect(second.heard).to.include('HTTP/1.1 429');
      }
      const without = new Line(small.address, `${NEXT}\r\n`);
      await without.answers();
      expect(without.heard).to.include('HTTP/1.1 200');
      without.socket.destroy();
      first.socket.destroy();
      while (small.figures.openCount > 0) await turn();
      const again = new Line(small.address, `${json}content-length: 90\r\n\r\n${'{}'.padEnd(90)}`);
      await again.answers();
      expect(again.heard).to.include('HTTP/1.1 200');
      again.socket.destroy();
    });

    it('ends the call of who has gone away, whose place is free again', async () => {
      const small = await start({ limits: { inFlightMax: 1 } });
      memory.inject({ method: 'next', fault: { type: 'delay', delayMs: 60_000 } });
      const line = new Line(small.address, `${NEXT}\r\n`);
      while (memory.callCounts.next === 0) await turn();
      line.socket.destroy();
      while (client.status().inFlightCount > 0) await turn();
      expect((await ask(small.address, { path: '/v1/uids/1' })).status).to.equal(200);
      expect(events.map(({ status }) => status)).to.deep.equal([499, 200]);
    });
  });

  describe('when it stops', () => {
    it('answers the requests under way, as the last of their connections, and takes no other', async () => {
      memory.inject({ method: 'next', fault: { type: 'delay', delayMs: 50 } });
      const underWay = new Line(gateway.address, 'POST /v1/uids/1:next HTTP/1.1\r\nhost: localhost\r\n\r\n');
      while (memory.callCounts.next === 0) await turn();
      const idle = new Line(gateway.address, 'GET /v1/uids/1 HTTP/1.1\r\nhost: localhost\r\n\r\n');
      await idle.answers();
      const stopped = gateway.stop();
      await underWay.answers();
      expect(underWay.heard)
        .to.include('HTTP/1.1 200')
        .and.to.match(/connection: close/i);
      await underWay.isOver;
      await idle.isOver;
      await stopped;
      others.splice(0);
      const error = await get('/v1/uids/1').catch((reason: unknown) => reason);
      expect(String(error)).to.include('ECONNREFUSED');
    });

    it('cuts what takes too long', async () => {
      const impatient = await start({ limits: { drainMs: 10 } });
      memory.inject({ method: 'next', fault: { type: 'delay', delayMs: 60_000 } });
      const line = new Line(impatient.address, 'POST /v1/uids/1:next HTTP/1.1\r\nhost: localhost\r\n\r\n');
      while (memory.callCounts.next === 0) await turn();
      others.pop();
      await impatient.stop();
      await line.isOver;
      expect(line.heard).to.equal('');
    });
  });
});

function next(body: Question['body'], headers?: Question['headers']): Question {
  return { method: 'POST', path: '/v1/uids/1:next', ...(body === undefined ? {} : { body }), ...(headers === undefined ? {} : { headers }) };
}

function turn(): Promise<void> {
  return new Promise((resolve) => clock.after(1, resolve));
}
