import { RAISE_AHEAD_MAX } from '../model/window.js';
import type { Growth } from './growth.js';

/** A bump beyond it would only use up numbers: 2^63 of them are all there are. */
export const BUMP_MAX = 2n ** 48n;
/** In a forced recovery, unless the operator knows better: so many raises, and never less than so many numbers. */
const RECOVERY_RAISES = 100n;
const RECOVERY_MIN = 1_000_000n;
/** In a restore: so much faster may numbers have been used since the snapshot than ever before it. */
export const SAFETY_FACTOR = 10;

/**
 * What a forced recovery lifts by. Lost are raises that the others committed after this node's last entry. A section's raise is sized
 * for about 60 s of its traffic and at least `raiseBy`, so 100 of them are hours of what this node could have missed.
 */
export function recoveryBump(raiseBy: bigint): bigint {
  return largest(RECOVERY_RAISES * raiseBy, RECOVERY_MIN);
}

/** The generation of whatever begins anew: higher than the one before, and than that of anything begun anew earlier from the same state. */
export function generationAfter(oldGeneration: number, wallMs: number): number {
  return Math.max(oldGeneration + 1, Math.floor(wallMs / 1000));
}

/** What is known of the cluster that a snapshot was taken of. */
export interface Past {
  readonly raiseBy: bigint;
  /** The highest of any section in the snapshot. */
  readonly maxSeq: bigint;
  /** Unix seconds of the founding, or of what it last began anew from. */
  readonly generation: number;
  readonly takenAtMs: number;
  readonly growth: Growth | undefined;
  /** Of whoever restores. */
  readonly nowMs: number;
}

/** How the bump of a restore is worked out, in its parts. */
export interface BumpSum {
  readonly ageMs: number;
  /** Numbers a second of the busiest section, in its busiest minute that a leader saw. Undefined: none did. */
  readonly observedPerSecond: number | undefined;
  /** Numbers a second of the highest section, on average since the founding. */
  readonly meanPerSecond: number;
  readonly safetyFactor: number;
  readonly byRate: bigint;
  /** One window of a section: what a single raise may have opened right after the snapshot. */
  readonly least: bigint;
  readonly bump: bigint;
}

/**
 * max(one window of a section, age x rate x safety factor): more than what can have been handed out since the snapshot, if numbers
 * were not used ten times as fast as ever seen. Undefined: it cannot be worked out, for by the clock here the snapshot, or the
 * founding, lies in the future.
 */
export function safeBump({ raiseBy, maxSeq, generation, takenAtMs, growth, nowMs }: Past): BumpSum | undefined {
  const ageMs = nowMs - takenAtMs;
  const lifeMs = takenAtMs - generation * 1000;
  if (ageMs < 0 || lifeMs < 0) return undefined;
  // A cluster that is younger than a second has its first window and no more.
  const meanPerSecond = Math.ceil(Number(maxSeq) / Math.max(1, lifeMs / 1000));
  const perSecond = Math.max(growth?.maxSeqPerSecond ?? 0, meanPerSecond);
  const byRate = BigInt(Math.ceil((ageMs / 1000) * perSecond * SAFETY_FACTOR));
  const least = largest(raiseBy, RAISE_AHEAD_MAX);
  const rates = { observedPerSecond: growth?.maxSeqPerSecond, meanPerSecond };
  return { ageMs, ...rates, safetyFactor: SAFETY_FACTOR, byRate, least, bump: largest(byRate, least) };
}

function largest(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}
