import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import { SeqError } from '../base/errors.js';
import { cannotListen, isWildcard, splitAddress } from '../model/address.js';
import { authorizeLook } from '../rpc/access.js';
import type { ServerSecurity } from '../rpc/server.js';
import { refusalOf, tlsOptionsOf } from '../rpc/tls-door.js';

/** How long a request may take to arrive, headers and all, in ms; it is cut after that. */
const REQUEST_TIMEOUT_MS = 5_000;
/** How often Node looks for requests past that time, in ms. */
const TIMEOUT_CHECK_EVERY_MS = 1_000;
/** How long an idle connection is kept, in ms: longer than the usual time between two scrapes is not worth it. */
const KEEP_ALIVE_MS = 5_000;
/** Connections at once; one more is closed unanswered. A few scrapers and probes need a few. */
const CONNECTIONS_MAX = 64;

const TEXT = 'text/plain; charset=utf-8';

/** One thing that must be so for a node to be ready. */
export interface Check {
  readonly name: string;
  isPassed(): boolean;
}

export interface AdminServerOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly address: string;
  /** Rendered for each scrape; those that come together share one page. */
  readonly metrics: { readonly contentType: string; render(): Promise<string> };
  readonly checks: readonly Check[];
  /** Hears what rendering or a check failed with: a bug. */
  readonly onBug: (error: unknown) => void;
  /** TLS. Probes need no certificate, for what asks them has none; whatever shows more does. Undefined: plain, and whoever reaches it is answered. */
  readonly security?: ServerSecurity | undefined;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly type?: string;
}

/**
 * What operators' tools ask over HTTP: GET /metrics, /livez (the event loop answers), /readyz (all checks pass;
 * with ?verbose one line for each). It only reads.
 */
export class AdminServer {
  /** `host:port` as bound: the port is the real one also when 0 was asked for. */
  readonly address: string;
  readonly #server: Server;

  private constructor(server: Server, address: string) {
    this.#server = server;
    this.address = address;
  }

  /** Binds and serves. Throws INVALID_ARGUMENT when the address cannot be had: in use, or not of this machine. */
  static async start(options: AdminServerOptions): Promise<AdminServer> {
    const desk = new Desk(options);
    const limits = {
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_EVERY_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    };
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => void desk.serve(request, response);
    const { security } = options;
    const server = security === undefined ? createServer(limits, onRequest) : secureServer(security, limits, onRequest);
    server.maxConnections = CONNECTIONS_MAX;
    const { host } = splitAddress(options.address);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(cannotListen(options.address, error)));
      server.listen(listenOptions(options.address), resolve);
    });
    // A connection that could not be accepted is the scraper's loss; without a listener it would end the process.
    server.on('error', () => undefined);
    return new AdminServer(server, `${host}:${(server.address() as AddressInfo).port}`);
  }

  /** Cuts what is open, for a scraper asks again; resolves when the port is free. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

/** Who answers. */
class Desk {
  readonly #options: AdminServerOptions;
  #page: Promise<string> | undefined;

  constructor(options: AdminServerOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#answerTo(request);
    } catch (error) {
      this.#options.onBug(error);
      answer = { status: 500, text: 'this is a bug; the log of the node says more\n' };
    }
    const { status, text, type = TEXT } = answer;
    const headers = { 'content-type': type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
    response.writeHead(status, {
      ...headers,
      ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
      ...(hasBody(request) ? { connection: 'close' } : {}),
    });
    response.end(text);
  }

  async #answerTo({ method, url = '', socket, headers }: IncomingMessage): Promise<Answer> {
    const [path = '', query] = url.split('?', 2);
    switch (path) {
      case '/metrics':
      case '/livez':
      case '/readyz':
        if (method !== 'GET' && method !== 'HEAD') return { status: 405, text: `${path} is only read: GET or HEAD\n` };
        if (path === '/metrics') {
          const denied = this.#refusalOf(path, socket, headers);
          if (denied !== undefined) return denied;
        }
        if (path === '/readyz') return this.#ready(new URLSearchParams(query).has('verbose'));
        return path === '/livez'
          ? { status: 200, text: 'ok\n' }
          : { status: 200, text: await this.#metrics(), type: this.#options.metrics.contentType };
      default:
        return { status: 404, text: 'there is /metrics, /livez, /readyz and /readyz?verbose\n' };
    }
  }

  /** Undefined: the caller may see it. */
  #refusalOf(path: string, socket: IncomingMessage['socket'], { authorization }: IncomingMessage['headers']): Answer | undefined {
    const { security } = this.#options;
    if (security === undefined) return undefined;
    try {
      const certificate = socket instanceof TLSSocket && socket.authorized ? socket.getPeerCertificate() : undefined;
      authorizeLook(path, security.authenticator.identify({ certificate, authorization }));
      return undefined;
    } catch (error) {
      if (!SeqError.is(error)) throw error;
      return { status: error.code === 'UNAUTHENTICATED' ? 401 : 403, text: `${error.message}\n` };
    }
  }

  /** One page is made at a time, however many ask. */
  #metrics(): Promise<string> {
    this.#page ??= this.#options.metrics.render().finally(() => {
      this.#page = undefined;
    });
    return this.#page;
  }

  #ready(isVerbose: boolean): Answer {
    const results = this.#options.checks.map((check) => ({ name: check.name, isPassed: check.isPassed() }));
    const failed = results.filter(({ isPassed }) => !isPassed).map(({ name }) => name);
    const lines = isVerbose ? results.map(({ name, isPassed }) => `[${isPassed ? '+' : '-'}] ${name} ${isPassed ? 'ok' : 'failed'}\n`) : [];
    const verdict = failed.length === 0 ? 'ok\n' : `not ready: ${failed.join(', ')}\n`;
    return { status: failed.length === 0 ? 200 : 503, text: `${lines.join('')}${verdict}` };
  }
}

function secureServer(
  security: ServerSecurity,
  limits: object,
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
): SecureServer {
  const { identity, onRefused = () => undefined } = security;
  const protocols = ['http/1.1'];
  const server = createSecureServer({ ...limits, ...tlsOptionsOf(identity, protocols) }, onRequest);
  server.on('secureConnection', (socket: TLSSocket) => {
    const why = refusalOf(socket, false);
    if (why === undefined) return;
    onRefused(why);
    socket.destroy();
  });
  server.on('tlsClientError', (error: Error & { readonly code?: string }) => onRefused(error.code ?? error.message));
  const forget = identity.onReplaced(() => server.setSecureContext(tlsOptionsOf(identity, protocols)));
  server.once('close', forget);
  return server;
}

/** A body is not read, so the connection cannot be used again. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

function listenOptions(address: string): { readonly host?: string; readonly port: number } {
  const { host, port } = splitAddress(address);
  // '*' is every address of the machine, which Node says by naming none; an IPv6 host stands in brackets only in text.
  return isWildcard(address) && host === '*' ? { port } : { host: host.replace(/^\[(.*)\]$/, '$1'), port };
}
