import type { SeededRandom } from '../unit/seeded-random.js';

/** One field of a message on the wire, cut out whole. */
interface Field {
  readonly number: number;
  readonly wireType: number;
  /** varint: its bytes; fixed: its bytes; length-delimited: the content without its length. */
  readonly content: Uint8Array;
}

const [VARINT, FIXED64, BYTES, FIXED32] = [0, 1, 2, 5];
const VARINTS = [
  0n,
  1n,
  2n,
  127n,
  128n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 47n,
  2n ** 48n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];
/** Messages within messages that one mutation makes; what decoders must stop at or survive. */
const NESTING_MAX = 2_000;
const FIELDS_MAX = 2_000;

/** The message with one field changed, lost, doubled, moved or nested; its lengths stay right. Undefined: these bytes are no message. */
export function mutateMessage(bytes: Uint8Array, other: Uint8Array, random: SeededRandom): Uint8Array | undefined {
  const fields = fieldsOf(bytes);
  if (fields === undefined || fields.length === 0) return undefined;
  const at = random.below(fields.length);
  const field = fields[at] as Field;
  switch (random.below(9)) {
    case 0:
      return joined(fields.toSpliced(at, 1));
    case 1:
      return joined(fields.toSpliced(random.below(fields.length), 0, ...Array.from({ length: random.chance(0.1) ? 100 : 1 }, () => field)));
    case 2: {
      const taken = fieldsOf(other) ?? [];
      return joined(fields.toSpliced(at, random.below(2), ...(taken.length === 0 ? [] : [random.pick(taken)])));
    }
    case 3:
      return joined(fields.with(at, { ...field, number: 1 + random.below(16) }));
    case 4:
      return joined(fields.with(at, { ...field, wireType: random.below(8) }));
    case 5:
      return random.chance(0.05) ? nested(field, 1 + random.below(NESTING_MAX)) : joined(fields.with(at, changed(field, other, random)));
    default:
      return joined(fields.with(at, changed(field, other, random)));
  }
}

function changed(field: Field, other: Uint8Array, random: SeededRandom): Field {
  if (field.wireType === VARINT)
    return { ...field, content: varint(random.chance(0.7) ? random.pick(VARINTS) : random.bits64() >> BigInt(random.below(64))) };
  if (field.wireType !== BYTES) return { ...field, content: field.content.map(() => random.below(256)) };
  const { content } = field;
  // A message inside, most likely: what decodes as one is taken for one.
  const inner = random.chance(0.8) ? mutateMessage(content, other, random) : undefined;
  if (inner !== undefined) return { ...field, content: inner };
  if (content.length === 0 || random.chance(0.2))
    return { ...field, content: new Uint8Array(random.pick([0, 1, 15, 16, 31, 32, 33, 63, 64, 300])).fill(0x61) };
  if (random.chance(0.2)) return { ...field, content: content.subarray(0, random.below(content.length)) };
  const copy = Uint8Array.from(content);
  copy[random.below(copy.length)] = random.below(256);
  return { ...field, content: copy };
}

/** The field within itself, again and again. */
function nested({ number, content }: Field, depth: number): Uint8Array {
  let bytes = content;
  for (let level = 0; level < depth && bytes.length < 0x8000; level += 1) bytes = joined([{ number, wireType: BYTES, content: bytes }]);
  return bytes;
}

/** Undefined when the bytes are not fields from their beginning to their end. */
export function fieldsOf(bytes: Uint8Array): Field[] | undefined {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = varintAt(bytes, at);
    if (tag === undefined || tag.value > 0xffff_ffffn || fields.length >= FIELDS_MAX) return undefined;
    const [number, wireType] = [Number(tag.value >> 3n), Number(tag.value & 7n)];
    const from = tag.end;
    const value = wireType === VARINT || wireType === BYTES ? varintAt(bytes, from) : undefined;
    let [begin, end] = [from, from];
    if (wireType === VARINT && value !== undefined) end = value.end;
    else if (wireType === BYTES && value !== undefined) [begin, end] = [value.end, value.end + Number(value.value)];
    else if (wireType === FIXED64) end = from + 8;
    else if (wireType === FIXED32) end = from + 4;
    else return undefined;
    if (number === 0 || end > bytes.length) return undefined;
    fields.push({ number, wireType, content: bytes.subarray(begin, end) });
    at = end;
  }
  return fields;
}

function joined(fields: readonly Field[]): Uint8Array {
  const parts = fields.flatMap(({ number, wireType, content }) => {
    const tag = varint((BigInt(number) << 3n) | BigInt(wireType));
    return wireType === BYTES ? [tag, varint(BigInt(content.length)), content] : [tag, content];
  });
  return Buffer.concat(parts);
}

function varintAt(bytes: Uint8Array, from: number): { readonly value: bigint; readonly end: number } | undefined {
  let value = 0n;
  for (let at = from; at < from + 10; at += 1) {
    const byte = bytes[at];
    if (byte === undefined) return undefined;
    value |= BigInt(byte & 0x7f) << BigInt(7 * (at - from));
    if (byte < 0x80) return { value, end: at + 1 };
  }
  return undefined;
}

export function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, value);
  for (; left >= 0x80n; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  bytes.push(Number(left));
  return Uint8Array.from(bytes);
}
