import { SeqError } from '../base/errors.js';
import { authorize, type Principal, principalOfAltNames } from './access.js';

/** Who holds a token. Undefined: nobody, it is not one of ours. Takes the same time for every token of one length. */
export type TokenLookup = (token: string) => Principal | undefined;

/** What a call says of its caller. */
export interface Claim {
  /** The certificate of its connection, found good; one object for one connection. */
  readonly certificate?: { readonly subjectaltname?: string | undefined } | undefined;
  /** Of the header of that name. */
  readonly authorization?: string | undefined;
}

const BEARER = /^bearer ([A-Za-z0-9._~+/-]{1,256}=*)$/i;

/** Tells from certificate or token who calls, for gRPC and HTTP alike. A certificate is read once, and then known as long as its connection lives. */
export class Authenticator {
  readonly #ofCertificate = new WeakMap<object, { readonly principal: Principal | undefined }>();
  readonly #tokens: TokenLookup;

  constructor(tokens: TokenLookup = () => undefined) {
    this.#tokens = tokens;
  }

  /**
   * Undefined: the call says nothing of its caller. A certificate that has a role counts before a token. Throws UNAUTHENTICATED for a token that
   * is not one of ours: who sends it believes it counts.
   */
  identify({ certificate, authorization }: Claim): Principal | undefined {
    const principal = certificate === undefined ? undefined : this.#principalOf(certificate);
    if (principal !== undefined || authorization === undefined) return principal;
    const token = BEARER.exec(authorization)?.[1];
    const holder = token === undefined ? undefined : this.#tokens(token);
    if (holder === undefined)
      throw new SeqError('UNAUTHENTICATED', "the header 'authorization' must be 'Bearer TOKEN' with a token that is known here");
    return holder;
  }

  /** The caller, once they may call the method (its path on the wire). Throws UNAUTHENTICATED or PERMISSION_DENIED. */
  admit(method: string, claim: Claim): Principal | undefined {
    const principal = this.identify(claim);
    authorize(method, principal);
    return principal;
  }

  #principalOf(certificate: { readonly subjectaltname?: string | undefined }): Principal | undefined {
    let known = this.#ofCertificate.get(certificate);
    if (known === undefined) {
      known = { principal: principalOfAltNames(certificate.subjectaltname) };
      this.#ofCertificate.set(certificate, known);
    }
    return known.principal;
  }
}
