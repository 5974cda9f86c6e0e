import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer } from './http-error.js';
import { jsonText, PreparedJson } from './json.js';
import { bodyBytesOf, hasBody } from './request.js';

/** One request and its answer. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly startedMs: number;
  readonly socket: Socket;
  /** How long its body is, as it says itself; Infinity: it does not say. */
  readonly bodyBytes: number;
  readonly #response: ServerResponse;
  readonly #abort = new AbortController();
  #lateCheckCount = 0;
  #isAnswered = false;

  constructor(request: IncomingMessage, response: ServerResponse, startedMs: number) {
    this.request = request;
    this.startedMs = startedMs;
    this.socket = request.socket;
    this.bodyBytes = bodyBytesOf(request);
    this.#response = response;
  }

  /** Aborted once the caller has gone away. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** Lets a caller that asks first send the body (RFC 9110, 10.1.1); the others send it anyway. */
  invite(): void {
    if (this.request.headers.expect !== undefined) this.#response.writeContinue();
  }

  /** `isLast`: of its connection. Does nothing when the caller has gone away. */
  answer({ status, headers, body }: Answer, isLast: boolean): void {
    this.#isAnswered = true;
    const text = body instanceof PreparedJson ? body.text : jsonText(body);
    // A body that was not read is in the way of the next request.
    const isClosing = isLast || (hasBody(this.request) && !this.request.complete);
    this.#response.writeHead(status, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...headers,
      ...(isClosing ? { connection: 'close' } : {}),
    });
    this.#response.end(text);
  }

  /** Calls `handle` when the answer has left, or never will. */
  onOver(handle: () => void): void {
    this.#response.once('close', handle);
  }

  /** The connection is gone. */
  abort(): void {
    this.#abort.abort(new Error('the caller has gone away'));
  }

  /** True once `checksMax` checks found the answer on its way and not read. One that waits for those before it is not on its way yet. */
  isLate(checksMax: number): boolean {
    if (this.#isAnswered && this.#response.socket !== null) this.#lateCheckCount += 1;
    return this.#lateCheckCount > checksMax;
  }
}
