import { expect } from 'chai';
import { FRAMES_PENDING_MAX, OVER_QUOTA_REST_MS } from '../../../src/alloc/exchange.js';
import { LATE_OPS_MAX, SLOW_OPS_PER_TURN } from '../../../src/alloc/frame-server.js';
import { SeqError } from '../../../src/base/errors.js';
import type { AllocId, Epoch, SectionId } from '../../../src/model/ids.js';
import { OpsFrame } from '../../../src/rpc/gen/seqsvr/v1/seq.js';
import { OPS_PER_FRAME_MAX } from '../../../src/rpc/limits.js';
import { bigAt, ExchangeStage, FakeStream, frameOf, type FrameOptions, type Op, shown } from './exchange-stage.js';

const FULL = OPS_PER_FRAME_MAX;
const EMPTY: OpsFrame = { id: 0, routingVersion: undefined, heardVersion: undefined, strict: false, timeoutMs: 0, uids: [], counts: [], floors: [] };
/** A frame that our own code would not write. */
const wireFrame = (fields: Partial<OpsFrame>): Uint8Array => OpsFrame.encode({ ...EMPTY, ...fields }).finish();

describe('Exchange', () => {
  let stage: ExchangeStage;
  let stream: FakeStream;

  const begin = async (options = {}): Promise<void> => {
    stage = new ExchangeStage(options);
    await stage.start();
    stream = stage.open();
  };
  beforeEach(() => begin());
  afterEach(() => {
    expect(stage.bugs).to.deep.equal([]);
    expect(stage.fatal).to.deep.equal([]);
    stage.node.stop();
  });
  const send = (ops: readonly Op[], options: FrameOptions = {}): void => stream.receive(frameOf(ops, options));
  const answers = () => stream.replies.splice(0).map((reply) => ({ id: reply.id, ...shown(reply) }));
  const only = () => {
    expect(stream.replies).to.have.length(1);
    return answers()[0];
  };
  const repeat = (op: Op, count: number): Op[] => Array.from({ length: count }, () => op);

  describe('a frame', () => {
    it('is answered in the turn in which it came, operation by operation, in one reply', () => {
      send([{ uid: 5n }, { uid: 1_005n, count: 10 }, { uid: 5n }, { uid: 5n, count: 0 }], { id: 9 });
      expect(only()).to.deep.equal({ id: 9, 0: 1n, 1: 1n, 2: 2n, 3: 2n });
      send([{ uid: 5n, floor: 2n }, { uid: 1_005n }, { uid: 999n }, { uid: 1_005n, count: 0, floor: 11n }], { id: 9 });
      expect(only()).to.deep.equal({ id: 9, 0: 3n, 1: 11n, 2: 1n, 3: 11n });
      expect(stage.node.handedOutCount).to.equal(15);
    });

    it('has operations that fail alone, each for its reason', () => {
      const bad: Op[] = [
        { uid: 5n },
        { uid: 4_000n },
        { uid: 2n ** 64n - 1n },
        { uid: 5n, count: 1_000_001 },
        { uid: 5n, count: 2 ** 32 - 1 },
        { uid: 5n, floor: 2n ** 63n },
        { uid: 5n, floor: 99n },
        { uid: 2_500n },
        { uid: 2_501n },
        { uid: 3_500n },
        { uid: 5n },
      ];
      send(bad);
      const [reply] = stream.replies;
      const invalid = 'INVALID_ARGUMENT';
      const refused = {
        1: invalid,
        2: invalid,
        3: invalid,
        4: invalid,
        5: invalid,
        6: 'UNAVAILABLE',
        7: 'NOT_OWNER',
        8: 'NOT_OWNER',
        9: 'UNAVAILABLE',
      };
      expect(only()).to.deep.equal({ id: 1, 0: 1n, ...refused, 10: 2n });
      for (const { error } of reply!.errors) {
        expect(error.definite).to.equal(true);
        expect(error.routingVersion?.value).to.equal(BigInt(stage.version.value));
      }
      expect(reply!.errors.find(({ place }) => place === 7)?.error).to.include({ redirectId: 'b', redirectAddress: 'b:1' });
    });

    it('whose floor is above the counter raises the alarm, and no other operation of it fails', () => {
      send([{ uid: 5n }, { uid: 5n, floor: 7n }, { uid: 5n, floor: 1n }, { uid: 6n, count: 0, floor: 1n }]);
      expect(only()).to.deep.equal({ id: 1, 0: 1n, 1: 'UNAVAILABLE', 2: 2n, 3: 'UNAVAILABLE' });
      expect(stage.events.map(({ type }) => type)).to.include('floorAboveCurrent');
    });

    it('says which of its answers are an upper bound', async () => {
      stage.node.stop();
      stage = new ExchangeStage();
      stage.store.assign('b', 0);
      await stage.start();
      stream = stage.open();
      send([
        { uid: 5n, count: 0 },
        { uid: 6n, count: 1 },
        { uid: 6n, count: 0 },
        { uid: 7n, count: 0 },
      ]);
      expect(only()).to.deep.equal({ id: 1, 0: '~100', 1: 101n, 2: 101n, 3: '~100' });
    });

    it('says the epoch of each answer, once when it is the same', async () => {
      send([{ uid: 5n }, { uid: 1_005n }]);
      expect([stream.replies[0]?.epoch, stream.replies[0]?.epochs]).to.deep.equal([1, undefined]);
      stage.store.assign('b', 1);
      stage.store.push();
      stage.store.assign('a', 1);
      stage.store.push();
      send([{ uid: 9_999n }, { uid: 5n }, { uid: 1_005n }, { uid: 6n }, { uid: 2_500n }]);
      const { epochs } = stream.replies[1]!;
      expect([0, 1, 2, 3, 4].map((at) => bigAt(epochs!, at))).to.deep.equal([1n, 1n, 3n, 1n, 0n]);
    });

    it('brings the table to a caller whose own is older, and what changed since to one who had it', () => {
      send([{ uid: 5n }]);
      send([{ uid: 5n }], { routingVersion: stage.version });
      const before = stage.version;
      stage.store.assign('a', 3);
      stage.store.push();
      send([{ uid: 5n }], { routingVersion: before });
      const routes = stream.replies.map(({ routing, routingDelta }) => [routing !== undefined, routingDelta !== undefined]);
      expect(routes).to.deep.equal([
        [true, false],
        [false, false],
        [false, true],
      ]);
    });

    it('that waits whole brings the table with its first reply, and not with the next', async () => {
      // The second number of a section waits for a raise of its own, and so for a reply of its own.
      send([
        { uid: 5n, count: 500 },
        { uid: 6n, count: 7_000 },
      ]);
      expect(stream.replies).to.deep.equal([]);
      await stage.clock.settle();
      expect(stream.replies.map(shown)).to.deep.equal([{ 0: 1n }, { 1: 1n }]);
      expect(stream.replies.map(({ routing }) => routing !== undefined)).to.deep.equal([true, false]);
    });

    it('whose operations take long is served over several turns, and others have theirs between', async () => {
      const other = stage.open();
      send([...repeat({ uid: 9_999n }, 100), ...repeat({ uid: 5n }, 2)]);
      send([{ uid: 5n }], { id: 2 });
      other.receive(frameOf([{ uid: 6n }]));
      expect(shown(other.replies[0]!)).to.deep.equal({ 0: 1n });
      expect([stream.replies.map(({ opCount }) => opCount), stream.isPaused, stream.heldCount]).to.deep.equal([[SLOW_OPS_PER_TURN], true, 1]);
      await stage.clock.settle();
      expect(stream.replies.map(({ id, opCount }) => [id, opCount])).to.deep.equal([
        [1, SLOW_OPS_PER_TURN],
        [1, 102 - SLOW_OPS_PER_TURN],
        [2, 1],
      ]);
      expect(stream.replies.map(({ routing }) => routing !== undefined)).to.deep.equal([true, false, true]);
      const all = Object.assign({}, ...stream.replies.slice(0, 2).map(shown)) as Record<number, unknown>;
      expect(Object.values(all)).to.deep.equal([...Array<string>(100).fill('INVALID_ARGUMENT'), 1n, 2n]);
    });

    it('reads the clock and asks for the lease once, however many operations it has', () => {
      send([{ uid: 5n }]);
      let readCount = 0;
      const now = stage.clock.now.bind(stage.clock);
      stage.clock.now = () => {
        readCount += 1;
        return now();
      };
      send(repeat({ uid: 5n }, 90));
      expect(readCount).to.equal(1);
    });
  });

  describe('the lease', () => {
    it('is asked for with each frame, on a clock read after it came: past it every operation is refused', () => {
      send([{ uid: 5n }]);
      answers();
      // No timer fires: a process that was stopped and reads its sockets first.
      stage.clock.stall(3_000);
      send([{ uid: 5n }, { uid: 5n, count: 0 }, { uid: 2_500n }]);
      expect(only()).to.deep.equal({ id: 1, 0: 'UNAVAILABLE', 1: 'UNAVAILABLE', 2: 'UNAVAILABLE' });
      expect(stage.node.handedOutCount).to.equal(1);
    });

    it('is asked for again after a wait: what it ended in between is not served', async () => {
      stage.store.held.add('raise');
      send([{ uid: 5n, count: 500 }], { timeoutMs: 9_000 });
      await stage.clock.settle();
      stage.store.failures.set('renew', new SeqError('TIMEOUT', 'no answer'));
      stage.clock.stall(3_000);
      stage.store.deliver('raise');
      await stage.clock.settle();
      expect(only()).to.deep.equal({ id: 1, 0: 'UNAVAILABLE' });
      expect(stage.node.handedOutCount).to.equal(0);
    });

    it('is asked for again when a frame goes on in a later turn', async () => {
      send([...repeat({ uid: 9_999n }, SLOW_OPS_PER_TURN), { uid: 5n }]);
      stage.clock.stall(3_000);
      await stage.clock.settle();
      expect(stream.replies.slice(1).map(shown)).to.deep.equal([{ [SLOW_OPS_PER_TURN]: 'UNAVAILABLE' }]);
      expect(stage.node.handedOutCount).to.equal(0);
    });

    it('of a stopped AllocSvr refuses every operation', () => {
      send([{ uid: 5n }]);
      answers();
      stage.node.stop();
      send([{ uid: 5n }, { uid: 6n }]);
      expect(only()).to.deep.equal({ id: 1, 0: 'UNAVAILABLE', 1: 'UNAVAILABLE' });
    });
  });

  describe('operations that wait', () => {
    it('are answered when the raise is committed, all others at once', async () => {
      stage.store.held.add('raise');
      send([{ uid: 5n, count: 500 }, { uid: 6n }, { uid: 1_005n, count: 500 }, { uid: 7n }]);
      expect(only()).to.deep.equal({ id: 1, 1: 1n, 3: 1n });
      await stage.clock.settle();
      expect(stream.replies).to.deep.equal([]);
      stage.store.deliver('raise');
      await stage.clock.settle();
      expect(only()).to.deep.equal({ id: 1, 0: 1n, 2: 1n });
    });

    it('of one section that settle together share one reply, and keep their order', async () => {
      send([{ uid: 5n, count: 50_000 }, ...repeat({ uid: 6n, count: 150 }, 60), { uid: 1_005n, count: 150 }]);
      await stage.clock.settle();
      const whole = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [at + 1, BigInt(at * 150 + 1)]));
      expect(only()).to.deep.equal({ id: 1, 0: 1n, ...whole, 61: 1n });
    });

    it('fail by the deadline of their frame, all of a section together', async () => {
      stage.store.held.add('raise');
      send(repeat({ uid: 5n, count: 200 }, 50), { timeoutMs: 300 });
      await stage.clock.elapse(299);
      expect(stream.replies).to.deep.equal([]);
      await stage.clock.elapse(1);
      expect(Object.values(shown(stream.replies[0]!))).to.deep.equal(Array(50).fill('TIMEOUT'));
      expect(stream.replies[0]!.errors.every(({ error }) => error.definite)).to.equal(true);
    });

    for (const [what, timeoutMs, lastsMs] of [
      ['a second where the frame says nothing', 0, 1_000],
      ['ten seconds, whatever the frame says', 2 ** 32 - 1, 10_000],
    ] as const) {
      it(`wait ${what}`, async () => {
        stage.store.held.add('raise');
        send([{ uid: 5n, count: 200 }], { timeoutMs });
        await stage.clock.elapse(lastsMs - 1);
        expect(stream.replies).to.deep.equal([]);
        await stage.clock.elapse(1);
        expect(only()).to.deep.equal({ id: 1, 0: 'TIMEOUT' });
      });
    }

    it('take nothing for a caller who went away', async () => {
      stage.store.held.add('raise');
      send(repeat({ uid: 5n, count: 200 }, 5));
      await stage.clock.settle();
      stream.cancel();
      stage.store.deliver('raise');
      await stage.clock.settle();
      expect([stage.node.handedOutCount, stream.replies]).to.deep.equal([0, []]);
      expect(stage.service.exchangeFigures.streamCount).to.equal(0);
    });

    it('are bounded over all streams: the rest is told to come back', async () => {
      stage.store.held.add('raise');
      const frameCount = Math.ceil(LATE_OPS_MAX / FULL);
      const streams = Array.from({ length: frameCount }, (_, id) => {
        stream = stage.open();
        send(repeat({ uid: 5n, count: 200 }, FULL), { id });
        return stream;
      });
      await stage.clock.settle();
      const told = streams.flatMap(({ replies }) => replies.flatMap((reply) => Object.values(shown(reply))));
      expect(told).to.deep.equal(Array(frameCount * FULL - LATE_OPS_MAX).fill('RESOURCE_EXHAUSTED'));
      stream.replies.splice(0);
      send([{ uid: 5n }], { id: 9_999, strict: true });
      expect(only()).to.deep.equal({ id: 9_999, 0: 'RESOURCE_EXHAUSTED' });
      await stage.clock.elapse(1_000);
      // All is over, so there is room again.
      stream.replies.splice(0);
      send([{ uid: 5n, count: 200 }], { id: 3 });
      expect(stream.replies).to.deep.equal([]);
    });

    it('for a section that was sealed for its successor are told where it went, all others at once', async () => {
      send([{ uid: 5n }]);
      answers();
      stage.store.planMove(0);
      stage.store.push();
      stage.store.held.add('release');
      const copied = { section: 0 as SectionId, epoch: 1 as Epoch, has: new Map() };
      await stage.node.source.pull({ allocId: 'b' as AllocId, sections: [copied] }, { write: () => Promise.resolve(), isCancelled: () => false });
      send([{ uid: 5n }, { uid: 1_005n }, { uid: 6n, count: 0 }], { timeoutMs: 5_000 });
      expect(only()).to.deep.equal({ id: 1, 1: 1n });
      stage.store.deliver('release');
      await stage.clock.elapse(500);
      expect(only()).to.deep.equal({ id: 1, 0: 'NOT_OWNER', 2: 'NOT_OWNER' });
      expect(stage.node.handedOutCount).to.equal(2);
    });
  });

  describe('a STRICT frame', () => {
    for (const isStrict of [false, true]) {
      it(`rests on one round that begins after it came, for all its sections${isStrict ? ', also when only the AllocSvr says so' : ''}`, async () => {
        if (isStrict) {
          stage.node.stop();
          await begin({ isStrict });
        }
        stage.store.held.add('confirm');
        send([{ uid: 5n }, { uid: 1_005n }, { uid: 5n, count: 0 }, { uid: 9_999n }, { uid: 2_500n }], { strict: !isStrict });
        await stage.clock.settle();
        expect(stream.replies).to.deep.equal([]);
        expect(stage.store.confirms.map((sections) => sections.map(({ section }) => section))).to.deep.equal([[0, 1]]);
        stage.store.deliver('confirm');
        await stage.clock.settle();
        expect(only()).to.deep.equal({ id: 1, 0: 1n, 1: 1n, 2: 1n, 3: 'INVALID_ARGUMENT', 4: 'NOT_OWNER' });
      });
    }

    it('takes nothing from an epoch that was not the one confirmed', async () => {
      send([{ uid: 5n }, { uid: 1_005n }]);
      answers();
      stage.store.held.add('confirm');
      send([{ uid: 5n }, { uid: 1_005n }], { strict: true });
      await stage.clock.settle();
      stage.store.assign('b', 0);
      stage.store.push();
      stage.store.assign('a', 0);
      stage.store.push();
      // Another frame opens the new epoch, so that there is something to take from.
      send([{ uid: 5n }, { uid: 5n }], { id: 2 });
      answers();
      stage.store.deliver('confirm');
      await stage.clock.settle();
      expect(only()).to.deep.equal({ id: 1, 0: 'UNAVAILABLE', 1: 2n });
    });

    it('takes nothing when the round fails or the lease ended meanwhile', async () => {
      stage.store.failures.set('confirm', new SeqError('UNAVAILABLE', 'no quorum'));
      send([{ uid: 5n }, { uid: 9_999n }], { strict: true });
      await stage.clock.settle();
      expect(only()).to.deep.equal({ id: 1, 0: 'UNAVAILABLE', 1: 'UNAVAILABLE' });
      stage.store.failures.clear();
      stage.store.held.add('confirm');
      send([{ uid: 5n }], { strict: true, timeoutMs: 9_000 });
      await stage.clock.settle();
      stage.clock.stall(3_000);
      stage.store.deliver('confirm');
      await stage.clock.settle();
      expect(only()).to.deep.equal({ id: 1, 0: 'UNAVAILABLE' });
      expect(stage.node.handedOutCount).to.equal(0);
    });

    it('waits for a raise as any other', async () => {
      send([{ uid: 5n, count: 500 }, { uid: 6n }], { strict: true });
      await stage.clock.settle();
      expect(answers()).to.deep.equal([
        { id: 1, 1: 1n },
        { id: 1, 0: 1n },
      ]);
    });
  });

  describe('a caller who has heard of a newer table', () => {
    it('waits for it with the whole frame, and is answered by it', async () => {
      const { generation, value } = stage.version;
      send([{ uid: 5n }, { uid: 3_500n }], { heardVersion: { generation, value: value + 1 } });
      expect(stream.replies).to.deep.equal([]);
      stage.store.assign('a', 3);
      stage.store.push();
      await stage.clock.settle();
      expect(only()).to.deep.equal({ id: 1, 0: 1n, 1: 1n });
    });

    it('is answered by the table there is after 100 ms', async () => {
      const { generation, value } = stage.version;
      send([{ uid: 5n }, { uid: 3_500n }], { heardVersion: { generation, value: value + 1 } });
      await stage.clock.elapse(99);
      expect(stream.replies).to.deep.equal([]);
      await stage.clock.elapse(1);
      expect(only()).to.deep.equal({ id: 1, 0: 1n, 1: 'UNAVAILABLE' });
    });
  });

  describe('a stream', () => {
    const late = { uid: 5n, count: 200 };

    it('is not read while the most frames that may are under way, and read on when one is over', async () => {
      stage.store.held.add('raise');
      for (let id = 0; id < FRAMES_PENDING_MAX + 3; id++) send([late], { id });
      expect([stream.isPaused, stream.heldCount]).to.deep.equal([true, 3]);
      await stage.clock.elapse(999);
      stage.store.deliver('raise');
      stage.store.held.clear();
      await stage.clock.settle();
      expect([stream.isPaused, stream.heldCount]).to.deep.equal([false, 0]);
      expect(stream.replies.map(({ id }) => id).sort((one, other) => one - other)).to.deep.equal(
        Array.from({ length: FRAMES_PENDING_MAX + 3 }, (_, id) => id),
      );
    });

    it('is not read while its caller does not read: what was written, and nothing more, waits for it', () => {
      stream.isTaking = false;
      for (let id = 0; id < 10; id++) send([{ uid: 5n }], { id });
      expect([stream.isPaused, stream.replies.length, stream.heldCount]).to.deep.equal([true, 1, 9]);
      stream.drain();
      expect([stream.isPaused, stream.replies.length, stream.heldCount]).to.deep.equal([false, 10, 0]);
    });

    it('whose caller does not read is not read on because a frame is over', async () => {
      stage.store.held.add('raise');
      send([late], { id: 1 });
      stream.isTaking = false;
      send([{ uid: 6n }], { id: 2 });
      await stage.clock.settle();
      stage.store.deliver('raise');
      await stage.clock.settle();
      send([{ uid: 6n }], { id: 3 });
      expect([stream.isPaused, stream.replies.length, stream.heldCount]).to.deep.equal([true, 2, 1]);
    });

    it('that its caller has ended ends once all is answered', async () => {
      stage.store.held.add('raise');
      send([late]);
      stream.receive('end');
      await stage.clock.settle();
      expect(stream.ended).to.equal(undefined);
      stage.store.deliver('raise');
      await stage.clock.settle();
      expect([only(), stream.ended]).to.deep.equal([{ id: 1, 0: 1n }, 'well']);
      const idle = stage.open();
      idle.receive('end');
      expect(idle.ended).to.equal('well');
      expect(stage.service.exchangeFigures.streamCount).to.equal(0);
    });

    it('ends when the AllocSvr closes', () => {
      stage.service.closeStreams();
      expect(stream.ended).to.include({ details: 'this AllocSvr is closing' });
      send([{ uid: 5n }]);
      expect(stream.replies).to.deep.equal([]);
    });

    const whole = wireFrame({ id: 1, uids: [5n] });
    const bad: readonly [string, Uint8Array, string][] = [
      ['no operation', wireFrame({ id: 1 }), 'got 0'],
      ['more operations than a frame may have', wireFrame({ uids: Array<bigint>(FULL + 1).fill(5n) }), `got ${FULL + 1}`],
      ['counts that are not one for each', wireFrame({ uids: [5n, 6n], counts: [1] }), '2 uids, got 1 counts'],
      ['floors that are not one for each', wireFrame({ uids: [5n], floors: [1n, 2n] }), '1 uids, got 2 floors'],
      ['bytes that are cut off', whole.subarray(0, whole.length - 3), 'no message'],
      ['bytes that are no message', Buffer.from('GET / HTTP/1.1\r\n'), 'no message'],
      ['more bytes than any frame needs', Buffer.concat([whole, Buffer.from([0x7a, 0x80, 0x80, 0x08]), Buffer.alloc(128 * 1024)]), '65536 bytes'],
    ];
    for (const [what, bytes, rule] of bad) {
      it(`ends with the rule when a frame has ${what}, and no other stream does`, () => {
        const other = stage.open();
        stream.receive(Buffer.from(bytes));
        expect(stream.ended).to.be.an('object').with.property('details').that.includes(rule);
        send([{ uid: 5n }]);
        expect(stream.replies).to.deep.equal([]);
        other.receive(frameOf([{ uid: 5n }]));
        expect(shown(other.replies[0]!)).to.deep.equal({ 0: 1n });
        expect(stage.service.exchangeFigures.streamCount).to.equal(1);
      });
    }

    it('ends when a frame comes whose id is under way, and may use an id again after it', () => {
      send([{ uid: 5n }], { id: 7 });
      send([{ uid: 5n }], { id: 7 });
      expect(answers()).to.deep.equal([
        { id: 7, 0: 1n },
        { id: 7, 0: 2n },
      ]);
      stage.store.held.add('raise');
      send([late], { id: 7 });
      send([{ uid: 5n }], { id: 7 });
      expect(stream.ended).to.be.an('object').with.property('details').that.includes('frame 7');
    });

    it('takes fields that it does not know', () => {
      stream.receive(Buffer.concat([whole, Buffer.from([(15 << 3) | 0, 1])]));
      expect(only()).to.deep.equal({ id: 1, 0: 1n });
    });
  });

  it('counts streams, frames, operations and those that could not be answered at once', async () => {
    const other = stage.open();
    send([{ uid: 5n }, { uid: 6n }]);
    send([{ uid: 5n, count: 500 }, { uid: 6n }]);
    expect(stage.service.exchangeFigures).to.deep.equal({ streamCount: 2, frameCount: 2, opCount: 4, lateOpCount: 1, overQuotaCount: 0 });
    other.cancel();
    expect(stage.service.exchangeFigures.streamCount).to.equal(1);
    await stage.clock.settle();
  });

  describe('a caller with limits', () => {
    const LIMITS = { operationsPerSecond: 4, numbersPerSecond: 1_000, burstMs: 1_000 };
    const refused = (id: number) => ({ id, 0: 'RESOURCE_EXHAUSTED' });

    it('is refused whole frames once it has used them up, and its stream is not read on for a while', async () => {
      await begin({ limits: LIMITS });
      send(repeat({ uid: 5n }, 5), { id: 1 });
      expect(only()).to.deep.equal({ id: 1, 0: 1n, 1: 2n, 2: 3n, 3: 4n, 4: 5n });
      send([{ uid: 5n }], { id: 2 });
      send([{ uid: 5n }], { id: 3 });
      expect(answers()).to.deep.equal([refused(2)]);
      await stage.clock.elapse(OVER_QUOTA_REST_MS);
      expect(answers()).to.deep.equal([refused(3)]);
      expect(stage.service.exchangeFigures.overQuotaCount).to.equal(2);
      await stage.clock.elapse(1_000);
      send([{ uid: 5n }], { id: 4 });
      expect(only()).to.deep.equal({ id: 4, 0: 6n });
    });

    it('has them for all its streams together, and another caller has its own', async () => {
      await begin({ limits: LIMITS });
      send(repeat({ uid: 5n }, 5), { id: 1 });
      answers();
      const second = new FakeStream();
      second.peer = '10.0.0.1:4712';
      stage.open(second).receive(frameOf([{ uid: 5n }], { id: 2 }));
      expect(second.replies.map((reply) => ({ id: reply.id, ...shown(reply) }))).to.deep.equal([refused(2)]);
      const stranger = new FakeStream();
      stranger.peer = '10.0.0.2:4711';
      stage.open(stranger).receive(frameOf([{ uid: 5n }], { id: 3 }));
      expect(stranger.replies.map((reply) => ({ id: reply.id, ...shown(reply) }))).to.deep.equal([{ id: 3, 0: 6n }]);
    });

    it('uses up numbers with ranges that are answered at once, and with those that wait', async () => {
      await begin({ limits: LIMITS });
      send([{ uid: 5n, count: 50 }], { id: 1 });
      answers();
      send([{ uid: 5n, count: 5_000 }], { id: 2 });
      stream.replies.splice(0);
      send([{ uid: 6n }], { id: 3 });
      expect(answers()).to.deep.equal([refused(3)]);
      await stage.clock.elapse(1_000);
      stream.replies.splice(0);
    });
  });
});
