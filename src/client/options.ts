import { type Clock, systemClock } from '../base/clock.js';
import { SeqError, show } from '../base/errors.js';
import { type Random, systemRandom } from '../base/random.js';
import { splitAddress } from '../model/address.js';
import { parseFloor, parseUid, SEQ_MAX, type Uid } from '../model/ids.js';
import { TlsIdentity } from '../rpc/tls-identity.js';
import { grpcWire, secureWire, type Wire } from '../rpc/wire.js';

export interface RetryOptions {
  /** How often one call tries before it gives up, the first time included; in [1, 1000]. A followed redirect belongs to its try. Default 32. */
  readonly maxAttempts?: number;
  /** Ceiling of the first wait, in ms, in [1, 60000]; doubles with each wait (full jitter). Default 10. */
  readonly baseMs?: number;
  /** Ceiling of every wait, in ms, in [baseMs, 60000]. Default 500. */
  readonly maxMs?: number;
}

export interface ClientTls {
  /** The roots that it believes the servers by. */
  readonly ca: string;
  /** The client's own certificate, and those between it and its root; with its `key`. Its URI, `seqsvr://ROLE/NAME`, says who calls. */
  readonly cert?: string;
  readonly key?: string;
}

export interface SeqClientOptions {
  /** Some nodes of the cluster, `host:port` each, 1 to 64: AllocSvrs or StoreSvrs. One that lives is enough. */
  readonly endpoints: readonly string[];
  /** Budget of a whole call in ms, routing, waiting and every retry included; in [1, 600000]. Default 5000. */
  readonly timeoutMs?: number;
  readonly retry?: RetryOptions;
  /**
   * Ownership is confirmed by a quorum of StoreSvrs after each request came, so that order holds whatever clocks do. Costs a round trip
   * from the AllocSvr to the StoreSvrs, shared by the calls that wait. Default false.
   */
  readonly strict?: boolean;
  /** Certificates, as PEM text. Default: plain connections. */
  readonly tls?: ClientTls;
  /** Who calls, in place of a certificate of its own. Needs `tls`: a token is not sent in the open. */
  readonly token?: string;
  /** For tests. Default: the clock of this machine. */
  readonly clock?: Clock;
  /** For tests. Default: Math.random. */
  readonly random?: Random;
  /** For tests. Default: gRPC. */
  readonly wire?: Wire;
}

export interface CallOptions {
  /** Ends the call with ABORTED; `cause` is the signal's reason. */
  readonly signal?: AbortSignal;
  /** Replaces the client's `timeoutMs` for this call. */
  readonly timeoutMs?: number;
  /** Replaces the client's `strict` for this call. */
  readonly strict?: boolean;
}

export interface UidCallOptions extends CallOptions {
  /**
   * The highest number that the caller has seen for the uid, such as one that it stored: the answer is above it (`current`: not below), or the
   * call fails. Default: what this client has seen itself, which counts in any case.
   */
  readonly floor?: bigint;
}

/** SeqClientOptions, checked and complete. */
export interface ClientConfig {
  readonly endpoints: readonly string[];
  readonly timeoutMs: number;
  readonly retry: Required<RetryOptions>;
  readonly strict: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly wire: Wire;
}

/** Calls of one client that have not returned yet; more are refused, for a caller this far ahead helps nobody. */
export const CALLS_IN_FLIGHT_MAX = 40_000;
/** The same for calls to one set: one that is down must leave room for the others. */
export const SET_CALLS_IN_FLIGHT_MAX = 20_000;
/** How many uids one nextMany may name; it is cut into requests of at most `UIDS_PER_REQUEST_MAX`. */
export const NEXT_MANY_UIDS_MAX = 1_000_000;

const ENDPOINTS_MAX = 64;
const TIMEOUT_MAX_MS = 600_000;
const CLIENT_KEYS: ReadonlySet<string> = new Set(['endpoints', 'timeoutMs', 'retry', 'strict', 'tls', 'token', 'clock', 'random', 'wire']);
const TLS_KEYS: ReadonlySet<string> = new Set(['ca', 'cert', 'key']);
const RETRY_KEYS: ReadonlySet<string> = new Set(['maxAttempts', 'baseMs', 'maxMs']);
const CALL_KEYS: ReadonlySet<string> = new Set(['signal', 'timeoutMs', 'strict']);

/** Fills in the defaults. Throws INVALID_ARGUMENT, with the value and the rule, for anything that is not as documented. */
export function parseClientOptions(options: SeqClientOptions): ClientConfig {
  checkObject(options, 'options', CLIENT_KEYS);
  return {
    endpoints: parseEndpoints(options.endpoints),
    timeoutMs: parseWhole(options.timeoutMs ?? 5_000, { what: 'timeoutMs', min: 1, max: TIMEOUT_MAX_MS }),
    retry: parseRetry(options.retry ?? {}),
    strict: parseFlag(options.strict ?? false, 'strict'),
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
    wire: options.wire ?? parseWire(options),
  };
}

/** Throws INVALID_ARGUMENT unless the options are as documented. */
export function parseCallOptions(
  options: CallOptions | undefined,
  defaults: Pick<ClientConfig, 'timeoutMs' | 'strict'>,
): { timeoutMs: number; signal: AbortSignal | undefined; strict: boolean } {
  if (options === undefined) return { timeoutMs: defaults.timeoutMs, strict: defaults.strict, signal: undefined };
  checkObject(options, 'call options', CALL_KEYS);
  const { signal, timeoutMs, strict } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalid(`signal must be an AbortSignal, got ${show(signal)}`);
  return {
    timeoutMs: parseWhole(timeoutMs ?? defaults.timeoutMs, { what: 'timeoutMs', min: 1, max: TIMEOUT_MAX_MS }),
    signal,
    strict: parseFlag(strict ?? defaults.strict, 'strict'),
  };
}

/** The floor of a call, 0: none, and its other options. Throws INVALID_ARGUMENT unless it is a number that a counter can have reached. */
export function takeFloor(options: UidCallOptions | undefined): { readonly floor: bigint; readonly others: CallOptions | undefined } {
  if (typeof options !== 'object' || options === null || !('floor' in options)) return { floor: 0n, others: options };
  const { floor = 0n, ...others } = options;
  if (typeof floor !== 'bigint' || floor < 0n) throw invalid(`floor must be a bigint in [0, ${SEQ_MAX}], got ${show(floor)}`);
  return { floor: parseFloor(floor), others };
}

/** Throws INVALID_ARGUMENT unless it is an array of at most NEXT_MANY_UIDS_MAX uids, each one well-formed. */
export function parseUids(values: readonly unknown[]): Uid[] {
  if (!Array.isArray(values)) throw invalid(`uids must be an array, got ${show(values)}`);
  if (values.length > NEXT_MANY_UIDS_MAX) throw invalid(`nextMany takes at most ${NEXT_MANY_UIDS_MAX} uids, got ${values.length}`);
  return values.map(parseUid);
}

function parseEndpoints(endpoints: unknown): string[] {
  if (!Array.isArray(endpoints) || endpoints.length === 0 || endpoints.length > ENDPOINTS_MAX) {
    throw invalid(
      `endpoints must be an array of 1 to ${ENDPOINTS_MAX} host:port, got ${Array.isArray(endpoints) ? endpoints.length : show(endpoints)}`,
    );
  }
  for (const endpoint of endpoints as unknown[]) {
    if (typeof endpoint !== 'string') throw invalid(`an endpoint must be a string, host:port, got ${show(endpoint)}`);
    if (splitAddress(endpoint).port === 0) throw invalid(`an endpoint needs a port in [1, 65535], got ${show(endpoint)}`);
  }
  return [...new Set(endpoints as string[])];
}

function parseWire({ tls, token }: SeqClientOptions): Wire {
  if (token !== undefined && (typeof token !== 'string' || !/^[A-Za-z0-9._~+/-]{1,256}=*$/.test(token))) {
    // Not shown: a token that is nearly right belongs in no log.
    throw invalid('token must be 1 to 256 of [A-Za-z0-9._~+/-], and may end with =');
  }
  if (tls === undefined) {
    if (token !== undefined) throw invalid('token needs tls: it is not sent in the open');
    return grpcWire;
  }
  checkObject(tls, 'tls', TLS_KEYS);
  for (const key of ['ca', 'cert', 'key'] as const) {
    if ((key === 'ca' || tls[key] !== undefined) && typeof tls[key] !== 'string') throw invalid(`tls.${key} must be PEM text`);
  }
  return secureWire({ identity: new TlsIdentity(tls), token });
}

function parseRetry(retry: RetryOptions): Required<RetryOptions> {
  checkObject(retry, 'retry', RETRY_KEYS);
  const baseMs = parseWhole(retry.baseMs ?? 10, { what: 'retry.baseMs', min: 1, max: 60_000 });
  return {
    maxAttempts: parseWhole(retry.maxAttempts ?? 32, { what: 'retry.maxAttempts', min: 1, max: 1_000 }),
    baseMs,
    maxMs: parseWhole(retry.maxMs ?? Math.max(500, baseMs), { what: 'retry.maxMs', min: baseMs, max: 60_000 }),
  };
}

function parseFlag(value: unknown, what: string): boolean {
  if (typeof value !== 'boolean') throw invalid(`${what} must be true or false, got ${show(value)}`);
  return value;
}

function parseWhole(value: unknown, rule: { readonly what: string; readonly min: number; readonly max: number }): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < rule.min || value > rule.max) {
    throw invalid(`${rule.what} must be a whole number in [${rule.min}, ${rule.max}], got ${show(value)}`);
  }
  return value;
}

/** A misspelt option that was silently ignored would be a timeout that nobody set. */
function checkObject(value: unknown, what: string, keys: ReadonlySet<string>): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${what} must be an object, got ${show(value)}`);
  for (const key of Object.keys(value)) {
    if (!keys.has(key)) throw invalid(`${what} has an unknown key '${key}'; known are ${[...keys].join(', ')}`);
  }
}

function invalid(message: string): SeqError {
  return new SeqError('INVALID_ARGUMENT', message);
}
