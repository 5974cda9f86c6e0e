import type { RunSummary } from './summary.js';
import { SITUATIONS } from './situations.js';

/** What many runs came to. */
export class Tally {
  readonly situations = new Map<string, number>();
  runCount = 0;
  failureCount = 0;
  #simulatedMs = 0;
  #eventCount = 0;
  #operationCount = 0;
  #answeredCount = 0;

  add({ simulatedMs, eventCount, operationCount, answeredCount, situations, failure }: RunSummary): void {
    this.runCount += 1;
    if (failure !== undefined) this.failureCount += 1;
    this.#simulatedMs += simulatedMs;
    this.#eventCount += eventCount;
    this.#operationCount += operationCount;
    this.#answeredCount += answeredCount;
    for (const [name, count] of situations) this.situations.set(name, (this.situations.get(name) ?? 0) + count);
  }

  rate(cpuMinutes: number): string {
    const hours = this.#simulatedMs / 3_600_000;
    const eventsPerSecond = this.#eventCount / (this.#simulatedMs / 1_000);
    return (
      `${hours.toFixed(2)} simulated hours in ${cpuMinutes.toFixed(2)} CPU-minutes: ${(hours / cpuMinutes).toFixed(2)} simulated hours per CPU-minute, ` +
      `${eventsPerSecond.toFixed(0)} events in a simulated second`
    );
  }

  /** For people; `cpuMinutes`: what all that took. */
  show(cpuMinutes: number): string {
    const hours = this.#simulatedMs / 3_600_000;
    const names = [...this.situations].sort(([one], [other]) => (one < other ? -1 : 1));
    return [
      ...names.map(([name, count]) => `  ${name} ${count}`),
      `${this.runCount} seeds, ${this.failureCount} failed: ${hours.toFixed(1)} simulated hours, ${this.#eventCount} events, ` +
        `${this.#operationCount} operations (${this.#answeredCount} answered) checked`,
      this.rate(cpuMinutes),
    ].join('\n');
  }
}

/** Situations that a night of seeds must have seen and has not: then the seeds have become too tame. */
export function neverReached(reached: ReadonlyMap<string, number>): readonly string[] {
  return SITUATIONS.filter((name) => !reached.has(name));
}
