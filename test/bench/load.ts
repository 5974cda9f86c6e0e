/** What one system did under one number of callers in one round. */
export interface Cell {
  readonly commitsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Synced writes of the leader for each commit. */
  readonly syncsPerCommit: number;
}

export interface LoadOptions {
  readonly callers: number;
  /** Runs before anything is counted. */
  readonly warmUpMs: number;
  readonly measureMs: number;
}

/** Closed loop: every caller waits for its commit before it asks for the next one. Rejects with the first refusal. */
export async function runLoad(
  system: { commit(): Promise<void>; syncCount(): Promise<number> },
  { callers, warmUpMs, measureMs }: LoadOptions,
): Promise<Cell> {
  const latenciesMs: number[] = [];
  let commitCount = 0;
  const syncsBefore = await system.syncCount();
  const fromMs = performance.now() + warmUpMs;
  const untilMs = fromMs + measureMs;
  const call = async (): Promise<void> => {
    for (let startMs = performance.now(); startMs < untilMs; ) {
      await system.commit();
      commitCount += 1;
      const endMs = performance.now();
      if (endMs >= fromMs && endMs < untilMs) latenciesMs.push(endMs - startMs);
      startMs = endMs;
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  const syncsPerCommit = ((await system.syncCount()) - syncsBefore) / commitCount;
  const sorted = Float64Array.from(latenciesMs).sort();
  return {
    commitsPerSecond: sorted.length / (measureMs / 1_000),
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    syncsPerCommit,
  };
}

/** The value that at least this share of the sorted values does not exceed; NaN of none. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
