import { SeqError, show } from '../base/errors.js';
import { SECTIONS_MAX } from '../model/geometry.js';
import { parseCount, parseFloor, parseUid, SEQ_MAX, type Uid, UID_MAX } from '../model/ids.js';
import { RANGE_COUNT_MAX } from '../rpc/limits.js';
import { ROUTES_PER_ANSWER_MAX, UIDS_PER_BODY_MAX } from './limits.js';

/** JSON Schema, as OpenAPI 3.1 has it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** One value that a request may carry: how it is described, and how it is read. */
export interface Field<Value> {
  readonly doc: string;
  readonly schema: JsonSchema;
  readonly isRequired: boolean;
  /** `raw` is what JSON has, or text from a path or a query; undefined: it is not there. Throws INVALID_ARGUMENT. */
  readonly parse: (raw: unknown) => Value;
}

export type Fields = Readonly<Record<string, Field<unknown>>>;

export const NO_FIELDS = {} as const satisfies Fields;

/** What a request carried, read by its fields. */
export type ValuesOf<Of extends Fields> = { readonly [Key in keyof Of]: Of[Key] extends Field<infer Value> ? Value : never };

/** A decimal number that JSON must have as text: most readers of JSON lose the digits of a bare one above 2^53. */
const DECIMAL = /^(0|-?[1-9]\d{0,39})$/;
/** How it is written within its range; the range itself is beyond what a pattern can say. */
const SEQ_PATTERN = '^(0|[1-9]\\d{0,18})$';
const UID_PATTERN = '^(0|[1-9]\\d{0,19})$';

export const UID_SCHEMA: JsonSchema = { type: 'string', pattern: UID_PATTERN, description: `A decimal number in [0, ${UID_MAX}].` };
export const SEQ_SCHEMA: JsonSchema = { type: 'string', pattern: SEQ_PATTERN, description: `A decimal number in [0, ${SEQ_MAX}].` };

export const uidField: Field<Uid> = {
  doc: 'The user key.',
  schema: UID_SCHEMA,
  isRequired: true,
  parse: (raw) => parseUid(decimal(raw, 'uid')),
};

export const countField = optionalField<number>({
  doc: 'How many neighbouring numbers: `first` to `last`. Default 1.',
  schema: { type: 'integer', minimum: 1, maximum: RANGE_COUNT_MAX },
  parse: (raw) => parseCount(raw, RANGE_COUNT_MAX),
});

export const floorField = optionalField<bigint>({
  doc: 'The highest number that the caller has stored for the uid: the answer lies above it (`current`: not below it), or the call fails.',
  schema: SEQ_SCHEMA,
  parse: (raw) => {
    const floor = BigInt(decimal(raw, 'floor'));
    if (floor < 0n) throw invalid(`floor must be in [0, ${SEQ_MAX}], got ${floor}`);
    return parseFloor(floor);
  },
});

const STRICT_DOC = 'true: ownership is confirmed by a quorum of stores after the request came, so that order holds whatever clocks do.';

export const strictField = optionalField<boolean>({
  doc: STRICT_DOC,
  schema: { type: 'boolean' },
  parse: (raw) => {
    if (typeof raw !== 'boolean') throw invalid(`strict must be true or false, got ${show(raw)}`);
    return raw;
  },
});

/** The same in a query, where everything is text. */
export const strictQueryField = optionalField<boolean>({
  doc: STRICT_DOC,
  schema: { type: 'boolean' },
  parse: (raw) => {
    if (raw !== 'true' && raw !== 'false') throw invalid(`strict must be true or false, got ${show(raw)}`);
    return raw === 'true';
  },
});

export const uidsField: Field<readonly Uid[]> = {
  doc: 'The user keys; one may be there twice.',
  schema: { type: 'array', minItems: 1, maxItems: UIDS_PER_BODY_MAX, items: uidField.schema },
  isRequired: true,
  parse: (raw) => {
    if (!Array.isArray(raw)) throw invalid(`uids must be an array, got ${show(raw)}`);
    if (raw.length < 1 || raw.length > UIDS_PER_BODY_MAX) throw invalid(`uids must be 1 to ${UIDS_PER_BODY_MAX}, got ${raw.length}`);
    return raw.map((one, at) => parseUid(decimal(one, `uids[${at}]`)));
  },
};

export const fromSectionField = optionalField<number>({
  doc: 'The first section to tell of. Default 0.',
  schema: { type: 'integer', minimum: 0, maximum: SECTIONS_MAX },
  parse: (raw) => wholeText(raw, { what: 'fromSection', min: 0, max: SECTIONS_MAX }),
});

export const limitField = optionalField<number>({
  doc: `How many lines at most. Default ${ROUTES_PER_ANSWER_MAX}.`,
  schema: { type: 'integer', minimum: 1, maximum: ROUTES_PER_ANSWER_MAX },
  parse: (raw) => wholeText(raw, { what: 'limit', min: 1, max: ROUTES_PER_ANSWER_MAX }),
});

/** Reads what a request carried. A key that no field has is refused: misspelt, it would silently change nothing. */
export function readFields<Of extends Fields>(fields: Of, raw: Readonly<Record<string, unknown>>, what: string): ValuesOf<Of> {
  for (const key of Object.keys(raw)) {
    if (!Object.hasOwn(fields, key)) throw invalid(`${what} has an unknown key ${show(key)}; known are: ${Object.keys(fields).join(', ') || 'none'}`);
  }
  const values = Object.entries(fields).map(([key, field]) => [key, field.parse(Object.hasOwn(raw, key) ? raw[key] : undefined)]);
  return Object.fromEntries(values) as ValuesOf<Of>;
}

function optionalField<Value>(field: Omit<Field<Value>, 'isRequired'>): Field<Value | undefined> {
  return { ...field, isRequired: false, parse: (raw) => (raw === undefined ? undefined : field.parse(raw)) };
}

/** A whole number in a query. */
function wholeText(raw: unknown, { what, min, max }: { readonly what: string; readonly min: number; readonly max: number }): number {
  const value = typeof raw === 'string' && /^\d{1,15}$/.test(raw) ? Number(raw) : Number.NaN;
  if (!(value >= min && value <= max)) throw invalid(`${what} must be a whole number in [${min}, ${max}], got ${show(raw)}`);
  return value;
}

function decimal(raw: unknown, what: string): string {
  if (typeof raw !== 'string' || !DECIMAL.test(raw))
    throw invalid(`${what} must be a decimal number as text, such as "42" (no leading zero), got ${show(raw)}`);
  return raw;
}

function invalid(message: string): SeqError {
  return new SeqError('INVALID_ARGUMENT', message);
}
