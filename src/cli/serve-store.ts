import { Arbiter } from '../arbiter/arbiter.js';
import { eventLogger } from '../ops/log.js';
import { StoreServer } from '../store/server.js';
import { arbiterPortOf } from './arbiter-port.js';
import type { StoreConfig } from './config.js';
import type { ProcessContext, Running } from './process.js';
import { programVersion } from './version.js';

/** Composition root of a StoreSvr: the only place where its clock, its dice, its disk and its sockets are chosen. */
export async function serveStore(config: StoreConfig, context: ProcessContext): Promise<Running> {
  const { clock, random, log, fail } = context;
  const { name, nodeId, dataDir, listen, peerListen, members, geometry, lease, raiseBy, heartbeatMs, electionMinMs: electionMs } = config;
  const server = await StoreServer.start({
    ...{ name, nodeId, dataDir, listen, peerListen, members, heartbeatMs, electionMs, clock, random },
    clusterId: config.cluster,
    bootstrap: { geometry, lease, raiseBy },
    build: { version: programVersion(), pid: process.pid },
    makeArbiter: (node) => new Arbiter({ port: arbiterPortOf(node), clock }),
    observe: eventLogger(log.component('store'), {
      written: 'debug',
      lateTick: 'warn',
      peerDown: 'warn',
      peerSlow: 'warn',
      peerRefused: 'warn',
      badMessage: 'warn',
      commandRefused: 'warn',
    }),
    onFatal: (error: unknown) => fail(error),
  });
  return { address: server.address, stop: () => server.stop() };
}
