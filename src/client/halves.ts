/** 64-bit numbers as halves of 32 bits, and back. */

export interface Halves {
  readonly low: number;
  readonly high: number;
}

const TWO_32 = 2 ** 32;
/** A number is exact below 2^53. */
const EXACT_HIGH_MAX = 2 ** 21;

/** A bigint for each of them costs; this is the cheapest way to one. */
export function bigOf(low: number, high: number): bigint {
  if (high === 0) return BigInt(low);
  return high < EXACT_HIGH_MAX ? BigInt(high * TWO_32 + low) : (BigInt(high) << 32n) | BigInt(low);
}

export function lowOf(value: bigint): number {
  return value <= 0xffff_ffffn ? Number(value) : Number(value & 0xffff_ffffn);
}

export function highOf(value: bigint): number {
  return value <= 0xffff_ffffn ? 0 : Number(value >> 32n);
}
