import { observeTypes } from '../base/observe.js';
import { addCallMetrics } from '../ops/call-metrics.js';
import { addDiskMetrics } from '../ops/disk-metrics.js';
import { addGateMetrics } from '../ops/gate-metrics.js';
import { bit, Metrics } from '../ops/metrics.js';
import { StoreMetrics, type StoreReading } from '../ops/store-metrics.js';
import type { StoreEvent } from '../store/events.js';
import type { QuarantineServer } from '../store/quarantine-server.js';
import type { StoreServer } from '../store/server.js';
import type { Telemetry } from './admin.js';

/** What a StoreSvr shows of itself. */
type Watched = Pick<StoreServer, 'node' | 'gateFigures'>;

export interface StoreTelemetry extends Telemetry<StoreEvent, Watched> {
  /** What stands in for the StoreSvr while its data cannot be believed; until a StoreSvr is watched. */
  watchQuarantined(server: Pick<QuarantineServer, 'gateFigures'>): void;
  /** The arbiter of this node holds back, or goes on. */
  arbiterHeld(isHeld: boolean): void;
}

/** Joins a StoreSvr and its metrics: neither knows the other. `version` is the program's, `dataDir` where its data is. */
export function storeTelemetry({ version, dataDir }: { readonly version: string; readonly dataDir: string }): StoreTelemetry {
  let server: Watched | undefined;
  let quarantined: Pick<QuarantineServer, 'gateFigures'> | undefined;
  const metrics = new Metrics({ version });
  const store = new StoreMetrics(metrics, () => (server === undefined ? undefined : readingOf(server)));
  addGateMetrics(metrics, () => (server ?? quarantined)?.gateFigures);
  addCallMetrics(metrics, () => (server ?? quarantined)?.gateFigures.methods ?? []);
  addDiskMetrics(metrics, dataDir);
  metrics.gauge('seqsvr_store_quarantined', 'Whether the data of this node cannot be believed, so that it counts for nothing (1), or not (0).', () =>
    bit(quarantined !== undefined),
  );
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
      snapshotSent: () => store.snapshot('sent'),
      snapshotFailed: () => store.snapshot('failed'),
      snapshotReceived: () => store.snapshot('received'),
      diskStalled: () => store.diskStalled(),
      stateDiffers: () => store.stateDiffers(),
      sectionsAssigned: decided,
      movePlanned: decided,
    }),
    watch: (running) => {
      server = running;
      quarantined = undefined;
    },
    watchQuarantined: (standIn) => {
      quarantined = standIn;
    },
    arbiterHeld: (isHeld) => store.arbiterHeld(isHeld),
  };
}

function readingOf({ node }: Watched): StoreReading {
  const { raft, state, isLeading, transport, members, identity } = node;
  const isLeader = raft.role === 'leader';
  const all = members.list();
  const countOf = (standing: string): number => state.allocs.filter((alloc) => alloc.state === standing).length;
  const { term, leaderId, log } = raft;
  return {
    hasLeader: leaderId !== undefined,
    isLeader,
    isLearner: all.find(({ id }) => id === identity.nodeId)?.role === 'learner',
    term,
    commitIndex: log.commitIndex,
    appliedIndex: log.appliedIndex,
    logEntryCount: log.lastIndex - log.firstIndex + 1,
    members: {
      count: all.length,
      activeCount: isLeader ? all.filter(({ isActive }) => isActive).length : 0,
      lagMax: isLeader ? Math.max(0, ...all.map(({ lag }) => lag ?? 0)) : 0,
    },
    allocs: { joined: countOf('joined'), draining: countOf('draining'), gone: countOf('gone') },
    isArbiter: isLeading,
    // From the table that clients get: it is kept for as long as its version is the newest.
    unassignedCount: (state.table()?.runs ?? []).reduce((sum, { alloc, sectionCount }) => sum + (alloc === undefined ? sectionCount : 0), 0),
    version: state.version,
    peers: transport.counts,
  };
}
