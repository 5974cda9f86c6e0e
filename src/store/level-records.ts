import { crc32 } from 'node:zlib';
import { EMPTY_CONF_STATE, type ConfState, type HardState, type Index, type NodeId, type Term } from '../raft/types.js';
import { DamageError } from './damage.js';
import type { Identity } from './identity-file.js';

/**
 * Keys:  identity            whose database this is, tied to the directory's identity.json
 *        start               where the log begins
 *        hard                term, vote, commit index
 *        applied             the index up to which the state below is applied, its digest (state-digest.ts), the members then
 *        log/<firstIndex>    chunks of the log (chunk.ts)
 *        state/...           the state machine's own keys
 *
 * The first four are there from the first write on, and each ends with a crc32 of what is before it.
 */
export const LOG = 'log/';
export const STATE = 'state/';

/** Of the database as a whole; each kind of record has its place in it. */
const FORMAT = 2;
const HASH_BYTES = 16;

/** Where the log begins. What was before it had been applied. */
export interface LogStart {
  readonly firstIndex: Index;
  /** Of the entry before; 0 where there was none. */
  readonly termBefore: Term;
  /** Of the chunk before: the first chunk of the log names it. */
  readonly hashBefore: Uint8Array;
}

export interface AppliedRecord {
  readonly index: Index;
  readonly digest: Uint8Array;
  readonly confState: ConfState;
}

export function logKey(firstIndex: Index): string {
  return `${LOG}${String(firstIndex).padStart(16, '0')}`;
}

export function encodeIdentity({ clusterId, nodeId, nodeUuid }: Identity): Uint8Array {
  return sealed(Buffer.from(`${FORMAT} ${clusterId} ${nodeId} ${nodeUuid}`));
}

/** Format 1 had nothing but the uuid there. */
export function isOfFormatOne(bytes: Uint8Array, { nodeUuid }: Identity): boolean {
  return Buffer.from(bytes).toString() === nodeUuid;
}

/** u48 firstIndex | u48 termBefore | 16 B hashBefore */
export function encodeStart({ firstIndex, termBefore, hashBefore }: LogStart): Uint8Array {
  const body = Buffer.alloc(12 + HASH_BYTES);
  body.writeUIntBE(firstIndex, 0, 6);
  body.writeUIntBE(termBefore, 6, 6);
  body.set(hashBefore, 12);
  return sealed(body);
}

export function decodeStart(bytes: Uint8Array | undefined): LogStart {
  const body = unsealed(bytes, 'start of the log', 12 + HASH_BYTES);
  return { firstIndex: body.readUIntBE(0, 6), termBefore: body.readUIntBE(6, 6), hashBefore: Uint8Array.from(body.subarray(12)) };
}

/** u48 term | u48 votedFor (0 none) | u48 commitIndex */
export function encodeHardState({ term, votedFor, commitIndex }: HardState): Uint8Array {
  const body = Buffer.alloc(18);
  body.writeUIntBE(term, 0, 6);
  body.writeUIntBE(votedFor ?? 0, 6, 6);
  body.writeUIntBE(commitIndex, 12, 6);
  return sealed(body);
}

export function decodeHardState(bytes: Uint8Array | undefined): HardState {
  const body = unsealed(bytes, 'hard state', 18);
  const votedFor = body.readUIntBE(6, 6);
  return { term: body.readUIntBE(0, 6), votedFor: votedFor === 0 ? undefined : votedFor, commitIndex: body.readUIntBE(12, 6) };
}

/** u48 index | 16 B digest of the state | u8 autoLeave | 4 x (u16 count | count x u48 id) */
export function encodeApplied({ index, digest, confState }: AppliedRecord): Uint8Array {
  const lists = listsOf(confState);
  const body = Buffer.alloc(6 + HASH_BYTES + 1 + lists.reduce((sum, ids) => sum + 2 + 6 * ids.length, 0));
  body.writeUIntBE(index, 0, 6);
  body.set(digest, 6);
  let at = body.writeUInt8(confState.autoLeave ? 1 : 0, 6 + HASH_BYTES);
  for (const ids of lists) {
    at = body.writeUInt16BE(ids.length, at);
    for (const id of ids) at = body.writeUIntBE(id, at, 6);
  }
  return sealed(body);
}

export function decodeApplied(bytes: Uint8Array | undefined): AppliedRecord {
  const body = unsealed(bytes, 'applied index');
  const confState = confStateIn(body.subarray(6 + HASH_BYTES));
  if (confState === undefined) throw new DamageError('the applied index is not as it was written: its members are none, or do not fill it');
  return { index: body.readUIntBE(0, 6), digest: Uint8Array.from(body.subarray(6, 6 + HASH_BYTES)), confState };
}

function listsOf({ voters, votersOutgoing, learners, learnersNext }: ConfState): readonly (readonly NodeId[])[] {
  return [voters, votersOutgoing, learners, learnersNext];
}

function confStateIn(body: Buffer): ConfState | undefined {
  const lists: NodeId[][] = [];
  let at = 1;
  for (let list = 0; list < listsOf(EMPTY_CONF_STATE).length; list += 1) {
    if (at + 2 > body.length) return undefined;
    const end = at + 2 + 6 * body.readUInt16BE(at);
    if (end > body.length) return undefined;
    const ids: NodeId[] = [];
    for (let idAt = at + 2; idAt < end; idAt += 6) ids.push(body.readUIntBE(idAt, 6));
    lists.push(ids);
    at = end;
  }
  const [voters = [], votersOutgoing = [], learners = [], learnersNext = []] = lists;
  const autoLeave = body.readUInt8(0);
  return at === body.length && autoLeave <= 1 ? { voters, votersOutgoing, learners, learnersNext, autoLeave: autoLeave === 1 } : undefined;
}

function sealed(body: Buffer): Uint8Array {
  const bytes = Buffer.alloc(body.length + 4);
  bytes.set(body, 0);
  bytes.writeUInt32BE(crc32(body), body.length);
  return bytes;
}

/** Without a size: at least as long as what `decodeApplied` reads without asking. */
function unsealed(bytes: Uint8Array | undefined, what: string, sizeBytes?: number): Buffer {
  if (bytes === undefined) throw new DamageError(`the ${what} is gone from the database`);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bodyBytes = buffer.length - 4;
  const isSizeRight = sizeBytes === undefined ? bodyBytes > 6 + HASH_BYTES : bodyBytes === sizeBytes;
  if (!isSizeRight) throw new DamageError(`the ${what} is not as it was written: it is ${buffer.length} bytes long`);
  const body = buffer.subarray(0, bodyBytes);
  const [crc, wantedCrc] = [crc32(body), buffer.readUInt32BE(bodyBytes)];
  if (crc !== wantedCrc) throw new DamageError(`the ${what} is not as it was written: its crc is ${crc}, should be ${wantedCrc}`);
  return body;
}
