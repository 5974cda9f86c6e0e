import { Arbiter } from '../arbiter/arbiter.js';
import { observeAll } from '../base/observe.js';
import { eventLogger, type LogLevel } from '../ops/log.js';
import type { StoreEvent } from '../store/events.js';
import { StoreServer } from '../store/server.js';
import { withAdmin } from './admin.js';
import { arbiterPortOf } from './arbiter-port.js';
import type { StoreConfig } from './config.js';
import type { ProcessContext, Running } from './process.js';
import { type StoreTelemetry, storeTelemetry } from './store-telemetry.js';
import { programVersion } from './version.js';

/** What happens all the time in a healthy StoreSvr is for debugging; what an operator has to hear of is more. */
const LEVELS = {
  written: 'debug',
  lateTick: 'warn',
  peerDown: 'warn',
  peerSlow: 'warn',
  peerRefused: 'warn',
  badMessage: 'warn',
  commandRefused: 'warn',
  settingIgnored: 'warn',
} as const satisfies { readonly [Type in StoreEvent['type']]?: LogLevel };

/** Composition root of a StoreSvr: puts it and its arbiter together with the clock, the dice and the log of its process. */
export function serveStore(config: StoreConfig, context: ProcessContext): Promise<Running> {
  const { adminListen } = config;
  if (adminListen === undefined) return startStore(config, context);
  const telemetry = storeTelemetry(programVersion());
  return withAdmin({ address: adminListen, telemetry, context, start: () => startStore(config, context, telemetry) });
}

/** `telemetry`: undefined without an admin port, for what nobody can read is not measured. */
async function startStore(config: StoreConfig, context: ProcessContext, telemetry?: StoreTelemetry): Promise<Running> {
  const { clock, random, log, fail } = context;
  const { name, nodeId, dataDir, listen, peerListen, members, geometry, lease, raiseBy, heartbeatMs, electionMinMs } = config;
  const logEvent = eventLogger<StoreEvent>(log.component('store'), LEVELS);
  const server = await StoreServer.start({
    name,
    nodeId,
    dataDir,
    listen,
    peerListen,
    members,
    heartbeatMs,
    electionMinMs,
    clock,
    random,
    clusterId: config.cluster,
    bootstrap: { geometry, lease, raiseBy },
    build: { version: programVersion(), pid: process.pid },
    makeArbiter: (node) => new Arbiter({ port: arbiterPortOf(node), clock, onFatal: fail }),
    observe: telemetry === undefined ? logEvent : observeAll(logEvent, telemetry.observe),
    onFatal: (error) => fail(error),
  });
  telemetry?.watch(server.node);
  return { address: server.address, stop: () => server.stop() };
}
