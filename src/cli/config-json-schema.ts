import { type ConfigKey, keysOf } from './config-keys.js';
import { CONFIG_SCHEMAS } from './config.js';

type JsonSchema = Readonly<Record<string, unknown>>;

/** What each type of key looks like to an editor. The program checks more: ranges of durations, and rules that tie keys together. */
const TYPES: Readonly<Record<string, JsonSchema>> = {
  name: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' },
  path: { type: 'string', minLength: 1 },
  'host:port': { type: 'string', pattern: '^.+:[0-9]{1,5}$' },
  duration: { type: 'string', pattern: '^[0-9]{1,12}(\\.[0-9]{1,6})?(ms|s|m|h)$' },
  share: {
    anyOf: [
      { type: 'string', pattern: '^[0-9]{1,7}(\\.[0-9]{1,6})?(%|ppm)$' },
      { type: 'integer', minimum: 0 },
    ],
  },
  'true or false': { type: 'boolean' },
  '32 hex digits': { type: 'string', pattern: '^[0-9a-f]{32}$' },
};

/** JSON Schema (draft 2020-12) of the config files: of one role, or of either. Pure. */
export function configJsonSchema(role: 'store' | 'alloc' | undefined): JsonSchema {
  const head = { $schema: 'https://json-schema.org/draft/2020-12/schema', title: `seqsvr config file${role === undefined ? '' : `, role ${role}`}` };
  return role === undefined ? { ...head, oneOf: [schemaOf('store'), schemaOf('alloc')] } : { ...head, ...schemaOf(role) };
}

function schemaOf(role: 'store' | 'alloc'): JsonSchema {
  return objectOf(keysOf(CONFIG_SCHEMAS[role]));
}

function objectOf(keys: readonly ConfigKey[]): JsonSchema {
  const required = keys.filter(({ isRequired }) => isRequired).map(({ name }) => name);
  return {
    type: 'object',
    properties: Object.fromEntries(keys.map((key) => [key.name, described(key)])),
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  };
}

function described(key: ConfigKey): JsonSchema {
  const { description, fallback, range } = key;
  const text = [description, range === '' ? '' : `Takes: ${range}.`].filter((part) => part !== '').join(' ');
  const isSaid = fallback !== undefined && fallback !== null && typeof fallback !== 'object';
  return { ...typeOf(key), ...(text === '' ? {} : { description: text }), ...(isSaid ? { default: fallback } : {}) };
}

function typeOf({ type, below, item, only, range, isBig, fallback }: ConfigKey): JsonSchema {
  if (type === 'keys') return objectOf(below);
  if (type === 'literal') return { const: only };
  if (type === 'list') return { type: 'array', items: item === undefined ? {} : typeOf(item) };
  if (type === 'whole number')
    return isBig ? { anyOf: [{ type: 'integer' }, { type: 'string', pattern: '^[0-9]{1,40}$' }] } : { type: 'integer', ...boundsOf(range) };
  // A type that is not in the table is not refused by an editor: the program has the last word.
  const known = TYPES[type] ?? {};
  return fallback === '' ? { anyOf: [known, { const: '' }] } : known;
}

function boundsOf(range: string): JsonSchema {
  const [, minimum, maximum] = /^(\d+) to (\d+)$/.exec(range) ?? [];
  return minimum === undefined ? {} : { minimum: Number(minimum), maximum: Number(maximum) };
}
