import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { ATTEMPT_MAX_MS } from '../../../src/client/call-scope.js';
import { type Guide, FRAMES_IN_FLIGHT, Lane, OPS_TO_GO } from '../../../src/client/lane.js';
import { ClientMemory } from '../../../src/client/memory.js';
import type { Ops } from '../../../src/client/ops.js';
import { NO_VERSION } from '../../../src/model/version.js';
import { OPS_PER_FRAME_MAX } from '../../../src/rpc/limits.js';
import { errorFromDetail, errorToDetail } from '../../../src/rpc/status.js';
import { VirtualClock } from '../virtual-clock.js';
import { FakeStream, fakeChannels } from './fake-stream.js';

describe('client/lane', () => {
  let stage: Stage;
  beforeEach(() => {
    stage = new Stage();
  });

  it('sends the calls of one turn in one frame, in the order of asking', async () => {
    const ops = stage.send(3);
    expect(stage.frames).to.have.length(0);
    await stage.turn();
    expect(stage.frames.map(({ uids }) => uids)).to.deep.equal([[0n, 1n, 2n]]);
    stage.answer(0, 10n);
    expect(ops.map(({ told }) => told)).to.deep.equal([['11'], ['12'], ['13']]);
  });

  it('does not wait for the end of the turn once a frame is worth going', async () => {
    stage.send(OPS_TO_GO + 5);
    expect(stage.sizes).to.deep.equal([OPS_TO_GO]);
    await stage.turn();
    expect(stage.sizes).to.deep.equal([OPS_TO_GO, 5]);
  });

  it('has no more frames on the way than FRAMES_IN_FLIGHT, and sends what came meanwhile together', async () => {
    for (let turn = 0; turn < FRAMES_IN_FLIGHT + 3; turn++) {
      stage.send(2);
      await stage.turn();
    }
    expect(stage.sizes).to.deep.equal(Array.from({ length: FRAMES_IN_FLIGHT }, () => 2));
    stage.answer(1);
    await stage.turn();
    expect(stage.sizes.at(-1)).to.equal(6);
  });

  it('cuts what is more than one frame may have', async () => {
    const many = new TestOps(2 * OPS_PER_FRAME_MAX + 1, 0);
    stage.lane.send(many);
    await stage.turn();
    expect(stage.sizes).to.deep.equal([OPS_PER_FRAME_MAX, OPS_PER_FRAME_MAX]);
    for (const at of [1, 0, 2]) {
      stage.answer(at, BigInt(at) * 5_000n);
      await stage.turn();
    }
    expect(stage.sizes.at(-1)).to.equal(1);
    expect([many.told[0], many.told[OPS_PER_FRAME_MAX], many.told[2 * OPS_PER_FRAME_MAX]]).to.deep.equal(['1', '5001', '10001']);
  });

  it('takes the answers of a frame in parts, each for its own place', async () => {
    const [one, two, three] = stage.send(3);
    await stage.turn();
    stage.stream.reply({ id: stage.idOf(0), places: [1], seqs: [7n] });
    expect([one?.told, two?.told, three?.told]).to.deep.equal([[], ['7'], []]);
    await stage.turn();
    const detail = errorToDetail(new SeqError('OUT_OF_RANGE', 'at its end'));
    stage.stream.reply({ id: stage.idOf(0), places: [0, 2], seqs: [0n, 9n], errors: [{ place: 0, error: detail }] });
    expect([one?.told, three?.told]).to.deep.equal([['OUT_OF_RANGE'], ['9']]);
  });

  it('gives a stream up with an error in it that cannot be read, and tells whoever waits', async () => {
    const [op] = stage.send(1);
    await stage.turn();
    const version = { generation: 2n ** 60n, value: 1n };
    const detail = { ...errorToDetail(new SeqError('NOT_OWNER', 'elsewhere')), routingVersion: version };
    stage.stream.reply({ id: stage.idOf(0), seqs: [0n], errors: [{ place: 0, error: detail }] });
    expect([op?.told, stage.stream.isCancelled]).to.deep.equal([['PROTOCOL indefinite'], true]);
  });

  it('makes room for the next frame with the first reply, though some operation still waits', async () => {
    for (let turn = 0; turn < FRAMES_IN_FLIGHT + 1; turn++) {
      stage.send(2);
      await stage.turn();
    }
    stage.stream.reply({ id: stage.idOf(0), places: [1], seqs: [7n] });
    await stage.turn();
    expect(stage.sizes).to.have.length(FRAMES_IN_FLIGHT + 1);
  });

  it('looks at one reply in a turn', async () => {
    const [one] = stage.send(1);
    await stage.turn();
    const [two] = stage.send(1);
    await stage.turn();
    stage.answer(0);
    stage.answer(1);
    expect([one?.told.length, two?.told.length]).to.deep.equal([1, 0]);
    await stage.turn();
    expect(two?.told.length).to.equal(1);
  });

  for (const { title, reply } of [
    { title: 'a frame that was not sent', reply: (id: number) => ({ id: id + 1, seqs: [5n] }) },
    { title: 'a place that the frame does not have', reply: (id: number) => ({ id, places: [1], seqs: [5n] }) },
    { title: 'a place that was answered before', reply: (id: number) => ({ id, places: [0, 0], seqs: [5n, 6n] }) },
    { title: 'more operations than there are', reply: (id: number) => ({ id, seqs: [5n, 6n] }) },
  ]) {
    it(`gives a stream up that answers ${title}, and never takes its answer for another call's`, async () => {
      const [op] = stage.send(1);
      await stage.turn();
      stage.stream.reply(reply(stage.idOf(0)));
      expect(op?.told.at(-1)).to.equal(title === 'a place that was answered before' ? '5' : 'PROTOCOL indefinite');
      expect(stage.stream.isCancelled).to.equal(true);
      const [next] = stage.send(1);
      await stage.turn();
      expect([stage.streams.length, next?.told]).to.deep.equal([2, []]);
    });
  }

  it('drops a late answer of a stream that was given up, also when it has the id of a frame on the next one', async () => {
    stage.send(1);
    await stage.turn();
    const former = stage.stream;
    former.break(new SeqError('UNAVAILABLE', 'gone', { definite: false }));
    const [op] = stage.send(1);
    await stage.turn();
    former.reply({ id: stage.idOf(1), seqs: [3n] });
    await stage.turn();
    expect(op?.told).to.deep.equal([]);
  });

  it('fails what was on a broken stream as one attempt that may have been done, and sends what was in line on the next', async () => {
    const sent = stage.send(FRAMES_IN_FLIGHT * OPS_TO_GO);
    const [inLine] = stage.send(1);
    stage.stream.break(new SeqError('UNAVAILABLE', 'gone', { definite: false }));
    expect(new Set(sent.flatMap(({ told }) => told))).to.deep.equal(new Set(['UNAVAILABLE indefinite']));
    await stage.turn();
    expect([stage.streams.length, stage.stream.frames.length, inLine?.told]).to.deep.equal([2, 1, []]);
  });

  it('gives a stream up on which a frame was not answered for the longest time of an attempt', async () => {
    const [op] = stage.send(1);
    await stage.clock.elapse(ATTEMPT_MAX_MS - 1);
    expect(op?.told).to.deep.equal([]);
    await stage.clock.elapse(1);
    expect([op?.told, stage.stream.isCancelled]).to.deep.equal([['TIMEOUT indefinite'], true]);
  });

  it('ends an operation when its own time is over, on the way or in line, and the others go on', async () => {
    const late = new TestOps(1, 0, stage.clock.nowMs() + 100);
    stage.lane.send(late);
    const [other] = stage.send(1);
    await stage.turn();
    stage.stream.isFull = true;
    stage.send(1);
    await stage.turn();
    const inLine = new TestOps(1, 0, stage.clock.nowMs() + 100);
    stage.lane.send(inLine);
    await stage.clock.elapse(101);
    expect([late.told, other?.told, inLine.told]).to.deep.equal([['TIMEOUT indefinite'], [], ['TIMEOUT definite']]);
    stage.stream.reply({ id: stage.idOf(0), places: [1], seqs: [8n] });
    expect([late.told.length, other?.told]).to.deep.equal([1, ['8']]);
  });

  it('writes nothing while the stream is full', async () => {
    stage.send(1);
    await stage.turn();
    stage.stream.isFull = true;
    stage.send(1);
    await stage.turn();
    stage.answer(0);
    await stage.turn();
    stage.send(1);
    await stage.turn();
    expect(stage.sizes).to.deep.equal([1, 1]);
    stage.stream.isFull = false;
    stage.stream.emit('drain');
    expect(stage.sizes).to.deep.equal([1, 1, 1]);
  });

  it('leaves out what nobody waits for any more', async () => {
    const gone = new TestOps(1, 9);
    gone.isOver = true;
    stage.lane.send(gone);
    stage.send(1);
    await stage.turn();
    expect(stage.frames.map(({ uids }) => uids)).to.deep.equal([[0n]]);
  });

  it('fails what waits in line for an owner that has changed, and nothing else', async () => {
    await stage.fill();
    const [stays, moves] = stage.send(2);
    stage.lane.dropStale((uidLow) => (uidLow === 1 ? new SeqError('NOT_OWNER', 'moved') : undefined));
    expect([stays?.told, moves?.told]).to.deep.equal([[], ['NOT_OWNER definite']]);
  });

  it('ends everything when it is closed: in line for certain, on the way perhaps; and leaves no timer', async () => {
    await stage.fill();
    const [inLine] = stage.send(1);
    const [onTheWay] = stage.first;
    stage.lane.close(new SeqError('CLOSED', 'closed'));
    expect([onTheWay?.told, inLine?.told]).to.deep.equal([['CLOSED indefinite'], ['CLOSED definite']]);
    await stage.turn();
    expect([stage.clock.timerCount, stage.stream.isCancelled, stage.sizes.length]).to.deep.equal([0, true, 2]);
  });

  it('lets its stream go when it is retired, once all is answered', async () => {
    stage.send(1);
    await stage.turn();
    stage.lane.retire();
    expect(stage.stream.isCancelled).to.equal(false);
    stage.answer(0);
    expect(stage.stream.isCancelled).to.equal(true);
    expect(stage.clock.timerCount).to.equal(0);
  });
});

class Stage {
  readonly clock = new VirtualClock();
  readonly streams: FakeStream[] = [];
  readonly lane: Lane;
  first: readonly TestOps[] = [];

  constructor() {
    const channels = fakeChannels((stream) => this.streams.push(stream));
    this.lane = new Lane({ channel: () => channels.to('a:1'), clock: this.clock, guide: GUIDE, strict: false });
  }

  get stream(): FakeStream {
    return this.streams.at(-1) ?? new FakeStream();
  }

  get frames() {
    return this.streams.flatMap(({ frames }) => frames);
  }

  get sizes(): number[] {
    return this.frames.map(({ uids }) => uids.length);
  }

  idOf(at: number): number {
    return this.frames[at]?.id ?? -1;
  }

  /** Operations on the uids 0, 1 and so on. */
  send(count: number): TestOps[] {
    const ops = Array.from({ length: count }, (_, uid) => new TestOps(1, uid));
    for (const each of ops) this.lane.send(each);
    return ops;
  }

  /** One operation is on the way, and nothing else will go. */
  async fill(): Promise<void> {
    this.first = this.send(1);
    await this.turn();
    this.stream.isFull = true;
    this.send(1);
    await this.turn();
  }

  answer(at: number, after = 0n): void {
    const frame = this.frames[at];
    if (frame !== undefined) this.stream.answer(frame, after);
  }

  async turn(): Promise<void> {
    await this.clock.settle();
  }
}

const GUIDE: Guide = {
  memory: new ClientMemory(),
  versions: () => ({ routingVersion: NO_VERSION, heardVersion: NO_VERSION }),
  heard: () => undefined,
  judge: () => undefined,
  refusal: errorFromDetail,
  outcome: (error) => error,
  answered: () => undefined,
};

class TestOps implements Ops {
  readonly size: number;
  readonly deadlineMs: number;
  readonly #uid: number;
  /** Numbers, or codes. */
  readonly told: string[] = [];
  isOver = false;

  constructor(size: number, uid: number, deadlineMs = Number.POSITIVE_INFINITY) {
    this.size = size;
    this.#uid = uid;
    this.deadlineMs = deadlineMs;
  }

  uidLow(index: number): number {
    return this.#uid + index;
  }

  uidHigh(): number {
    return 0;
  }

  count(): number {
    return 1;
  }

  sent(): void {
    // What it comes to says it.
  }

  answered(index: number, low: number): void {
    this.#tell(index, String(low));
  }

  failed(index: number, error: SeqError): void {
    this.#tell(index, error.code === 'OUT_OF_RANGE' ? error.code : `${error.code} ${error.definite ? '' : 'in'}definite`);
  }

  #tell(index: number, what: string): void {
    if (this.told[index] !== undefined) throw new Error(`told twice: ${this.told[index]}, ${what}`);
    this.told[index] = what;
  }
}
