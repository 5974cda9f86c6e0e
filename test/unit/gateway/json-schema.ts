import type { JsonSchema } from '../../../src/gateway/fields.js';

type Named = Readonly<Record<string, JsonSchema>>;

/** What is wrong with `value` by the part of JSON Schema that the gateway uses; an empty list: nothing. Throws for a keyword that it does not know. */
export function faultsOf(value: unknown, schema: JsonSchema, named: Named, at = '$'): string[] {
  return Object.entries(schema).flatMap(([keyword, rule]) => faultsBy(keyword, rule, { value, schema, named, at }));
}

interface Place {
  readonly value: unknown;
  readonly schema: JsonSchema;
  readonly named: Named;
  readonly at: string;
}

function faultsBy(keyword: string, rule: unknown, { value, schema, named, at }: Place): string[] {
  const fault = (isFault: boolean): string[] => (isFault ? [`${at}: ${keyword} ${JSON.stringify(rule)}, got ${JSON.stringify(value)}`] : []);
  const keys = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
  const properties = (schema['properties'] ?? {}) as Named;
  switch (keyword) {
    case 'description':
      return [];
    case '$ref':
      return faultsOf(value, resolve(String(rule), named), named, at);
    case 'type':
      return fault(!isOfType(value, String(rule)));
    case 'enum':
      return fault(!(rule as unknown[]).includes(value));
    case 'pattern':
      return fault(typeof value === 'string' && !new RegExp(String(rule)).test(value));
    case 'minimum':
      return fault(typeof value === 'number' && value < Number(rule));
    case 'maximum':
      return fault(typeof value === 'number' && value > Number(rule));
    case 'minItems':
      return fault(Array.isArray(value) && value.length < Number(rule));
    case 'maxItems':
      return fault(Array.isArray(value) && value.length > Number(rule));
    case 'items':
      return Array.isArray(value) ? value.flatMap((item, index) => faultsOf(item, rule as JsonSchema, named, `${at}[${index}]`)) : [];
    case 'oneOf':
      return fault((rule as JsonSchema[]).filter((one) => faultsOf(value, one, named).length === 0).length !== 1);
    case 'required':
      return fault(!(rule as string[]).every((key) => keys.includes(key)));
    case 'additionalProperties':
      return fault(!keys.every((key) => Object.hasOwn(properties, key)));
    case 'properties':
      return keys.flatMap((key) => faultsOf((value as Record<string, unknown>)[key], properties[key] ?? {}, named, `${at}.${key}`));
    default:
      throw new Error(`${at}: a schema with the keyword '${keyword}'`);
  }
}

export function resolve(ref: string, named: Named): JsonSchema {
  const schema = named[ref.replace('#/components/schemas/', '')];
  if (schema === undefined) throw new Error(`${ref} leads nowhere`);
  return schema;
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return typeof value === type;
}
