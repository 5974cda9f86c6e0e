import type { Clock } from '../../../src/base/clock.js';
import type { VirtualClock } from '../virtual-clock.js';

const TURN_MS = 0.25;

/** A turn of the event loop takes time, or a loop that waits for time to pass would turn for ever. */
export function turningClock(clock: VirtualClock): Clock {
  return {
    nowMs: () => clock.nowMs(),
    now: () => clock.now(),
    wallMs: () => clock.wallMs(),
    after: (delayMs, fire) => clock.after(delayMs, fire),
    defer: (fire) => void clock.after(TURN_MS, fire),
  };
}

/** Lets time pass until it is done, at most so long. Rejects as it does. */
export async function whileTimePasses<Value>(clock: VirtualClock, outcome: Promise<Value>, withinMs: number): Promise<Value> {
  const state = { isDone: false };
  const note = (): void => void (state.isDone = true);
  outcome.then(note, note);
  for (let left = withinMs; left > 0 && !state.isDone; left--) await clock.elapse(1);
  if (!state.isDone) throw new Error(`not done within ${withinMs} ms`);
  return outcome;
}
