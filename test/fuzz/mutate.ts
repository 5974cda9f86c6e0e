import type { SeededRandom } from '../unit/seeded-random.js';
import { type Frame, packFrames, unpackFrames } from './frames.js';
import { mutateMessage } from './mutate-proto.js';
import type { Shape } from './target.js';

/** No input is longer, in bytes. */
export const INPUT_BYTES_MAX = 64 * 1024;
/** Most changes to one input. */
const CHANGES_MAX = 5;
/** How often checksums are made right again after a change: the others test that a wrong one is seen. */
const SEALED = 0.85;
const INTERESTING = [0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
const INTERESTING_64 = [0n, 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];
const SIGNS = [
  '\n',
  ' ',
  ':',
  '-',
  '"',
  "'",
  '{',
  '}',
  '[',
  ']',
  ',',
  '#',
  '&a',
  '*a',
  '!!',
  '|',
  '\t',
  '\0',
  '0x',
  '1e309',
  '-1',
  'ü',
  '🙂',
  '../',
  '__proto__',
  'null',
  '~',
];

/** A changed copy of an input. `other` is one more input of the same target, to take pieces from. */
export function mutate(input: Uint8Array, { shape, random, other }: { shape: Shape; random: SeededRandom; other: Uint8Array }): Uint8Array {
  let changed = input;
  for (let changes = 1 + random.below(CHANGES_MAX); changes > 0; changes -= 1) {
    changed =
      shape.parts === 'frames' && random.chance(0.95) ? mutateFrames(changed, other, shape, random) : mutatePayload(changed, other, shape, random);
  }
  return changed.subarray(0, INPUT_BYTES_MAX);
}

/** Bytes that nobody made. */
export function noise(random: SeededRandom, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, () => random.below(256));
}

function mutateFrames(input: Uint8Array, other: Uint8Array, shape: Shape, random: SeededRandom): Uint8Array {
  const frames = unpackFrames(input);
  const others = unpackFrames(other);
  const at = random.below(frames.length + 1);
  const frame = frames[at];
  const swap = random.below(8);
  if (frame === undefined || swap === 0) return packFrames([...frames.slice(0, at), ...some(others, random), ...frames.slice(at)].slice(0, 64));
  if (swap === 1) return packFrames(frames.toSpliced(at, 1));
  if (swap === 2) return packFrames(frames.toSpliced(random.below(frames.length), 0, frame));
  if (swap === 3) return packFrames(frames.with(at, { ...frame, kind: random.below(32) }));
  const from = others.length === 0 ? frame : random.pick(others);
  return packFrames(frames.with(at, { ...frame, payload: mutatePayload(frame.payload, from.payload, shape, random).subarray(0, 0xffff) }));
}

function some(frames: readonly Frame[], random: SeededRandom): readonly Frame[] {
  const at = random.below(frames.length + 1);
  return frames.slice(at, at + 1 + random.below(3));
}

function mutatePayload(payload: Uint8Array, other: Uint8Array, shape: Shape, random: SeededRandom): Uint8Array {
  const changed = changeOnce(payload, other, shape, random);
  return shape.seal !== undefined && random.chance(SEALED) ? shape.seal(changed) : changed;
}

function changeOnce(payload: Uint8Array, other: Uint8Array, { payload: kind, words = [] }: Shape, random: SeededRandom): Uint8Array {
  if (kind === 'proto' && random.chance(0.7)) return mutateMessage(payload, other, random) ?? mutateBytes(payload, other, random);
  if (kind === 'text' && random.chance(0.5)) return insert(payload, Buffer.from(random.pick([...words, ...SIGNS])), random);
  if (words.length > 0 && random.chance(0.1)) return insert(payload, Buffer.from(random.pick(words)), random);
  return mutateBytes(payload, other, random);
}

/** What knows nothing of what the bytes mean. */
function mutateBytes(bytes: Uint8Array, other: Uint8Array, random: SeededRandom): Uint8Array {
  if (bytes.length === 0) return noise(random, random.below(16));
  const copy = Uint8Array.from(bytes);
  const at = random.below(bytes.length);
  switch (random.below(11)) {
    case 0:
      copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
      return copy;
    case 1:
      copy[at] = random.below(256);
      return copy;
    case 2:
      copy[at] = (copy[at] ?? 0) + (random.chance(0.5) ? 1 : 255);
      return copy;
    case 3:
      return copy.subarray(0, at);
    case 4:
      return splice(bytes, at, 1 + random.below(Math.min(16, bytes.length)), []);
    case 5:
      return insert(bytes, noise(random, 1 + random.below(8)), random);
    case 6:
      return insert(bytes, bytes.subarray(at, at + 1 + random.below(64)), random);
    case 7:
      return Buffer.concat([bytes.subarray(0, at), other.subarray(random.below(other.length + 1))]);
    case 8:
      copy.fill(random.pick([0, 0xff]), at, at + 1 + random.below(8));
      return copy;
    default:
      return overwritten(copy, at, random);
  }
}

/** An interesting number over what is there, in one of the widths and orders that our formats have. */
function overwritten(copy: Uint8Array, at: number, random: SeededRandom): Uint8Array {
  const bytes = Buffer.from(copy.buffer, copy.byteOffset, copy.byteLength);
  const left = bytes.length - at;
  const number = random.pick(INTERESTING);
  const width = random.pick([1, 2, 4, 6, 8]);
  if (left < width) return copy.fill(number & 0xff, at);
  if (width === 8) bytes[random.chance(0.5) ? 'writeBigUInt64BE' : 'writeBigUInt64LE'](random.pick(INTERESTING_64), at);
  else bytes[random.chance(0.7) ? 'writeUIntBE' : 'writeUIntLE'](number % 2 ** (8 * width), at, width);
  return copy;
}

function insert(bytes: Uint8Array, piece: Uint8Array, random: SeededRandom): Uint8Array {
  return splice(bytes, random.below(bytes.length + 1), random.chance(0.3) ? piece.length : 0, piece);
}

function splice(bytes: Uint8Array, at: number, cut: number, piece: Uint8Array | readonly number[]): Uint8Array {
  return Buffer.concat([bytes.subarray(0, at), Uint8Array.from(piece), bytes.subarray(at + cut)]);
}
