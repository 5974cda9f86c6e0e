import type { ClientDuplexStream, MethodDefinition, ServerDuplexStream } from '@grpc/grpc-js';
import { InvariantError } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import { NO_VERSION, type Version } from '../model/version.js';
import { numberFromWire, versionFromWire } from './codec.js';
import { Column, ColumnRoom, viewOf } from './columns.js';
import type * as common from './gen/seqsvr/v1/common.js';
import * as wire from './gen/seqsvr/v1/seq.js';
import { OPS_PER_FRAME_MAX } from './limits.js';
import { WireCursor, WireWriter } from './wire-numbers.js';

/**
 * The messages of Exchange by hand: the bytes that seq.proto and the generated code give (its tests compare them), without an object or a
 * bigint for each operation. A message that is not written as this file writes goes the generated way, to the same result.
 */

/** Operations on their way to an AllocSvr, as they were received. Every column has `opCount` values. */
export interface OpsFrame extends FrameHead {
  readonly uids: Column;
  /** Undefined: one number for each. */
  readonly counts: Column | undefined;
  /** Undefined: none for any. */
  readonly floors: Column | undefined;
}

/** The same as it is written. */
export interface OutgoingFrame extends FrameHead {
  readonly uids: ColumnRoom;
  readonly counts: ColumnRoom | undefined;
  readonly floors: ColumnRoom | undefined;
}

interface FrameHead {
  readonly id: number;
  /** NO_VERSION: the caller has no table. */
  readonly routingVersion: Version;
  /** NO_VERSION: it heard of none that is newer. */
  readonly heardVersion: Version;
  readonly strict: boolean;
  /** 0: OPS_TIMEOUT_DEFAULT_MS. */
  readonly timeoutMs: number;
  readonly opCount: number;
}

/** Answers, as they were received. Every column has `opCount` values. */
export interface OpsReply extends ReplyHead {
  /** Undefined: all operations of the frame, in order. */
  readonly places: Column | undefined;
  /** Undefined: `epoch` for all. */
  readonly epochs: Column | undefined;
  readonly seqs: Column;
}

/** The same as it is written. */
export interface OutgoingReply extends ReplyHead {
  readonly places: ColumnRoom | undefined;
  readonly epochs: ColumnRoom | undefined;
  readonly seqs: ColumnRoom;
}

interface ReplyHead {
  readonly id: number;
  readonly opCount: number;
  readonly epoch: number;
  /** Places in the frame whose seq is an upper bound. */
  readonly inexact: readonly number[];
  readonly errors: readonly PlacedError[];
  readonly routing: common.RoutingTable | undefined;
  readonly routingDelta: common.RoutingDelta | undefined;
}

export interface PlacedError {
  /** In the frame. */
  readonly place: number;
  readonly error: common.ErrorDetail;
}

/** Writers hand it encoded messages; what cannot be read arrives as the error that says why, where grpc-js would end the call in silence. */
const { path, requestStream, responseStream } = wire.SeqServiceService.exchange;
const asIs = (bytes: Buffer): Buffer => bytes;
export const exchangeCall = {
  path,
  requestStream,
  responseStream,
  requestSerialize: asIs,
  requestDeserialize: (bytes: Buffer) => orError(() => decodeOpsFrame(bytes)),
  responseSerialize: asIs,
  responseDeserialize: (bytes: Buffer) => orError(() => decodeOpsReply(bytes)),
};
/** The two ends of a stream. */
export type OpsServerStream = ServerDuplexStream<OpsFrame | SeqError, Buffer>;
export type OpsClientStream = ClientDuplexStream<Buffer, OpsReply | SeqError>;

/** As the caller sees it: who opens a stream reads replies and writes none. */
export const exchangeMethod: MethodDefinition<Buffer, OpsReply | SeqError> = {
  ...exchangeCall,
  requestDeserialize: asIs,
  responseSerialize: () => {
    throw new InvariantError('whoever opens a stream writes no replies');
  },
};

/** Three times what the largest frame takes, for fields that only others know: what is longer costs no time. */
const FRAME_BYTES_MAX = 64 * 1024;
/** What a message takes besides its columns and what the generated code writes, in bytes, at most. */
const HEAD_BYTES_MAX = 96;

const varint = (field: number): number => field << 3;
const nested = (field: number): number => (field << 3) | 2;
const FRAME = {
  id: varint(1),
  routing: nested(2),
  heard: nested(3),
  strict: varint(4),
  timeoutMs: varint(5),
  uids: nested(6),
  counts: nested(7),
  floors: nested(8),
};
const REPLY = { id: varint(1), places: nested(2), epoch: varint(3), epochs: nested(4), seqs: nested(5), inexact: nested(6) };
const VERSION = { generation: varint(1), value: varint(2) };

export function encodeOpsFrame(frame: OutgoingFrame): Buffer {
  const { opCount } = frame;
  const writer = new WireWriter(HEAD_BYTES_MAX + opCount * (8 + (frame.counts === undefined ? 0 : 4) + (frame.floors === undefined ? 0 : 8)));
  writeColumn(writer, FRAME.floors, frame.floors, opCount);
  writeColumn(writer, FRAME.counts, frame.counts, opCount);
  writeColumn(writer, FRAME.uids, frame.uids, opCount);
  writer.number(FRAME.timeoutMs, frame.timeoutMs);
  writer.number(FRAME.strict, frame.strict ? 1 : 0);
  writeVersion(writer, FRAME.heard, frame.heardVersion);
  writeVersion(writer, FRAME.routing, frame.routingVersion);
  writer.number(FRAME.id, frame.id);
  return writer.written();
}

/** Throws PROTOCOL for what is no message, INVALID_ARGUMENT for a frame that no caller may send. */
export function decodeOpsFrame(bytes: Buffer): OpsFrame {
  if (bytes.length > FRAME_BYTES_MAX) throw invalid(`a frame has at most ${FRAME_BYTES_MAX} bytes, got ${bytes.length}`);
  const frame = steadyFrame(bytes) ?? anyFrame(bytes);
  const { opCount, counts, floors } = frame;
  if (opCount < 1 || opCount > OPS_PER_FRAME_MAX) throw invalid(`a frame has 1 to ${OPS_PER_FRAME_MAX} operations, got ${opCount}`);
  if (counts !== undefined && counts.length !== opCount)
    throw invalid(`a frame has a count for each uid or none at all: ${opCount} uids, got ${counts.length} counts`);
  if (floors !== undefined && floors.length !== opCount)
    throw invalid(`a frame has a floor for each uid or none at all: ${opCount} uids, got ${floors.length} floors`);
  return frame;
}

export function encodeOpsReply(reply: OutgoingReply): Buffer {
  const { opCount, inexact } = reply;
  const rest = restOf(reply);
  const valueBytes = 8 + (reply.places === undefined ? 0 : 4) + (reply.epochs === undefined ? 0 : 8);
  const writer = new WireWriter(HEAD_BYTES_MAX + opCount * valueBytes + inexact.length * 4 + rest.length);
  writer.append(rest);
  writeColumn(writer, REPLY.inexact, inexact.length === 0 ? undefined : roomOf(inexact), inexact.length);
  writeColumn(writer, REPLY.seqs, reply.seqs, opCount);
  writeColumn(writer, REPLY.epochs, reply.epochs, opCount);
  writer.number(REPLY.epoch, reply.epoch);
  writeColumn(writer, REPLY.places, reply.places, opCount);
  writer.number(REPLY.id, reply.id);
  return writer.written();
}

/** Throws PROTOCOL for what is no reply. Whether it fits its frame is for whoever sent that to say. */
export function decodeOpsReply(bytes: Buffer): OpsReply {
  const reply = steadyReply(bytes) ?? anyReply(bytes);
  const { opCount, places, epochs } = reply;
  if (opCount < 1 || opCount > OPS_PER_FRAME_MAX) throw protocol(`a reply has 1 to ${OPS_PER_FRAME_MAX} answers, got ${opCount}`);
  if ((places ?? reply.seqs).length !== opCount || (epochs ?? reply.seqs).length !== opCount)
    throw protocol(`a reply with ${opCount} answers, ${places?.length ?? 0} places and ${epochs?.length ?? 0} epochs`);
  return reply;
}

function steadyFrame(bytes: Buffer): OpsFrame | undefined {
  const cursor = new WireCursor(bytes, bytes.length);
  const id = cursor.number(FRAME.id);
  const routingVersion = readVersion(cursor, FRAME.routing);
  const heardVersion = readVersion(cursor, FRAME.heard);
  const strict = cursor.number(FRAME.strict);
  const timeoutMs = cursor.number(FRAME.timeoutMs);
  const view = viewOf(bytes);
  const uids = readColumn(cursor, FRAME.uids, view, 8);
  const counts = readColumn(cursor, FRAME.counts, view, 4);
  const floors = readColumn(cursor, FRAME.floors, view, 8);
  if (!cursor.isSound || cursor.at !== bytes.length || uids === undefined || !isUint32(id) || !isUint32(timeoutMs) || strict > 1) return undefined;
  return { id, routingVersion, heardVersion, strict: strict === 1, timeoutMs, opCount: uids.length, uids, counts, floors };
}

function anyFrame(bytes: Buffer): OpsFrame {
  const { id, routingVersion, heardVersion, strict, timeoutMs, uids, counts, floors } = generated(() => wire.OpsFrame.decode(bytes));
  return {
    id,
    routingVersion: routingVersion === undefined ? NO_VERSION : versionFromWire(routingVersion),
    heardVersion: heardVersion === undefined ? NO_VERSION : versionFromWire(heardVersion),
    strict,
    timeoutMs,
    opCount: uids.length,
    uids: bigColumn(uids),
    counts: counts.length === 0 ? undefined : roomOf(counts).column(counts.length),
    floors: floors.length === 0 ? undefined : bigColumn(floors),
  };
}

function steadyReply(bytes: Buffer): OpsReply | undefined {
  const cursor = new WireCursor(bytes, bytes.length);
  const view = viewOf(bytes);
  const id = cursor.number(REPLY.id);
  const places = readColumn(cursor, REPLY.places, view, 4);
  const epoch = cursor.number(REPLY.epoch);
  const epochs = readColumn(cursor, REPLY.epochs, view, 8);
  const seqs = readColumn(cursor, REPLY.seqs, view, 8);
  if (!cursor.isSound || cursor.at !== bytes.length || seqs === undefined || !isUint32(id)) return undefined;
  return { id, opCount: seqs.length, places, epoch, epochs, seqs, inexact: [], errors: [], routing: undefined, routingDelta: undefined };
}

/** Answers with anything but numbers come seldom. */
function anyReply(bytes: Buffer): OpsReply {
  const { id, places, epoch, epochs, seqs, inexact, errors, routing, routingDelta } = generated(() => wire.OpsReply.decode(bytes));
  return {
    id,
    opCount: seqs.length,
    places: places.length === 0 ? undefined : roomOf(places).column(places.length),
    epoch: numberFromWire(epoch, 'epoch'),
    epochs: epochs.length === 0 ? undefined : bigColumn(epochs),
    seqs: bigColumn(seqs),
    inexact,
    errors: errors.map(({ place, error }) => {
      if (error === undefined) throw protocol(`a reply that says no error for place ${place}`);
      return { place, error };
    }),
    routing,
    routingDelta,
  };
}

/** What is not written by hand; it comes last in the message. */
function restOf({ errors, routing, routingDelta }: OutgoingReply): Uint8Array {
  if (errors.length === 0 && routing === undefined && routingDelta === undefined) return NO_BYTES;
  const empty = { id: 0, places: [], epoch: 0n, epochs: [], seqs: [], inexact: [] };
  return wire.OpsReply.encode({ ...empty, errors: [...errors], routing, routingDelta }).finish();
}

const NO_BYTES = new Uint8Array();

function writeColumn(writer: WireWriter, tag: number, room: ColumnRoom | undefined, length: number): void {
  if (room !== undefined) writer.bytes(tag, room.first(length));
}

/** Undefined: there is none, or it is not one piece of whole values. */
function readColumn(cursor: WireCursor, tag: number, view: DataView, width: 4 | 8): Column | undefined {
  const end = cursor.enter(tag);
  if (Number.isNaN(end)) return undefined;
  const { at } = cursor;
  const length = (end - at) / width;
  if (!Number.isInteger(length) || length === 0) return undefined;
  cursor.leave(end);
  return new Column(view, { at, length, width });
}

function writeVersion(writer: WireWriter, tag: number, { generation, value }: Version): void {
  if (generation === 0 && value === 0) return;
  const end = writer.at;
  writer.number(VERSION.value, value);
  writer.number(VERSION.generation, generation);
  writer.length(tag, end);
}

function readVersion(cursor: WireCursor, tag: number): Version {
  if (cursor.peek() !== tag) return NO_VERSION;
  const end = cursor.enter(tag);
  const generation = cursor.number(VERSION.generation);
  const value = cursor.number(VERSION.value);
  cursor.mustEndAt(end);
  return { generation, value };
}

function bigColumn(values: readonly bigint[]): Column {
  const room = new ColumnRoom({ width: 8, lengthMax: values.length });
  for (const [index, value] of values.entries()) room.put(index, Number(value & 0xffff_ffffn), Number(value >> 32n));
  return room.column(values.length);
}

function roomOf(values: readonly number[]): ColumnRoom {
  const room = new ColumnRoom({ width: 4, lengthMax: values.length });
  for (const [index, value] of values.entries()) room.put(index, value);
  return room;
}

function isUint32(value: number): boolean {
  return value <= 0xffff_ffff;
}

function generated<Message>(decode: () => Message): Message {
  try {
    return decode();
  } catch (cause) {
    throw new SeqError('PROTOCOL', 'bytes that are no message of this stream', { cause });
  }
}

function orError<Message>(decode: () => Message): Message | SeqError {
  try {
    return decode();
  } catch (error) {
    if (error instanceof SeqError) return error;
    throw error;
  }
}

function invalid(message: string): SeqError {
  return new SeqError('INVALID_ARGUMENT', message);
}

function protocol(message: string): SeqError {
  return new SeqError('PROTOCOL', message);
}
