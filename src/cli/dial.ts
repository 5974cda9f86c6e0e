import type { DialSecurity } from '../rpc/channel.js';
import { TlsIdentity } from '../rpc/tls-identity.js';
import { grpcWire, secureWire, type Wire } from '../rpc/wire.js';
import type { ConnectionArgs } from './options.js';
import { readText, readTls } from './tls-files.js';

/**
 * How the calls of a command travel: plain, unless --ca says whom to believe. Apart from the flags themselves, for help does not wait for gRPC.
 * Throws INVALID_ARGUMENT for a file that cannot be read or used.
 */
export function wireOf({ tls }: Pick<ConnectionArgs, 'tls'>): Wire {
  if (tls === undefined) return grpcWire;
  const { ca, cert, key, tokenFile } = tls;
  const dial: DialSecurity = {
    identity: new TlsIdentity(readTls({ ca, cert, key })),
    token: tokenFile === undefined ? undefined : readText(tokenFile).trim(),
  };
  return secureWire(dial);
}
