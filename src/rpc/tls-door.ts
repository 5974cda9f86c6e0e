import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type PeerCertificate, type Server, type TLSSocket } from 'node:tls';
import { TLS_MIN_VERSION, type TlsIdentity } from './tls-identity.js';

/** How long a handshake may take, in ms. */
export const HANDSHAKE_MAX_MS = 5_000;

/** What a TLS server asks of its callers, beside its own certificate. */
export interface TlsDoorOptions {
  readonly identity: TlsIdentity;
  /** False: a caller without a certificate comes in, and is known by a token or not at all. One whose certificate is not good never does. */
  readonly isCertificateRequired: boolean;
  /** Protocols that it speaks above TLS, best first. */
  readonly protocols: readonly string[];
  /** Takes a connection over once it is secure and its certificate was found good. */
  readonly admit: (socket: TLSSocket) => void;
  /** One was cut before; `why` is a word of OpenSSL. */
  readonly onRefused: (why: string) => void;
}

/** What every TLS server of ours has in common. No tickets: a session that is taken up again would keep a certificate that has expired since. */
export function tlsOptionsOf(identity: TlsIdentity, protocols: readonly string[]) {
  return {
    ...identity.material,
    minVersion: TLS_MIN_VERSION,
    requestCert: true,
    // Judged by isWelcome(): a server that refuses by itself does not say why.
    rejectUnauthorized: false,
    ALPNProtocols: [...protocols],
    handshakeTimeout: HANDSHAKE_MAX_MS,
    secureOptions: constants.SSL_OP_NO_TICKET,
  } as const;
}

/** TLS in front of a server that knows nothing of it. It does not listen: connections are brought to it. */
export class TlsDoor {
  readonly #server: Server;
  readonly #options: TlsDoorOptions;
  readonly #forget: () => void;

  constructor(options: TlsDoorOptions) {
    const { identity, protocols } = options;
    this.#options = options;
    this.#server = createServer(tlsOptionsOf(identity, protocols), (socket) => this.#onSecure(socket));
    this.#server.on('tlsClientError', (error: Error & { readonly code?: string }, socket) => {
      options.onRefused(error.code ?? error.message);
      socket.destroy();
    });
    this.#forget = identity.onReplaced(() => this.#server.setSecureContext(tlsOptionsOf(identity, protocols)));
  }

  take(socket: Socket): void {
    this.#server.emit('connection', socket);
  }

  close(): void {
    this.#forget();
  }

  #onSecure(socket: TLSSocket): void {
    // Without a listener a connection that is reset before anybody has it would end the process.
    socket.on('error', () => socket.destroy());
    const why = refusalOf(socket, this.#options.isCertificateRequired);
    if (why === undefined) return this.#options.admit(socket);
    this.#options.onRefused(why);
    socket.destroy();
  }
}

/**
 * Why the caller behind a secure socket is not let in; undefined: it is. Reads the certificate once: from here on the socket gives everybody who asks
 * the very same object, so that a call costs no copy of it.
 */
export function refusalOf(socket: TLSSocket, isCertificateRequired: boolean): string | undefined {
  const certificate: Partial<PeerCertificate> = socket.getPeerCertificate();
  socket.getPeerCertificate = (() => certificate) as TLSSocket['getPeerCertificate'];
  if (socket.authorized) return undefined;
  if (certificate.raw === undefined) return isCertificateRequired ? 'NO_CERTIFICATE' : undefined;
  return String(socket.authorizationError);
}
