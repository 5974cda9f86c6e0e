import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { type Channel, type DialSecurity, GrpcChannel } from './channel.js';
import { GrpcServer, type RpcServer, type ServeOptions, type ServerSecurity } from './server.js';

/**
 * How calls and streams travel. All that talks to another process goes through one, and gRPC is the one in production; the simulator
 * brings a network of its own and runs everything above it as it is.
 */
export interface Wire {
  channel(options: { readonly address: string; readonly clock: Clock }): Channel;
  /** Binds and serves. Throws INVALID_ARGUMENT when the address cannot be had: in use, or not of this machine. */
  serve(options: ServeOptions): Promise<RpcServer>;
}

export const grpcWire: Wire = {
  channel: (options) => new GrpcChannel(options),
  serve: (options) => GrpcServer.start(options),
};

/** gRPC over TLS. `serve`: undefined for who only dials. */
export function secureWire({ dial, serve }: { readonly dial: DialSecurity; readonly serve?: ServerSecurity | undefined }): Wire {
  return {
    channel: (options) => new GrpcChannel({ ...options, security: dial }),
    serve: async (options) => {
      assert(serve !== undefined, 'who only dials has nothing to serve with');
      return GrpcServer.start({ ...options, security: serve });
    },
  };
}
