import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { SeqError, show } from '../base/errors.js';
import { isLoopback } from '../model/address.js';
import { HttpRefusal, refusal } from './http-error.js';
import type { GatewayLimits } from './limits.js';
import { ALL_ROUTES, TIMEOUT_HEADER, TIMEOUT_PARAMETER } from './openapi.js';
import type { RawRequest, Route } from './route.js';

const NO_BYTES = Buffer.alloc(0);
const PATTERNS = ALL_ROUTES.map((route) => ({ route, pattern: patternOf(route.path) }));

/** What stands before the body of a request, read. */
export interface Head {
  readonly route: Route;
  readonly path: RawRequest['path'];
  readonly query: RawRequest['query'];
  /** How long its caller waits. */
  readonly timeoutMs: number;
}

/** What the gateway is, for who reads requests. */
export interface Place {
  /** It listens on loopback. */
  readonly isLocal: boolean;
  readonly limits: GatewayLimits;
}

/** Throws a SeqError or an HttpRefusal for what no route takes. */
export function readHead({ method = '', url = '', headers }: Pick<IncomingMessage, 'method' | 'url' | 'headers'>, { isLocal, limits }: Place): Head {
  checkCaller(headers, isLocal);
  const at = url.indexOf('?');
  const { route, path } = findRoute(method, at < 0 ? url : url.slice(0, at));
  if (route.bodyFields === undefined && hasBody({ headers })) throw new SeqError('INVALID_ARGUMENT', `${method} ${route.path} takes no body`);
  const all = readQuery(at < 0 ? '' : url.slice(at + 1));
  if (!route.isCall) return { route, path, query: all, timeoutMs: limits.timeoutDefaultMs };
  const { [TIMEOUT_PARAMETER]: inQuery, ...query } = all;
  return { route, path, query, timeoutMs: readTimeoutMs(inQuery, headers[TIMEOUT_HEADER.toLowerCase()], limits) };
}

/** The route of a request and the values in its path. Throws an HttpRefusal: 404, or 405 with what is allowed. */
function findRoute(method: string, path: string): { readonly route: Route; readonly path: RawRequest['path'] } {
  // Some clients encode every colon of a path; nothing else in our paths needs it.
  const plain = path.replaceAll(/%3a/gi, ':');
  const found = PATTERNS.flatMap(({ route, pattern }) => {
    const match = pattern.exec(plain);
    return match === null ? [] : [{ route, path: { ...match.groups } }];
  });
  if (found.length === 0) throw refusal(404, `there is no ${show(path)}; there is ${[...new Set(ALL_ROUTES.map((route) => route.path))].join(', ')}`);
  const matching = found.find(({ route }) => route.method === method);
  if (matching !== undefined) return matching;
  const allow = found.map(({ route }) => route.method).join(', ');
  throw refusal(405, `${show(path)} takes ${allow}, got ${show(method)}`, { allow });
}

/** '/v1/uids/{uid}:next' -> what matches it, with a group for each name. A value holds neither a slash nor a colon. */
function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/[.*+?^$|()[\]\\]/g, '\\$&').replaceAll(/\{(\w+)\}/g, '(?<$1>[^/:]*)')}$`);
}

/** Throws INVALID_ARGUMENT for a parameter that is there twice: which one counts would be a guess. */
function readQuery(text: string): Record<string, string> {
  const query = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(text)) {
    if (query.has(key)) throw new SeqError('INVALID_ARGUMENT', `the query has ${show(key)} twice`);
    query.set(key, value);
  }
  return Object.fromEntries(query);
}

/** How long the caller waits, in ms. Throws INVALID_ARGUMENT unless it is a duration in bounds, said in one place. */
function readTimeoutMs(inQuery: string | undefined, inHeader: string | string[] | undefined, limits: GatewayLimits): number {
  const text = inQuery ?? inHeader;
  if (inQuery !== undefined && inHeader !== undefined)
    throw new SeqError('INVALID_ARGUMENT', `say how long you wait with ?timeout= or with ${TIMEOUT_HEADER}, not with both`);
  if (text === undefined) return limits.timeoutDefaultMs;
  const match = typeof text === 'string' ? /^(\d{1,6})(ms|s)$/.exec(text) : null;
  const timeoutMs = Number(match?.[1]) * (match?.[2] === 's' ? 1_000 : 1);
  if (!(timeoutMs >= 1 && timeoutMs <= limits.timeoutMaxMs)) {
    throw new SeqError('INVALID_ARGUMENT', `timeout must be 1ms to ${limits.timeoutMaxMs / 1_000}s, with its unit, got ${show(text)}`);
  }
  return timeoutMs;
}

/**
 * Throws PERMISSION_DENIED for what a browser sends on behalf of a page: a page of anybody could otherwise take numbers from whoever looks at it.
 * On loopback the name asked for must be of this machine too, or a page could have its own name point here (DNS rebinding).
 */
function checkCaller(headers: IncomingHttpHeaders, isLocal: boolean): void {
  if (headers.origin !== undefined) throw denied(`pages of a browser are not served, got origin ${show(headers.origin)}`);
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'none') throw denied(`pages of a browser are not served, got sec-fetch-site ${show(site)}`);
  if (isLocal && !namesThisMachine(headers.host)) {
    throw denied(`this port is for its own machine: the host header must be localhost or a loopback address, got ${show(headers.host)}`);
  }
}

function namesThisMachine(host: string | undefined): boolean {
  // HTTP/1.0 has none, and no browser speaks it.
  if (host === undefined) return true;
  try {
    return isLoopback(/:\d+$/.test(host) ? host : `${host}:80`);
  } catch (error) {
    if (error instanceof SeqError) return false;
    throw error;
  }
}

/** The keys of a JSON body; none for an empty body. Throws a SeqError or an HttpRefusal unless it is JSON and says so. */
export function parseBody(bytes: Uint8Array, headers: IncomingHttpHeaders): RawRequest['body'] {
  if (bytes.length === 0) return {};
  checkContent(headers);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new SeqError('INVALID_ARGUMENT', `the body is not JSON in UTF-8: ${cause instanceof Error ? cause.message : ''}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SeqError('INVALID_ARGUMENT', `the body must be a JSON object, got ${Array.isArray(value) ? 'an array' : show(value)}`);
  }
  return value as RawRequest['body'];
}

/** Rejects with an HttpRefusal when it is too long, and with ABORTED when the caller went away. `invite` is called BEFORE it reads. */
export async function readBody(request: IncomingMessage, bytesMax: number, invite: () => void): Promise<Buffer> {
  if (!hasBody(request)) return NO_BYTES;
  const tooLong = (): HttpRefusal => refusal(413, `the body must be at most ${bytesMax} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLong();
  invite();
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    // Left early, the iterator would end the connection, and the refusal with it.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > bytesMax) throw tooLong();
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof HttpRefusal) throw cause;
    throw new SeqError('ABORTED', 'the connection ended before the body did', { cause, definite: true });
  }
  return Buffer.concat(chunks);
}

function checkContent(headers: IncomingHttpHeaders): void {
  const type = headers['content-type'];
  if (!/^application\/json\s*(;\s*charset=("?)utf-8\2\s*)?$/i.test(type ?? '')) {
    throw refusal(415, `a body must come with content-type: application/json, got ${type === undefined ? 'none' : show(type)}`);
  }
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') throw refusal(415, `a body must come uncompressed, got content-encoding ${show(encoding)}`);
}

function denied(message: string): SeqError {
  return new SeqError('PERMISSION_DENIED', message);
}

/** True when a request announces a body, read or not. */
export function hasBody(request: Pick<IncomingMessage, 'headers'>): boolean {
  return bodyBytesOf(request) !== 0;
}

/** How long the body is that a request announces; Infinity: it does not say. */
export function bodyBytesOf({ headers }: Pick<IncomingMessage, 'headers'>): number {
  return headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : Number.POSITIVE_INFINITY;
}
