import { bench, group, summary } from 'mitata';
import { toEpoch, toSectionId } from '../../../src/model/ids.js';
import { RoutingIndex, type RoutingTable } from '../../../src/model/routing.js';
import { SeededRandom } from '../../unit/seeded-random.js';
import { sink } from './sink.js';

const SECTIONS = 42_950;
const RUNS = 1_024;
const LOOKUPS = 1_000;
const UIDS_PER_SECTION = 100_000;

/** The owner of a section in a table of many runs; the baseline searches the same runs by halving. */
export function routing(): void {
  const index = new RoutingIndex(tableOf());
  const ends = index.table.runs.reduce<number[]>((all, run) => [...all, (all.at(-1) ?? 0) + run.sectionCount], []);
  const random = new SeededRandom(1);
  const sections = Array.from({ length: LOOKUPS }, () => toSectionId(random.below(SECTIONS)));
  group(`${LOOKUPS} lookups among ${SECTIONS} sections in ${RUNS} runs`, () => {
    summary(() => {
      bench('binary search', () => {
        for (const section of sections) sink(index.table.runs[runAt(ends, section)]);
      }).baseline(true);
      bench('RoutingIndex', () => {
        for (const section of sections) sink(index.ownerOf(section));
      });
    });
  });
}

function tableOf(): RoutingTable {
  const alloc = (id: number) => ({ id: `a${id}` as RoutingTable['allocs'][number]['id'], address: `127.0.0.1:${7000 + id}`, zone: '' });
  const each = Math.floor(SECTIONS / RUNS);
  const runs = Array.from({ length: RUNS }, (_, run) => ({
    sectionCount: run === RUNS - 1 ? SECTIONS - each * (RUNS - 1) : each,
    alloc: run % 10,
    epoch: toEpoch(1 + run),
  }));
  return {
    version: { generation: 1, value: 1 },
    geometry: { firstUid: 0n, lastUid: BigInt(SECTIONS * UIDS_PER_SECTION - 1), uidsPerSection: UIDS_PER_SECTION },
    allocs: Array.from({ length: 10 }, (_, id) => alloc(id)),
    stores: [],
    runs,
  };
}

function runAt(ends: readonly number[], section: number): number {
  let low = 0;
  let high = ends.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ends[middle] ?? 0) > section) high = middle;
    else low = middle + 1;
  }
  return low;
}
