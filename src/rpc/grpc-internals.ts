import type { Http2Server, ServerOptions } from 'node:http2';
import type { Server, ServerInterceptingCallInterface } from '@grpc/grpc-js';
import { assert } from '../base/assert.js';

/** What grpc-js (1.14.7) has of its own and gives no option for. */
interface Internals {
  /** What every HTTP/2 server of it is made with. */
  readonly commonServerOptions?: ServerOptions;
  /** Those that were made. */
  readonly http2Servers?: ReadonlyMap<Http2Server, unknown>;
}

/**
 * Bounds the headers of a call, in bytes as RFC 9113 counts them (6.5.2). To be called before the server has a port or an injector. Throws
 * InvariantError with a grpc-js that keeps this elsewhere. Node asks for it once the client has acknowledged it; who never does may send 64 KiB, and comes
 * into the FaultLedger for what follows.
 */
export function boundHeaders(server: Server, bytes: number): void {
  const options = (server as unknown as Internals).commonServerOptions;
  assert(options !== undefined, 'grpc-js keeps the options of its HTTP/2 servers in commonServerOptions');
  options.settings = { ...options.settings, maxHeaderListSize: bytes };
}

/** The HTTP/2 servers that grpc-js made. Throws InvariantError with a grpc-js that keeps them elsewhere. */
export function http2ServersOf(server: Server): readonly Http2Server[] {
  const servers = (server as unknown as Internals).http2Servers;
  assert(servers !== undefined && servers.size > 0, 'grpc-js keeps its HTTP/2 servers in http2Servers');
  return [...servers.keys()];
}

/** How the messages of a call say that they are compressed; 'identity': they are not. Throws InvariantError with a grpc-js that keeps it elsewhere. */
export function encodingOf(call: ServerInterceptingCallInterface): string {
  const { incomingEncoding } = call as { readonly incomingEncoding?: unknown };
  assert(typeof incomingEncoding === 'string', 'grpc-js keeps how a call is compressed in incomingEncoding');
  return incomingEncoding;
}
