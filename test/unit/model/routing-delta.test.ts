import { expect } from 'chai';
import type { AllocId, Epoch } from '../../../src/model/ids.js';
import type { RoutingTable, SectionRun } from '../../../src/model/routing.js';
import { diffTables, patchTable, TableHistory } from '../../../src/model/routing-delta.js';
import { deltaFromWire, deltaToWire } from '../../../src/rpc/codec.js';
import { RoutingDelta } from '../../../src/rpc/gen/seqsvr/v1/common.js';
import { SeededRandom } from '../seeded-random.js';

const SECTIONS = 40;

function tableOf(random: SeededRandom, value: number): RoutingTable {
  const ids = ['a', 'b', 'c', 'd', 'e', 'f'].filter(() => random.chance(0.7));
  const runs: SectionRun[] = [];
  for (let left = SECTIONS; left > 0; ) {
    const sectionCount = Math.min(left, 1 + random.below(7));
    const alloc = ids.length === 0 || random.chance(0.2) ? undefined : random.below(ids.length);
    const epoch = random.below(4) as Epoch;
    left -= sectionCount;
    const last = runs.at(-1);
    if (last !== undefined && last.alloc === alloc && last.epoch === epoch)
      runs[runs.length - 1] = { ...last, sectionCount: last.sectionCount + sectionCount };
    else runs.push({ sectionCount, alloc, epoch });
  }
  return {
    version: { generation: 5, value },
    geometry: { firstUid: 0n, lastUid: BigInt(SECTIONS * 10 - 1), uidsPerSection: 10 },
    allocs: ids.map((id) => ({ id: id as AllocId, address: `${id}:${random.below(2)}`, zone: '' })),
    stores: [{ id: 1, name: 's', address: `s:${random.below(2)}` }],
    runs,
  };
}

describe('model/routing-delta', () => {
  it('makes of the older table exactly the newer one, over the wire too, whatever they are', () => {
    for (let seed = 0; seed < 2_000; seed += 1) {
      const random = new SeededRandom(seed);
      const [older, newer] = [tableOf(random, 1), tableOf(random, 2 + random.below(5))];
      const delta = diffTables(older, newer)!;
      const bytes = RoutingDelta.encode(deltaToWire(delta)).finish();
      const came = deltaFromWire(RoutingDelta.decode(bytes));
      expect(came).to.deep.equal(delta);
      expect(patchTable(older, came), `seed ${seed}`).to.deep.equal(newer);
    }
  });

  it('is taken by the very table that it is based on, and by no other', () => {
    const random = new SeededRandom(1);
    const [one, two, three] = [tableOf(random, 1), tableOf(random, 2), tableOf(random, 3)];
    expect(patchTable(one, diffTables(two, three)!)).to.equal(undefined);
    expect(patchTable({ ...two, version: one.version }, diffTables(two, three)!), 'though everything in it would fit').to.equal(undefined);
    expect(diffTables(three, two), 'never backwards').to.equal(undefined);
    expect(diffTables(one, { ...two, version: { generation: 6, value: 1 } }), 'not into another generation').to.equal(undefined);
  });

  it('that does not fit is refused as a whole: an owner that is not there, sections past the end', () => {
    const random = new SeededRandom(2);
    const [one, two] = [tableOf(random, 1), tableOf(random, 2)];
    const delta = diffTables(one, two)!;
    const run = { firstSection: 0 as never, sectionCount: 1, epoch: 1 as Epoch };
    expect(patchTable(one, { ...delta, runs: [{ ...run, alloc: 99 }] })).to.equal(undefined);
    expect(patchTable(one, { ...delta, runs: [{ ...run, alloc: undefined, sectionCount: SECTIONS + 1 }] })).to.equal(undefined);
    expect(patchTable(one, { ...delta, runs: [{ ...run, alloc: undefined, firstSection: SECTIONS as never }] })).to.equal(undefined);
  });

  it('is made once for each table that callers have, from those that are still known', () => {
    const random = new SeededRandom(3);
    const history = new TableHistory();
    const tables = Array.from({ length: 40 }, (_, at) => {
      const table = tableOf(random, at + 1);
      // Two sections change: the whole table would be longer.
      return {
        ...table,
        allocs: [],
        runs: [
          { sectionCount: at + 1, alloc: undefined, epoch: 1 as Epoch },
          ...Array.from({ length: SECTIONS - at - 1 }, (_1, n) => ({ sectionCount: 1, alloc: undefined, epoch: (2 + at + n) as Epoch })),
        ],
      };
    });
    for (const table of tables.slice(0, 35)) history.add(table);
    history.add(tables[3]!);
    const delta = history.deltaFrom(tables[33]!.version);
    expect(delta?.version).to.deep.equal(tables[34]!.version);
    expect(history.deltaFrom(tables[33]!.version)).to.equal(delta);
    expect(history.deltaFrom(tables[34]!.version), 'the newest has it').to.equal(undefined);
    expect(history.deltaFrom(tables[1]!.version), 'too old').to.equal(undefined);
  });
});
