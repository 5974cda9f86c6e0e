import type { Shape } from '../../src/cli/json-shapes.js';

const UINT64_MAX = 2n ** 64n - 1n;

const IS: Readonly<Record<string, (value: unknown) => boolean>> = {
  text: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number' && (Number.isSafeInteger(value) || !Number.isInteger(value)),
  boolean: (value) => typeof value === 'boolean',
  uint64: (value) => typeof value === 'string' && /^(0|[1-9]\d*)$/.test(value) && BigInt(value) <= UINT64_MAX,
  time: (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value),
  any: () => true,
};

/** What of a value is not as its shape says, each with its place: a field too many is as wrong as one that is missing. */
export function mismatches(value: unknown, shape: Shape, place = '$'): string[] {
  if (typeof shape === 'string') {
    const is = IS[shape.replace(/\?$/, '')];
    if (is === undefined) return [`${place}: there is no word '${shape}'`];
    if (value === undefined) return shape.endsWith('?') ? [] : [`${place} is missing`];
    return is(value) ? [] : [`${place} is ${JSON.stringify(value)}, not ${shape}`];
  }
  if (isList(shape)) {
    if (!Array.isArray(value)) return [`${place} is no list`];
    return value.flatMap((item: unknown, at) => mismatches(item, shape[0], `${place}[${at}]`));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${place} is no object`];
  const fields = value as Readonly<Record<string, unknown>>;
  const any = shape['*'];
  if (any !== undefined) return Object.entries(fields).flatMap(([key, field]) => mismatches(field, any, `${place}.${key}`));
  const unknown = Object.keys(fields).filter((key) => !Object.hasOwn(shape, key) && !Object.hasOwn(shape, `${key}?`));
  return [
    ...unknown.map((key) => `${place}.${key} is not in the shape`),
    ...Object.entries(shape).flatMap(([key, part]) => {
      const name = key.replace(/\?$/, '');
      const isAbsent = name !== key && fields[name] === undefined;
      return isAbsent ? [] : mismatches(fields[name], part, `${place}.${name}`);
    }),
  ];
}

function isList(shape: Exclude<Shape, string>): shape is readonly [Shape] {
  return Array.isArray(shape);
}
