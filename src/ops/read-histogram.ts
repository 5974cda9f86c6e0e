import { Histogram } from 'prom-client';

/** What is counted for one set of labels. */
export interface HistogramRow {
  readonly labels: Readonly<Record<string, string>>;
  /** By bucket, not added up, and one more than there are bounds: above them all. */
  readonly counts: Readonly<Float64Array>;
  readonly sum: number;
}

export interface ReadHistogramOptions {
  readonly name: string;
  readonly help: string;
  /** The upper bounds of its buckets, ascending. */
  readonly bounds: readonly number[];
  readonly read: () => readonly HistogramRow[];
}

/** A histogram whose numbers are kept elsewhere and read for each page. prom-client's own takes observations one by one, and makes objects for each. */
export class ReadHistogram extends Histogram {
  readonly #options: ReadHistogramOptions;

  constructor(options: ReadHistogramOptions) {
    super({ name: options.name, help: options.help, registers: [] });
    this.#options = options;
  }

  /** What the registry asks for a page, and what get() is made of; prom-client has it in every histogram, but not in its types. */
  getForPromString(): Promise<object> {
    const { name, help, bounds, read } = this.#options;
    const values = read().flatMap(({ labels, counts, sum }) => {
      let total = 0;
      const buckets = [...counts].map((count, at) => {
        total += count;
        return { metricName: `${name}_bucket`, labels: { ...labels, le: at < bounds.length ? String(bounds[at]) : '+Inf' }, value: total };
      });
      return [...buckets, { metricName: `${name}_sum`, labels, value: sum }, { metricName: `${name}_count`, labels, value: total }];
    });
    return Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values });
  }
}
