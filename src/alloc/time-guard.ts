import type { Instant } from '../base/clock.js';
import { type ClockJump, clockJumps } from '../model/clock-jump.js';

/** How often the timer of a guard is due, in ms: also how fast a lag is found when nobody calls. */
export const TIME_GUARD_EVERY_MS = 50;
/** A shorter lag than this is what timers do, in ms, whatever the committed margin. */
const LAG_MIN_MS = 50;

/** Something happened to time: what was granted before it is not to be trusted after it. */
export type TimeUpset = { readonly type: 'lag' /** How late the timer is, in ms. */; readonly ms: number } | (ClockJump & { readonly type: 'jump' });

/**
 * Compares each reading of the clocks with the one that a repeating timer took last: a long time without the timer means
 * that the event loop was blocked, or the process paused; clocks that moved apart mean that one of them jumped.
 *
 * Pure. Asked with each request too, for a paused process runs its socket callbacks before its timers: what happened is
 * found by whoever reads the clock first, and told once.
 */
export class TimeGuard {
  #last: Instant;
  #lagMaxMs: number;

  constructor(options: { readonly now: Instant; readonly marginMs: number }) {
    this.#last = options.now;
    this.#lagMaxMs = Math.max(LAG_MIN_MS, options.marginMs);
  }

  /** The margin of the committed lease terms, in ms: a longer lag is told. */
  set marginMs(marginMs: number) {
    this.#lagMaxMs = Math.max(LAG_MIN_MS, marginMs);
  }

  /** The timer's own reading, due every TIME_GUARD_EVERY_MS. */
  tick(now: Instant): TimeUpset[] {
    const upsets = this.check(now);
    this.#last = now;
    return upsets;
  }

  /** A reading by anybody else. What it finds is told now and not again. */
  check(now: Instant): TimeUpset[] {
    const lateMs = now.monoMs - this.#last.monoMs - TIME_GUARD_EVERY_MS;
    const jumps = clockJumps(this.#last, now);
    if (lateMs <= this.#lagMaxMs && jumps.length === 0) return NOTHING;
    this.#last = now;
    const upsets: TimeUpset[] = jumps.map((jump) => ({ type: 'jump', ...jump }));
    return lateMs > this.#lagMaxMs ? [{ type: 'lag', ms: lateMs }, ...upsets] : upsets;
  }
}

/** For every request: nothing is allocated when nothing happened. */
const NOTHING: TimeUpset[] = [];
