import { NO_FIGURES, type ServerFigures } from '../rpc/server-figures.js';
import type { Metrics } from './metrics.js';

/** The metrics of `rpc/connection-gate.ts` and `rpc/call-gate.ts`. `read` gives undefined until the node serves: everything is 0 then. */
export function addGateMetrics(metrics: Metrics, read: () => ServerFigures | undefined): void {
  metrics.gauge('seqsvr_connections_open', 'Connections to the gRPC ports that are open.', () => (read() ?? NO_FIGURES).connections.openCount);
  metrics.countersOf('seqsvr_connections_refused_total', 'Connections to the gRPC ports that were cut, by reason.', 'reason', () => {
    const { refusedCount, silentCount, strangerCount, faultyCount } = (read() ?? NO_FIGURES).connections;
    return { too_many: refusedCount, silent: silentCount, not_http2: strangerCount, faults: faultyCount };
  });
  metrics.gauge('seqsvr_calls_open', 'Calls and streams that are open.', () => (read() ?? NO_FIGURES).calls.openCount);
  metrics.countersOf('seqsvr_calls_refused_total', 'Calls that were ended before a handler saw them, by reason.', 'reason', () => {
    const { refusedCount, unfinishedCount, compressedCount, deniedCount } = (read() ?? NO_FIGURES).calls;
    return { too_many: refusedCount, unfinished: unfinishedCount, compressed: compressedCount, denied: deniedCount };
  });
}
