import { connect, type Socket } from 'node:net';
import { systemClock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';

/** What Redis answers. null: there is none. */
export type RespValue = string | bigint | null | readonly RespValue[];

/** For one command, in ms. */
const REPLY_LIMIT_MS = 10_000;
/** Bytes of one reply that is not whole yet; a larger one is refused. */
const REPLY_BYTES_MAX = 16 * 1024 * 1024;
/** How deep replies nest: those of the commands used here are flat but for SCAN. */
const DEPTH_MAX = 4;

/** A connection to Redis, as far as an import needs one: RESP2 (redis.io/docs/reference/protocol-spec), one command at a time. */
export class RespClient {
  readonly #socket: Socket;
  readonly #name: string;
  #received: Buffer = Buffer.alloc(0);
  #waiting: { readonly resolve: (value: RespValue) => void; readonly reject: (error: unknown) => void } | undefined;
  #failure: SeqError | undefined;

  private constructor(socket: Socket, name: string) {
    this.#socket = socket;
    this.#name = name;
    socket.on('data', (bytes) => this.#onData(bytes));
    socket.on('error', (error) => this.#fail(unavailable(`${name}: ${error.message}`, error)));
    socket.on('close', () => this.#fail(unavailable(`${name} closed the connection`)));
  }

  /** Throws UNAVAILABLE when nobody answers there. */
  static async open({ host, port }: { readonly host: string; readonly port: number }): Promise<RespClient> {
    const name = `redis at ${host}:${port}`;
    const socket = connect({ host, port });
    try {
      await new Promise<void>((resolve, reject) => {
        const cancel = systemClock.after(REPLY_LIMIT_MS, () => reject(unavailable(`${name} does not answer within ${REPLY_LIMIT_MS} ms`)));
        socket.once('connect', () => (cancel(), resolve()));
        socket.once('error', (error) => (cancel(), reject(unavailable(`${name}: ${error.message}`, error))));
      });
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return new RespClient(socket, name);
  }

  /** Throws INVALID_ARGUMENT with what Redis has against the command, UNAVAILABLE when it does not answer, PROTOCOL when that is no reply. */
  async send(...command: readonly string[]): Promise<RespValue> {
    if (this.#failure !== undefined) throw this.#failure;
    const cancel = systemClock.after(REPLY_LIMIT_MS, () =>
      this.#fail(unavailable(`${this.#name} does not answer ${command[0]} within ${REPLY_LIMIT_MS} ms`)),
    );
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting = { resolve, reject };
        this.#socket.write(encode(command));
      });
    } finally {
      cancel();
    }
  }

  close(): void {
    this.#failure = unavailable(`${this.#name}: the connection is closed`);
    this.#socket.destroy();
  }

  #onData(bytes: Buffer): void {
    this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
    if (this.#received.length > REPLY_BYTES_MAX) return this.#fail(protocol(`${this.#name} sent a reply of more than ${REPLY_BYTES_MAX} bytes`));
    try {
      const reply = decodeReply(this.#received);
      if (reply === undefined) return;
      this.#received = this.#received.subarray(reply.end);
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (reply.error === undefined) waiting?.resolve(reply.value);
      else waiting?.reject(new SeqError('INVALID_ARGUMENT', `${this.#name}: ${reply.error}`));
    } catch (error) {
      this.#fail(error instanceof SeqError ? error : protocol(`${this.#name} sent what is no reply`));
    }
  }

  /** The first failure counts; whoever waits or comes later hears it. */
  #fail(error: SeqError): void {
    this.#failure ??= error;
    this.#waiting?.reject(this.#failure);
    this.#waiting = undefined;
    this.#socket.destroy();
  }
}

function encode(command: readonly string[]): string {
  return `*${command.length}\r\n${command.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}

interface Reply {
  readonly value: RespValue;
  /** What Redis has against the command. */
  readonly error?: string;
  /** Where the next one begins. */
  readonly end: number;
}

/** Undefined: it is not whole yet. Throws PROTOCOL for bytes that are no reply. */
export function decodeReply(bytes: Buffer, at = 0, depth = 0): Reply | undefined {
  const lineEnd = bytes.indexOf('\r\n', at);
  if (lineEnd === -1) return undefined;
  const line = bytes.toString('utf8', at + 1, lineEnd);
  const end = lineEnd + 2;
  switch (bytes.toString('latin1', at, at + 1)) {
    case '+':
      return { value: line, end };
    case '-':
      return { value: null, error: line, end };
    case ':':
      return { value: BigInt(countIn(line, -Number.MAX_SAFE_INTEGER)), end };
    case '$':
      return bulkAt(bytes, end, countIn(line, -1));
    case '*':
      return arrayAt(bytes, { at: end, count: countIn(line, -1), depth });
    default:
      throw protocol('a reply of RESP begins with one of + - : $ *');
  }
}

function bulkAt(bytes: Buffer, at: number, length: number): Reply | undefined {
  if (length === -1) return { value: null, end: at };
  if (length > REPLY_BYTES_MAX) throw protocol(`a string of ${length} bytes`);
  const end = at + length;
  return bytes.length < end + 2 ? undefined : { value: bytes.toString('utf8', at, end), end: end + 2 };
}

function arrayAt(bytes: Buffer, { at, count, depth }: { readonly at: number; readonly count: number; readonly depth: number }): Reply | undefined {
  if (count === -1) return { value: null, end: at };
  if (depth >= DEPTH_MAX) throw protocol(`replies nest deeper than ${DEPTH_MAX}`);
  const values: RespValue[] = [];
  let end = at;
  while (values.length < count) {
    const item = decodeReply(bytes, end, depth + 1);
    if (item === undefined) return undefined;
    values.push(item.value);
    end = item.end;
  }
  return { value: values, end };
}

function countIn(text: string, min: number): number {
  const count = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(count >= min)) throw protocol(`a count of '${text.slice(0, 20)}'`);
  return count;
}

function unavailable(message: string, cause?: unknown): SeqError {
  return new SeqError('UNAVAILABLE', message, { definite: true, cause });
}

function protocol(message: string): SeqError {
  return new SeqError('PROTOCOL', message, { definite: true });
}
