/** What one system did in one cell of one round. NaN: it could not be told. */
export interface Figures {
  readonly opsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** Time on a processor for each operation, of all processes of the system and all their threads. */
  readonly serverCpuUs: number;
  /** The same of the client process. */
  readonly clientCpuUs: number;
  readonly opCount: number;
}

/** The rows of the table, by the kind of work. Rows of one kind are compared with `ours` of that kind. */
export type Work = 'next' | 'frames' | 'unary' | 'commit';

/** One measurement and where it belongs. */
export interface Measurement extends Figures {
  readonly work: Work;
  readonly system: string;
  readonly round: number;
  /** Of all processes of the system, after the cell. */
  readonly residentMiB: number;
}
