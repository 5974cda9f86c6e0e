import type { Clock } from '../base/clock.js';
import { eventLogger, type Log } from '../ops/log.js';
import type { AuditEvent } from '../rpc/audit.js';
import { Authenticator, type TokenLookup } from '../rpc/authenticator.js';
import type { ServerSecurity } from '../rpc/server.js';
import { nodeWire, type Wire } from '../rpc/wire.js';
import type { TlsConfig, TlsFiles } from './tls-config.js';
import { followTls } from './tls-files.js';
import { followTokens } from './token-file.js';

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
  const log = whole.component('security');
  const audit = eventLogger<AuditEvent>(whole.component('audit'));
  if (tls === undefined) {
    const plain = nodeWire({ audit });
    return { wire: plain, peerWire: plain, callers: undefined };
  }
  const tokens = tls.tokens === undefined ? undefined : followTokens(tls.tokens, { clock, log }).lookup;
  const callers = securityOf('listen', tls, tokens);
  const wire = wireOf(callers);
  return { wire, callers, peerWire: tls.peer === undefined ? wire : wireOf(securityOf('peerListen', tls.peer, undefined)) };

  function securityOf(port: string, files: TlsFiles, lookup: TokenLookup | undefined): ServerSecurity {
    return {
      identity: followTls(files, { clock, log }).identity,
      // Who comes without one shows a token.
      isCertificateRequired: lookup === undefined,
      authenticator: new Authenticator(lookup),
      onRefused: (reason) => log.write('debug', 'handshakeRefused', { port, reason }),
    };
  }

  function wireOf(security: ServerSecurity): Wire {
    return nodeWire({ dial: { identity: security.identity }, serve: security, audit });
  }
}
