import { inspect } from 'node:util';
import { FRAMES_PENDING_MAX } from '../../../src/alloc/exchange.js';
import { unreachable } from '../../../src/base/assert.js';
import { locate } from '../../../src/model/geometry.js';
import { parseUid } from '../../../src/model/ids.js';
import type { OpsFrame, OpsReply } from '../../../src/rpc/ops-codec.js';
import { bigAt, ExchangeStage, FakeStream, frameOf, type FrameOptions, type Op } from '../../unit/alloc/exchange-stage.js';
import type { SeededRandom } from '../../unit/seeded-random.js';
import { type Frame, packFrames, unpackFrames } from '../frames.js';
import { randomMessage, typeOf } from '../messages.js';
import { settled } from '../settled.js';
import { Broken, mustHold, type Outcome, type Target } from '../target.js';

const UIDS = [5n, 6n, 5n, 999n, 1_000n, 1_500n, 2_500n, 3_999n, 4_000n, 2n ** 64n - 1n];
const COUNTS = [1, 0, 2, 10, 150, 1_000, 1_000_000, 1_000_001, 2 ** 32 - 1];
const FLOORS = [0n, 1n, 5n, 150n, 2n ** 40n, 2n ** 63n - 1n, 2n ** 63n];
const GENERATION = 1_000;
/** More than any operation may wait, in ms: twice, for what was read only when something else was over. */
const ALL_OVER_MS = 22_000;

/** What a step does besides sending its bytes; the first is the most likely. */
const STEPS = ['send', 'elsewhere', 'pass time', 'hold raises', 'deliver raises', 'stop reading', 'read on', 'move', 'leave', 'end'] as const;
type Step = (typeof STEPS)[number];

export const opsFrames: Target = {
  name: 'ops-frames',
  about: 'frames on Exchange streams of an AllocSvr, whose callers read or not, while windows and sections move (alloc/exchange.ts)',
  shape: { parts: 'frames', payload: 'proto' },
  generate: (random) => packFrames(Array.from({ length: 1 + random.below(12) }, () => randomStep(random))),
  async feed(input) {
    const stage = new ExchangeStage();
    await stage.start();
    const numbers = new Numbers(stage);
    const watches: StreamWatch[] = [];
    const open = (place: number): StreamWatch => {
      const current = watches.filter((watch) => watch.place === place).at(-1);
      if (current !== undefined && !current.isOver) return current;
      const watch = new StreamWatch(stage, numbers, place);
      watches.push(watch);
      return watch;
    };
    for (const { kind, payload } of unpackFrames(input)) {
      const step = STEPS[kind % STEPS.length] ?? 'send';
      const watch = open(step === 'elsewhere' ? 1 : 0);
      act(stage, step, watch);
      if (payload.length > 0 && !watch.isOver) watch.send(Buffer.from(payload));
      await settled();
      stage.clock.flushDeferred();
      await settled();
      if (step === 'pass time') await stage.clock.elapse(60);
    }
    stage.store.held.clear();
    stage.store.deliver('raise');
    for (const { stream } of watches) stream.drain();
    for (let passedMs = 0; passedMs < ALL_OVER_MS && watches.some(({ isWaiting }) => isWaiting); passedMs += 250) await stage.clock.elapse(250);
    for (const watch of watches) watch.checkAnswered();
    const openCount = watches.filter(({ isOver }) => !isOver).length;
    mustHold(stage.service.exchangeFigures.streamCount === openCount, 'a stream that is over is forgotten');
    const [bug] = [...stage.bugs, ...stage.fatal];
    if (bug !== undefined) throw bug instanceof Error ? bug : new Broken(`a stream brought about ${inspect(bug)}`);
    stage.node.stop();
    return watches.flatMap(({ outcomes }) => outcomes);
  },
};

function randomStep(random: SeededRandom): Frame {
  const kind = random.chance(0.7) ? 0 : random.below(STEPS.length);
  if (random.chance(0.05)) return { kind, payload: randomMessage(typeOf('OpsFrame'), random, {}) };
  const ops = Array.from({ length: 1 + random.below(random.chance(0.05) ? 300 : 8) }, (): Op => {
    const op = { uid: likely(UIDS, random), count: random.chance(0.5) ? 1 : likely(COUNTS, random) };
    return random.chance(0.8) ? op : { ...op, floor: likely(FLOORS, random) };
  });
  const options: FrameOptions = { id: random.chance(0.95) ? random.below(2 ** 32) : random.below(3), strict: random.chance(0.1) };
  const version = { generation: GENERATION, value: 1 + random.below(8) };
  return {
    kind,
    payload: frameOf(ops, {
      ...options,
      timeoutMs: random.chance(0.7) ? 0 : likely([50, 1, 5_000, 2 ** 32 - 1], random),
      ...(random.chance(0.5) ? {} : { routingVersion: version }),
      ...(random.chance(0.9) ? {} : { heardVersion: version }),
    }),
  };
}

function likely<Value>(choices: readonly [Value, ...Value[]] | readonly Value[], random: SeededRandom): Value {
  return choices[Math.min(random.below(choices.length), random.below(choices.length))] as Value;
}

function act({ store }: ExchangeStage, step: Step, { stream }: StreamWatch): void {
  switch (step) {
    case 'hold raises':
      return void store.held.add('raise');
    case 'deliver raises':
      store.held.delete('raise');
      return store.deliver('raise');
    case 'stop reading':
      stream.isTaking = false;
      return;
    case 'read on':
      return stream.drain();
    case 'move':
      store.assign(store.sections[1]?.owner === 'a' ? 'b' : 'a', 1);
      return store.push();
    case 'leave':
      return stream.cancel();
    case 'end':
      return stream.receive('end');
    case 'send':
    case 'elsewhere':
    case 'pass time':
      return;
    default:
      return unreachable(step);
  }
}

/** A frame that was sent, and what its caller knows of it. */
interface Sent {
  readonly ops: readonly { readonly uid: bigint; readonly count: number; readonly floor: bigint }[];
  /** Of each operation's uid, the highest number that had been returned before the frame was sent. */
  readonly seen: readonly bigint[];
  readonly answered: Set<number>;
}

/** One stream as its caller sees it. */
class StreamWatch {
  readonly place: number;
  readonly stream = new FakeStream();
  readonly outcomes: Outcome[] = [];
  readonly #numbers: Numbers;
  readonly #frames: Sent[] = [];
  /** Of frames that are not over. */
  readonly #byId = new Map<number, Sent>();
  #isGone = false;

  constructor(stage: ExchangeStage, numbers: Numbers, place: number) {
    this.place = place;
    this.#numbers = numbers;
    // The server's own listener comes after this one: a frame counts as taken when it is looked at.
    this.stream.on('data', (frame) => this.#taken(frame as OpsFrame | Error));
    this.stream.on('cancelled', () => {
      this.#isGone = true;
    });
    this.stream.onWritten = (reply) => this.#replied(reply);
    stage.open(this.stream);
  }

  get isOver(): boolean {
    return this.#isGone || this.stream.ended !== undefined;
  }

  /** Something is to be answered, or to be read. */
  get isWaiting(): boolean {
    return !this.isOver && (this.#byId.size > 0 || this.stream.heldCount > 0);
  }

  send(bytes: Buffer): void {
    this.stream.receive(bytes);
  }

  checkAnswered(): void {
    if (this.stream.ended !== undefined) this.outcomes.push(this.stream.ended === 'well' ? 'ok ended' : `ended ${this.stream.ended.details}`);
    if (this.#isGone || (this.stream.ended !== undefined && this.stream.ended !== 'well')) return;
    mustHold(this.stream.heldCount === 0 || this.stream.ended === 'well', 'a stream whose frames are answered is read on');
    for (const { ops, answered } of this.#frames) mustHold(answered.size === ops.length, 'every operation is answered');
  }

  #taken(frame: OpsFrame | Error): void {
    if (frame instanceof Error || this.isOver || this.#byId.has(frame.id)) return;
    const ops = Array.from({ length: frame.opCount }, (_, place) => ({
      uid: bigAt(frame.uids, place),
      count: frame.counts?.low(place) ?? 1,
      floor: frame.floors === undefined ? 0n : bigAt(frame.floors, place),
    }));
    const sent: Sent = { ops, seen: ops.map(({ uid }) => this.#numbers.returned(uid)), answered: new Set() };
    this.#frames.push(sent);
    this.#byId.set(frame.id, sent);
    mustHold(this.#byId.size <= FRAMES_PENDING_MAX, 'no more frames are under way than may be');
  }

  #replied({ id, opCount, places, seqs, errors }: OpsReply): void {
    const sent = this.#byId.get(id);
    mustHold(sent !== undefined, 'a reply belongs to a frame that is not over');
    mustHold(!this.isOver, 'nothing is written to a stream that is over');
    const refused = new Map(errors.map(({ place, error }) => [place, error]));
    let last = -1;
    for (let at = 0; at < opCount; at++) {
      const place = places?.low(at) ?? at;
      const op = sent.ops[place];
      mustHold(op !== undefined && place > last && !sent.answered.has(place), 'each operation is answered once, in order of places');
      last = place;
      sent.answered.add(place);
      const error = refused.get(place);
      const seq = bigAt(seqs, at);
      if (error !== undefined) mustHold(error.definite && seq === 0n, 'a refusal is definite, and has no number');
      else if (op.count === 0) this.#numbers.current(op, sent.seen[place] ?? 0n, seq);
      else this.#numbers.handedOut(op, sent.seen[place] ?? 0n, seq);
      this.outcomes.push(error === undefined ? `ok ${op.count === 0 ? 'current' : 'next'}` : `${error.code} ${error.message}`);
    }
    if (sent.answered.size === sent.ops.length) this.#byId.delete(id);
  }
}

/** Every number that left, by uid. */
class Numbers {
  readonly #stage: ExchangeStage;
  readonly #ranges = new Map<bigint, { readonly first: bigint; readonly last: bigint }[]>();
  readonly #returned = new Map<bigint, bigint>();

  constructor(stage: ExchangeStage) {
    this.#stage = stage;
  }

  returned(uid: bigint): bigint {
    return this.#returned.get(uid) ?? 0n;
  }

  handedOut({ uid, count, floor }: { readonly uid: bigint; readonly count: number; readonly floor: bigint }, seen: bigint, first: bigint): void {
    const last = first + BigInt(count) - 1n;
    const ranges = this.#ranges.get(uid) ?? [];
    mustHold(!ranges.some((range) => first <= range.last && range.first <= last), 'No number is handed out twice for a uid');
    mustHold(first > seen, 'every number is greater than every one that was returned before its frame came');
    mustHold(first > floor, 'no answer is at or below its floor');
    this.#checkCeiling(uid, last);
    this.#ranges.set(uid, [...ranges, { first, last }]);
    if (last > this.returned(uid)) this.#returned.set(uid, last);
  }

  current({ uid, floor }: { readonly uid: bigint; readonly floor: bigint }, seen: bigint, seq: bigint): void {
    mustHold(seq >= seen && seq >= floor, 'a counter is never below a number that was returned, nor below its floor');
    this.#checkCeiling(uid, seq);
    // No later number may be at or below it.
    if (seq > this.returned(uid)) this.#returned.set(uid, seq);
  }

  #checkCeiling(uid: bigint, seq: bigint): void {
    const { section } = locate(this.#stage.store.geometry, parseUid(uid));
    mustHold(seq <= (this.#stage.store.sections[section]?.maxSeq ?? 0n), 'curSeq <= maxSeq committed by Raft');
  }
}
