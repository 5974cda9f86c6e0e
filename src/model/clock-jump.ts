import type { Instant } from '../base/clock.js';

/**
 * `suspend`: the machine slept, and the monotonic clock with it. `wallForward`, `wallBack`: somebody set the date. A machine
 * whose clocks were all stopped, as some virtual machines do it, shows none of them: only STRICT calls stand above that.
 */
export type ClockJumpKind = 'suspend' | 'wallForward' | 'wallBack';

export interface ClockJump {
  readonly kind: ClockJumpKind;
  /** How far, in ms; above 0. */
  readonly ms: number;
}

/** os.uptime() counts in steps of 10 ms, and the three clocks are not read in one instant. */
const TOLERANCE_MS = 50;
/** Rates may differ too; what comes of that is a matter of drift and is not called a jump. */
const RATE_TOLERANCE = 0.1;

/** Which clocks jumped between two readings: they should all have moved alike. */
export function clockJumps(from: Instant, to: Instant): ClockJump[] {
  const monoMs = to.monoMs - from.monoMs;
  const uptimeMs = to.uptimeMs - from.uptimeMs;
  const wallMs = to.wallMs - from.wallMs;
  const toleranceMs = TOLERANCE_MS + monoMs * RATE_TOLERANCE;
  const jumps: ClockJump[] = [];
  const sleptMs = uptimeMs - monoMs;
  if (sleptMs > toleranceMs) jumps.push({ kind: 'suspend', ms: sleptMs });
  // The wall clock goes on through a suspend: only what it moved beyond that was set by somebody.
  const setByMs = wallMs - Math.max(monoMs, uptimeMs);
  if (setByMs > toleranceMs) jumps.push({ kind: 'wallForward', ms: setByMs });
  if (setByMs < -toleranceMs) jumps.push({ kind: 'wallBack', ms: -setByMs });
  return jumps;
}
