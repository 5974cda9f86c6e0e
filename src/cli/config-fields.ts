import { z } from 'zod';
import { messageOf, SeqError, show } from '../base/errors.js';
import { isWildcard, splitAddress } from '../model/address.js';
import { parseName } from '../model/ids.js';
import { formatDuration, parseDurationMs } from './duration.js';

/** How docs/config.md says what a key takes. `describe` at the key adds what it is for. */
export interface Kind {
  readonly type: string;
  /** Left out where the type says it all. */
  readonly range?: string;
  /** A whole number that may stand in quotes. */
  readonly isBig?: boolean;
}

/** One key of a config file: `parse` turns what the file has into a value, or throws INVALID_ARGUMENT with the rule. */
export function field<Value>(kind: Kind, parse: (raw: unknown) => Value) {
  const schema = z.unknown().transform((raw, context): Value => {
    try {
      if (raw === undefined) throw new SeqError('INVALID_ARGUMENT', 'is required');
      return parse(raw);
    } catch (error) {
      // A bug in a parser is not the user's mistake.
      if (!(error instanceof SeqError)) throw error;
      context.issues.push({ code: 'custom', message: messageOf(error), input: raw });
      return z.NEVER;
    }
  });
  return schema.meta({ ...kind });
}

/** The same, for a key that may be left out: then it is as if the file had `fallback`; null: as if it had nothing. */
export function fieldOr<Value>(fallback: unknown, kind: Kind, parse: (raw: unknown) => Value) {
  return field(kind, parse).prefault(fallback);
}

export const NAME_KIND: Kind = { type: 'name', range: '1 to 63 of `[A-Za-z0-9._-]`, the first a letter or digit' };
export const nameField = field(NAME_KIND, (raw) => parseName(text(raw), 'name'));
export const pathField = field({ type: 'path' }, (raw) => text(raw));

/** `host:port` to listen on; port 0 means any free one. */
export const listenField = field({ type: 'host:port', range: 'port 0: any free one' }, address);

/** `host:port` that others dial: no wildcard host, no port 0. */
export const dialField = field({ type: 'host:port', range: 'no wildcard, no port 0' }, dialable);

export function durationOr(fallbackMs: number, range: { readonly fromMs: number; readonly toMs?: number }) {
  const { fromMs, toMs } = range;
  const rule = toMs === undefined ? `at least ${formatDuration(fromMs)}` : `${formatDuration(fromMs)} to ${formatDuration(toMs)}`;
  return fieldOr(formatDuration(fallbackMs), { type: 'duration', range: rule }, (raw) => {
    const ms = parseDurationMs(raw);
    if (ms < fromMs || ms > (toMs ?? ms)) throw invalid(`must be ${rule}, got ${String(raw)}`);
    return ms;
  });
}

export function integerField(range: IntegerRange) {
  return field(integerKind(range), (raw) => integer(raw, range));
}

export function integerOr(fallback: number, range: IntegerRange) {
  return integerField(range).prefault(fallback);
}

/** A whole number, or undefined when the key is left out. */
export function optionalInteger(range: IntegerRange) {
  return fieldOr(null, integerKind(range), (raw) => (raw === null ? undefined : integer(raw, range)));
}

export function booleanOr(fallback: boolean) {
  return fieldOr(fallback, { type: 'true or false' }, boolean);
}

/** Whole numbers of any size: a number, or text for those above 2^53. */
export function bigintOr(fallback: bigint, range: { readonly from: bigint; readonly to: bigint }) {
  return fieldOr(fallback.toString(), { type: 'whole number', range: `${range.from} to ${range.to}`, isBig: true }, (raw) => {
    const isWhole = Number.isSafeInteger(raw) || (typeof raw === 'string' && /^-?\d{1,40}$/.test(raw));
    const value = isWhole ? BigInt(raw as number | string) : undefined;
    if (value === undefined || value < range.from || value > range.to) {
      throw invalid(`must be a whole number in [${range.from}, ${range.to}] (as text above 2^53), got ${show(raw)}`);
    }
    return value;
  });
}

interface IntegerRange {
  readonly from: number;
  readonly to: number;
}

function integerKind({ from, to }: IntegerRange): Kind {
  return { type: 'whole number', range: `${from} to ${to}` };
}

function integer(raw: unknown, range: IntegerRange): number {
  if (typeof raw !== 'number' || !Number.isInteger(raw) || raw < range.from || raw > range.to) {
    throw invalid(`must be a whole number in [${range.from}, ${range.to}], got ${show(raw)}`);
  }
  return raw;
}

/** '1%', '10000ppm' or a bare number of ppm -> parts per million. */
export function parsePpm(raw: unknown): number {
  const match = typeof raw === 'number' ? [raw, raw, 'ppm'] : typeof raw === 'string' ? /^(\d{1,7}(?:\.\d{1,6})?)(%|ppm)$/.exec(raw) : null;
  const ppm = match === null ? Number.NaN : Math.round(Number(match[1]) * (match[2] === '%' ? 10_000 : 1));
  if (!Number.isSafeInteger(ppm) || ppm < 0) throw invalid(`must be a share such as '1%' or '10000ppm', got ${show(raw)}`);
  return ppm;
}

function boolean(raw: unknown): boolean {
  if (typeof raw !== 'boolean') throw invalid(`must be true or false, got ${show(raw)}`);
  return raw;
}

export function text(raw: unknown): string {
  if (typeof raw !== 'string' || raw === '') throw invalid(`must be text, got ${show(raw)}`);
  return raw;
}

export function invalid(message: string): SeqError {
  return new SeqError('INVALID_ARGUMENT', message);
}

function address(raw: unknown): string {
  const value = text(raw);
  splitAddress(value);
  return value;
}

function dialable(raw: unknown): string {
  const value = address(raw);
  if (isWildcard(value)) throw invalid(`others must be able to dial it, got the wildcard ${show(raw)}`);
  if (splitAddress(value).port === 0) throw invalid(`others must be able to dial it, got port 0 in ${show(raw)}`);
  return value;
}
