import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock as clock } from '../../../src/base/clock.js';
import { SeqError } from '../../../src/base/errors.js';
import { systemRandom as random } from '../../../src/base/random.js';
import { withAdmin } from '../../../src/cli/admin.js';
import type { AllocConfig, StoreConfig } from '../../../src/cli/config.js';
import type { ProcessContext, Running } from '../../../src/cli/process.js';
import { serveAlloc } from '../../../src/cli/serve-alloc.js';
import { serveStore } from '../../../src/cli/serve-store.js';
import type { Log } from '../../../src/ops/log.js';
import { Metrics } from '../../../src/ops/metrics.js';
import { GrpcChannel } from '../../../src/rpc/channel.js';
import { SeqServiceService } from '../../../src/rpc/gen/seqsvr/v1/seq.js';
import { freePorts } from '../../jepsen/ports.js';
import { readPage, type Shown } from '../ops/page.js';

/** A context whose log remembers where the admin port is. */
class TestContext implements ProcessContext {
  readonly clock = clock;
  readonly random = random;
  adminAddress = '';
  gatewayAddress = '';
  readonly log: Log = {
    write: (_level, event, fields) => {
      if (event === 'adminListening') this.adminAddress = (fields as { readonly address: string }).address;
      if (event === 'gatewayListening') this.gatewayAddress = (fields as { readonly address: string }).address;
    },
    component: () => this.log,
  };
  readonly fail = (error: unknown): never => {
    throw error;
  };

  async get(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const response = await fetch(`http://${this.adminAddress}${path}`, { headers: { connection: 'close' } });
    return { status: response.status, text: await response.text() };
  }

  async metrics(): Promise<ReadonlyMap<string, Shown>> {
    return readPage((await this.get('/metrics')).text);
  }
}

describe('a node with an admin port', function () {
  this.timeout(20_000);

  describe('of its own', () => {
    const admin = (context: TestContext, start: () => Promise<Running>, address = '127.0.0.1:0'): Promise<Running> =>
      withAdmin({ address, telemetry: { metrics: new Metrics({ version: 'x', hasProcess: false }), checks: [] }, context, start });

    it('answers probes while it starts and while it stops, and is not ready from the wish to stop on', async () => {
      const context = new TestContext();
      let stopped: () => void = () => undefined;
      const stopping = new Promise<void>((resolve) => {
        stopped = resolve;
      });
      const running = await admin(context, async () => {
        expect((await context.get('/livez')).status).to.equal(200);
        return { address: 'x:1', stop: () => stopping };
      });
      expect((await context.get('/readyz')).status).to.equal(200);
      const end = running.stop();
      expect(await context.get('/readyz')).to.deep.equal({ status: 503, text: 'not ready: not stopping\n' });
      expect((await context.get('/livez')).status).to.equal(200);
      stopped();
      await end;
      expect(await isRefused(context)).to.equal(true);
    });

    it('closes it when the node cannot start', async () => {
      const context = new TestContext();
      const failure = new SeqError('INVALID_ARGUMENT', 'no');
      const error = await admin(context, () => Promise.reject(failure)).catch((caught: unknown) => caught);
      expect(error).to.equal(failure);
      expect(await isRefused(context)).to.equal(true);
    });

    it('does not start the node when the port is in use', async () => {
      const context = new TestContext();
      const first = await admin(context, () => Promise.resolve({ address: 'x:1', stop: () => Promise.resolve() }));
      const second = admin(new TestContext(), () => expect.fail('it was started'), context.adminAddress);
      const error = await second.catch((caught: unknown) => caught);
      expect(SeqError.is(error, 'INVALID_ARGUMENT'), String(error)).to.equal(true);
      expect(String(error)).to.include('is in use by another process');
      await first.stop();
    });
  });

  describe('of a store and of an AllocSvr that serve', () => {
    const [storeContext, allocContext] = [new TestContext(), new TestContext()];
    let folder: string;
    let storePeerPort: number;
    let store: Running;
    let alloc: Running;

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'seqsvr-admin-'));
      [storePeerPort = 0] = await freePorts(1);
      store = await serveStore({ ...storeConfig(join(folder, 'data')), peerListen: `127.0.0.1:${storePeerPort}` }, storeContext);
      alloc = await serveAlloc(allocConfig(store.address), allocContext);
      const channel = new GrpcChannel({ address: alloc.address, clock });
      await eventually(() =>
        channel.call(SeqServiceService.next, { uid: 5n, count: 3, floor: 0n, strict: false, routingVersion: undefined }, { timeoutMs: 2_000 }),
      );
      channel.close();
    });
    after(async () => {
      await alloc.stop();
      await store.stop();
      await rm(folder, { recursive: true });
    });

    it('is ready, check by check', async () => {
      expect((await storeContext.get('/readyz?verbose')).text).to.equal('[+] leader known ok\n[+] cluster founded ok\n[+] not stopping ok\nok\n');
      expect((await allocContext.get('/readyz?verbose')).text).to.equal(
        '[+] lease valid ok\n[+] table known ok\n[+] serving ok\n[+] not stopping ok\nok\n',
      );
    });

    it('shows what is true of a store', async () => {
      const metrics = await storeContext.metrics();
      for (const name of ['seqsvr_raft_has_leader', 'seqsvr_raft_is_leader', 'seqsvr_arbiter_active', 'seqsvr_raft_leader_changes_total']) {
        expect(sampleOf(metrics, name), name).to.equal(1);
      }
      expect(sampleOf(metrics, 'seqsvr_arbiter_sections_unassigned')).to.equal(0);
      expect(sampleOf(metrics, 'seqsvr_arbiter_moves_total', '{reason="no_owner"}')).to.equal(7);
      expect(sampleOf(metrics, 'seqsvr_raft_applied_index')).to.equal(sampleOf(metrics, 'seqsvr_raft_commit_index'));
      expect(metrics.get('seqsvr_store_fsync_duration_seconds')?.samples.get('seqsvr_store_fsync_duration_seconds_count')).to.be.greaterThan(2);
    });

    it('counts a connection that speaks something else, on whichever of its ports', async () => {
      const counted = async (): Promise<(number | undefined)[]> => {
        const pages = [await storeContext.metrics(), await allocContext.metrics()];
        return pages.map((page) => sampleOf(page, 'seqsvr_connections_refused_total', '{reason="not_http2"}'));
      };
      expect(await counted()).to.deep.equal([0, 0]);
      await speakHttp1(portOf(alloc.address));
      expect(await counted()).to.deep.equal([0, 1]);
      await speakHttp1(portOf(store.address));
      await speakHttp1(storePeerPort);
      expect(await counted()).to.deep.equal([2, 1]);
    });

    it('shows what is true of an AllocSvr', async () => {
      const metrics = await allocContext.metrics();
      expect(sampleOf(metrics, 'seqsvr_alloc_sequences_total')).to.equal(3);
      expect(sampleOf(metrics, 'seqsvr_alloc_sections_owned')).to.equal(7);
      expect(sampleOf(metrics, 'seqsvr_alloc_serving')).to.equal(1);
      expect(sampleOf(metrics, 'seqsvr_alloc_lease_remaining_seconds')).to.be.within(0.001, 3);
      expect(sampleOf(metrics, 'seqsvr_alloc_lease_renewals_total', '{result="ok"}')).to.be.greaterThan(0);
      expect(sampleOf(metrics, 'seqsvr_route_version')).to.equal(sampleOf(await storeContext.metrics(), 'seqsvr_route_version'));
    });

    it('counts what its HTTP gateway answers', async () => {
      const ask = async (path: string): Promise<unknown> => (await fetch(`http://${allocContext.gatewayAddress}${path}`)).json();
      expect(await ask('/v1/uids/5')).to.deep.equal({ uid: '5', seq: '3', exact: true });
      await ask('/v1/uids/70');
      const metrics = await allocContext.metrics();
      expect(sampleOf(metrics, 'seqsvr_http_requests_total', '{result="2xx"}')).to.equal(1);
      expect(sampleOf(metrics, 'seqsvr_http_requests_total', '{result="4xx"}')).to.equal(1);
      expect(metrics.get('seqsvr_http_request_duration_seconds')?.samples.get('seqsvr_http_request_duration_seconds_count')).to.equal(2);
      expect(sampleOf(metrics, 'seqsvr_http_connections_open')).to.be.greaterThan(0);
    });

    it('counts calls by method and status, on every port', async () => {
      const grpc = (metrics: ReadonlyMap<string, Shown>, what: string, labels: string): number => {
        const found = [...(metrics.get(`grpc_server_${what}`)?.samples ?? [])].filter(([sample]) => sample.includes(labels));
        return found.reduce((sum, [, value]) => sum + value, 0);
      };
      const [storePage, allocPage] = [await storeContext.metrics(), await allocContext.metrics()];
      expect(grpc(allocPage, 'handled_total', 'grpc_method="Next",grpc_code="OK"')).to.equal(1);
      expect(grpc(storePage, 'handled_total', 'grpc_method="Register",grpc_code="OK"')).to.equal(1);
      expect(grpc(storePage, 'started_total', 'grpc_type="server_stream",grpc_service="seqsvr.v1.StoreService",grpc_method="Watch"')).to.equal(1);
      const peerMethods = [...(storePage.get('grpc_server_started_total')?.samples.keys() ?? [])].filter((sample) => sample.includes('PeerService'));
      expect(peerMethods.length).to.be.greaterThan(0);
    });

    it('is what OPERATIONS.md says: every name, with its type and its place, and no other', async () => {
      const rows = [...readFileSync('OPERATIONS.md', 'utf8').matchAll(/^\| `((?:seqsvr|grpc)_\w+)` \| (\w+) \| (\w+) \|/gm)];
      const told = rows.flatMap(([, name, type, where]) =>
        (where === 'both' ? ['store', 'alloc'] : [where]).map((role) => `${role} ${name} ${type}`),
      );
      const shownBy = async (role: string, context: TestContext): Promise<string[]> =>
        [...(await context.metrics())].filter(([name]) => /^(seqsvr|grpc)_/.test(name)).map(([name, { type }]) => `${role} ${name} ${type}`);
      expect(told).to.have.members([...(await shownBy('store', storeContext)), ...(await shownBy('alloc', allocContext))]);
    });

    it('names what it counts by the rules: `_total` on counters only, no label for a uid, a section or an address', async () => {
      for (const context of [storeContext, allocContext]) {
        for (const [name, { type, samples }] of await context.metrics()) {
          expect(name.endsWith('_total'), name).to.equal(type === 'counter');
          if (!name.startsWith('seqsvr_')) continue;
          const labels = [...samples.keys()].flatMap((sample) => [...sample.matchAll(/(\w+)="/g)].map(([, label]) => label));
          expect(['version', 'node', 'reason', 'result', 'state', 'kind', 'le'], name).to.include.members([...new Set(labels)]);
        }
      }
    });
  });
});

function storeConfig(dataDir: string): StoreConfig {
  const local = '127.0.0.1:0';
  return {
    role: 'store',
    name: 's1',
    cluster: 'c'.repeat(32),
    join: false,
    nodeId: 1,
    dataDir,
    listen: local,
    peerListen: local,
    advertise: local,
    peerAdvertise: local,
    members: [{ id: 1, name: 's1', peerAddress: local, address: local }],
    geometry: { firstUid: 0n, lastUid: 69n, uidsPerSection: 10 },
    lease: { leaseMs: 3_000, driftPpm: 10_000, marginMs: 100 },
    raiseBy: 100n,
    keepLogEntries: 10_000,
    heartbeatMs: 20,
    electionMinMs: 60,
    electionMaxMs: 120,
    adminListen: local,
    insecure: false,
    tls: undefined,
  };
}

function allocConfig(store: string): AllocConfig {
  const local = '127.0.0.1:0';
  return {
    role: 'alloc',
    name: 'a1',
    listen: local,
    advertise: undefined,
    zone: '',
    stores: [store],
    dataDir: undefined,
    httpListen: local,
    workers: undefined,
    renewEveryMs: 100,
    raiseAheadMs: 60_000,
    strict: false,
    limits: { operationsPerSecond: 0, numbersPerSecond: 0, burstMs: 1_000 },
    adminListen: local,
    insecure: false,
    tls: undefined,
  };
}

function sampleOf(metrics: ReadonlyMap<string, Shown>, name: string, labels = ''): number | undefined {
  return metrics.get(name)?.samples.get(`${name}${labels}`);
}

function portOf(address: string): number {
  return Number(address.split(':').at(-1));
}

/** Resolves when the connection is over. */
function speakHttp1(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.end('GET / HTTP/1.1\r\n\r\n'));
    // Being cut is what is expected; whether that shows as an error depends on who is first.
    socket
      .on('error', () => undefined)
      .on('close', () => resolve())
      .resume();
  });
}

function isRefused(context: TestContext): Promise<boolean> {
  return context.get('/livez').then(
    () => false,
    () => true,
  );
}

/** Until an election is over and the arbiter has decided; the suite's timeout is its limit. */
async function eventually(attempt: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
