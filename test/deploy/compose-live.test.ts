import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { clusterIn, portOf } from './configs.js';
import { Machines, missingForMachines } from './machines.js';

const FOLDER = 'deploy/compose/config';
const READY_LIMIT_MS = 60_000;

describe('the configuration files of the compose file, on six machines that are namespaces', function () {
  this.timeout(150_000);
  const cluster = clusterIn(FOLDER);
  const nodes = [...cluster.stores, ...cluster.allocs];
  let machines: Machines;

  before(async function () {
    const missing = missingForMachines();
    if (missing !== undefined) {
      console.log(`      without ${missing} there are no namespaces, so this is not checked`);
      this.skip();
    }
    machines = new Machines(nodes.map(([name]) => name));
    for (const [name] of nodes) machines.start(name, `${FOLDER}/${name}.yaml`);
    for (const [name, { adminListen }] of nodes) await untilReady(`http://${machines.addressOf(name)}:${portOf(adminListen!)}/readyz`);
  });
  after(() => machines?.close());

  it('make a healthy cluster that hands out numbers, over gRPC and over HTTP', async () => {
    const status: unknown = JSON.parse(machines.seqctl('alloc-1', 'alloc-2:7092', 'cluster', 'status', '-o', 'json'));
    expect(status).to.include({ health: 'healthy' });
    expect(machines.seqctl('alloc-1', 'alloc-1:7091', 'seq', 'next', '42').trim()).to.equal('1');
    const { httpListen } = cluster.allocs.get('alloc-1')!;
    const answer = await fetch(`http://${machines.addressOf('alloc-1')}:${portOf(httpListen!)}/v1/uids/42:next`, { method: 'POST' });
    expect(await answer.json()).to.include({ seq: '2' });
  });

  it('let another store lead before the one that leads is stopped', () => {
    const leader = (): string => JSON.parse(machines.seqctl('store-1', 'store-1:7071', 'leader', 'show', '-o', 'json')).name;
    const before = leader();
    machines.run(before, ['deploy/hand-over.mjs', '--config', `${FOLDER}/${before}.yaml`]);
    expect(leader()).not.to.equal(before);
  });
});

async function untilReady(url: string): Promise<void> {
  for (const endMs = Date.now() + READY_LIMIT_MS; ; await delay(200)) {
    const answer = await fetch(url, { headers: { connection: 'close' } }).catch((error: unknown) => error);
    if (answer instanceof Response && answer.ok) return;
    if (Date.now() > endMs) throw new Error(`${url}: ${answer instanceof Response ? await answer.text() : String(answer)}`);
  }
}
