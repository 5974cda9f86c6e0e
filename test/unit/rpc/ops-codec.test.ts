import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { NO_VERSION, type Version } from '../../../src/model/version.js';
import { versionToWire } from '../../../src/rpc/codec.js';
import { type Column, ColumnRoom } from '../../../src/rpc/columns.js';
import * as wire from '../../../src/rpc/gen/seqsvr/v1/seq.js';
import { OPS_PER_FRAME_MAX } from '../../../src/rpc/limits.js';
import {
  decodeOpsFrame,
  decodeOpsReply,
  encodeOpsFrame,
  encodeOpsReply,
  exchangeCall,
  type OpsFrame,
  type OpsReply,
} from '../../../src/rpc/ops-codec.js';
import { SeededRandom } from '../seeded-random.js';

const MESSAGES = 3_000;
const UINT32S = [0, 1, 0x7f, 0x80, 2 ** 14, 2 ** 31, 2 ** 32 - 1];
const UINT64S = [0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 64n - 1n];

describe('ops codec', () => {
  it('writes the frames that the generated code writes, and reads them the same', () => {
    const random = new SeededRandom(1);
    for (let count = 0; count < MESSAGES; count++) {
      const { byHand, plain } = randomFrame(random);
      const bytes = encodeOpsFrame(byHand);
      expect(bytes.toString('hex')).to.equal(Buffer.from(wire.OpsFrame.encode(plain).finish()).toString('hex'));
      expect(shownFrame(decodeOpsFrame(bytes))).to.deep.equal(shownPlainFrame(plain));
    }
  });

  it('writes the replies that the generated code writes, and reads them the same', () => {
    const random = new SeededRandom(2);
    for (let count = 0; count < MESSAGES; count++) {
      const { byHand, plain } = randomReply(random);
      const bytes = encodeOpsReply(byHand);
      expect(bytes.toString('hex')).to.equal(Buffer.from(wire.OpsReply.encode(plain).finish()).toString('hex'));
      expect(shownReply(decodeOpsReply(bytes))).to.deep.equal(shownPlainReply(plain));
    }
  });

  it('takes of changed bytes only what the generated code takes, and the same of it', () => {
    const random = new SeededRandom(3);
    let takenCount = 0;
    for (let count = 0; count < 2 * MESSAGES; count++) {
      const isFrame = random.chance(0.5);
      const bytes = isFrame ? encodeOpsFrame(randomFrame(random).byHand) : encodeOpsReply(randomReply(random).byHand);
      for (let left = 1 + random.below(2); left > 0; left--) bytes[random.below(Math.min(bytes.length, 40))] = random.below(256);
      const byHand = outcome(() => (isFrame ? shownFrame(decodeOpsFrame(bytes)) : shownReply(decodeOpsReply(bytes))));
      if (byHand instanceof SeqError) continue;
      takenCount += 1;
      expect(byHand).to.deep.equal(isFrame ? shownPlainFrame(wire.OpsFrame.decode(bytes)) : shownPlainReply(wire.OpsReply.decode(bytes)));
    }
    expect(takenCount).to.be.above(MESSAGES / 10);
  });

  it('reads fields in any order, in pieces, and with unknown ones between', () => {
    const one = wire.OpsFrame.encode({ ...EMPTY_FRAME, uids: [1n] }).finish();
    const other = wire.OpsFrame.encode({ ...EMPTY_FRAME, id: 7, uids: [2n ** 64n - 1n] }).finish();
    const unknown = Uint8Array.of((15 << 3) | 0, 1);
    const frame = decodeOpsFrame(Buffer.concat([one, unknown, other]));
    expect(shownFrame(frame)).to.deep.include({ id: 7, uids: [1n, 2n ** 64n - 1n] });
  });

  const FRAMES: readonly [string, Partial<wire.OpsFrame>, string][] = [
    ['no operation', { uids: [] }, `a frame has 1 to ${OPS_PER_FRAME_MAX} operations, got 0`],
    ['too many', { uids: ones(OPS_PER_FRAME_MAX + 1) }, `a frame has 1 to ${OPS_PER_FRAME_MAX} operations, got ${OPS_PER_FRAME_MAX + 1}`],
    ['too few counts', { uids: ones(3), counts: [1] }, 'a frame has a count for each uid or none at all: 3 uids, got 1 counts'],
    ['too many floors', { uids: ones(1), floors: ones(2) }, 'a frame has a floor for each uid or none at all: 1 uids, got 2 floors'],
  ];
  for (const [name, parts, message] of FRAMES) {
    it(`refuses a frame with ${name}`, () => {
      const bytes = Buffer.from(wire.OpsFrame.encode({ ...EMPTY_FRAME, ...parts }).finish());
      expect(() => decodeOpsFrame(bytes))
        .to.throw(SeqError, message)
        .with.property('code', 'INVALID_ARGUMENT');
    });
  }

  it('hands what is no message on as the error that it is', () => {
    const truncated = encodeOpsFrame(randomFrame(new SeededRandom(4)).byHand).subarray(0, -1);
    for (const bytes of [truncated, Buffer.from([0x32, 0xff]), Buffer.from([0x0f])])
      expect(exchangeCall.requestDeserialize(bytes)).to.be.instanceOf(SeqError).with.property('code', 'PROTOCOL');
    expect(exchangeCall.responseDeserialize(Buffer.alloc(0)))
      .to.be.instanceOf(SeqError)
      .with.property('code', 'PROTOCOL');
  });

  it('refuses a version or an epoch beyond 2^53', () => {
    const frame = { ...EMPTY_FRAME, uids: [1n], routingVersion: { generation: 2n ** 53n, value: 1n } };
    expect(() => decodeOpsFrame(Buffer.from(wire.OpsFrame.encode(frame).finish()))).to.throw(SeqError, 'generation must be at most 2^53-1');
    const reply = { ...EMPTY_REPLY, seqs: [1n], epoch: 2n ** 53n };
    expect(() => decodeOpsReply(Buffer.from(wire.OpsReply.encode(reply).finish()))).to.throw(SeqError, 'epoch must be at most 2^53-1');
  });
});

const EMPTY_FRAME: wire.OpsFrame = {
  id: 0,
  routingVersion: undefined,
  heardVersion: undefined,
  strict: false,
  timeoutMs: 0,
  uids: [],
  counts: [],
  floors: [],
};
const EMPTY_REPLY: wire.OpsReply = {
  id: 0,
  places: [],
  epoch: 0n,
  epochs: [],
  seqs: [],
  inexact: [],
  errors: [],
  routing: undefined,
  routingDelta: undefined,
};

function ones(count: number): bigint[] {
  return Array.from({ length: count }, () => 1n);
}

function randomFrame(random: SeededRandom) {
  const opCount = 1 + random.below(random.pick([1, 4, 300, OPS_PER_FRAME_MAX]));
  const uids = randomBigs(random, opCount);
  const counts = random.chance(0.5) ? randomSmalls(random, opCount) : [];
  const floors = random.chance(0.5) ? randomBigs(random, opCount) : [];
  const head = { id: random.pick(UINT32S), strict: random.chance(0.5), timeoutMs: random.pick(UINT32S) };
  const [routingVersion, heardVersion] = [randomVersion(random), randomVersion(random)];
  const byHand = {
    ...head,
    opCount,
    routingVersion,
    heardVersion,
    uids: bigRoom(uids),
    counts: counts.length === 0 ? undefined : smallRoom(counts),
    floors: floors.length === 0 ? undefined : bigRoom(floors),
  };
  const plain = { ...head, routingVersion: wireVersion(routingVersion), heardVersion: wireVersion(heardVersion), uids, counts, floors };
  return { byHand, plain };
}

function randomReply(random: SeededRandom) {
  const opCount = 1 + random.below(random.pick([1, 4, 300, OPS_PER_FRAME_MAX]));
  const seqs = randomBigs(random, opCount);
  const places = random.chance(0.5) ? randomSmalls(random, opCount) : [];
  const epochs = random.chance(0.5) ? randomBigs(random, opCount) : [];
  const inexact = random.chance(0.3) ? [0, 5] : [];
  const detail = {
    code: 'NOT_OWNER',
    definite: true,
    retryAfterMs: 5,
    redirectId: 'a',
    redirectAddress: 'h:1',
    routingVersion: undefined,
    message: 'no',
  };
  const errors = random.chance(0.3) ? [{ place: 1, error: detail }] : [];
  const head = { id: random.pick(UINT32S), inexact, errors, routing: undefined, routingDelta: undefined };
  const epoch = random.pick([0, 1, 2 ** 40]);
  const byHand = {
    ...head,
    opCount,
    epoch,
    seqs: bigRoom(seqs),
    places: places.length === 0 ? undefined : smallRoom(places),
    epochs: epochs.length === 0 ? undefined : bigRoom(epochs),
  };
  return { byHand, plain: { ...head, epoch: BigInt(epoch), places, epochs, seqs } };
}

function randomBigs(random: SeededRandom, count: number): bigint[] {
  return Array.from({ length: count }, () => random.pick(UINT64S));
}

function randomSmalls(random: SeededRandom, count: number): number[] {
  return Array.from({ length: count }, () => random.pick(UINT32S));
}

function randomVersion(random: SeededRandom): Version {
  return random.chance(0.5) ? NO_VERSION : { generation: random.pick([1, 2 ** 40]), value: random.below(300) };
}

function wireVersion(version: Version) {
  return version === NO_VERSION ? undefined : versionToWire(version);
}

function bigRoom(values: readonly bigint[]): ColumnRoom {
  const room = new ColumnRoom({ width: 8, lengthMax: values.length });
  for (const [index, value] of values.entries()) room.put(index, Number(value % 2n ** 32n), Number(value / 2n ** 32n));
  return room;
}

function smallRoom(values: readonly number[]): ColumnRoom {
  const room = new ColumnRoom({ width: 4, lengthMax: values.length });
  for (const [index, value] of values.entries()) room.put(index, value);
  return room;
}

function bigs(column: Column): bigint[] {
  return Array.from({ length: column.length }, (_, index) => BigInt(column.high(index)) * 2n ** 32n + BigInt(column.low(index)));
}

function smalls(column: Column): number[] {
  return Array.from({ length: column.length }, (_, index) => column.low(index));
}

function shownFrame({ uids, counts, floors, opCount, ...head }: OpsFrame) {
  expect(opCount).to.equal(uids.length);
  return { ...head, uids: bigs(uids), counts: counts && smalls(counts), floors: floors && bigs(floors) };
}

function shownPlainFrame({ uids, counts, floors, routingVersion, heardVersion, id, strict, timeoutMs }: wire.OpsFrame) {
  const version = (known: typeof routingVersion) =>
    known === undefined ? NO_VERSION : { generation: Number(known.generation), value: Number(known.value) };
  return {
    id,
    routingVersion: version(routingVersion),
    heardVersion: version(heardVersion),
    strict,
    timeoutMs,
    uids,
    counts: counts.length === 0 ? undefined : counts,
    floors: floors.length === 0 ? undefined : floors,
  };
}

function shownReply({ seqs, places, epochs, opCount, ...head }: OpsReply) {
  expect(opCount).to.equal(seqs.length);
  return { ...head, seqs: bigs(seqs), places: places && smalls(places), epochs: epochs && bigs(epochs) };
}

function shownPlainReply({ seqs, places, epochs, epoch, ...rest }: wire.OpsReply) {
  return {
    ...rest,
    epoch: Number(epoch),
    seqs,
    places: places.length === 0 ? undefined : places,
    epochs: epochs.length === 0 ? undefined : epochs,
  };
}

function outcome<Value>(run: () => Value): Value | SeqError {
  try {
    return run();
  } catch (error) {
    if (error instanceof SeqError) return error;
    throw error;
  }
}
