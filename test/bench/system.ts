/** One of the three that are measured against each other. */
export interface System {
  readonly name: string;
  /** One commit: resolves once a majority has it on disk. Rejects when it was refused. */
  commit(): Promise<void>;
  /** Synced writes of the leader since it began. */
  syncCount(): Promise<number>;
  /** Ends every process of it, by its own pid. */
  stop(): Promise<void>;
}
