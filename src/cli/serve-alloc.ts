import type { AllocEvent } from '../alloc/events.js';
import { AllocServer } from '../alloc/server.js';
import { optional } from '../base/errors.js';
import { observeAll } from '../base/observe.js';
import { eventLogger, type LogLevel } from '../ops/log.js';
import { withAdmin } from './admin.js';
import { type AllocTelemetry, allocTelemetry } from './alloc-telemetry.js';
import type { AllocConfig } from './config.js';
import { type RunningAlloc, withGateway } from './gateway.js';
import { type NodeSecurity, nodeSecurity, servedBy } from './node-security.js';
import type { ProcessContext, Running } from './process.js';
import { programVersion } from './version.js';

/** What happens all the time in a healthy AllocSvr is for debugging; what an operator has to hear of is more. */
export const ALLOC_LEVELS = {
  leaseRenewed: 'debug',
  maxSeqRaised: 'debug',
  windowEmpty: 'debug',
  registerFailed: 'warn',
  renewalFailed: 'warn',
  leaseLost: 'warn',
  renewalsSpedUp: 'warn',
  clockJumped: 'warn',
  eventLoopLagged: 'warn',
  watchEnded: 'warn',
  raiseFailed: 'warn',
  raiseRefused: 'warn',
  drainFailed: 'warn',
  releaseFailed: 'warn',
  ownershipConfirmed: 'debug',
  confirmationFailed: 'warn',
  floorAboveCurrent: 'error',
  handoffInstalled: 'debug',
  handoffFellBack: 'warn',
  handoffBroken: 'warn',
  countersRefused: 'warn',
  countersNotSaved: 'warn',
  fatal: 'fatal',
} as const satisfies { readonly [Type in AllocEvent['type']]?: LogLevel };

/** Composition root of an AllocSvr: puts it together with the clock, the dice and the log of its process. */
export function serveAlloc(config: AllocConfig, context: ProcessContext): Promise<Running> {
  const security = nodeSecurity(config.tls, context);
  return servedBy(security, () => serveWithAdmin(config, context, security));
}

function serveWithAdmin(config: AllocConfig, context: ProcessContext, security: NodeSecurity): Promise<Running> {
  const { adminListen } = config;
  if (adminListen === undefined) return startWithGateway(config, context, security);
  const telemetry = allocTelemetry({ version: programVersion(), clock: context.clock });
  return withAdmin({
    address: adminListen,
    telemetry,
    context,
    security: security.callers,
    start: () => startWithGateway(config, context, security, telemetry),
  });
}

function startWithGateway(config: AllocConfig, context: ProcessContext, security: NodeSecurity, telemetry?: AllocTelemetry): Promise<Running> {
  const start = (): Promise<RunningAlloc> => startAlloc(config, context, security, telemetry);
  if (config.httpListen === undefined) return start();
  return withGateway({
    address: config.httpListen,
    context,
    wire: security.wire,
    observe: (event) => telemetry?.observeGateway(event),
    watch: (gateway) => telemetry?.watchGateway(gateway),
    start,
  });
}

/** `telemetry`: undefined without an admin port, for what nobody can read is not measured. */
async function startAlloc(config: AllocConfig, context: ProcessContext, { wire }: NodeSecurity, telemetry?: AllocTelemetry): Promise<RunningAlloc> {
  const logEvent = eventLogger<AllocEvent>(context.log.component('alloc'), ALLOC_LEVELS);
  const server = await AllocServer.start({
    id: config.name,
    listen: config.listen,
    ...optional('advertise', config.advertise),
    zone: config.zone,
    stores: [...config.stores],
    renewEveryMs: config.renewEveryMs,
    raiseAheadMs: config.raiseAheadMs,
    isStrict: config.strict,
    limits: config.limits,
    ...optional('dataDir', config.dataDir),
    ...optional('incarnation', context.incarnation),
    wire,
    clock: context.clock,
    random: context.random,
    observe: telemetry === undefined ? logEvent : observeAll(logEvent, telemetry.observe),
    onFatal: (error) => context.fail(error),
    version: programVersion(),
  });
  telemetry?.watch(server);
  return { address: server.address, table: () => server.node.table, stop: () => server.drainAndStop() };
}
