import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { ERRORS, type ErrorCode, optional, SeqError } from '../base/errors.js';
import type { Version } from '../model/version.js';
import { versionFromWire, versionToWire } from './codec.js';
import { ErrorDetail } from './gen/seqsvr/v1/common.js';

/** Carries an ErrorDetail. Without it a status came from gRPC itself, which cannot say if the server acted. */
const DETAIL_TRAILER = 'seqsvr-error-bin';

/** The gRPC status of each of our codes, for callers in other languages who read nothing else. */
const STATUS_OF: Readonly<Record<ErrorCode, status>> = {
  INVALID_ARGUMENT: status.INVALID_ARGUMENT,
  OUT_OF_RANGE: status.OUT_OF_RANGE,
  NOT_OWNER: status.FAILED_PRECONDITION,
  NOT_LEADER: status.FAILED_PRECONDITION,
  UNAVAILABLE: status.UNAVAILABLE,
  TIMEOUT: status.DEADLINE_EXCEEDED,
  ABORTED: status.CANCELLED,
  RESOURCE_EXHAUSTED: status.RESOURCE_EXHAUSTED,
  UNAUTHENTICATED: status.UNAUTHENTICATED,
  PERMISSION_DENIED: status.PERMISSION_DENIED,
  PROTOCOL: status.INTERNAL,
  WOULD_LOSE_QUORUM: status.FAILED_PRECONDITION,
  CLOSED: status.UNAVAILABLE,
};

/** What gRPC's own statuses mean to us when our trailer is absent. None of them is definite. */
const CODE_OF: Readonly<Partial<Record<status, ErrorCode>>> = {
  [status.CANCELLED]: 'UNAVAILABLE',
  [status.DEADLINE_EXCEEDED]: 'TIMEOUT',
  [status.RESOURCE_EXHAUSTED]: 'RESOURCE_EXHAUSTED',
  [status.UNAVAILABLE]: 'UNAVAILABLE',
  [status.UNAUTHENTICATED]: 'UNAUTHENTICATED',
  [status.PERMISSION_DENIED]: 'PERMISSION_DENIED',
  [status.INVALID_ARGUMENT]: 'INVALID_ARGUMENT',
  [status.UNIMPLEMENTED]: 'PROTOCOL',
};

export interface WireError {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** What a handler sends for a thrown error. Anything that is not a SeqError is a bug: the caller learns only that. */
export function errorToWire(error: unknown, routingVersion?: Version): WireError {
  const metadata = new Metadata();
  if (!(error instanceof SeqError)) return { code: status.INTERNAL, details: 'internal error', metadata };
  metadata.set(DETAIL_TRAILER, Buffer.from(ErrorDetail.encode(errorToDetail(error, routingVersion)).finish()));
  return { code: STATUS_OF[error.code], details: error.message, metadata };
}

/** The SeqError in a failed call. A bare status is never definite, UNAVAILABLE included. */
export function errorFromWire(error: ServiceError, endpoint: string): SeqError {
  const [packed] = error.metadata?.get(DETAIL_TRAILER) ?? [];
  if (packed instanceof Buffer) {
    try {
      return errorFromDetail(ErrorDetail.decode(packed)).with({ endpoint });
    } catch (cause) {
      return new SeqError('PROTOCOL', `the error detail from ${endpoint} cannot be read`, { cause, endpoint, definite: false });
    }
  }
  const code = isBrokenConnection(error) ? 'UNAVAILABLE' : (CODE_OF[error.code] ?? 'PROTOCOL');
  const what = error.details === '' ? status[error.code] : plainDetails(error.details);
  return new SeqError(code, `${endpoint}: ${what}`, { cause: error, endpoint, definite: false });
}

/** What grpc-js says of a connection that failed, without its frame. */
function plainDetails(details: string): string {
  return details.replace(/^No connection established\. Last error: (?:Error: )?/, '').replace(/\.? *Resolution note: *$/, '');
}

/** grpc-js calls a connection that broke while writing INTERNAL: only ECONNRESET and ETIMEDOUT become UNAVAILABLE there. */
function isBrokenConnection(error: ServiceError): boolean {
  return error.code === status.INTERNAL && error.details.includes('Received RST_STREAM');
}

export function errorToDetail(error: SeqError, routingVersion?: Version): ErrorDetail {
  return {
    code: error.code,
    definite: error.definite,
    retryAfterMs: error.retryAfterMs ?? 0,
    redirectId: error.redirect?.id ?? '',
    redirectAddress: error.redirect?.address ?? '',
    routingVersion: routingVersion === undefined ? undefined : versionToWire(routingVersion),
    message: error.message,
  };
}

export function errorFromDetail(detail: ErrorDetail): SeqError {
  // A code of a newer version: refuse to guess what it means.
  const known = Object.hasOwn(ERRORS, detail.code);
  return new SeqError(
    known ? (detail.code as ErrorCode) : 'PROTOCOL',
    known ? detail.message : `unknown error code '${detail.code}': ${detail.message}`,
    {
      definite: detail.definite,
      ...optional('retryAfterMs', detail.retryAfterMs === 0 ? undefined : detail.retryAfterMs),
      ...optional('redirect', detail.redirectAddress === '' ? undefined : { id: detail.redirectId, address: detail.redirectAddress }),
      ...optional('seenVersion', detail.routingVersion && versionFromWire(detail.routingVersion)),
    },
  );
}
