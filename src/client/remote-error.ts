import { optional, SeqError } from '../base/errors.js';
import { isDialable } from '../model/address.js';

/** What an error means to a client when the other side, or the way there, made it. */
export function asRemote(error: SeqError): SeqError {
  // A node that is closing is one that cannot serve now; another one can.
  return error.code === 'CLOSED' ? new SeqError('UNAVAILABLE', error.message, { definite: error.definite, cause: error.cause }) : error;
}

/** Who was asked, and one attempt counted. A redirect that nobody can dial is dropped. */
export function atAddress(error: SeqError, address: string): SeqError {
  const { code, message, definite, cause, retryAfterMs, redirect, seenVersion } = error;
  return new SeqError(code, message, {
    definite,
    cause,
    endpoint: address,
    attempts: 1,
    ...optional('retryAfterMs', retryAfterMs),
    ...optional('seenVersion', seenVersion),
    ...optional('redirect', redirect !== undefined && isDialable(redirect.address) ? redirect : undefined),
  });
}

/** The node did not answer, or answered nonsense. A refusal is an answer. */
export function isSuspect(error: SeqError): boolean {
  return !error.definite && (error.code === 'UNAVAILABLE' || error.code === 'TIMEOUT' || error.code === 'PROTOCOL');
}

export function protocol(what: string): SeqError {
  return new SeqError('PROTOCOL', `the server broke the protocol: ${what}`);
}
