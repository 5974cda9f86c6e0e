import type { Clock } from '../base/clock.js';
import type { Log } from '../ops/log.js';
import { Authenticator } from '../rpc/authenticator.js';
import type { ServerSecurity } from '../rpc/server.js';
import { grpcWire, secureWire, type Wire } from '../rpc/wire.js';
import type { TlsConfig } from './tls-config.js';
import { followTls } from './tls-files.js';

/** What a node speaks with, on each side. */
export interface NodeSecurity {
  /** Its port for callers, and what it dials but peers. */
  readonly wire: Wire;
  /** Between stores. */
  readonly peerWire: Wire;
  /** For ports that are not gRPC. Undefined: they are plain. */
  readonly callers: ServerSecurity | undefined;
}

/** Throws INVALID_ARGUMENT when a file of `tls` cannot be read or used. Follows the files for as long as the process lives. */
export function nodeSecurity(tls: TlsConfig | undefined, { clock, log: whole }: { readonly clock: Clock; readonly log: Log }): NodeSecurity {
  if (tls === undefined) return { wire: grpcWire, peerWire: grpcWire, callers: undefined };
  const log = whole.component('security');
  const authenticator = new Authenticator();
  const securityOf = (port: string, files: TlsConfig | NonNullable<TlsConfig['peer']>): ServerSecurity => ({
    identity: followTls(files, { clock, log }).identity,
    isCertificateRequired: true,
    authenticator,
    onRefused: (reason) => log.write('debug', 'handshakeRefused', { port, reason }),
  });
  const callers = securityOf('listen', tls);
  const wire = wireOf(callers);
  return { wire, callers, peerWire: tls.peer === undefined ? wire : wireOf(securityOf('peerListen', tls.peer)) };
}

function wireOf(security: ServerSecurity): Wire {
  return secureWire({ dial: { identity: security.identity }, serve: security });
}
