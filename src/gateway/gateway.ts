import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type Clock, every } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import { cannotListen, isLoopback, isWildcard, splitAddress } from '../model/address.js';
import { Connections, type HttpFigures } from './connections.js';
import { Exchange } from './exchange.js';
import { type Answer, answerToError, HttpRefusal, refusal } from './http-error.js';
import { GATEWAY_LIMITS, type GatewayLimits } from './limits.js';
import { parseBody, type Place, readBody, readHead } from './request.js';
import type { Backend } from './route.js';
import { Turns } from './turns.js';

/** What a caller is told to wait, in ms, when too many requests are in flight, and while the node starts. */
const BUSY_RETRY_AFTER_MS = 100;
const STARTING_RETRY_AFTER_MS = 1_000;

export interface GatewayEvent {
  readonly type: 'requestAnswered';
  readonly status: number;
  /** From its headers to its answer. */
  readonly tookMs: number;
}

export interface GatewayOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly address: string;
  readonly clock: Clock;
  readonly observe: Observer<GatewayEvent>;
  /** Hears what an answer failed with that is no SeqError: a bug. */
  readonly onBug: (error: unknown) => void;
  /** For tests. Default: GATEWAY_LIMITS. */
  readonly limits?: Partial<GatewayLimits>;
}

/**
 * Numbers over HTTP/1.1 and JSON, for who has no client of ours: it is a client itself, so any gateway answers for every uid. 64-bit numbers are
 * text in both directions. Pages of browsers are not served; what is too much, too slow or malformed is refused or cut (limits.ts).
 */
export class HttpGateway {
  /** `host:port` as bound: the port is the real one also when 0 was asked for. */
  readonly address: string;
  readonly #server: Server;
  readonly #desk: Desk;
  readonly #stopChecks: () => void;

  private constructor(server: Server, desk: Desk, address: string, stopChecks: () => void) {
    this.#server = server;
    this.#desk = desk;
    this.address = address;
    this.#stopChecks = stopChecks;
  }

  /** Binds, and answers UNAVAILABLE until it can serve. Throws INVALID_ARGUMENT when the address cannot be had: in use, or not of this machine. */
  static async start(options: GatewayOptions): Promise<HttpGateway> {
    const limits = { ...GATEWAY_LIMITS, ...options.limits };
    const desk = new Desk(options, limits);
    const server = createServer(
      {
        maxHeaderSize: limits.headerBytesMax,
        headersTimeout: limits.headersMaxMs,
        requestTimeout: limits.requestMaxMs,
        connectionsCheckingInterval: limits.lateCheckEveryMs,
        keepAliveTimeout: limits.keepAliveMs,
        noDelay: true,
      },
      (request, response) => void desk.serve(request, response),
    );
    // Without a listener Node would ask for the body of whatever it is.
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => void desk.serve(request, response));
    server.maxHeadersCount = limits.headerCountMax;
    server.maxRequestsPerSocket = limits.requestsPerConnectionMax;
    server.on('connection', (socket: Socket) => desk.connections.admit(socket));
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => desk.refuseBroken(error, socket));
    const { host } = splitAddress(options.address);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(cannotListen(options.address, error)));
      server.listen(listenOptions(options.address), resolve);
    });
    // Too many open files: the connection is lost, and the server is not.
    server.on('error', () => (desk.connections.figures.refusedCount += 1));
    const stopChecks = every(options.clock, limits.lateCheckEveryMs, () => desk.connections.cutLate());
    return new HttpGateway(server, desk, `${host}:${(server.address() as AddressInfo).port}`, stopChecks);
  }

  /** What it answers with from now on. */
  serve(backend: Backend): void {
    this.#desk.backend = backend;
  }

  /** Live. */
  get figures(): Readonly<HttpFigures> {
    return this.#desk.connections.figures;
  }

  /** Takes no more connections, lets requests under way end for a while, then cuts them. Resolves when the port is free. */
  async stop(): Promise<void> {
    this.#desk.isStopping = true;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#server.closeIdleConnections();
    const { clock, limits } = this.#desk;
    const cancel = clock.after(limits.drainMs, () => this.#server.closeAllConnections());
    await closed;
    cancel();
    this.#stopChecks();
  }
}

/** Who answers. */
class Desk {
  readonly connections: Connections;
  readonly clock: Clock;
  readonly limits: GatewayLimits;
  /** Undefined: the node starts. */
  backend: Backend | undefined;
  isStopping = false;
  readonly #options: GatewayOptions;
  readonly #place: Place;
  readonly #turns: Turns;

  constructor(options: GatewayOptions, limits: GatewayLimits) {
    this.#options = options;
    this.#place = { isLocal: isLoopback(options.address), limits };
    this.clock = options.clock;
    this.limits = limits;
    this.connections = new Connections(limits, options.clock);
    this.#turns = new Turns(options.clock, limits.beginsPerTurnMax);
  }

  /** Never rejects. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // What came in one packet with the request that it was cut for.
    if (request.socket.destroyed) return;
    const exchange = new Exchange(request, response, this.clock.nowMs());
    const isAdmitted = this.connections.begin(exchange);
    if (isAdmitted === undefined) return;
    const turn = isAdmitted ? this.#turns.next() : undefined;
    if (turn !== undefined) await turn;
    const answer = isAdmitted ? await this.#answerTo(exchange) : answerToError(tooMany());
    exchange.answer(answer, this.isStopping || !isAdmitted);
    this.#options.observe({ type: 'requestAnswered', status: answer.status, tookMs: this.clock.nowMs() - exchange.startedMs });
  }

  async #answerTo(exchange: Exchange): Promise<Answer> {
    try {
      return { status: 200, body: await this.#bodyFor(exchange) };
    } catch (error) {
      if (!(error instanceof SeqError) && !(error instanceof HttpRefusal)) this.#options.onBug(error);
      return answerToError(error);
    }
  }

  async #bodyFor(exchange: Exchange): Promise<object> {
    const { request } = exchange;
    const { route, path, query, timeoutMs } = readHead(request, this.#place);
    const body = parseBody(await readBody(request, this.limits.bodyBytesMax, () => exchange.invite()), request.headers);
    return route.answer({ path, query, body }, { backend: () => this.#requireBackend(), limits: () => this.#limitsOf(exchange, timeoutMs) });
  }

  #limitsOf({ signal, startedMs }: Exchange, waitsMs: number): { readonly timeoutMs: number; readonly signal: AbortSignal } {
    const timeoutMs = Math.ceil(waitsMs - (this.clock.nowMs() - startedMs));
    if (timeoutMs >= 1) return { timeoutMs, signal };
    throw new SeqError('TIMEOUT', `the request took longer to arrive than the ${waitsMs}ms that its caller waits`, { definite: true });
  }

  #requireBackend(): Backend {
    if (this.backend !== undefined) return this.backend;
    throw new SeqError('UNAVAILABLE', 'this node is starting and has no lease yet', { definite: true, retryAfterMs: STARTING_RETRY_AFTER_MS });
  }

  /** What Node could not read, or waited for in vain. */
  refuseBroken(error: NodeJS.ErrnoException, socket: Socket): void {
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') this.connections.figures.lateCount += 1;
    // A connection that was reset, or is gone, sent nothing wrong.
    else if (error.code?.startsWith('HPE_') === true) this.connections.figures.brokenCount += 1;
    if (!socket.writable || this.connections.isAnswering(socket)) return void socket.destroy();
    socket.end(rawAnswer(brokenAnswer(error.code, this.limits)), () => socket.destroy());
  }
}

function tooMany(): SeqError {
  return new SeqError('RESOURCE_EXHAUSTED', 'too many requests are in flight', { retryAfterMs: BUSY_RETRY_AFTER_MS });
}

function brokenAnswer(code: string | undefined, limits: GatewayLimits): Answer {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return answerToError(new HttpRefusal(408, new SeqError('TIMEOUT', 'the request did not arrive in time', { definite: true })));
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    return answerToError(refusal(431, `request line and headers must be at most ${limits.headerBytesMax} bytes together`));
  }
  return answerToError(new SeqError('INVALID_ARGUMENT', 'this is not HTTP/1.1'));
}

/** An answer without a response of Node's: the request was never one. */
function rawAnswer({ status, body }: Answer): string {
  const text = `${JSON.stringify(body)}\n`;
  const reason = { 400: 'Bad Request', 408: 'Request Timeout', 431: 'Request Header Fields Too Large' }[status] ?? '';
  return [
    `HTTP/1.1 ${status} ${reason}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(text)}`,
    'connection: close',
    '',
    text,
  ].join('\r\n');
}

function listenOptions(address: string): { readonly host?: string; readonly port: number } {
  const { host, port } = splitAddress(address);
  // '*' is every address of the machine, which Node says by naming none; an IPv6 host stands in brackets only in text.
  return isWildcard(address) && host === '*' ? { port } : { host: host.replace(/^\[(.*)\]$/, '$1'), port };
}
