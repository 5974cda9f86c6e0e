import type { CallFigures } from './call-gate.js';
import type { GateFigures } from './connection-gate.js';
import { type MethodCounts, sumMethods } from './method-figures.js';

/** What a server has counted since it started: its two gates, and by method. */
export interface ServerFigures {
  readonly connections: Readonly<GateFigures>;
  readonly calls: Readonly<CallFigures>;
  /** Every method that it has. */
  readonly methods: readonly MethodCounts[];
}

/** Before a server listens, and of a network that has no gates. */
export const NO_FIGURES: ServerFigures = {
  connections: { openCount: 0, refusedCount: 0, silentCount: 0, strangerCount: 0, faultyCount: 0 },
  calls: { openCount: 0, refusedCount: 0, unfinishedCount: 0, compressedCount: 0, deniedCount: 0 },
  methods: [],
};

/** All servers of a process together, as they are now. */
export function sumFigures(servers: readonly { readonly figures?: ServerFigures | undefined }[]): ServerFigures {
  return servers.reduce<ServerFigures>(({ connections, calls, methods }, { figures = NO_FIGURES }) => {
    return {
      connections: {
        openCount: connections.openCount + figures.connections.openCount,
        refusedCount: connections.refusedCount + figures.connections.refusedCount,
        silentCount: connections.silentCount + figures.connections.silentCount,
        strangerCount: connections.strangerCount + figures.connections.strangerCount,
        faultyCount: connections.faultyCount + figures.connections.faultyCount,
      },
      calls: {
        openCount: calls.openCount + figures.calls.openCount,
        refusedCount: calls.refusedCount + figures.calls.refusedCount,
        unfinishedCount: calls.unfinishedCount + figures.calls.unfinishedCount,
        compressedCount: calls.compressedCount + figures.calls.compressedCount,
        deniedCount: calls.deniedCount + figures.calls.deniedCount,
      },
      methods: sumMethods([methods, figures.methods]),
    };
  }, NO_FIGURES);
}
