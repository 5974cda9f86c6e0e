import { SeqError } from '../base/errors.js';
import { observeAll } from '../base/observe.js';
import { findIdentity } from '../store/data-dir.js';
import { readQuarantine, setAside, writeQuarantine } from '../store/quarantine.js';
import { serveUnlessQuarantined } from './store-quarantine.js';
import { eventLogger, type LogLevel } from '../ops/log.js';
import type { StoreEvent } from '../store/events.js';
import { StoreServer } from '../store/server.js';
import { withAdmin } from './admin.js';
import type { StoreConfig } from './config.js';
import { arbiterRole } from './placement-port.js';
import { type NodeSecurity, nodeSecurity, servedBy } from './node-security.js';
import type { ProcessContext, Running } from './process.js';
import { type StoreTelemetry, storeTelemetry } from './store-telemetry.js';
import { programVersion } from './version.js';

/** What happens all the time in a healthy StoreSvr is for debugging; what an operator has to hear of is more. */
export const STORE_LEVELS = {
  written: 'debug',
  lateTick: 'warn',
  peerDown: 'warn',
  peerSlow: 'warn',
  peerDropped: 'warn',
  snapshotRefused: 'warn',
  snapshotUnreadable: 'warn',
  snapshotFailed: 'warn',
  diskStalled: 'warn',
  stateDiffers: 'error',
  removedFromCluster: 'error',
  peerRefused: 'warn',
  badMessage: 'warn',
  commandRefused: 'warn',
  settingIgnored: 'warn',
} as const satisfies { readonly [Type in StoreEvent['type']]?: LogLevel };

/** Composition root of a StoreSvr: puts it and its arbiter together with the clock, the dice and the log of its process. */
export function serveStore(config: StoreConfig, context: ProcessContext): Promise<Running> {
  const security = nodeSecurity(config.tls, context);
  return servedBy(security, () => serveWithAdmin(config, context, security));
}

function serveWithAdmin(config: StoreConfig, context: ProcessContext, security: NodeSecurity): Promise<Running> {
  const { adminListen } = config;
  if (adminListen === undefined) return serveData(config, context, security);
  const telemetry = storeTelemetry({ version: programVersion(), dataDir: config.dataDir });
  return withAdmin({
    address: adminListen,
    telemetry,
    context,
    security: security.callers,
    start: () => serveData(config, context, security, telemetry),
  });
}

/** What a StoreSvr is depends on its data: it may be damaged. `telemetry`: undefined without an admin port, for what nobody can read is not measured. */
function serveData(config: StoreConfig, context: ProcessContext, security: NodeSecurity, telemetry?: StoreTelemetry): Promise<Running> {
  const { dataDir } = config;
  const { clock, random } = context;
  return serveUnlessQuarantined({
    config,
    context,
    wire: security.wire,
    files: {
      read: () => readQuarantine(dataDir),
      write: (note) => writeQuarantine(dataDir, note),
      identity: () => findIdentity(dataDir),
      setAside: () => setAside(dataDir, { nowMs: clock.wallMs(), random }),
    },
    onQuarantined: (server) => telemetry?.watchQuarantined(server),
    start: (how) => startStore(config, context, { ...how, security, telemetry }),
  });
}

interface StartOptions {
  /** Of this process: a quarantined founder that was set aside comes back as a joiner. */
  readonly join: boolean;
  readonly onFatal: (error: unknown) => void;
  readonly security: NodeSecurity;
  readonly telemetry: StoreTelemetry | undefined;
}

async function startStore(config: StoreConfig, context: ProcessContext, { join, onFatal, security, telemetry }: StartOptions): Promise<Running> {
  const { clock, random, log, fail } = context;
  const { cluster, geometry, lease, raiseBy } = config;
  const logEvent = eventLogger<StoreEvent>(log.component('store'), STORE_LEVELS);
  const arbiterLog = log.component('arbiter');
  const server = await StoreServer.start({
    ...config,
    nodeId: join ? undefined : config.nodeId,
    wire: security.wire,
    peerWire: security.peerWire,
    clock,
    random,
    clusterId: cluster,
    bootstrap: { geometry, lease, raiseBy },
    build: { version: programVersion(), pid: process.pid },
    makeArbiter: (node) =>
      arbiterRole(node, {
        clock,
        onFatal: fail,
        onHeld: (why) => {
          arbiterLog.write('warn', why === undefined ? 'arbiterGoesOn' : 'arbiterHeld', { why });
          telemetry?.arbiterHeld(why !== undefined);
        },
      }),
    observe: telemetry === undefined ? logEvent : observeAll(logEvent, telemetry.observe),
    onFatal,
    onRemoved: () => fail(new SeqError('PERMISSION_DENIED', `${config.name} was removed from its cluster: its data directory never counts again`)),
  });
  telemetry?.watch(server);
  return { address: server.address, stop: () => server.stop() };
}
