import { collectRuns, isSameHandoff } from '../model/window.js';
import { digestToWire } from '../rpc/codec.js';
import { SectionRecord } from '../rpc/gen/seqsvr/v1/log.js';
import type { Caller } from './command.js';
import type { Section } from './state.js';

/** Field 1 of SectionBlock, a message; field 1 of SectionRecord, a varint. */
const RUN_TAG = (1 << 3) | 2;
const COUNT_TAG = 1 << 3;
const VARINT_BYTES_MAX = 5;

/** A section is a value that never changes, so what it is on disk is worked out once: everything of its record but the count. */
const encoded = new WeakMap<Section, Uint8Array>();

/**
 * The record of one block of sections: the bytes that SectionBlock.encode makes, put together from the runs as they are
 * known. An entry of raises touches a few sections of nearly every block, so encoding them anew would be most of what an apply costs.
 */
export function encodeBlock(sections: readonly Section[]): Uint8Array {
  const runs = collectRuns({
    count: sections.length,
    isAlike: (one, other) => isAlike(sections[one], sections[other]),
    make: (first, count) => ({ rest: restOf(sections[first]), count }),
  });
  const bytes = Buffer.allocUnsafe(runs.reduce((sum, { rest }) => sum + rest.length + 2 + 2 * VARINT_BYTES_MAX, 0));
  let at = 0;
  for (const { rest, count } of runs) {
    bytes[at++] = RUN_TAG;
    at = writeVarint(bytes, at, 1 + varintBytes(count) + rest.length);
    bytes[at++] = COUNT_TAG;
    at = writeVarint(bytes, at, count);
    bytes.set(rest, at);
    at += rest.length;
  }
  return Uint8Array.prototype.slice.call(bytes, 0, at);
}

function restOf(section: Section | undefined): Uint8Array {
  if (section === undefined) return new Uint8Array();
  const known = encoded.get(section);
  if (known !== undefined) return known;
  const { owner, epoch, base, maxSeq, next, handoff } = section;
  const rest = SectionRecord.encode({
    // The one field that is not the section's own: absent, for 0 is not written.
    sectionCount: 0,
    allocId: owner?.allocId ?? '',
    incarnation: owner?.incarnation ?? '',
    epoch: BigInt(epoch),
    base,
    maxSeq,
    nextAllocId: next?.allocId ?? '',
    nextIncarnation: next?.incarnation ?? '',
    handoffEpoch: BigInt(handoff?.epoch ?? 0),
    handoffDigest: digestToWire(handoff?.digest),
    handoffAllocId: handoff?.from ?? '',
  }).finish();
  encoded.set(section, rest);
  return rest;
}

/** By value, not by identity: after a restart equal neighbours are other objects, and the bytes must be the same. */
function isAlike(one: Section | undefined, other: Section | undefined): boolean {
  if (one === other) return true;
  if (one === undefined || other === undefined) return false;
  return (
    one.maxSeq === other.maxSeq &&
    one.base === other.base &&
    one.epoch === other.epoch &&
    isSameCaller(one.owner, other.owner) &&
    isSameCaller(one.next, other.next) &&
    isSameHandoff(one.handoff, other.handoff)
  );
}

function isSameCaller(one: Caller | undefined, other: Caller | undefined): boolean {
  return one?.allocId === other?.allocId && one?.incarnation === other?.incarnation;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let left = value >>> 7; left > 0; left >>>= 7) bytes += 1;
  return bytes;
}

function writeVarint(bytes: Uint8Array, from: number, value: number): number {
  let at = from;
  let left = value;
  for (; left >= 0x80; left >>>= 7) bytes[at++] = (left & 0x7f) | 0x80;
  bytes[at++] = left;
  return at;
}
