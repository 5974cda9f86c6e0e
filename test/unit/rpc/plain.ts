import protobuf from 'protobufjs';
import type { SeededRandom } from '../seeded-random.js';

/**
 * A message as plain data that both codecs can be asked for: integers of 64 bits as decimal strings, bytes as hex, every
 * field that is not a message and not in a oneof set, the rest there or left out.
 */
export type Plain = { [field: string]: Value };
export type Value = string | number | boolean | Plain | Value[];

const DEPTH_MAX = 5;
const EXTREMES_64 = [0n, 1n, 127n, 128n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];
const EXTREMES_32 = [0, 1, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
const TEXTS = ['', 'a', 'alloc-1', 'ünï-🙂', 'x'.repeat(300)];

/** A random message of this type. Every field, every case of a oneof and every extreme comes up sooner or later. */
export function randomPlain(type: protobuf.Type, random: SeededRandom, depth = 0): Plain {
  const plain: Plain = {};
  for (const field of type.fieldsArray) {
    const { name, partOf } = field.resolve();
    const one = (): Value => randomValue(field, random, depth);
    if (field.repeated) plain[name] = depth >= DEPTH_MAX ? [] : Array.from({ length: random.below(4) }, one);
    else if (partOf !== null) continue;
    else if (!(field.resolvedType instanceof protobuf.Type)) plain[name] = one();
    else if (depth < DEPTH_MAX && random.chance(0.8)) plain[name] = one();
  }
  for (const { fieldsArray } of type.oneofsArray) {
    const field = random.pick([undefined, ...fieldsArray]);
    if (field !== undefined && depth < DEPTH_MAX) plain[field.name] = randomValue(field, random, depth);
  }
  return plain;
}

function randomValue({ type, resolvedType }: protobuf.Field, random: SeededRandom, depth: number): Value {
  if (resolvedType instanceof protobuf.Type) return randomPlain(resolvedType, random, depth + 1);
  if (resolvedType instanceof protobuf.Enum) return random.pick(Object.values(resolvedType.values));
  switch (type) {
    case 'uint64':
    case 'fixed64':
      return (random.chance(0.6) ? random.pick(EXTREMES_64) : random.bits64()).toString();
    case 'int64':
      return BigInt.asIntN(64, random.chance(0.6) ? random.pick(EXTREMES_64) : random.bits64()).toString();
    case 'uint32':
    case 'fixed32':
      return random.chance(0.6) ? random.pick(EXTREMES_32) : random.below(2 ** 32);
    case 'bool':
      return random.chance(0.5);
    case 'string':
      return random.pick(TEXTS);
    case 'bytes':
      return random.pick(['', '00', 'ff00ff', random.id128()]);
    default:
      throw new Error(`no random value for a field of type ${type}: add one`);
  }
}

/** As the generated code wants it: bigints, Buffers, oneofs as `{ $case, value }`, absent messages as undefined. */
export function toGenerated(type: protobuf.Type, plain: Plain): Record<string, unknown> {
  const message: Record<string, unknown> = {};
  for (const field of type.fieldsArray) {
    const { name, partOf } = field;
    const value = plain[name];
    if (partOf === null)
      message[name] = field.repeated ? (value as Value[]).map((item) => valueToGenerated(field, item)) : valueToGenerated(field, value);
    else if (value !== undefined) message[partOf.name] = { $case: name, value: valueToGenerated(field, value) };
    else if (!(partOf.name in message)) message[partOf.name] = undefined;
  }
  return message;
}

function valueToGenerated({ type, resolvedType }: protobuf.Field, value: Value | undefined): unknown {
  if (value === undefined) return undefined;
  if (resolvedType instanceof protobuf.Type) return toGenerated(resolvedType, value as Plain);
  if (type === 'uint64' || type === 'fixed64' || type === 'int64') return BigInt(value as string);
  return type === 'bytes' ? Buffer.from(value as string, 'hex') : value;
}

/** As protobufjs wants it. */
export function encodeReference(type: protobuf.Type, plain: Plain): Uint8Array {
  return type.encode(type.fromObject(forReference(type, plain))).finish();
}

/** What protobufjs reads. */
export function decodeReference(type: protobuf.Type, bytes: Uint8Array): Plain {
  const read = type.toObject(type.decode(bytes), { longs: String, enums: Number, bytes: String, defaults: true, arrays: true });
  return fromReference(type, read);
}

function forReference(type: protobuf.Type, plain: Plain): Plain {
  return mapFields(type, plain, (field, value) => (field.type === 'bytes' ? Buffer.from(value as string, 'hex').toString('base64') : value));
}

function fromReference(type: protobuf.Type, read: Plain): Plain {
  return mapFields(type, read, (field, value) => (field.type === 'bytes' ? Buffer.from(value as string, 'base64').toString('hex') : value));
}

/** The same message with each scalar changed and null, which is how protobufjs says absent, left out. */
function mapFields(type: protobuf.Type, plain: Plain, change: (field: protobuf.Field, value: Value) => Value): Plain {
  const changed: Plain = {};
  for (const field of type.fieldsArray) {
    const { resolvedType } = field;
    const one = (value: Value): Value =>
      resolvedType instanceof protobuf.Type ? mapFields(resolvedType, value as Plain, change) : change(field, value);
    const value = plain[field.name] as Value | null | undefined;
    if (value === undefined || value === null) continue;
    changed[field.name] = Array.isArray(value) ? value.map(one) : one(value);
  }
  return changed;
}
