import { bench, group, summary } from 'mitata';
import { NO_VERSION } from '../../../src/model/version.js';
import { versionToWire } from '../../../src/rpc/codec.js';
import { type Column, ColumnRoom } from '../../../src/rpc/columns.js';
import { OpsFrame, OpsReply } from '../../../src/rpc/gen/seqsvr/v1/seq.js';
import { decodeOpsFrame, decodeOpsReply, encodeOpsFrame, encodeOpsReply } from '../../../src/rpc/ops-codec.js';
import { sink } from './sink.js';

const OPS = 256;
const VERSION = { generation: 1_700_000_000, value: 12 };
const FIRST = 1_000_000;

/** A frame and its reply, of OPS operations with floors: by hand, and by the generated code, which is the baseline. */
export function codecs(): void {
  const uids = new ColumnRoom({ width: 8, lengthMax: OPS });
  const floors = new ColumnRoom({ width: 8, lengthMax: OPS });
  const writeFrame = (): Buffer => {
    for (let place = 0; place < OPS; place++) {
      uids.put(place, FIRST + place, 0);
      floors.put(place, place, 1);
    }
    const head = { id: 7, routingVersion: VERSION, heardVersion: NO_VERSION, strict: false, timeoutMs: 1_000, opCount: OPS };
    return encodeOpsFrame({ ...head, uids, counts: undefined, floors });
  };
  const frame = { id: 7, routingVersion: versionToWire(VERSION), heardVersion: undefined, strict: false, timeoutMs: 1_000, counts: [] };
  const bigs = (from: number): bigint[] => Array.from({ length: OPS }, (_, place) => BigInt(from + place));
  pair(`write a frame of ${OPS}`, writeFrame, () => OpsFrame.encode({ ...frame, uids: bigs(FIRST), floors: bigs(2 ** 32) }).finish());
  const frameBytes = writeFrame();
  const readFrame = (): number => {
    const { uids: keys, floors: seen } = decodeOpsFrame(frameBytes);
    return sumOf(keys) + (seen === undefined ? 0 : sumOf(seen));
  };
  const readGenerated = (): number => {
    const { uids: keys, floors: seen } = OpsFrame.decode(frameBytes);
    return bigSumOf(keys) + bigSumOf(seen);
  };
  pair(`read a frame of ${OPS}`, readFrame, readGenerated);

  const writeReply = (): Buffer => {
    for (let place = 0; place < OPS; place++) uids.put(place, FIRST + place, 1);
    const none = { places: undefined, epochs: undefined, inexact: [], errors: [], routing: undefined, routingDelta: undefined };
    return encodeOpsReply({ id: 7, opCount: OPS, epoch: 3, seqs: uids, ...none });
  };
  const reply = { id: 7, places: [], epoch: 3n, epochs: [], inexact: [], errors: [], routing: undefined, routingDelta: undefined };
  pair(`write a reply of ${OPS}`, writeReply, () => OpsReply.encode({ ...reply, seqs: bigs(2 ** 32) }).finish());
  const replyBytes = writeReply();
  pair(
    `read a reply of ${OPS}`,
    () => sumOf(decodeOpsReply(replyBytes).seqs),
    () => bigSumOf(OpsReply.decode(replyBytes).seqs),
  );
}

function pair(name: string, byHand: () => unknown, generated: () => unknown): void {
  group(name, () => {
    summary(() => {
      bench('generated', () => sink(generated())).baseline(true);
      bench('by hand', () => sink(byHand()));
    });
  });
}

function sumOf(column: Column): number {
  let sum = 0;
  for (let place = 0; place < column.length; place++) sum += column.low(place) + column.high(place);
  return sum;
}

function bigSumOf(values: readonly bigint[]): number {
  let sum = 0;
  for (const value of values) sum += Number(value);
  return sum;
}
