import { createSecureContext, type SecureContext } from 'node:tls';
import { messageOf, SeqError } from '../base/errors.js';

/** What one side of a TLS connection has, each as PEM text. */
export interface TlsMaterial {
  /** The roots that it believes: several, one after the other, while they are exchanged. */
  readonly ca: string;
  /** Its own certificate, and those between it and its root. Undefined: it has none, and is known by a token or not at all. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Everything younger than 15 years speaks it; 1.3 is taken whenever both sides can. */
export const TLS_MIN_VERSION = 'TLSv1.2';

/**
 * A node's or a client's own certificate and the roots it believes, exchangeable while it runs: connections that begin after `replace` have the new
 * ones, those that are open keep what they began with.
 */
export class TlsIdentity {
  #context: SecureContext;
  #material: TlsMaterial;
  readonly #listeners = new Set<() => void>();

  /** Throws INVALID_ARGUMENT when certificate, key and roots are no PEM, or do not belong together. */
  constructor(material: TlsMaterial) {
    this.#context = contextOf(material);
    this.#material = material;
  }

  /** For connections that begin now: another object after each `replace`. */
  get context(): SecureContext {
    return this.#context;
  }

  get material(): TlsMaterial {
    return this.#material;
  }

  /** Throws as the constructor does, and keeps what it has then. */
  replace(material: TlsMaterial): void {
    this.#context = contextOf(material);
    this.#material = material;
    for (const tell of this.#listeners) tell();
  }

  /** Calls `tell` after each `replace`. The returned function ends it. */
  onReplaced(tell: () => void): () => void {
    this.#listeners.add(tell);
    return () => this.#listeners.delete(tell);
  }
}

function contextOf({ ca, cert, key }: TlsMaterial): SecureContext {
  if (!ca.includes('-----BEGIN CERTIFICATE-----')) throw refused('the roots hold no certificate');
  if ((cert === undefined) !== (key === undefined)) throw refused('a certificate and its key come together, and one of them is missing');
  try {
    return createSecureContext({ ca, cert, key, minVersion: TLS_MIN_VERSION });
  } catch (cause) {
    throw refused(messageOf(cause), cause);
  }
}

function refused(why: string, cause?: unknown): SeqError {
  return new SeqError('INVALID_ARGUMENT', `TLS: certificate, key and roots must be PEM and belong together: ${why}`, { cause });
}
