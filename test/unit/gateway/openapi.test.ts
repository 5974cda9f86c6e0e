import { expect } from 'chai';
import { systemClock as clock } from '../../../src/base/clock.js';
import { ERRORS, SeqError } from '../../../src/base/errors.js';
import { SeqClient } from '../../../src/client/client.js';
import { MemorySeqServer } from '../../../src/client/testing.js';
import { HttpGateway } from '../../../src/gateway/gateway.js';
import { HTTP_STATUS } from '../../../src/gateway/http-error.js';
import { ALL_ROUTES, OPENAPI } from '../../../src/gateway/openapi.js';
import { ROUTES } from '../../../src/gateway/routes.js';
import { ref, SCHEMAS } from '../../../src/gateway/schemas.js';
import { ask, type Reply } from './http.js';
import { faultsOf, resolve } from './json-schema.js';

describe('the description of the HTTP gateway', () => {
  let memory: MemorySeqServer;
  let client: SeqClient;
  let gateway: HttpGateway;

  beforeEach(async () => {
    memory = await MemorySeqServer.start();
    client = SeqClient.lazy({ endpoints: [memory.address] });
    gateway = await HttpGateway.start({
      address: '127.0.0.1:0',
      clock,
      observe: () => undefined,
      onBug: (error) => {
        throw error;
      },
    });
    gateway.serve({ client, table: () => memory.table });
  });
  afterEach(async () => {
    await gateway.stop();
    await client.close();
    await memory.close();
  });

  it('is answered as it is', async () => {
    const { status, json } = await ask(gateway.address, { path: '/openapi.json' });
    expect([status, json]).to.deep.equal([200, JSON.parse(JSON.stringify(OPENAPI))]);
  });

  it('has every route once, each with a name of its own, every value of its path, and schemas that are there', () => {
    const names = ALL_ROUTES.map(({ name }) => name);
    expect(new Set(names).size).to.equal(names.length);
    const described = Object.entries(OPENAPI.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`));
    expect(described).to.have.members(ALL_ROUTES.map(({ method, path }) => `${method.toLowerCase()} ${path}`));
    for (const { path, pathFields } of ALL_ROUTES) {
      expect(
        [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
        path,
      ).to.have.members(Object.keys(pathFields));
    }
    const refs = [...JSON.stringify(OPENAPI).matchAll(/"\$ref":"(#\/components\/schemas\/\w+)"/g)];
    expect(refs.length).to.be.greaterThan(10);
    for (const [, name] of refs) resolve(name!, SCHEMAS);
  });

  it('has examples that are true: each is asked for, in their order, and answered as they say', async () => {
    expect(ROUTES.length).to.be.greaterThan(3);
    for (const { method, path, isCall, answers, example } of ROUTES) {
      const asked = path.replaceAll(/\{(\w+)\}/g, (_whole, key: string) => example!.path[key] ?? '');
      const { status, json } = await ask(gateway.address, { method, path: asked, ...(example!.body === undefined ? {} : { body: example!.body }) });
      expect(status, path).to.equal(200);
      expect(faultsOf(json, ref(answers), SCHEMAS), path).to.deep.equal([]);
      expect(faultsOf(example!.answer, ref(answers), SCHEMAS), path).to.deep.equal([]);
      // What says something of the cluster differs from cluster to cluster.
      if (isCall) expect(json).to.deep.equal(example!.answer);
    }
  });

  it('says of bodies what is taken: whatever its schema refuses is refused', async () => {
    const values = [
      0,
      1,
      1_000_000,
      1_000_001,
      -1,
      1.5,
      true,
      null,
      {},
      [],
      '0',
      '1',
      '01',
      '-1',
      '-0',
      '',
      'x',
      ['1'],
      ['01'],
      [1],
      ['1', null],
      many(1_000),
      many(1_001),
    ];
    let refusedCount = 0;
    for (const { method, path, bodyFields } of ROUTES) {
      for (const [key, field] of Object.entries(bodyFields ?? {})) {
        for (const value of values) {
          const body = { ...(bodyFields?.['uids'] === undefined ? {} : { uids: ['1'] }), [key]: value };
          const { status, json } = await ask(gateway.address, { method, path: `${path.replace('{uid}', '1')}?timeout=20ms`, body });
          const isRefused = status === 400 && json.error?.['code'] === 'INVALID_ARGUMENT';
          expect(isRefused, `${path} ${key} ${JSON.stringify(value).slice(0, 40)}`).to.equal(faultsOf(value, field.schema, SCHEMAS).length > 0);
          refusedCount += Number(isRefused);
        }
      }
    }
    expect(refusedCount).to.be.greaterThan(80);
  });

  it('refuses a request without what it must have', async () => {
    const { status, json } = await ask(gateway.address, { method: 'POST', path: '/v1/uids:nextMany', body: {} });
    expect([status, json.error?.['message']]).to.deep.equal([400, 'uids must be an array, got undefined']);
  });

  it('has the shape of every error', async () => {
    const check = ({ json }: Reply): void => {
      expect(faultsOf(json, ref('ErrorAnswer'), SCHEMAS)).to.deep.equal([]);
    };
    check(await ask(gateway.address, { path: '/nowhere' }));
    check(await ask(gateway.address, { path: '/v1/uids/x' }));
    for (const code of Object.keys(ERRORS) as (keyof typeof ERRORS)[]) {
      const fail = (): Promise<never> => Promise.reject(new SeqError(code, 'no', { retryAfterMs: 5 }));
      gateway.serve({ client: { nextRange: fail, nextMany: fail, current: fail }, table: () => undefined });
      const reply = await ask(gateway.address, { path: '/v1/uids/1' });
      expect(reply.status, code).to.equal(HTTP_STATUS[code]);
      check(reply);
    }
  });

  it('tells which status comes with which code', () => {
    const { description } = OPENAPI.components.responses.Error;
    expect(description).to.include('- 429 `RESOURCE_EXHAUSTED`').and.to.include('- 409 `OUT_OF_RANGE`').and.not.include('NOT_OWNER');
  });

  describe('in particular', () => {
    it('lets each uid of a nextMany fail alone', async () => {
      memory.setLastSeq(7, 2n ** 63n - 1n);
      const { status, json } = await ask(gateway.address, { method: 'POST', path: '/v1/uids:nextMany', body: { uids: ['7', '8', '4294967296'] } });
      expect(status).to.equal(200);
      expect(faultsOf(json, ref('SequenceList'), SCHEMAS)).to.deep.equal([]);
      const items = json['items'] as { readonly uid: string; readonly seq?: string; readonly error?: { readonly code: string } }[];
      expect(items.map(({ uid, seq, error }) => [uid, seq ?? error?.code])).to.deep.equal([
        ['7', 'OUT_OF_RANGE'],
        ['8', '1'],
        ['4294967296', 'INVALID_ARGUMENT'],
      ]);
    });

    it('names the place of a uid that is none', async () => {
      const { json } = await ask(gateway.address, { method: 'POST', path: '/v1/uids:nextMany', body: { uids: ['1', 'x'] } });
      expect(json.error?.['message']).to.include('uids[1] must be a decimal number').and.to.include("'x'");
      expect(memory.callCounts.nextMany).to.equal(0);
    });

    it('tells of routes in pages', async () => {
      const { table } = memory;
      const [run] = table.runs;
      memory.setTable({ ...table, runs: [1, 2, run!.sectionCount - 3].map((sectionCount) => ({ ...run!, sectionCount })) });
      const page = async (query: string): Promise<readonly unknown[]> => {
        const { json } = await ask(gateway.address, { path: `/v1/routes?${query}` });
        expect(faultsOf(json, ref('RoutingTable'), SCHEMAS)).to.deep.equal([]);
        return [(json['routes'] as { firstSection: number }[]).map(({ firstSection }) => firstSection), json['nextSection']];
      };
      expect(await page('limit=2')).to.deep.equal([[0, 1], 3]);
      expect(await page('limit=2&fromSection=3')).to.deep.equal([[3], undefined]);
      for (const [query, rule] of [
        ['limit=0', 'limit must be a whole number in [1, 1000]'],
        ['limit=1001', 'limit must be'],
        ['fromSection=-1', 'fromSection must be'],
        ['timeout=1s', "unknown key 'timeout'"],
      ] as const) {
        const { status, json } = await ask(gateway.address, { path: `/v1/routes?${query}` });
        expect(status, query).to.equal(400);
        expect(json.error?.['message']).to.include(rule);
      }
    });

    it('tells of no routes before there is a table', async () => {
      gateway.serve({ client, table: () => undefined });
      expect((await ask(gateway.address, { path: '/v1/routes' })).status).to.equal(503);
    });
  });
});

function many(count: number): string[] {
  return Array.from({ length: count }, (_, at) => String(at));
}
