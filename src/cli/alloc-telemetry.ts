import type { AllocEvent } from '../alloc/events.js';
import type { AllocServer } from '../alloc/server.js';
import type { Clock } from '../base/clock.js';
import { type Observer, observeTypes } from '../base/observe.js';
import type { GatewayEvent, HttpGateway } from '../gateway/gateway.js';
import { AllocMetrics, type AllocReading } from '../ops/alloc-metrics.js';
import { addCallMetrics } from '../ops/call-metrics.js';
import { addGateMetrics } from '../ops/gate-metrics.js';
import { addGatewayMetrics } from '../ops/gateway-metrics.js';
import { Metrics } from '../ops/metrics.js';
import type { Telemetry } from './admin.js';

/** What an AllocSvr shows of itself. */
type Watched = Pick<AllocServer, 'node' | 'exchangeFigures' | 'gateFigures'>;

export interface AllocTelemetry extends Telemetry<AllocEvent, Watched> {
  readonly observeGateway: Observer<GatewayEvent>;
  /** The HTTP gateway to read from, where there is one. */
  watchGateway(gateway: Pick<HttpGateway, 'figures'>): void;
}

/** Joins an AllocSvr and its metrics: neither knows the other. `version` is the program's. */
export function allocTelemetry({ version, clock }: { readonly version: string; readonly clock: Clock }): AllocTelemetry {
  let server: Watched | undefined;
  const metrics = new Metrics({ version });
  const alloc = new AllocMetrics(metrics, () => (server === undefined ? undefined : readingOf(server, clock)));
  addGateMetrics(metrics, () => server?.gateFigures);
  addCallMetrics(metrics, () => server?.gateFigures.methods ?? []);
  let gateway: Pick<HttpGateway, 'figures'> | undefined;
  const observeGateway = addGatewayMetrics(metrics, () => gateway?.figures);
  return {
    observeGateway,
    watchGateway: (running) => {
      gateway = running;
    },
    metrics,
    checks: [
      { name: 'lease valid', isPassed: () => server !== undefined && server.node.leaseLeftMsAt(clock.now()) > 0 },
      { name: 'table known', isPassed: () => server?.node.table !== undefined },
      { name: 'serving', isPassed: () => server?.node.isServingAt(clock.now()) === true },
    ],
    observe: observeTypes<AllocEvent>({
      leaseRenewed: () => alloc.leaseRenewed(),
      renewalFailed: (event) => alloc.renewalFailed(event),
      leaseLost: () => alloc.leaseLost(),
      clockJumped: (event) => alloc.clockJumped(event),
      eventLoopLagged: (event) => alloc.eventLoopLagged(event),
      maxSeqRaised: (event) => alloc.maxSeqRaised(event),
      windowEmpty: (event) => alloc.windowEmpty(event),
      ownershipConfirmed: (event) => alloc.ownershipConfirmed(event),
      confirmationFailed: (event) => alloc.confirmationFailed(event),
      floorAboveCurrent: (event) => alloc.floorAboveCurrent(event),
      sectionsReleased: (event) => alloc.sectionsReleased(event),
      handoffInstalled: () => alloc.handoffInstalled(),
      handoffFellBack: () => alloc.handoffFellBack(),
    }),
    watch: (running) => {
      server = running;
    },
  };
}

function readingOf({ node, exchangeFigures }: Watched, clock: Clock): AllocReading {
  const now = clock.now();
  return {
    handedOutCount: node.handedOutCount,
    sectionCount: node.sectionCount,
    leaseLeftMs: node.leaseLeftMsAt(now),
    isServing: node.isServingAt(now),
    residentUidCount: node.residentUidCount,
    headroomRatioMin: node.headroomRatioMin,
    version: node.table?.version,
    ...exchangeFigures,
  };
}
