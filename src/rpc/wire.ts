import { assert } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import type { AuditEvent } from './audit.js';
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

/** gRPC as a node speaks it: over TLS unless `dial` and `serve` are left out, and with an audit trail. */
export function nodeWire(options: {
  readonly dial?: DialSecurity | undefined;
  readonly serve?: ServerSecurity | undefined;
  readonly audit: Observer<AuditEvent>;
}): Wire {
  const { dial, serve, audit } = options;
  assert((dial === undefined) === (serve === undefined), 'a node speaks TLS on both sides or on none');
  return {
    channel: (given) => new GrpcChannel({ ...given, security: dial }),
    serve: (given) => GrpcServer.start({ ...given, security: serve, audit }),
  };
}

/** gRPC over TLS for who only dials. */
export function secureWire(dial: DialSecurity): Wire {
  return {
    channel: (given) => new GrpcChannel({ ...given, security: dial }),
    serve: () => Promise.reject(new SeqError('CLOSED', 'who only dials serves nothing')),
  };
}
