import type { Observer } from '../base/observe.js';
import { AdminServer, type Check } from '../ops/admin-server.js';
import type { Metrics } from '../ops/metrics.js';
import type { ServerSecurity } from '../rpc/server.js';
import type { ProcessContext, Running } from './process.js';

/** What a node shows of itself on its admin port. */
export interface Telemetry<Event, Node> {
  readonly metrics: Metrics;
  readonly checks: readonly Check[];
  readonly observe: Observer<Event>;
  /** The node to read from; until then it is not ready, and its own figures are 0. */
  watch(node: Node): void;
}

/**
 * Runs a node with an admin port beside it. The port opens BEFORE the node starts, so that one in use is a plain message
 * and costs nothing, and probes are answered while the node waits for others; it closes after the node.
 */
export async function withAdmin(options: {
  /** `host:port` of the admin port. */
  readonly address: string;
  readonly telemetry: Pick<Telemetry<never, never>, 'metrics' | 'checks'>;
  readonly context: Pick<ProcessContext, 'log' | 'fail'>;
  /** Undefined: plain. */
  readonly security?: ServerSecurity | undefined;
  readonly start: () => Promise<Running>;
}): Promise<Running> {
  const { address, telemetry, context, security, start } = options;
  let isStopping = false;
  const checks = [...telemetry.checks, { name: 'not stopping', isPassed: () => !isStopping }];
  const admin = await AdminServer.start({ address, metrics: telemetry.metrics, checks, onBug: context.fail, security });
  context.log.write('info', 'adminListening', { address: admin.address });
  try {
    const running = await start();
    return {
      address: running.address,
      stop: async () => {
        isStopping = true;
        await running.stop();
        await admin.close();
      },
    };
  } catch (error) {
    await admin.close();
    throw error;
  }
}
