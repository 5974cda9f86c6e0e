/** Below this many keys a comparison sort is quicker than eight rounds of counting. */
const COUNTING_MIN = 256;
const DIGITS = 8;
const DIGIT_VALUES = 256;
/** Where the low word of a 64-bit value lies in memory; the high one is beside it. */
const LOW_WORD = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 0 : 1;
const SIGN = 0x8000_0000;

/** The places of the keys in ascending order of key; equal keys keep their order. O(n): a radix sort. No key is NaN. */
export function orderOf(keys: Float64Array | BigInt64Array): Uint32Array {
  // Loops here and below, for TypedArray.from goes by iterator and takes ten times as long.
  const places = new Uint32Array(keys.length);
  for (let at = 0; at < places.length; at += 1) places[at] = at;
  if (keys.length < COUNTING_MIN) return places.sort((one, other) => compare(keys[one], keys[other]) || one - other);
  const { low, high } = sortableWords(keys);
  let [from, to] = [places, new Uint32Array(keys.length)];
  for (let digit = 0; digit < DIGITS; digit += 1) {
    const starts = startsOf(digit < 4 ? low : high, (digit % 4) * 8);
    if (starts === undefined) continue;
    place(from, { to, starts, words: digit < 4 ? low : high, shift: (digit % 4) * 8 });
    [from, to] = [to, from];
  }
  return from;
}

/** The place of each key among the different keys, from 0; equal keys share one. */
export function ranksOf(keys: BigInt64Array): { readonly ranks: Uint32Array; readonly rankCount: number } {
  const ranks = new Uint32Array(keys.length);
  let rankCount = 0;
  let last: bigint | undefined;
  for (const at of orderOf(keys)) {
    const key = keys[at];
    if (key !== last) rankCount += 1;
    last = key;
    ranks[at] = rankCount - 1;
  }
  return { ranks, rankCount };
}

/** Two words for each key that compare, without a sign, as the keys do: a negative double has all its bits turned over, everything else the sign. */
function sortableWords(keys: Float64Array | BigInt64Array): { readonly low: Uint32Array; readonly high: Uint32Array } {
  const words = new Uint32Array(keys.buffer, keys.byteOffset, keys.length * 2);
  const low = new Uint32Array(keys.length);
  const high = new Uint32Array(keys.length);
  const isDouble = keys instanceof Float64Array;
  for (let at = 0; at < keys.length; at += 1) {
    const lowWord = words[at * 2 + LOW_WORD] as number;
    const highWord = words[at * 2 + 1 - LOW_WORD] as number;
    const isTurned = isDouble && highWord >= SIGN;
    low[at] = isTurned ? ~lowWord : lowWord;
    high[at] = isTurned ? ~highWord : highWord ^ SIGN;
  }
  return { low, high };
}

/** Where the keys with each value of the digit begin; undefined when all have the same. */
function startsOf(words: Uint32Array, shift: number): Uint32Array | undefined {
  const starts = new Uint32Array(DIGIT_VALUES);
  for (const word of words) starts[(word >>> shift) & 0xff] = (starts[(word >>> shift) & 0xff] as number) + 1;
  let sum = 0;
  for (let value = 0; value < DIGIT_VALUES; value += 1) {
    const count = starts[value] as number;
    if (count === words.length) return undefined;
    starts[value] = sum;
    sum += count;
  }
  return starts;
}

function place(
  from: Uint32Array,
  { to, starts, words, shift }: { readonly to: Uint32Array; readonly starts: Uint32Array; readonly words: Uint32Array; readonly shift: number },
): void {
  for (const at of from) {
    const value = ((words[at] as number) >>> shift) & 0xff;
    const start = starts[value] as number;
    to[start] = at;
    starts[value] = start + 1;
  }
}

function compare(one: number | bigint | undefined, other: number | bigint | undefined): number {
  if (one === undefined || other === undefined || one === other) return 0;
  return one < other ? -1 : 1;
}
