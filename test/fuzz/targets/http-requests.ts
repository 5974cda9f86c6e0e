import type { SeqRange } from '../../../src/client/client.js';
import { HttpRefusal } from '../../../src/gateway/http-error.js';
import { GATEWAY_LIMITS } from '../../../src/gateway/limits.js';
import { parseBody, readHead } from '../../../src/gateway/request.js';
import type { Backend } from '../../../src/gateway/route.js';
import { SEQ_MAX, UID_MAX } from '../../../src/model/ids.js';
import { mustHold, type Outcome, refusalOf, type Target } from '../target.js';

const PATHS = ['/v1/uids/42:next', '/v1/uids/18446744073709551615:next', '/v1/uids/0', '/v1/uids:nextMany', '/v1/routes', '/openapi.json', '/'];
const QUERIES = [
  '',
  '?timeout=1s',
  '?timeout=30001ms',
  '?floor=5',
  '?strict=true',
  '?limit=2&fromSection=1',
  '?__proto__=1',
  '?floor=1&floor=2',
  '?%00',
];
const HEADERS = [
  'content-type: application/json',
  'content-type: application/json; charset="utf-8"',
  'content-type: text/plain',
  'content-length: 2',
  'transfer-encoding: chunked',
  'host: localhost:7080',
  'host: [::1]',
  'host: evil',
  'origin: null',
  'sec-fetch-site: none',
  'seqsvr-timeout: 5ms',
  'seqsvr-timeout: 0s',
];
const BODIES = [
  '',
  '{}',
  '{"count":5,"floor":"9223372036854775807","strict":true}',
  '{"count":1e6}',
  '{"uids":["1","1","18446744073709551615"]}',
  '{"uids":[],"strict":false}',
  '{"__proto__":{"count":1}}',
  '[{"count":1}]',
  '{"floor":"-0"}',
  '"\\ud800"',
];

const VALID = [
  'POST /v1/uids/42:next?timeout=5s\ncontent-type: application/json\n\n{"count":5,"floor":"7","strict":true}',
  'POST /v1/uids/0:next\n\n',
  'GET /v1/uids/18446744073709551615?floor=9223372036854775807&strict=false\nseqsvr-timeout: 30s\nhost: 127.0.0.1:7080\n\n',
  'POST /v1/uids:nextMany\ncontent-type: application/json; charset=utf-8\n\n{"uids":["1","1","18446744073709551615"]}',
  'GET /v1/routes?fromSection=0&limit=1000\n\n',
  'GET /openapi.json\n\n',
];

/** A client that says what no client of ours would be asked. */
const backend: Backend = {
  client: {
    nextRange: (uid, count, options): Promise<SeqRange> => {
      checkCall(uid, options);
      mustHold(Number.isInteger(count) && count >= 1 && count <= 1_000_000, 'a count is in its range');
      return Promise.resolve({ first: SEQ_MAX - BigInt(count) + 1n, last: SEQ_MAX });
    },
    nextMany: (uids, options) => {
      mustHold(uids.length >= 1 && uids.length <= 1_000, 'uids are as many as one request takes');
      for (const uid of uids) checkCall(uid, options);
      return Promise.resolve(uids.map(() => SEQ_MAX as bigint));
    },
    current: (uid, options) => {
      checkCall(uid, options);
      return Promise.resolve({ seq: SEQ_MAX, exact: true });
    },
  },
  table: () => undefined,
};

export const httpRequests: Target = {
  name: 'http-requests',
  about: 'what requests of the HTTP gateway carry: path, query, headers, body (gateway/request.ts, gateway/fields.ts)',
  shape: { parts: 'one', payload: 'text', words: [...PATHS, ...QUERIES, ...HEADERS, ...BODIES] },
  generate(random) {
    if (random.chance(0.5)) return Buffer.from(random.pick(VALID));
    const headers = random.chance(0.5) ? [HEADERS[0]] : [random.pick(HEADERS), random.pick(HEADERS)];
    const query = random.chance(0.3) ? random.pick(QUERIES) : '';
    const method = random.pick(['GET', 'POST', 'POST', 'POST', 'PUT']);
    return Buffer.from([`${method} ${random.pick(PATHS)}${query}`, ...headers, '', random.pick(BODIES)].join('\n'));
  },
  async feed(input) {
    const text = Buffer.from(input).toString('latin1');
    const end = text.indexOf('\n\n');
    const [line = '', ...lines] = text.slice(0, end < 0 ? text.length : end).split('\n');
    const [method = '', url = ''] = line.split(' ');
    const headers = Object.fromEntries(lines.map((header) => pairOf(header)));
    return outcomeOfRequest({ method, url, headers }, end < 0 ? Buffer.alloc(0) : Buffer.from(input).subarray(end + 2));
  },
};

/** What is no refusal of ours would be answered with 500, which no request may come to. */
async function outcomeOfRequest(
  head: { readonly method: string; readonly url: string; readonly headers: Record<string, string> },
  bytes: Buffer,
): Promise<Outcome> {
  try {
    const { route, path, query, timeoutMs } = readHead(head, { isLocal: true, limits: GATEWAY_LIMITS });
    const body = parseBody(bytes, head.headers);
    const call = { backend: () => backend, limits: () => ({ timeoutMs, signal: new AbortController().signal }) };
    const answer = await route.answer({ path, query, body }, call);
    mustHold(typeof answer === 'object', 'an answer is an object');
    return `ok ${route.name}`;
  } catch (error) {
    return error instanceof HttpRefusal ? `${error.status} ${error.message}` : refusalOf(error);
  }
}

function checkCall(uid: unknown, options: { readonly timeoutMs?: number; readonly floor?: bigint; readonly strict?: boolean } = {}): void {
  mustHold(typeof uid === 'bigint' && uid >= 0n && uid <= UID_MAX, 'a uid is in its range');
  const { timeoutMs = 0, floor = 0n, strict = false } = options;
  mustHold(timeoutMs >= 1 && timeoutMs <= GATEWAY_LIMITS.timeoutMaxMs, 'a wait is in its bounds');
  mustHold(typeof floor === 'bigint' && floor >= 0n && floor <= SEQ_MAX, 'a floor is in its range');
  mustHold(typeof strict === 'boolean', 'strict is true or false');
}

function pairOf(header: string): [string, string] {
  const at = header.indexOf(':');
  return at < 0 ? [header.toLowerCase(), ''] : [header.slice(0, at).toLowerCase(), header.slice(at + 1).trim()];
}
