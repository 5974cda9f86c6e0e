import { eventLoopActiveMs } from '../base/event-loop.js';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { DURATION_BUCKETS } from '../rpc/method-figures.js';
import { type HistogramRow, ReadHistogram } from './read-histogram.js';

/** Gauges of prom-client that end in `_total`, which only a counter may; the same figures come by type without it. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/**
 * A counter with one label. Its values are a set fixed in the code: never a uid, a section, an address or the text of an
 * error, for each new value is a series that is kept for ever.
 */
export interface Counts<Value extends string> {
  /** `by` is at least 0. */
  add(value: Value, by: number): void;
}

export interface Meter {
  add(by: number): void;
}

export interface Distribution {
  observe(value: number): void;
}

export interface CounterRow {
  readonly labels: Readonly<Record<string, string>>;
  readonly count: number;
}

/**
 * The metrics of one process, in a registry of their own. Names carry base units (seconds, never ms), and `_total` on
 * counters only. What the node counts by itself stays a plain number there and is read when someone asks.
 */
export class Metrics {
  readonly #registry = new Registry();

  /** `version` is the program's. Without `hasProcess` the page says nothing of the process and of Node (for tests). */
  constructor(options: { readonly version: string; readonly hasProcess?: boolean }) {
    const { version, hasProcess = true } = options;
    new Gauge({
      name: 'seqsvr_build_info',
      help: 'Always 1; the labels say which program this is.',
      labelNames: ['version', 'node'],
      registers: [this.#registry],
    }).set({ version, node: process.version }, 1);
    if (!hasProcess) return;
    collectDefaultMetrics({ register: this.#registry });
    this.counterOf(
      'seqsvr_eventloop_active_seconds_total',
      'Time that the event loop was busy and not waiting: its rate is the share of one core that is used up.',
      () => eventLoopActiveMs() / 1000,
    );
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The page in Prometheus' text format, read now. */
  render(): Promise<string> {
    return this.#registry.metrics();
  }

  /** A value that goes up and down; `read` is called for each page, at once. */
  gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({ name, help, registers: [this.#registry], collect: () => gauge.set(read()) });
  }

  /** As `gauge`, one for each value of one label: always the same values, fixed in the code. */
  gaugesOf(name: string, help: string, label: string, read: () => Readonly<Record<string, number>>): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [this.#registry],
      collect: () => {
        for (const [value, amount] of Object.entries(read())) gauge.set({ [label]: value }, amount);
      },
    });
  }

  /** A number that the node counts itself; `read` is called for each page, at once, and never gives less than before. */
  counterOf(name: string, help: string, read: () => number): void {
    const counter: Counter = new Counter({
      name,
      help,
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        counter.inc(read());
      },
    });
  }

  /** As `counterOf`, one number for each value of one label: always the same values, fixed in the code. */
  countersOf(name: string, help: string, label: string, read: () => Readonly<Record<string, number>>): void {
    const counter: Counter = new Counter({
      name,
      help,
      labelNames: [label],
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        for (const [value, count] of Object.entries(read())) counter.inc({ [label]: value }, count);
      },
    });
  }

  /** As `counterOf`, one number for each row of labels that `read` gives: a set that the code bounds. */
  countersBy(name: string, help: string, labelNames: readonly string[], read: () => readonly CounterRow[]): void {
    const counter: Counter = new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        for (const { labels, count } of read()) counter.inc(labels, count);
      },
    });
  }

  /** A histogram for each row of labels, whose numbers the node keeps itself; `read` is called for each page, at once. */
  histogramsOf(name: string, help: string, bounds: readonly number[], read: () => readonly HistogramRow[]): void {
    this.#registry.registerMetric(new ReadHistogram({ name, help, bounds, read }));
  }

  counter(name: string, help: string): Meter {
    const counter = new Counter({ name, help, registers: [this.#registry] });
    return { add: (by) => counter.inc(by) };
  }

  /** A counter for each of `values`, all of them on the page from the start, so that a rate is right from the first event on. */
  counterBy<Value extends string>(name: string, help: string, by: { readonly label: string; readonly values: readonly Value[] }): Counts<Value> {
    const counter = new Counter({ name, help, labelNames: [by.label], registers: [this.#registry] });
    for (const value of by.values) counter.inc({ [by.label]: value }, 0);
    return { add: (value, count) => counter.inc({ [by.label]: value }, count) };
  }

  histogram(name: string, help: string, buckets = DURATION_BUCKETS): Distribution {
    return new Histogram({ name, help, buckets: [...buckets], registers: [this.#registry] });
  }
}

/** A fact as Prometheus has it. */
export function bit(fact: boolean): number {
  return fact ? 1 : 0;
}
