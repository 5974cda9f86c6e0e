import type { Append, Envelope, Message, MessageOf } from '../raft/message.js';
import type { Entry, Index, Term } from '../raft/types.js';
import type { DeliverRequest } from './gen/seqsvr/v1/raft.js';
import { PLACE_MAX } from './codec.js';
import { checkSeal, deliverRequest, SEAL_BYTES, writeSeal } from './peer-frame.js';
import { type FramedMessage, isPlace, raftToWire } from './raft-codec.js';
import { WireCursor, WireWriter } from './wire-numbers.js';

/**
 * What a group without trouble says, by hand: the same bytes as raft.proto and the generated code give (its tests compare them), for a
 * sixth of what that costs. Everything else, and every frame that is not written as this file writes, goes the generated way.
 */
type SteadyMessage = MessageOf<'append' | 'appendReply' | 'heartbeat' | 'heartbeatReply'>;

/** A frame of the Deliver stream. The messages of `steady` obey every rule of raft-codec.ts; those of `messages` are still to be checked. */
export type DeliverFrame = NonNullable<DeliverRequest['frame']> | { readonly $case: 'steady'; readonly value: readonly FramedMessage[] };

/** What a message takes besides the data of its entries, in bytes, at most; and an entry besides its data, in a run of its own. */
const MESSAGE_BYTES_MAX = 96;
const ENTRY_BYTES_MAX = 32;

const varint = (field: number): number => field << 3;
const nested = (field: number): number => (field << 3) | 2;

/** Field numbers of DeliverRequest, RaftMessages, RaftMessage, Append and EntryRun, as tags. */
const FRAME_MESSAGES = nested(2);
const MESSAGES_MESSAGE = nested(1);
const BODY = { append: nested(8), appendReply: nested(9), heartbeat: nested(10), heartbeatReply: nested(11) } as const;
const APPEND_RUN = nested(4);
const RUN_DATA = nested(3);

/** Messages as one sealed frame. */
export function sealMessages(messages: readonly FramedMessage[]): Buffer {
  if (!messages.every(isSteady)) return deliverRequest.seal({ frame: { $case: 'messages', value: { messages: messages.map(raftToWire) } } });
  // From the end to the start, so that each length is known when it is written.
  const writer = new WireWriter(messages.reduce((sum, message) => sum + roomOf(message), MESSAGE_BYTES_MAX));
  writer.skip(SEAL_BYTES);
  const end = writer.at;
  for (let place = messages.length - 1; place >= 0; place--) writeMessage(writer, messages[place] as SteadyMessage);
  writer.length(FRAME_MESSAGES, end);
  const bytes = writer.written();
  writeSeal(bytes);
  return bytes;
}

/** Throws PROTOCOL unless the bytes are a frame, whole and unchanged. Undefined: of a kind that this version does not know. */
export function openDeliver(bytes: Buffer): DeliverFrame | undefined {
  checkSeal(bytes);
  const messages = steadyOf(bytes);
  return messages === undefined ? deliverRequest.decode(bytes).frame : { $case: 'steady', value: messages };
}

function isSteady(message: Message): message is SteadyMessage {
  return Object.hasOwn(BODY, message.type);
}

function roomOf(message: SteadyMessage): number {
  if (message.type !== 'append') return MESSAGE_BYTES_MAX;
  let bytes = MESSAGE_BYTES_MAX;
  for (const { data } of message.entries) bytes += ENTRY_BYTES_MAX + data.length;
  return bytes;
}

function writeMessage(writer: WireWriter, message: SteadyMessage): void {
  const end = writer.at;
  writeBody(writer, message);
  writer.length(BODY[message.type], end);
  writer.number(varint(3), message.term);
  writer.number(varint(2), message.to);
  writer.number(varint(1), message.from);
  writer.length(MESSAGES_MESSAGE, end);
}

function writeBody(writer: WireWriter, message: SteadyMessage): void {
  switch (message.type) {
    case 'append':
      writeRuns(writer, message.entries);
      writer.number(varint(3), message.commitIndex);
      writer.number(varint(2), message.previousTerm);
      writer.number(varint(1), message.previousIndex);
      return;
    case 'appendReply':
      writer.number(varint(4), message.hintTerm);
      writer.number(varint(3), message.hintIndex);
      writer.number(varint(2), message.rejected ? 1 : 0);
      writer.number(varint(1), message.index);
      return;
    case 'heartbeat':
      writer.number(varint(2), message.readRound);
      writer.number(varint(1), message.commitIndex);
      return;
    case 'heartbeatReply':
      writer.number(varint(1), message.readRound);
  }
}

/** Neighbours of one term and type are one run. */
function writeRuns(writer: WireWriter, entries: readonly Entry[]): void {
  let end = writer.at;
  for (let place = entries.length - 1; place >= 0; place--) {
    const { term, type, data } = entries[place] as Entry;
    writer.bytes(RUN_DATA, data);
    const before = entries[place - 1];
    if (before?.term === term && before.type === type) continue;
    writer.number(varint(2), type === 'normal' ? 0 : 1);
    writer.number(varint(1), term);
    writer.length(APPEND_RUN, end);
    end = writer.at;
  }
}

/** Undefined: not a frame of steady messages alone, or not as this file writes it, or one of them breaks a rule. */
function steadyOf(bytes: Buffer): readonly FramedMessage[] | undefined {
  const cursor = new WireCursor(bytes, bytes.length - SEAL_BYTES);
  if (cursor.enter(FRAME_MESSAGES) !== cursor.end) return undefined;
  const messages: FramedMessage[] = [];
  do {
    const message = messageOf(cursor);
    if (message === undefined) return undefined;
    messages.push(message);
  } while (cursor.at < cursor.end);
  return messages;
}

function messageOf(cursor: WireCursor): FramedMessage | undefined {
  const end = cursor.enter(MESSAGES_MESSAGE);
  const from = cursor.number(varint(1));
  const to = cursor.number(varint(2));
  const term = cursor.number(varint(3));
  if (!isNodeId(from) || !isNodeId(to) || term === 0 || !(term <= PLACE_MAX)) return undefined;
  const message = bodyOf(cursor, { from, to, term, end });
  return cursor.at === end && cursor.isSound ? message : undefined;
}

/** The body is the last field: it ends where its message does. */
function bodyOf(cursor: WireCursor, { from, to, term, end }: Envelope & { readonly end: number }): FramedMessage | undefined {
  const tag = cursor.peek();
  if (cursor.enter(tag) !== end) return undefined;
  switch (tag) {
    case BODY.append: {
      const append = appendOf(cursor, term, end);
      return append && { from, to, term, ...append };
    }
    case BODY.appendReply: {
      const index = cursor.number(varint(1));
      const rejected = cursor.number(varint(2));
      const hintIndex = cursor.number(varint(3));
      return rejected > 1
        ? undefined
        : { from, to, term, type: 'appendReply', index, rejected: rejected === 1, hintIndex, hintTerm: cursor.number(varint(4)) };
    }
    case BODY.heartbeat: {
      const commitIndex = cursor.number(varint(1));
      return { from, to, term, type: 'heartbeat', commitIndex, readRound: cursor.number(varint(2)) };
    }
    case BODY.heartbeatReply:
      return { from, to, term, type: 'heartbeatReply', readRound: cursor.number(varint(1)) };
    default:
      return undefined;
  }
}

function appendOf(cursor: WireCursor, term: Term, end: number): Append | undefined {
  const previousIndex = cursor.number(varint(1));
  const previousTerm = cursor.number(varint(2));
  const commitIndex = cursor.number(varint(3));
  if (!(previousIndex <= PLACE_MAX) || !isPlace(previousIndex, previousTerm, term)) return undefined;
  const entries: Entry[] = [];
  let lastTerm = previousTerm;
  while (cursor.at < end) {
    const runTerm = readRun(cursor, entries, previousIndex);
    // Also when it is NaN.
    if (!(runTerm >= Math.max(1, lastTerm) && runTerm <= term)) return undefined;
    lastTerm = runTerm;
  }
  return { type: 'append', previousIndex, previousTerm, commitIndex, entries };
}

/** Adds the entries of one run; returns their term, or NaN when it is none that may be. */
function readRun(cursor: WireCursor, entries: Entry[], previousIndex: Index): number {
  const end = cursor.enter(APPEND_RUN);
  const term = cursor.number(varint(1));
  const type = cursor.number(varint(2));
  if (!cursor.isSound || type > 1 || cursor.at >= end) return Number.NaN;
  while (cursor.at < end) {
    const data = cursor.bytes(RUN_DATA);
    if (data === undefined) return Number.NaN;
    entries.push({ index: previousIndex + entries.length + 1, term, type: type === 0 ? 'normal' : 'confChange', data });
  }
  return cursor.at === end ? term : Number.NaN;
}

function isNodeId(id: number): boolean {
  return id > 0 && id <= 0xffff_ffff;
}
