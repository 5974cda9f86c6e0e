import { parseUid } from '../../../src/model/ids.js';
import { checkSetChange, NO_SETS, type SetMap, setOf } from '../../../src/model/sets.js';
import { setMapFromWire, setMapToWire } from '../../../src/rpc/codec.js';
import * as common from '../../../src/rpc/gen/seqsvr/v1/common.js';
import type { SeededRandom } from '../../unit/seeded-random.js';
import { packFrames, unpackFrames } from '../frames.js';
import { mustHold, outcomeOf, type Target } from '../target.js';
import { bigints } from '../watch-replica.js';

/** Maps in the order in which nodes tell them: each is checked against the one before that was taken. */
export const setMap: Target = {
  name: 'set-map',
  about: 'set maps that nodes tell clients and home sets decide on (rpc/codec.ts, model/sets.ts)',
  shape: { parts: 'frames', payload: 'proto' },
  generate(random) {
    const count = 1 + random.below(4);
    return packFrames(Array.from({ length: count }, (_, at) => ({ kind: 0, payload: bytesOf(mapOf(random, at + 1)) })));
  },
  feed(input) {
    let known = NO_SETS;
    return unpackFrames(input).map(({ payload }) => {
      let wire: common.SetMap;
      try {
        wire = common.SetMap.decode(payload);
      } catch {
        return 'no message';
      }
      return outcomeOf(() => {
        const map = setMapFromWire(wire);
        const again = setMapFromWire(common.SetMap.decode(bytesOf(map)));
        mustHold(JSON.stringify(again, bigints) === JSON.stringify(map, bigints), 'a map that was read is written as it was');
        for (const set of map.sets) {
          const found = [set.firstUid, set.lastUid].map((uid) => setOf(map, parseUid(uid)));
          mustHold(
            found.every((one) => one === set),
            'every uid of a set leads to it',
          );
        }
        checkSetChange(known, map);
        known = map;
        return `ok ${Math.min(map.sets.length, 4)} sets`;
      });
    });
  },
};

function bytesOf(map: SetMap): Uint8Array {
  return common.SetMap.encode(setMapToWire(map)).finish();
}

function mapOf(random: SeededRandom, version: number): SetMap {
  const sets = Array.from({ length: version + random.below(2) }, (_, at) => ({
    name: `set${at}`,
    firstUid: BigInt(at) * 1_000n,
    lastUid: BigInt(at) * 1_000n + 999n,
    seeds: [`h${at}:1`, '[::1]:7'].slice(random.below(2)),
    clusterId: at.toString(16).repeat(32),
  }));
  return { version, home: 'set0', sets };
}
