import { z } from 'zod';
import { closest } from './did-you-mean.js';
import type { KeyPath } from './config-document.js';
import type { Kind } from './config-fields.js';

/** One key of a config file, as its schema says it. */
export interface ConfigKey {
  readonly name: string;
  readonly description: string;
  /** As `Kind` has it; 'keys' and 'list' have more below. */
  readonly type: string;
  /** As `Kind` has it; '' where the type says it all. */
  readonly range: string;
  /** Whole numbers that may stand in quotes, for they can be larger than JSON holds exactly. */
  readonly isBig: boolean;
  readonly isRequired: boolean;
  /** What the file is taken to say when it says nothing. Undefined or null: nothing. */
  readonly fallback: unknown;
  /** Of 'keys' and of a list of keys. */
  readonly below: readonly ConfigKey[];
  /** Of a list. */
  readonly item: ConfigKey | undefined;
  /** The only value, of a key that has but one. */
  readonly only: unknown;
}

/** Every key of an object's schema, in its order. */
export function keysOf(schema: z.ZodObject): ConfigKey[] {
  return Object.entries(schema.shape).map(([name, of]) => keyOf(name, of));
}

/** "; did you mean lease?", or nothing when no key at that place is close to the one that is unknown. */
export function meantKey(schema: z.ZodObject, path: KeyPath, unknown: string): string {
  const meant = closest(
    unknown,
    keysAt(schema, path).map(({ name }) => name),
  );
  return meant === undefined ? '' : `; did you mean ${meant}?`;
}

function keysAt(schema: z.ZodObject, path: KeyPath): readonly ConfigKey[] {
  return path.reduce<readonly ConfigKey[]>((keys, step) => {
    // The index of a list leads to the same keys as the list itself.
    return typeof step === 'number' ? keys : (keys.find(({ name }) => name === step)?.below ?? []);
  }, keysOf(schema));
}

function keyOf(name: string, schema: z.core.$ZodType): ConfigKey {
  const { inner, description, fallback, isRequired } = unwrap(schema);
  const { type = 'any', range = '', isBig = false } = inner instanceof z.ZodType ? metaOf(inner) : {};
  const rest = { name, description, fallback, isRequired, range, isBig, below: [], item: undefined, only: undefined };
  if (inner instanceof z.ZodObject) return { ...rest, type: 'keys', below: keysOf(inner) };
  if (inner instanceof z.ZodLiteral) return { ...rest, type: 'literal', only: inner.def.values[0] };
  if (!(inner instanceof z.ZodArray)) return { ...rest, type };
  const item = keyOf('', inner.element);
  return { ...rest, type: 'list', item, below: item.below };
}

function metaOf(schema: z.ZodType): Partial<Kind> {
  // Every field of config-fields.ts puts its Kind there.
  const meta: Readonly<Record<string, unknown>> = schema.meta() ?? {};
  return meta;
}

/** What is inside of .optional() and .prefault(), and what these and .describe() said. */
function unwrap(schema: z.core.$ZodType) {
  let inner = schema;
  let description = '';
  let fallback: unknown;
  let isRequired = true;
  for (;;) {
    if (inner instanceof z.ZodType && description === '') description = inner.meta()?.description ?? '';
    if (inner instanceof z.ZodPrefault) fallback ??= inner.def.defaultValue;
    else if (!(inner instanceof z.ZodOptional)) return { inner, description, fallback, isRequired };
    isRequired = false;
    inner = inner.def.innerType;
  }
}
