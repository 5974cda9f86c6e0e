import type { AllocEvent } from '../alloc/events.js';
import type { AllocNode } from '../alloc/node.js';
import type { Clock } from '../base/clock.js';
import { observeTypes } from '../base/observe.js';
import { AllocMetrics, type AllocReading } from '../ops/alloc-metrics.js';
import { Metrics } from '../ops/metrics.js';
import type { Telemetry } from './admin.js';

export type AllocTelemetry = Telemetry<AllocEvent, AllocNode>;

/** Joins an AllocSvr and its metrics: neither knows the other. `version` is the program's. */
export function allocTelemetry({ version, clock }: { readonly version: string; readonly clock: Clock }): AllocTelemetry {
  let node: AllocNode | undefined;
  const metrics = new Metrics({ version });
  const alloc = new AllocMetrics(metrics, () => (node === undefined ? undefined : readingOf(node, clock)));
  return {
    metrics,
    checks: [
      { name: 'lease valid', isPassed: () => node !== undefined && node.leaseLeftMsAt(clock.now()) > 0 },
      { name: 'table known', isPassed: () => node?.table !== undefined },
      { name: 'serving', isPassed: () => node?.isServingAt(clock.now()) === true },
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
      node = running;
    },
  };
}

function readingOf(node: AllocNode, clock: Clock): AllocReading {
  const now = clock.now();
  return {
    handedOutCount: node.handedOutCount,
    sectionCount: node.sectionCount,
    leaseLeftMs: node.leaseLeftMsAt(now),
    isServing: node.isServingAt(now),
    residentUidCount: node.residentUidCount,
    headroomRatioMin: node.headroomRatioMin,
    version: node.table?.version,
  };
}
