import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { type AllocConfig, parseConfig, type StoreConfig } from '../../../src/cli/config.js';
import { checkPort, checkStores, configOf, layOut, newRecord, parseRecord, portSlotsOf } from '../../../src/cli/dev-layout.js';

const CLUSTER_ID = 'f'.repeat(32);
const RECORD = newRecord({ clusterId: CLUSTER_ID, stores: 3 });

describe('dev layout', () => {
  it('names every process, stores first', () => {
    expect(layOut({ stores: 3, allocs: 2 }).map(({ name }) => name)).to.deep.equal(['store-1', 'store-2', 'store-3', 'alloc-1', 'alloc-2']);
  });

  it('offers each listener its remembered port, then the usual one, then others, and any at last', () => {
    const slots = portSlotsOf(layOut({ stores: 1, allocs: 1 }), { ports: { 'store-1': 9000 }, basePort: 7070 });
    expect(slots.map(({ listener, candidates }) => [listener, ...candidates.slice(0, 3), candidates.at(-1)])).to.deep.equal([
      ['store-1', 9000, 7071, 7170, 0],
      ['store-1-peer', 7081, 7170, 7171, 0],
      ['alloc-1', 7091, 7170, 7171, 0],
      ['alloc-1-http', 7111, 7170, 7171, 0],
      ['http', 7080, 7170, 7171, 0],
    ]);
  });

  it('gives no two listeners the same usual port, at the largest sizes', () => {
    const usual = portSlotsOf(layOut({ stores: 5, allocs: 16 }), { ports: {}, basePort: 7070 }).map(({ candidates }) => candidates[0]);
    expect(new Set(usual).size).to.equal(5 + 5 + 16 + 16 + 1);
    expect(usual).not.to.include(7070);
  });

  it('stays below the ports that a kernel gives to outgoing connections', () => {
    const [slot] = portSlotsOf(layOut({ stores: 1, allocs: 1 }), { ports: {}, basePort: 32_760 });
    expect(slot?.candidates).to.deep.equal([32_761, 0]);
  });

  it('writes configs that a node accepts, with one list of members for all stores', () => {
    const nodes = layOut({ stores: 3, allocs: 1 });
    const ports = Object.fromEntries(
      portSlotsOf(nodes, { ports: {}, basePort: 7070 }).map(({ listener, candidates }) => [listener, candidates[0] ?? 0]),
    );
    const configs = nodes.map((node) => parseConfig(configOf(node, { record: RECORD, nodes, ports, dataDir: `/data/${node.name}` }), node.name));
    const stores = configs.slice(0, 3) as StoreConfig[];
    expect(stores.map(({ nodeId, dataDir, cluster }) => [nodeId, dataDir, cluster])).to.deep.equal([
      [1, '/data/store-1', CLUSTER_ID],
      [2, '/data/store-2', CLUSTER_ID],
      [3, '/data/store-3', CLUSTER_ID],
    ]);
    for (const { members, geometry } of stores) {
      expect(members).to.deep.equal(stores[0]?.members);
      expect(geometry).to.deep.equal({ firstUid: 0n, lastUid: 4294967295n, uidsPerSection: 100_000 });
    }
    const alloc = configs[3] as AllocConfig;
    expect(alloc.stores).to.deep.equal(stores.map(({ listen }) => listen));
    expect([alloc.listen, alloc.httpListen]).to.deep.equal(['127.0.0.1:7091', '127.0.0.1:7111']);
  });

  it('reads back what it remembers', () => {
    expect(parseRecord(JSON.stringify(RECORD), 'cluster.json')).to.deep.equal(RECORD);
  });

  for (const damaged of ['', '{', 'null', '[]', '{"version":2}', '{"version":1,"clusterId":"x"}']) {
    it(`refuses a cluster.json of ${JSON.stringify(damaged)}`, () => {
      expect(() => parseRecord(damaged, '/d/cluster.json')).to.throw(SeqError, '/d/cluster.json');
    });
  }

  it('keeps the number of stores that the data was made with, and says so', () => {
    expect(() => checkStores(RECORD, 5)).to.throw(SeqError, 'made with --stores 3 and keeps them');
    expect(() => checkStores(RECORD, 3)).not.to.throw();
    expect(() => checkStores(RECORD, undefined)).not.to.throw();
  });

  for (const stores of [0, 2, 7, 1.5, Number.NaN]) {
    it(`refuses ${stores} stores`, () => expect(() => newRecord({ clusterId: CLUSTER_ID, stores })).to.throw(SeqError, `1, 3 or 5, got ${stores}`));
  }
  for (const port of [-1, 65_536, 1.5, Number.NaN]) {
    it(`refuses port ${port}`, () => expect(() => checkPort(port)).to.throw(SeqError, `--port must be a whole number in [0, 65535], got ${port}`));
  }
  for (const allocs of [0, -1, 17, 2.5, Number.NaN]) {
    it(`refuses ${allocs} AllocSvrs`, () => expect(() => layOut({ stores: 3, allocs })).to.throw(SeqError, `[1, 16], got ${allocs}`));
  }
});
