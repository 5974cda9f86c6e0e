import { SeqError } from '../../../src/base/errors.js';
import { sectionCountOf } from '../../../src/model/geometry.js';
import { type AllocId, parseUid, toEpoch } from '../../../src/model/ids.js';
import type { RoutingTable } from '../../../src/model/routing.js';
import { diffTables } from '../../../src/model/routing-delta.js';
import { isNewer } from '../../../src/model/version.js';
import { RoutingCache } from '../../../src/client/routing-cache.js';
import { deltaFromWire, deltaToWire, tableFromWire, tableToWire } from '../../../src/rpc/codec.js';
import * as common from '../../../src/rpc/gen/seqsvr/v1/common.js';
import type { SeededRandom } from '../../unit/seeded-random.js';
import { type Frame, packFrames, unpackFrames } from '../frames.js';
import { bigints } from '../watch-replica.js';
import { Broken, mustHold, outcomeOf, type Outcome, type Target } from '../target.js';

const [TABLE, DELTA] = [0, 1];
const GEOMETRY = { firstUid: 100n, lastUid: 1_099n, uidsPerSection: 50 };

/** Whole tables and changes, in the order in which replies bring them. */
export const routing: Target = {
  name: 'routing',
  about: 'routing tables and deltas that replies carry, kept by the client (rpc/codec.ts, model/routing-delta.ts, client/routing-cache.ts)',
  shape: { parts: 'frames', payload: 'proto' },
  generate(random) {
    let table = tableOf(random, 1);
    const frames: Frame[] = [{ kind: TABLE, payload: bytesOf(table) }];
    for (let value = 2; value < 2 + random.below(6); value += 1) {
      const next = changed(table, value, random);
      const delta = diffTables(table, next);
      if (delta !== undefined && random.chance(0.8)) frames.push({ kind: DELTA, payload: common.RoutingDelta.encode(deltaToWire(delta)).finish() });
      else frames.push({ kind: TABLE, payload: bytesOf(next) });
      table = next;
    }
    return packFrames(frames);
  },
  feed(input) {
    const cache = new RoutingCache();
    return unpackFrames(input).map(({ kind, payload }) => {
      const before = cache.version;
      const outcome = kind % 2 === TABLE ? takeTable(cache, payload) : takeDelta(cache, payload);
      mustHold(!isNewer(before, cache.version), 'a table never goes back');
      checkWhole(cache);
      return outcome;
    });
  },
};

function takeTable(cache: RoutingCache, payload: Uint8Array): Outcome {
  const wire = decoded(common.RoutingTable, payload);
  if (wire === undefined) return 'no message';
  return outcomeOf(() => {
    const table = tableFromWire(wire);
    const again = tableFromWire(common.RoutingTable.decode(bytesOf(table)));
    mustHold(JSON.stringify(again, bigints) === JSON.stringify(table, bigints), 'a table that was read is written as it was');
    return `ok table ${cache.absorb(table)}`;
  });
}

function takeDelta(cache: RoutingCache, payload: Uint8Array): Outcome {
  const wire = decoded(common.RoutingDelta, payload);
  if (wire === undefined) return 'no message';
  return outcomeOf(() => {
    const delta = deltaFromWire(wire);
    const again = deltaFromWire(common.RoutingDelta.decode(common.RoutingDelta.encode(deltaToWire(delta)).finish()));
    mustHold(JSON.stringify(again, bigints) === JSON.stringify(delta, bigints), 'a delta that was read is written as it was');
    return `ok delta ${cache.absorbDelta(delta)}`;
  });
}

/** What is in use is a table as good as one that came whole: any uid of the set has its place in it, and no other uid. */
function checkWhole(cache: RoutingCache): void {
  const { table } = cache;
  if (table === undefined) return;
  const { firstUid, lastUid } = table.geometry;
  for (const uid of [firstUid, (firstUid + lastUid) / 2n, lastUid])
    mustHold(cache.ownerOf(parseUid(uid)) !== undefined, 'every uid of the set has its place');
  const outcome = outcomeOf(() => void tableFromWire(tableToWire(table)));
  mustHold(outcome === 'ok', () => `a table in use is one that could have come whole: ${outcome}`);
}

function decoded<Message>(type: { decode(bytes: Uint8Array): Message }, bytes: Uint8Array): Message | undefined {
  try {
    return type.decode(bytes);
  } catch (error) {
    if (error instanceof SeqError) throw new Broken('a decoder knows nothing of our errors');
    return undefined;
  }
}

function bytesOf(table: RoutingTable): Uint8Array {
  return common.RoutingTable.encode(tableToWire(table)).finish();
}

function tableOf(random: SeededRandom, value: number): RoutingTable {
  const allocs = ['a1', 'a2', 'a3'].map((id) => ({ id: id as AllocId, address: `${id}:7000`, zone: random.pick(['', 'z1']) }));
  return {
    version: { generation: 7, value },
    geometry: GEOMETRY,
    allocs,
    stores: [{ id: 1, name: 's1', address: 's1:1' }],
    runs: runsOf(random, allocs.length),
  };
}

function runsOf(random: SeededRandom, allocCount: number): RoutingTable['runs'] {
  const runs = [];
  for (let left = sectionCountOf(GEOMETRY); left > 0; ) {
    const sectionCount = 1 + random.below(left);
    runs.push({ sectionCount, alloc: random.chance(0.2) ? undefined : random.below(allocCount), epoch: toEpoch(random.below(5)) });
    left -= sectionCount;
  }
  return runs;
}

function changed(table: RoutingTable, value: number, random: SeededRandom): RoutingTable {
  const next = tableOf(random, value);
  const allocs = random.chance(0.3) ? next.allocs.slice(1) : next.allocs;
  const stores = random.chance(0.3) ? [] : table.stores;
  return { ...next, allocs, stores, runs: runsOf(random, allocs.length) };
}
