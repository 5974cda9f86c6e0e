import { observeTypes } from '../base/observe.js';
import { addGateMetrics } from '../ops/gate-metrics.js';
import { Metrics } from '../ops/metrics.js';
import { StoreMetrics, type StoreReading } from '../ops/store-metrics.js';
import type { StoreEvent } from '../store/events.js';
import type { StoreServer } from '../store/server.js';
import type { Telemetry } from './admin.js';

/** What a StoreSvr shows of itself. */
type Watched = Pick<StoreServer, 'node' | 'gateFigures'>;

export type StoreTelemetry = Telemetry<StoreEvent, Watched>;

/** Joins a StoreSvr and its metrics: neither knows the other. `version` is the program's. */
export function storeTelemetry(version: string): StoreTelemetry {
  let server: Watched | undefined;
  const metrics = new Metrics({ version });
  const store = new StoreMetrics(metrics, () => (server === undefined ? undefined : readingOf(server)));
  addGateMetrics(metrics, () => server?.gateFigures);
  // Every store applies a decision; only the one that made it counts it.
  const decided = (event: { readonly sectionCount: number; readonly reason: string }): void => {
    if (server?.node.isLeading === true) store.decided(event);
  };
  return {
    metrics,
    checks: [
      { name: 'leader known', isPassed: () => server?.node.raft.leaderId !== undefined },
      { name: 'cluster founded', isPassed: () => server?.node.state.cluster !== undefined },
    ],
    observe: observeTypes<StoreEvent>({
      roleChanged: (event) => store.roleChanged(event),
      written: (event) => store.written(event),
      sectionsAssigned: decided,
      movePlanned: decided,
    }),
    watch: (running) => {
      server = running;
    },
  };
}

function readingOf({ node }: Watched): StoreReading {
  const { raft, state, isLeading, transport } = node;
  const { role, term, leaderId, log } = raft;
  return {
    hasLeader: leaderId !== undefined,
    isLeader: role === 'leader',
    term,
    commitIndex: log.commitIndex,
    appliedIndex: log.appliedIndex,
    isArbiter: isLeading,
    // From the table that clients get: it is kept for as long as its version is the newest.
    unassignedCount: (state.table()?.runs ?? []).reduce((sum, { alloc, sectionCount }) => sum + (alloc === undefined ? sectionCount : 0), 0),
    version: state.version,
    peers: transport.counts,
  };
}
