import type { Observer } from '../base/observe.js';
import { SeqClient } from '../client/client.js';
import { type GatewayEvent, HttpGateway } from '../gateway/gateway.js';
import type { RoutingTable } from '../model/routing.js';
import type { Wire } from '../rpc/wire.js';
import type { ProcessContext, Running } from './process.js';

/** An AllocSvr that serves. */
export interface RunningAlloc extends Running {
  /** The newest that it knows. */
  readonly table: () => RoutingTable | undefined;
}

export interface WithGatewayOptions {
  /** `host:port` of the gateway. */
  readonly address: string;
  readonly context: Pick<ProcessContext, 'clock' | 'random' | 'log' | 'fail'>;
  /** How its own calls travel. */
  readonly wire: Wire;
  readonly observe: Observer<GatewayEvent>;
  /** Given the gateway once it listens. */
  readonly watch: (gateway: HttpGateway) => void;
  /** Starts the AllocSvr behind it. */
  readonly start: () => Promise<RunningAlloc>;
}

/**
 * Runs an AllocSvr with an HTTP gateway beside it. The gateway listens BEFORE the node starts, so that a port in use is a plain message and costs
 * nothing, and closes before the node does: the requests under way are still served. It calls as a client does, for a uid may be another owner's.
 */
export async function withGateway({ address, context, wire, observe, watch, start }: WithGatewayOptions): Promise<Running> {
  const { clock, random, log } = context;
  const gateway = await HttpGateway.start({ address, clock, observe, onBug: context.fail });
  watch(gateway);
  log.write('info', 'gatewayListening', { address: gateway.address });
  try {
    const running = await start();
    const client = SeqClient.lazy({ endpoints: [running.address], clock, random, wire });
    gateway.serve({ client, table: running.table });
    return {
      address: running.address,
      stop: async () => {
        await gateway.stop();
        await client.close();
        await running.stop();
      },
    };
  } catch (error) {
    await gateway.stop();
    throw error;
  }
}
