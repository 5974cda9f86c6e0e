/**
 * Every error a caller can meet: one stable set, the same in the client, on the wire and in the CLI.
 * `definite`: by itself the code says that the operation certainly did not happen. A single error can still be made
 * definite by its maker (the trailer of our own server says so), for only the maker knows.
 * `retryable`: the same call may succeed later or elsewhere.
 */
export const ERRORS = {
  INVALID_ARGUMENT: { definite: true, retryable: false, doc: 'The request can never succeed as it is; the message has the value and the rule.' },
  OUT_OF_RANGE: { definite: true, retryable: false, doc: 'The counter of this uid is at its end (2^63-1). It never wraps.' },
  NOT_OWNER: { definite: true, retryable: true, doc: 'Another AllocSvr serves this section. Internal: the client follows it and never shows it.' },
  NOT_LEADER: { definite: true, retryable: true, doc: 'This StoreSvr is not the Raft leader. Internal: StoreClient follows it and never shows it.' },
  UNAVAILABLE: { definite: false, retryable: true, doc: 'Nobody could serve the call now: no owner, no lease, no leader, or no connection.' },
  TIMEOUT: {
    definite: false,
    retryable: true,
    doc: 'The whole-call budget ended first. A number may have been allocated and lost: a gap, never a repeat.',
  },
  ABORTED: { definite: false, retryable: false, doc: 'The caller gave up through its AbortSignal; `cause` is the reason it gave.' },
  RESOURCE_EXHAUSTED: { definite: true, retryable: true, doc: 'A queue is at its limit; try again after `retryAfterMs`.' },
  UNAUTHENTICATED: { definite: true, retryable: false, doc: 'The server does not know who is calling.' },
  PERMISSION_DENIED: { definite: true, retryable: false, doc: 'The server knows who is calling and refuses this call.' },
  PROTOCOL: { definite: false, retryable: false, doc: 'The other side speaks another version, or broke a rule of this one.' },
  WOULD_LOSE_QUORUM: {
    definite: true,
    retryable: false,
    doc: 'Refused for safety: of the StoreSvrs that would be left, too few are active to decide anything. The message counts them.',
  },
  CLOSED: { definite: true, retryable: false, doc: 'This client, server or node was closed.' },
} as const satisfies Record<string, { definite: boolean; retryable: boolean; doc: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** The AllocSvr that serves a section, told along with NOT_OWNER; for NOT_LEADER the leading StoreSvr. */
export interface Redirect {
  readonly id: string;
  /** `host:port`, ready to dial. */
  readonly address: string;
}

/** A version of a routing table, as a server told it along with a refusal. */
export interface SeenVersion {
  readonly generation: number;
  readonly value: number;
}

export interface SeqErrorOptions {
  readonly cause?: unknown;
  /** Overrides the table: the maker knows that nothing happened, or that it may have. */
  readonly definite?: boolean;
  readonly retryAfterMs?: number;
  readonly redirect?: Redirect;
  /** Of the routing table that the answering node had. */
  readonly seenVersion?: SeenVersion;
  readonly endpoint?: string;
  readonly attempts?: number;
}

/** An outcome the caller is expected to handle. A bug throws InvariantError instead. */
export class SeqError extends Error {
  override readonly name = 'SeqError';
  readonly code: ErrorCode;
  /** True: the operation certainly did not happen. False: it may have, and a checker must allow both. */
  readonly definite: boolean;
  /** Present when the server named a time after which a retry makes sense, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  readonly redirect: Redirect | undefined;
  /** The routing table that the answering node had, when it said so. */
  readonly seenVersion: SeenVersion | undefined;
  /** The server that was asked last, when one was. */
  readonly endpoint: string | undefined;
  /** How many attempts were made on the wire; 0 when none was. */
  readonly attempts: number;

  constructor(code: ErrorCode, message: string, options: SeqErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.definite = options.definite ?? ERRORS[code].definite;
    this.retryAfterMs = options.retryAfterMs;
    this.redirect = options.redirect;
    this.seenVersion = options.seenVersion;
    this.endpoint = options.endpoint;
    this.attempts = options.attempts ?? 0;
  }

  /** The same call may succeed later or elsewhere. */
  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  /** A number may have been handed out and lost on the way: it shows as a gap and is never handed out again. */
  get maybeAllocated(): boolean {
    return !this.definite;
  }

  /** `SeqError.is(e, 'TIMEOUT')`: is it ours, and of this code? Without a code: is it ours? */
  static is(error: unknown, code?: ErrorCode): error is SeqError {
    return error instanceof SeqError && (code === undefined || error.code === code);
  }

  /** The same error with more context: what is given replaces what was there. */
  with(options: SeqErrorOptions & { readonly message?: string }): SeqError {
    const merged: SeqErrorOptions = {
      cause: options.cause ?? this.cause,
      definite: options.definite ?? this.definite,
      attempts: options.attempts ?? this.attempts,
      ...optional('retryAfterMs', options.retryAfterMs ?? this.retryAfterMs),
      ...optional('redirect', options.redirect ?? this.redirect),
      ...optional('seenVersion', options.seenVersion ?? this.seenVersion),
      ...optional('endpoint', options.endpoint ?? this.endpoint),
    };
    return new SeqError(this.code, options.message ?? this.message, merged);
  }
}

/** `{ [key]: value }`, or nothing when value is undefined: for optional properties under exactOptionalPropertyTypes. */
export function optional<Key extends string, Value>(key: Key, value: Value | undefined): { [K in Key]?: Value } {
  return value === undefined ? {} : ({ [key]: value } as { [K in Key]?: Value });
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A value for an error message: short, and never an exception of its own. */
export function show(value: unknown): string {
  const text = typeof value === 'string' ? `'${value}'` : typeof value === 'object' && value !== null ? 'an object' : String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
