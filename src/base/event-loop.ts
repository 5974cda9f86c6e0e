/** Milliseconds that the event loop of this thread was busy since the process started: what it waited for input and timers is not in it. */
export function eventLoopActiveMs(): number {
  return performance.eventLoopUtilization().active;
}
