import type { Metrics } from './metrics.js';

/** What the gates of a process' gRPC ports have counted since it started, all ports together. */
export interface GateReading {
  readonly connections: {
    readonly openCount: number;
    readonly refusedCount: number;
    readonly silentCount: number;
    readonly strangerCount: number;
  };
  readonly calls: { readonly openCount: number; readonly refusedCount: number; readonly unfinishedCount: number };
}

/** The metrics of `rpc/connection-gate.ts` and `rpc/call-gate.ts`. `read` gives undefined until the node serves: everything is 0 then. */
export function addGateMetrics(metrics: Metrics, read: () => GateReading | undefined): void {
  metrics.gauge('seqsvr_connections_open', 'Connections to the gRPC ports that are open.', () => read()?.connections.openCount ?? 0);
  metrics.countersOf('seqsvr_connections_refused_total', 'Connections to the gRPC ports that were cut, by reason.', 'reason', () => {
    const { refusedCount = 0, silentCount = 0, strangerCount = 0 } = read()?.connections ?? {};
    return { too_many: refusedCount, silent: silentCount, not_http2: strangerCount };
  });
  metrics.gauge('seqsvr_calls_open', 'Calls and streams that are open.', () => read()?.calls.openCount ?? 0);
  metrics.countersOf('seqsvr_calls_refused_total', 'Calls that were ended before a handler saw them, by reason.', 'reason', () => {
    const { refusedCount = 0, unfinishedCount = 0 } = read()?.calls ?? {};
    return { too_many: refusedCount, unfinished: unfinishedCount };
  });
}
