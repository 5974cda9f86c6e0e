import { expect } from 'chai';
import { FrameServer } from '../../../src/alloc/frame-server.js';
import type { Ask } from '../../../src/alloc/node.js';
import { SeqError } from '../../../src/base/errors.js';
import { type Geometry, locate } from '../../../src/model/geometry.js';
import { parseUid } from '../../../src/model/ids.js';
import { decodeOpsFrame, decodeOpsReply } from '../../../src/rpc/ops-codec.js';
import { SeededRandom } from '../seeded-random.js';
import { ExchangeStage, frameOf, type Op, shown } from './exchange-stage.js';

const GEOMETRIES: readonly [string, Geometry][] = [
  ['from 0', { firstUid: 0n, lastUid: 3_999n, uidsPerSection: 1_000 }],
  ['across 2^32', { firstUid: 2n ** 32n - 1_500n, lastUid: 2n ** 32n + 2_499n, uidsPerSection: 1_000 }],
  ['above 2^53', { firstUid: 2n ** 53n + 2n ** 32n - 1_001n, lastUid: 2n ** 53n + 2n ** 32n + 2_998n, uidsPerSection: 1_000 }],
  ['at the end of all uids', { firstUid: 2n ** 64n - 4_000n, lastUid: 2n ** 64n - 1n, uidsPerSection: 1_000 }],
];
const FRAMES = 150;

/** Two AllocSvrs that were told the same: one answers frames, the other calls. */
describe('FrameServer', () => {
  for (const [where, geometry] of GEOMETRIES) {
    for (const base of [0n, 2n ** 32n - 150n, 2n ** 40n, 2n ** 63n - 1_000n]) {
      it(`answers as unary calls are answered: uids ${where}, counters from ${base}`, async () => {
        const [stage, twin] = [await stageAt(geometry, base), await stageAt(geometry, base)];
        const server = new FrameServer(stage.node);
        const random = new SeededRandom(Number(base % 1_000n) + where.length);
        let answerCount = 0;
        for (let round = 0; round < FRAMES; round++) {
          const ops = Array.from({ length: 1 + random.below(20) }, () => randomOp(random, geometry, base));
          const frame = decodeOpsFrame(frameOf(ops, { id: round }));
          const waiting = server.serve(frame, { now: stage.clock.now() });
          const expected = ops.map((op) => unary(twin, op));
          const waitingPlaces = expected.flatMap((answer, place) => (answer === 'waits' ? [place] : []));
          expect(waiting.map(({ place }) => place)).to.deep.equal(waitingPlaces);
          server.left(waiting.length);
          const told = Object.fromEntries(expected.flatMap((answer, place) => (answer === 'waits' ? [] : [[place, answer]])));
          const reply = server.draft.answerCount === 0 ? {} : shown(decodeOpsReply(server.draft.encode({ id: round, opCount: ops.length })));
          expect(reply).to.deep.equal(told);
          answerCount += Object.values(told).filter((answer) => typeof answer === 'bigint').length;
          expect(stage.node.handedOutCount).to.equal(twin.node.handedOutCount);
          if (round % 10 === 9) await Promise.all([stage.clock.elapse(100), twin.clock.elapse(100)]);
        }
        expect(answerCount).to.be.above(FRAMES);
        for (const section of [0, 1]) {
          const [one, other] = [stage, twin].map(({ node }) => [...node.opened].find((allocator) => Number(allocator.section) === section));
          expect([one?.trueMax, one?.callCount, one?.maxSeq]).to.deep.equal([other?.trueMax, other?.callCount, other?.maxSeq]);
        }
        stage.node.stop();
        twin.node.stop();
      });
    }
  }
});

async function stageAt(geometry: Geometry, base: bigint): Promise<ExchangeStage> {
  const stage = new ExchangeStage();
  Object.assign(stage.store, { geometry });
  for (const section of stage.store.sections) section.maxSeq = base;
  await stage.start();
  return stage;
}

function randomOp(random: SeededRandom, { firstUid, lastUid }: Geometry, base: bigint): Op {
  // Few uids, so that they meet again; some beside the set, and some at the ends of all uids.
  const near = firstUid + BigInt(random.below(3)) * 999n + BigInt(random.below(4));
  const odd = [firstUid - 1n, lastUid, lastUid + 1n, 0n, 2n ** 53n, 2n ** 64n - 1n][random.below(6)] ?? 0n;
  const uid = random.chance(0.9) ? near : odd < 0n || odd >= 2n ** 64n ? 0n : odd;
  const count = random.chance(0.6) ? 1 : ([0, 2, 7, 40, 120, 1_000_001, 2 ** 32 - 1][random.below(7)] ?? 1);
  const floor = random.chance(0.7) ? 0n : ([base + 1n, base + 5n, base - 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n][random.below(6)] ?? 0n);
  return { uid, count, floor: floor < 0n ? 0n : floor };
}

/** What a call alone says of it, as `shown` shows it. */
function unary({ node, clock }: ExchangeStage, { uid, count = 1, floor = 0n }: Op): bigint | string {
  try {
    if (count > 1_000_000 || floor >= 2n ** 63n) return 'INVALID_ARGUMENT';
    const ask: Ask = { ...locate(node.geometry, parseUid(uid)), count, floor };
    if (count !== 0) return node.tryNext(ask, clock.now())?.first ?? 'waits';
    const current = node.tryCurrent(ask, clock.now());
    if (current === undefined) return 'waits';
    return current.exact ? current.seq : `~${current.seq}`;
  } catch (error) {
    if (SeqError.is(error)) return error.code;
    throw error;
  }
}
