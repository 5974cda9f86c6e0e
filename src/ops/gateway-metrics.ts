import type { Metrics } from './metrics.js';

/** Answers by the first digit of their status, and those that say something of the load or of the cluster by themselves. */
const CLASSES = ['2xx', '4xx', '429', '5xx'] as const;

/** The HTTP gateway's connections as they are now. */
export interface GatewayReading {
  readonly openCount: number;
  readonly refusedCount: number;
  readonly lateCount: number;
  readonly unreadCount: number;
  readonly brokenCount: number;
}

/** The metrics of an HTTP gateway. `read` gives undefined where there is none: everything is 0 then. Returns what hears of each answer. */
export function addGatewayMetrics(
  metrics: Metrics,
  read: () => GatewayReading | undefined,
): (answer: { readonly status: number; readonly tookMs: number }) => void {
  const answers = metrics.counterBy('seqsvr_http_requests_total', 'Requests that the HTTP gateway answered, by class of status.', {
    label: 'result',
    values: CLASSES,
  });
  const seconds = metrics.histogram('seqsvr_http_request_duration_seconds', 'Time from the headers of a request to its answer.');
  metrics.gauge('seqsvr_http_connections_open', 'Connections to the HTTP gateway that are open.', () => read()?.openCount ?? 0);
  metrics.countersOf('seqsvr_http_connections_cut_total', 'Connections that the HTTP gateway refused or cut, by reason.', 'reason', () => ({
    too_many: read()?.refusedCount ?? 0,
    late: read()?.lateCount ?? 0,
    unread: read()?.unreadCount ?? 0,
    broken: read()?.brokenCount ?? 0,
  }));
  return ({ status, tookMs }) => {
    answers.add(classOf(status), 1);
    seconds.observe(tookMs / 1000);
  };
}

function classOf(status: number): (typeof CLASSES)[number] {
  if (status === 429) return '429';
  if (status < 400) return '2xx';
  return status < 500 ? '4xx' : '5xx';
}
