import { randomBytes } from 'node:crypto';

/** Chance, passed in, so that a seed can replay it. */
export interface Random {
  /** A whole number in [0, below). `below` is at least 1. */
  below(below: number): number;
  /** 128 random bits as 32 hex digits: an identity that nobody else will draw. */
  id128(): string;
}

export const systemRandom: Random = {
  below: (below) => Math.floor(Math.random() * below),
  id128: () => randomBytes(16).toString('hex'),
};

/** A number in [0, 1). */
export function fraction(random: Random): number {
  return random.below(2 ** 30) / 2 ** 30;
}

/** Exponential backoff with full jitter: a wait in [0, min(maxMs, baseMs x 2^attempt)], attempt counted from 0. */
export function backoffMs(random: Random, options: { attempt: number; baseMs: number; maxMs: number }): number {
  const ceilingMs = Math.min(options.maxMs, options.baseMs * 2 ** Math.min(options.attempt, 30));
  return fraction(random) * ceilingMs;
}
