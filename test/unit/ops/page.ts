/** One metric of a page in Prometheus' text format. */
export interface Shown {
  readonly type: string;
  /** 'name' or 'name{label="value"}' -> value. */
  readonly samples: ReadonlyMap<string, number>;
}

/** Every metric of a page, by name. Throws on a line that is none of the format's. */
export function readPage(page: string): ReadonlyMap<string, Shown> {
  const shown = new Map<string, { type: string; samples: Map<string, number> }>();
  for (const line of page.split('\n')) {
    const [, declared, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (declared !== undefined && type !== undefined) shown.set(declared, { type, samples: new Map() });
    if (line === '' || line.startsWith('#')) continue;
    const [, sample, name, value] = /^(([a-z_0-9]+)(?:\{.*\})?) (\S+)$/i.exec(line) ?? [];
    const metric = shown.get(name ?? '') ?? shown.get((name ?? '').replace(/_(bucket|sum|count)$/, ''));
    if (metric === undefined || sample === undefined) throw new Error(`not a sample of a declared metric: ${line}`);
    metric.samples.set(sample, Number(value));
  }
  return shown;
}
