import { assert } from '../base/assert.js';
import { SeqError, show } from '../base/errors.js';

declare const brand: unique symbol;
type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };

/** A user key, in [0, 2^64). */
export type Uid = Brand<bigint, 'Uid'>;
/** A run of neighbouring uids that share one maxSeq; counted from 0 within its set. */
export type SectionId = Brand<number, 'SectionId'>;
/** The place of a uid within its section, in [0, uidsPerSection). */
export type Slot = Brand<number, 'Slot'>;
/** A sequence number. Handed out: [1, 2^63-1]. 0 is never handed out: it means "none yet". */
export type Seq = Brand<bigint, 'Seq'>;
/** One AllocSvr, for as long as its deployment keeps the name. */
export type AllocId = Brand<string, 'AllocId'>;
/** One run of an AllocSvr process: 128 random bits as 32 hex digits. */
export type Incarnation = Brand<string, 'Incarnation'>;
/** Counts the owners of a section within a generation. 0: it never had one. */
export type Epoch = Brand<number, 'Epoch'>;

export const UID_MAX = 2n ** 64n - 1n;
/** The last number ever handed out: it fits a signed 64-bit column everywhere. */
export const SEQ_MAX = (2n ** 63n - 1n) as Seq;
export const NO_SEQ = 0n as Seq;

/**
 * The only way to a Uid. Takes a bigint, a safe integer or a decimal string.
 * Throws INVALID_ARGUMENT when it is anything else, negative, or above 2^64-1.
 */
export function parseUid(value: unknown): Uid {
  const uid = toBigint(value);
  if (uid === undefined) throw invalidUid(value, 'must be a bigint, a safe integer or a decimal string');
  if (uid < 0n || uid > UID_MAX) throw invalidUid(value, `must be in [0, ${UID_MAX}]`);
  return uid as Uid;
}

/** How many numbers one call asks for. Throws INVALID_ARGUMENT unless it is a whole number in [1, limit]. */
export function parseCount(value: unknown, limit: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > limit) {
    throw new SeqError('INVALID_ARGUMENT', `count must be a whole number in [1, ${limit}], got ${show(value)}`);
  }
  return value;
}

/** A number that a counter may be lifted to. Throws INVALID_ARGUMENT unless it is a bigint in [1, 2^63-1]. */
export function parseSeq(value: unknown): Seq {
  if (typeof value !== 'bigint' || value < 1n || value > SEQ_MAX) {
    throw new SeqError('INVALID_ARGUMENT', `a number must be a bigint in [1, ${SEQ_MAX}], got ${show(value)}`);
  }
  return value as Seq;
}

/** No counter stands higher, so a higher floor says nothing of a second owner: it is a mistake of the caller. Throws INVALID_ARGUMENT. */
export function parseFloor(floor: bigint): bigint {
  if (floor > SEQ_MAX) throw new SeqError('INVALID_ARGUMENT', `a floor is a number that was handed out, at most ${SEQ_MAX} (2^63-1), got ${floor}`);
  return floor;
}

/** A name for a node: what a file, a metric label and a terminal can carry. */
export function parseName(value: string, what: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(value)) {
    throw new SeqError('INVALID_ARGUMENT', `${what} must be 1 to 63 of [A-Za-z0-9._-], starting with a letter or digit, got ${show(value)}`);
  }
  return value;
}

export function parseAllocId(value: string): AllocId {
  return parseName(value, 'alloc id') as AllocId;
}

export function parseIncarnation(value: string): Incarnation {
  if (!/^[0-9a-f]{32}$/.test(value)) {
    throw new SeqError('INVALID_ARGUMENT', `incarnation must be 32 hex digits, got ${show(value)}`);
  }
  return value as Incarnation;
}

/** For values that this program made itself; anything else is a bug. */
export function toSeq(value: bigint): Seq {
  assert(value >= 0n && value <= SEQ_MAX, 'seq outside [0, 2^63-1]');
  return value as Seq;
}

export function toUid(value: bigint): Uid {
  assert(value >= 0n && value <= UID_MAX, 'uid outside [0, 2^64)');
  return value as Uid;
}

export function toEpoch(value: number): Epoch {
  assert(Number.isSafeInteger(value) && value >= 0, 'epoch is not a whole number');
  return value as Epoch;
}

export function toSectionId(value: number): SectionId {
  assert(Number.isSafeInteger(value) && value >= 0, 'section is not a whole number');
  return value as SectionId;
}

function toBigint(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  if (typeof value === 'string') return /^-?\d{1,40}$/.test(value) ? BigInt(value) : undefined;
  return undefined;
}

function invalidUid(value: unknown, rule: string): SeqError {
  return new SeqError('INVALID_ARGUMENT', `uid ${rule}, got ${show(value)}`);
}
