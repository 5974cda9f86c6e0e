import { type ErrorCode, optional, SeqError } from '../base/errors.js';

/** The HTTP status of each of our codes. A refusal that HTTP has a better one for carries it as an HttpRefusal. */
export const HTTP_STATUS: Readonly<Record<ErrorCode, number>> = {
  INVALID_ARGUMENT: 400,
  // The request is well-formed; the counter that it is about is at its end.
  OUT_OF_RANGE: 409,
  NOT_OWNER: 503,
  NOT_LEADER: 503,
  UNAVAILABLE: 503,
  TIMEOUT: 504,
  // Nobody reads it: the caller has gone. What proxies write into their logs then.
  ABORTED: 499,
  RESOURCE_EXHAUSTED: 429,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  PROTOCOL: 502,
  WOULD_LOSE_QUORUM: 409,
  CLOSED: 503,
};

/** What is answered: a status, headers of its own, and a value that becomes JSON (bigints as decimal text). */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: object;
}

/** A request that is wrong as HTTP: its status says more than that of its code. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal';
  readonly status: number;
  readonly error: SeqError;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, error: SeqError, headers: Readonly<Record<string, string>> = {}) {
    super(error.message);
    this.status = status;
    this.error = error;
    this.headers = headers;
  }
}

export function refusal(status: number, message: string, headers: Readonly<Record<string, string>> = {}): HttpRefusal {
  return new HttpRefusal(status, new SeqError('INVALID_ARGUMENT', message), headers);
}

/** The answer to a request that failed with `error`. Anything that is neither of the two classes is a bug: the caller learns only that. */
export function answerToError(error: unknown): Answer {
  if (error instanceof HttpRefusal) return answer(error.error, error.status, error.headers);
  if (error instanceof SeqError) return answer(error, HTTP_STATUS[error.code], {});
  return { status: 500, body: { error: { code: 'INTERNAL', message: 'this is a bug; the log of the node says more' } } };
}

/** An error as JSON has it. */
export function errorBody(error: SeqError): object {
  const { code, message, retryable, definite, retryAfterMs } = error;
  return { code, message, retryable, definite, ...optional('retryAfterMs', retryAfterMs) };
}

function answer(error: SeqError, status: number, headers: Readonly<Record<string, string>>): Answer {
  const { retryAfterMs } = error;
  // HTTP has whole seconds; rounded up, so that nobody comes too early.
  const after = retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) };
  return { status, headers: { ...after, ...headers }, body: { error: errorBody(error) } };
}
