import { DURATION_BUCKETS, type MethodCounts } from '../rpc/method-figures.js';
import type { Metrics } from './metrics.js';

/** gRPC's status codes by number, as go-grpc-prometheus names them: dashboards that exist read these metrics. */
const CODE_NAMES = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
] as const;
const METHOD_LABELS = ['grpc_type', 'grpc_service', 'grpc_method'] as const;

/** Rate, errors and duration by method, under the names that everybody uses. `read`: every method that is served; none until the node serves. */
export function addCallMetrics(metrics: Metrics, read: () => readonly MethodCounts[]): void {
  metrics.countersBy('grpc_server_started_total', 'Calls and streams that began.', METHOD_LABELS, () =>
    read().map((counts) => ({ labels: labelsOf(counts), count: counts.startedCount })),
  );
  metrics.countersBy(
    'grpc_server_handled_total',
    'Calls and streams that are over, by the status they ended with.',
    [...METHOD_LABELS, 'grpc_code'],
    () =>
      read().flatMap((counts) =>
        CODE_NAMES.map((name, code) => ({ labels: { ...labelsOf(counts), grpc_code: name }, count: counts.codeCounts[code] ?? 0 })).filter(
          // OK is there from the start, so that a rate of errors can be divided by something.
          ({ labels, count }) => count > 0 || labels.grpc_code === 'OK',
        ),
      ),
  );
  metrics.histogramsOf(
    'grpc_server_handling_seconds',
    'Time from the headers of a call to its status; a stream takes as long as it is open.',
    DURATION_BUCKETS,
    () =>
      read()
        // Many methods are for operators only: eighteen buckets of nothing for each are no news.
        .filter(({ durationCounts }) => durationCounts.some((count) => count > 0))
        .map((counts) => ({ labels: labelsOf(counts), counts: counts.durationCounts, sum: counts.durationSumMs / 1000 })),
  );
}

function labelsOf({ type, service, method }: MethodCounts): Record<(typeof METHOD_LABELS)[number], string> {
  return { grpc_type: type, grpc_service: service, grpc_method: method };
}
