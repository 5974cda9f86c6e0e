import type { Clock } from '../base/clock.js';
import { eventLogger, type Log } from '../ops/log.js';
import type { AuditEvent } from '../rpc/audit.js';
import { Authenticator, type TokenLookup } from '../rpc/authenticator.js';
import type { ServerSecurity } from '../rpc/server.js';
import { nodeWire, type Wire } from '../rpc/wire.js';
import type { Running } from './process.js';
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
  /** Follows the files no more. */
  readonly close: () => void;
}

/** Starts a node, and follows its files until it has stopped. */
export async function servedBy(security: NodeSecurity, start: () => Promise<Running>): Promise<Running> {
  try {
    const running = await start();
    return {
      address: running.address,
      stop: async () => {
        try {
          await running.stop();
        } finally {
          security.close();
        }
      },
    };
  } catch (error) {
    security.close();
    throw error;
  }
}

/** Throws INVALID_ARGUMENT when a file of `tls` cannot be read or used. Follows the files until it is closed. */
export function nodeSecurity(tls: TlsConfig | undefined, { clock, log: whole }: { readonly clock: Clock; readonly log: Log }): NodeSecurity {
  const log = whole.component('security');
  const audit = eventLogger<AuditEvent>(whole.component('audit'));
  if (tls === undefined) {
    const plain = nodeWire({ audit });
    return { wire: plain, peerWire: plain, callers: undefined, close: () => undefined };
  }
  const followed: (() => void)[] = [];
  const tokens = tls.tokens === undefined ? undefined : kept(followTokens(tls.tokens, { clock, log })).lookup;
  const callers = securityOf('listen', tls, tokens);
  const wire = wireOf(callers);
  const peerWire = tls.peer === undefined ? wire : wireOf(securityOf('peerListen', tls.peer, undefined));
  return { wire, callers, peerWire, close: () => followed.forEach((close) => close()) };

  function kept<Followed extends { readonly close: () => void }>(one: Followed): Followed {
    followed.push(one.close);
    return one;
  }

  function securityOf(port: string, files: TlsFiles, lookup: TokenLookup | undefined): ServerSecurity {
    return {
      identity: kept(followTls(files, { clock, log })).identity,
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
